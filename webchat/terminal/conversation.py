"""`webchat chat`: a session at a terminal, live with all pages that show it. Knows no command line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing

from webchat.chat.session import short_id
from webchat.errors import WebChatError
from webchat.terminal.answer import Sent, events_of
from webchat.terminal.client import ChatClient, Fields
from webchat.terminal.commands import COMMANDS, Commands
from webchat.terminal.keyboard import View, keyboard
from webchat.terminal.live import Live
from webchat.terminal.paper import ASIDE, Paper
from webchat.terminal.printed import chosen_option
from webchat.terminal.safe import safe_line
from webchat.terminal.screen import Screen

TAIL = 8
"""Lines of an unfinished block to show above the input line."""


class TerminalChat:
    """One person at one terminal. The thread of the session's stream prints what arrives."""

    def __init__(self, chat: ChatClient, folder: str | None = None, *, temporary: bool = False) -> None:
        """`folder` is where new sessions work; `temporary` ones are never saved."""
        self.chat, self.screen = chat, Screen()
        self.session_id: str | None = None
        self.files: list[tuple[str, bytes]] = []
        """The files to attach to the next message."""
        self.paper = Paper(self.screen)
        self._folder, self._temporary = folder, temporary
        self._new = "New temporary session" if temporary else "New session"
        self._live: Live | None = None
        self._title, self._status, self._is_away = "", "", False
        self._program = ""
        """The program that wrote the session; "" for ours."""
        self._commands = Commands(self)
        self.keyboard = keyboard(View(self._tail, self._toolbar, self.interrupt), COMMANDS)

    def pick(self) -> str | None:
        """Let the person choose from the newest sessions; None if there are none yet."""
        return self._commands.pick()

    def run(self, session_id: str | None) -> None:
        """Show this session, or a new one, until the person quits."""
        with self.keyboard.printing():
            self.say("Write a message, or /help. Ctrl+C stops an answer, Ctrl+D leaves.")
            self.open(session_id)
            while True:
                try:
                    self._take_line(self.keyboard.line())
                except EOFError:
                    return
                except KeyboardInterrupt:
                    if not self.interrupt():
                        self.say("Ctrl+D leaves.")
                except (WebChatError, OSError) as error:
                    self.say(str(error))

    def say(self, line: str) -> None:
        """Print a line that is not part of the conversation."""
        self.screen.line(line, ASIDE)

    def open(self, session_id: str | None) -> None:
        """Show this session from now on; None is a new one, which its first message creates."""
        if self._live is not None:
            self._live.close()
        self.session_id, self.paper, self._live = session_id, Paper(self.screen), None
        self._title, self._status, self._program = "", "", ""
        if session_id is not None:
            paper = self.paper
            self._live = Live(self.chat, session_id, lambda name, fields: self._take(paper, name, fields))
            self._live.start()

    def path(self, *more: str) -> str:
        """The path of the session's route. Raises EOFError."""
        return self.chat.path(self.session_id or "", *more)

    def interrupt(self) -> bool:
        """Stop the answer; returns whether there is one."""
        if not self.paper.is_answering:
            return False
        path = self.path("stop")
        self.in_background(lambda: self.chat.post(path))
        return True

    def in_background(self, do: Callable[[], object]) -> threading.Thread:
        """Do this in a thread, and print what goes wrong."""

        def run() -> None:
            try:
                do()
            except WebChatError as error:
                self.say(str(error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def answer(self, path: str, fields: Fields) -> None:
        """Request an answer from this route; it arrives in the session's stream."""

        def ask() -> None:
            with self.chat.events("POST", path, fields) as response:
                response.read()

        self.in_background(ask)

    # Inside

    def _take_line(self, text: str) -> None:
        question = self.paper.question
        option = chosen_option(question, text) if question else None
        if question and option:
            self.chat.post(self.path("permissions", question["id"]), {"option": option})
        elif text.startswith("/") and not text.startswith("//"):
            self._commands.do(text)
        elif text.strip():
            self._send(text.removeprefix("/") if text.startswith("//") else text)

    def _send(self, text: str) -> None:
        """Send a message; during an answer it is queued. A new session is opened as soon as it exists."""
        is_new = self.session_id is None
        folder, temporary = self._folder if is_new else None, self._temporary and is_new
        sent = Sent(text, tuple(self.files), self.session_id, folder, True, temporary)
        self.files.clear()
        accepted = threading.Event()

        def send() -> None:
            try:
                with closing(events_of(self.chat, sent)) as events:
                    for name, fields in events:
                        if name == "session" and sent.session_id is None:
                            self.open(fields["session_id"])
                        accepted.set()
            except WebChatError as error:
                if not accepted.is_set():
                    self.files[:0] = sent.files
                self.say(f"{error} Press ↑ to get your text back.")
            finally:
                accepted.set()

        self.in_background(send)
        if sent.session_id is None:
            accepted.wait()

    def _take(self, paper: Paper, name: str, fields: Fields) -> None:
        """Handle an event of the session's stream, in its thread."""
        if paper is not self.paper:
            return
        if name == "session":
            self._title = safe_line(fields["description"])
            if "program" in fields and not self._program:
                self.say(f"Written by {fields['program']}, and can only be read here. /fork continues in a copy.")
            self._program = fields.get("program", "")
        elif name == "status":
            self._status = safe_line(fields["text"])
        elif name == "away" and not self._is_away:
            self.say(f"{fields['error']} Trying again.")
        elif name == "gone":
            self.say("This session was deleted. Your next message starts a new one.")
            self.open(None)
        self._is_away = name == "away"
        paper.take(name, fields)
        self.keyboard.refresh()

    def _tail(self) -> Sequence[str]:
        tail = self.paper.tail.strip("\n")
        if tail:
            return self.screen.wrapped(tail)[-min(TAIL, max(1, self.screen.height - 4)) :]
        return [self._status or "…"] if self.paper.is_answering and not self.paper.question else []

    def _toolbar(self) -> str:
        short = short_id(self.session_id or "", is_others=bool(self._program))
        named = [self._title, short] if self.session_id else [self._new]
        files = [f"{len(self.files)} file{'s' * (len(self.files) > 1)}"] if self.files else []
        doing = ["answer with a number"] if self.paper.question else ["Ctrl+C stops"] if self.paper.is_answering else []
        return " · ".join([*(["away"] if self._is_away else doing), *files, *filter(None, named)])
