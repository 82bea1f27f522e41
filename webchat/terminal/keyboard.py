"""Where a person writes: prompt_toolkit, or plain lines at a terminal that cannot move its cursor. Knows no chat."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, NestedCompleter, PathCompleter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import choice

MARK = "› "


@dataclass(frozen=True)
class View:
    """What stands around the line that is being written."""

    tail: Callable[[], Sequence[str]]
    """Lines above it, which change."""
    toolbar: Callable[[], str]
    interrupt: Callable[[], bool]
    """Called for Ctrl+C; whether there was something to stop."""


class Keyboard(Protocol):
    def printing(self) -> AbstractContextManager[object]:
        """While it lasts, others may print above the line."""

    def line(self) -> str:
        """What the person has written. Raises EOFError at the end, KeyboardInterrupt for Ctrl+C."""

    def refresh(self) -> None:
        """Show the view anew. May be called from any thread."""

    def pick(self, title: str, options: Sequence[tuple[str, str]]) -> str:
        """The value of the option, (value, text) each, that is picked. Raises EOFError, KeyboardInterrupt."""


def keyboard(view: View, commands: Iterable[str]) -> Keyboard:
    """What this terminal can do."""
    return PlainKeyboard() if os.environ.get("TERM", "dumb") in ("dumb", "unknown") else EditedLine(view, commands)


class EditedLine:
    """A line with editing, history and completion, below what is printed."""

    def __init__(self, view: View, commands: Iterable[str]) -> None:
        self._view = view
        self._session: Any = PromptSession(
            message=self._message,
            bottom_toolbar=view.toolbar,
            key_bindings=self._bindings(),
            completer=_completer(commands),
            complete_while_typing=False,
            erase_when_done=True,  # what was said is printed when the chat has it
        )

    def printing(self) -> AbstractContextManager[object]:
        above: AbstractContextManager[object] = patch_stdout(raw=True)
        return above

    def line(self) -> str:
        return str(self._session.prompt())

    def refresh(self) -> None:
        self._session.app.invalidate()

    def pick(self, title: str, options: Sequence[tuple[str, str]]) -> str:
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
        """Stops the answer, and leaves the line as it is; without one it empties the line."""
        if self._view.interrupt():
            return
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt(), style="class:aborting")


class PlainKeyboard:
    """Plain lines, for a terminal that cannot move its cursor."""

    def printing(self) -> AbstractContextManager[object]:
        return nullcontext()

    def line(self) -> str:
        return input(MARK)

    def refresh(self) -> None:
        """There is nothing to show anew."""

    def pick(self, title: str, options: Sequence[tuple[str, str]]) -> str:
        for number, (_, text) in enumerate(options, 1):
            print(f"{number:3}  {text}")
        while True:
            given = input(f"{title} ").strip()
            if given.isascii() and given.isdigit() and 1 <= int(given) <= len(options):
                return options[int(given) - 1][0]


def _completer(commands: Iterable[str]) -> Completer:
    return NestedCompleter({name: PathCompleter() if name == "/file" else None for name in commands})
