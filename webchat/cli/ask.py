"""`webchat ask`: one question, its answer on standard output, and how it ended as the exit code. Knows the terminal."""

from __future__ import annotations

import io
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webchat.chat.plain import utf8
from webchat.chat.session import short_id
from webchat.chat.texts import checked_message
from webchat.cli.program import CTRL_C
from webchat.cli.session_id import sessions_that_begin_so
from webchat.cli.terminal import FAILED
from webchat.cli.where import Where, answer_options, refusing, where_options
from webchat.errors import InvalidInput, WebChatError
from webchat.serving.logs import printable
from webchat.terminal.printed import AskedHere, PrintedText, question_text
from webchat.terminal.safe import json_text

if TYPE_CHECKING:
    from webchat.terminal.answer import Files, Interrupt, Sent
    from webchat.terminal.client import ChatClient, Fields

WAITS, INTERRUPTED, STOPPED = 4, 5, 6
"""Exit codes beside those of every command."""
CODES = {"complete": 0, "failed": FAILED, "interrupted": INTERRUPTED, "stopped": STOPPED}
NOTES = {
    "stopped": "Stopped. The text so far is kept.",
    "interrupted": "The answer was interrupted. The text so far is kept.",
}


@dataclass(frozen=True)
class Manner:
    """How an answer is printed: as JSON; without notes on standard error; waiting for others to answer questions."""

    as_json: bool
    quiet: bool
    wait: bool

    def note(self, line: str) -> None:
        if not self.quiet:
            click.echo(line, err=True)


@click.command()
@where_options
@click.argument("question", required=False)
@click.option("-f", "--file", "paths", multiple=True, metavar="FILE", help="File to attach. Can be repeated.")
@click.option(
    "--session",
    "session_id",
    shell_complete=sessions_that_begin_so,
    metavar="SESSION",
    help="Ask in this session instead of the current one.",
)
@click.option("--new", is_flag=True, help="Start a new session.")
@click.option("--temporary", is_flag=True, help="Start a temporary session, which is never saved.")
@click.option("--folder", metavar="FOLDER", help="Folder in which a new session works.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON once it has ended.")
@click.option("--wait", is_flag=True, help="If an agent asks for permission, wait until somebody answers on a page.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors and questions to standard error.")
@answer_options
def ask(
    where: Where,
    question: str | None,
    paths: tuple[str, ...],
    session_id: str | None,
    new: bool,
    temporary: bool,
    folder: str | None,
    as_json: bool,
    wait: bool,
    quiet: bool,
    **settings: str | None,
) -> None:
    """Ask a question and stream the answer to standard output.

    Piped input is the question, or an attachment if a question is given:

        git diff | webchat ask "what changed?"

    The question goes to the current session, as on the page, unless --new or --session is given. The exit code is 0
    for a complete answer, 1 if it failed, 2 for wrong usage, 3 if there is no such session, 4 if an agent is waiting
    for permission, 5 if the answer was interrupted, 6 if somebody stopped it, 7 if the session is busy.
    """
    if (new or temporary) and session_id:
        raise click.UsageError(f"Use either --session or {'--new' if new else '--temporary'}, not both.")
    from webchat.terminal.answer import Sent, chosen_session

    options = where.session_options(settings)
    with refusing():
        text, files = _given(question, paths)
        message = checked_message(utf8(text), has_files=bool(files))
        with where.answering(settings) as chat:
            into = chosen_session(chat, session_id, folder, options, new=new, temporary=temporary, to_ask=True)
            chat.start()
            sent = Sent(message, files, into, None if into else folder, temporary=temporary and not into)
            code = _Asking(chat, Manner(as_json, quiet, wait), goes_on=where.url is not None).ask(sent)
    sys.exit(code)


def _given(question: str | None, paths: tuple[str, ...]) -> tuple[str, Files]:
    """The message and its files: what comes through a pipe is one or the other. Raises InvalidInput, OSError."""
    from webchat.terminal.answer import LARGEST

    files = [(Path(path).name, _content(path)) for path in paths]
    piped = b"" if sys.stdin.isatty() else sys.stdin.buffer.read(LARGEST)
    if question is not None:
        return question, [*([("input.txt", piped)] if piped else []), *files]
    try:
        return piped.decode(), files
    except UnicodeDecodeError as error:
        raise InvalidInput("The piped input is not UTF-8 text.") from error


def _content(path: str) -> bytes:
    """What is in a file that goes with the message. Raises InvalidInput."""
    from webchat.terminal.answer import content_of

    try:
        return content_of(Path(path))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


class _Asking:
    """A question on its way, and its answer as it is printed."""

    def __init__(self, chat: ChatClient, manner: Manner, *, goes_on: bool) -> None:
        """`goes_on` is true if the answer goes on when this process has ended."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        self._chat, self._manner, self._goes_on = chat, manner, goes_on
        self._printed = PrintedText(sys.stdout)
        self._result: Fields = {"session_id": None, "message_id": None, "status": "interrupted", "response": ""}
        self._here = AskedHere(partial(click.echo, err=True), self._answer)

    def ask(self, sent: Sent) -> int:
        """Send it and print what comes; returns the exit code."""
        from webchat.terminal.answer import Interrupt, events_of

        with Interrupt(self._chat) as interrupt, closing(events_of(self._chat, sent)) as events:
            codes = (self._take(interrupt, name, fields) for name, fields in events)
            try:
                code = next((code for code in codes if code is not None), INTERRUPTED)
                self._printed.end()
            except BrokenPipeError:
                self._stop()
                raise
        if self._manner.as_json:
            click.echo(json_text(self._result))
        code = CTRL_C if code == STOPPED and interrupt.was_pressed else code
        if self._result["status"] in NOTES:
            self._manner.note(NOTES[self._result["status"]])
        return code

    def _take(self, interrupt: Interrupt, name: str, fields: Fields) -> int | None:
        """Print an event; returns the exit code if it is the last one."""
        if name == "session":
            self._result |= fields
            self._manner.note(f"Session {short_id(fields['session_id'] or '')}")
            interrupt.answers_in(fields["session_id"])
        elif name == "delta":
            self._delta(fields["text"], begins_anew=fields.get("anew", False))
        elif name == "question":
            return self._question(fields["waiting"])
        elif name in ("done", "error", "lost"):
            return self._end(name, fields)
        return None

    def _delta(self, text: str, *, begins_anew: bool) -> None:
        self._result["response"] = text if begins_anew else self._result["response"] + text
        if self._manner.as_json:
            return
        if begins_anew:
            self._printed.end()
        self._printed.write(text)

    def _question(self, question: Fields | None) -> int | None:
        """Show a question where somebody can answer it; nobody can in a script."""
        is_here = sys.stdin.isatty() and sys.stderr.isatty()
        if question is None or is_here:
            self._here.show(question)
            return None
        click.echo(question_text(question), err=True)
        if self._manner.wait:
            return None
        self._result["status"] = "waiting"
        if not self._goes_on:
            self._stop()
        return WAITS

    def _end(self, name: str, fields: Fields) -> int:
        self._printed.end()
        self._result |= {"done": {}, "error": {"status": "failed"}, "lost": {"status": "unknown"}}[name] | fields
        if name == "error":
            click.echo(f"Error: {printable(str(fields.get('error')))}", err=True)
        elif name == "lost":
            click.echo("The connection was lost. The answer may continue on the server.", err=True)
        return CODES.get(self._result["status"], INTERRUPTED)

    def _answer(self, question_id: str, option_id: str) -> None:
        try:
            path = self._chat.path(self._result["session_id"], "permissions", question_id)
            self._chat.post(path, {"option": option_id})
        except WebChatError as error:
            click.echo(printable(str(error)), err=True)

    def _stop(self) -> None:
        with suppress(WebChatError):
            self._chat.post(self._chat.path(self._result["session_id"], "stop"))
