"""Replaces TeX commands and their arguments, as macros that need more than substitution. Knows no command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_BRACE = re.compile(r"\\.|[{}]", re.S)
_BLANKS = re.compile(r"\s*")
_OPTIONS = re.compile(r"\s*\[[^\[\]]*\]")


class Unreadable(Exception):
    """The formula contains something that is not understood, so it is to be shown as its source."""


@dataclass(frozen=True)
class Command:
    """A command with so many arguments in braces, and options in brackets before each, which are ignored.

    `made` gets the arguments and returns TeX; it may raise Unreadable.
    """

    arguments: int
    made: Callable[..., str]


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
        yield f"{{{command.made(*given)}}}"
        done = at
    yield tex[done:]
