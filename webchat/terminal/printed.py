"""Prints an answer and its questions for people and pipes. Knows no server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from webchat.chat.plain import marked_line
from webchat.render.diffs import diff_text
from webchat.terminal.safe import SafePieces, safe, safe_line

if TYPE_CHECKING:
    from webchat.terminal.client import Fields


class PrintedText:
    """Prints a text as it arrives: each piece at once, and a line end after the last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._pieces = stream, SafePieces()
        self._is_open = False

    def write(self, piece: str) -> None:
        self._print(self._pieces.take(piece))

    def end(self) -> None:
        self._print(self._pieces.rest())
        if self._is_open:
            self._print("\n")

    def _print(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()
            self._is_open = not text.endswith("\n")


class AskedHere:
    """An agent's question at the terminal: it is shown, and answered by a line with the number of an option."""

    def __init__(self, tell: Callable[[str], None], answer: Callable[[str, str], None]) -> None:
        """`answer` is called with the ids of the question and the option, from another thread."""
        self._tell, self._answer = tell, answer
        self._open: Fields | None = None
        self._reader: threading.Thread | None = None

    def show(self, question: Fields | None) -> None:
        """Show the question that is now open; None if there is none."""
        self._open = question
        if question is None:
            return
        self._tell(question_text(question))
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def _read(self) -> None:
        for line in sys.stdin:
            question = self._open
            option = chosen_option(question, line) if question else None
            if question and option:
                self._answer(question["id"], option)
            elif question:
                self._tell(f"Answer with a number from 1 to {len(question['options'])}.")


def question_text(question: Fields) -> str:
    """The question with what it is about, and its numbered options."""
    title = marked_line(question["title"])
    shown = [f"  │ {line}" for line in _about(question, title)]
    options = (f"  {number}  {safe_line(each['name'])}" for number, each in enumerate(question["options"], 1))
    return "\n".join([f"? {safe(title)}", *shown, *options])


def _about(question: Fields, title: str) -> Iterator[str]:
    """The lines of its tool call's input and output, if the title does not say it all."""
    given = question.get("input", "").strip("\r\n")
    if given != title:
        yield from _lines(given)
    for block in question.get("output", ()):
        if block["type"] == "diff":
            yield safe_line(block["path"])
            changed = diff_text(safe(block["old"] or ""), safe(block["new"]))
            yield from (f"{line[0]} {line[1:]}" for line in changed.split("\n")[:-1])
        else:
            yield from _lines(block["text"].strip("\r\n"))
    if left_out := question.get("left_out"):
        yield f"({left_out:,} more characters are left out)"


def _lines(text: str) -> list[str]:
    return safe(text).split("\n") if text else []


def chosen_option(question: Fields, line: str) -> str | None:
    """The id of the option with this number; None if it is not one."""
    options, number = question["options"], line.strip()
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= len(options):
        return None
    return str(options[int(number) - 1]["id"])
