"""Replaces TeX commands that need more than a macro: their arguments are read and rewritten. Knows no command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

_BRACE = re.compile(r"\\.|[{}]", re.S)
_BLANKS = re.compile(r"\s*")
_OPTIONS = re.compile(r"\s*\[[^\[\]]*\]")


class Unreadable(Exception):
    """The formula contains something that is not understood, so it is to be shown as its source."""


@dataclass(frozen=True)
class Command:
    """A command with so many arguments in braces, and options in brackets before each, which are ignored.

    `to_tex` gets the arguments and returns TeX; it may raise Unreadable.
    """

    arguments: int
    to_tex: Callable[..., str]


class Reader:
    """Reads an argument once, from its beginning to its end.

    `tokens` has a named group for each kind of token: a token of kind "letters" is given to the method `_read_letters`.
    """

    tokens: ClassVar[re.Pattern[str]]

    def __init__(self, source: str) -> None:
        self._source, self._at = source, 0
        self._pieces: list[str] = []

    def _read_next(self) -> None:
        """Read one token. Raises Unreadable."""
        token = self.tokens.match(self._source, self._at)
        if token is None:
            raise self._unreadable()
        self._at = token.end()
        getattr(self, f"_read_{token.lastgroup}")(token[token.lastgroup or 0])

    def _group_at(self, begin: int) -> str:
        """Read on after the group that begins there, and return what is in it. Raises Unreadable."""
        self._at = group_end(self._source, begin)
        return self._source[begin + 1 : self._at - 1]

    def _unreadable(self) -> Unreadable:
        return Unreadable(self._source[self._at :][:20])


def group_end(tex: str, begin: int) -> int:
    """The position after the group that begins there with "{". Raises Unreadable if there is none, or no end."""
    depth = 0
    for brace in _BRACE.finditer(tex, begin) if tex[begin : begin + 1] == "{" else ():
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return brace.end()
    raise Unreadable(tex[begin : begin + 20])


def replaced(tex: str, commands: Mapping[str, Command]) -> str:
    """The formula with these commands replaced. Raises Unreadable."""
    return "".join(_pieces(tex, commands))


def _pieces(tex: str, commands: Mapping[str, Command]) -> Iterator[str]:
    name = re.compile(rf"\\({'|'.join(commands)})(?=\s*[\[{{])")
    done = 0
    while found := name.search(tex, done):
        command, at = commands[found[1]], found.end()
        given = list[str]()
        for _ in range(command.arguments):
            options = _OPTIONS.match(tex, at)
            begin = _BLANKS.match(tex, options.end() if options else at).end()  # type: ignore[union-attr]
            at = group_end(tex, begin)
            given.append(tex[begin + 1 : at - 1])
        yield tex[done : found.start()]
        yield f"{{{command.to_tex(*given)}}}"
        done = at
    yield tex[done:]
