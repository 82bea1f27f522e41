"""Reads input by prompt_toolkit, or as plain lines if the terminal cannot move its cursor. Knows no chat."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, get_app_or_none
from prompt_toolkit.completion import Completer, NestedCompleter, PathCompleter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import choice

MARK = "› "


@dataclass(frozen=True)
class View:
    """What is shown around the input line."""

    tail: Callable[[], Sequence[str]]
    """The changing lines above it."""
    toolbar: Callable[[], str]
    interrupt: Callable[[], bool]
    """Called for Ctrl+C; returns whether there was something to stop."""


class Keyboard(Protocol):
    def printing(self) -> AbstractContextManager[object]:
        """Inside this block, others may print above the input line."""

    def line(self) -> str:
        """The next line. Raises EOFError at the end of input, KeyboardInterrupt for Ctrl+C."""

    def refresh(self) -> None:
        """Redraw the view. May be called from any thread."""

    def pick(self, title: str, options: Sequence[tuple[str, str]]) -> str:
        """The value of the option, (value, text) each, that the person picks. Raises EOFError, KeyboardInterrupt."""


def keyboard(view: View, commands: Iterable[str]) -> Keyboard:
    """The best input that this terminal supports."""
    return PlainKeyboard() if os.environ.get("TERM", "dumb") in ("dumb", "unknown") else EditedLine(view, commands)


class EditedLine:
    """An input line with editing, history and completion, below the printed text."""

    def __init__(self, view: View, commands: Iterable[str]) -> None:
        self._view = view
        self._session: Any = PromptSession(
            message=self._message,
            bottom_toolbar=view.toolbar,
            key_bindings=self._bindings(),
            completer=_completer(commands),
            complete_while_typing=False,
            erase_when_done=True,  # a message is printed once the chat has accepted it
        )

    def printing(self) -> AbstractContextManager[object]:
        above: AbstractContextManager[object] = patch_stdout(raw=True)
        return above

    def line(self) -> str:
        with _ending_at_sigterm():
            return str(self._session.prompt())

    def refresh(self) -> None:
        self._session.app.invalidate()

    def pick(self, title: str, options: Sequence[tuple[str, str]]) -> str:
        with _ending_at_sigterm():
            return str(choice(message=title, options=list(options)))

    def _message(self) -> StyleAndTextTuples:
        lines = [*self._view.tail(), ""]
        return [("", "\n".join(lines)), ("bold", MARK)]

    def _bindings(self) -> Any:  # noqa: ANN401
        bindings = KeyBindings()
        bindings.add("c-c")(self._ctrl_c)
        bindings.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
        return bindings

    def _ctrl_c(self, event: Any) -> None:  # noqa: ANN401
        """Stop the answer and keep the line; without an answer, clear the line."""
        if self._view.interrupt():
            return
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt(), style="class:aborting")


@contextmanager
def _ending_at_sigterm() -> Iterator[None]:
    """Have SIGTERM end prompt_toolkit's application first, which leaves the terminal as it was.

    An exception out of a signal's handler could end one of its tasks, or come between two changes of the terminal.
    """
    leave = signal.getsignal(signal.SIGTERM)
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        app = get_app_or_none()
        if callable(leave) and app and app.loop:
            came.append(number)
            app.loop.call_soon_threadsafe(_end, app)
        else:
            signal.signal(number, leave)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, leave)
        if came:
            signal.raise_signal(signal.SIGTERM)


def _end(app: Application[Any]) -> None:
    """End the application, unless it has just ended."""
    if app.future and not app.future.done():
        app.exit(exception=EOFError)


class PlainKeyboard:
    """Plain lines, for a terminal that cannot move its cursor."""

    def printing(self) -> AbstractContextManager[object]:
        return nullcontext()

    def line(self) -> str:
        return _typed(MARK)

    def refresh(self) -> None:
        """There is nothing to redraw."""

    def pick(self, title: str, options: Sequence[tuple[str, str]]) -> str:
        for number, (_, text) in enumerate(options, 1):
            print(f"{number:3}  {text}")
        while True:
            given = _typed(f"{title} ").strip()
            if given.isascii() and given.isdigit() and 1 <= int(given) <= len(options):
                return options[int(given) - 1][0]


def _typed(mark: str) -> str:
    """The next line. A signal is handled at once while it waits: `input` misses one that comes as it begins to read."""
    print(mark, end="", flush=True)
    with _woken_by_signals() as wake:
        while sys.stdin not in select.select([sys.stdin, wake], [], [])[0]:
            wake.recv(1)
    return input()


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket that can be read once a signal has come. In the main thread only."""
    wake, told = socket.socketpair()
    told.setblocking(False)
    with wake, told:
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(before)


def _completer(commands: Iterable[str]) -> Completer:
    return NestedCompleter({name: PathCompleter() if name == "/file" else None for name in commands})
