"""Hides secrets of the command line, which everybody on the machine can read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence

from webchat.config import SETTINGS

VARIABLE = "WEBCHAT_HANDED_ON"
"""The variable that passes the arguments on to the restarted program; only this user can read its environment."""
HIDDEN = "…"
_FLAGS = frozenset(setting.flag for setting in SETTINGS if setting.secret) | {"--url"}
_ADDRESSES = ("--base-url", "--database", "--url")


def arguments(environ: MutableMapping[str, str]) -> list[str]:
    """The program's arguments; those that were handed on are removed from the environment.

    If the command line shows a secret, the program is restarted in the same process with a command line without it.
    """
    given = sys.argv[1:]
    if VARIABLE in environ:
        return _read(environ.pop(VARIABLE)) or given
    shown = [*_without_secrets(given)]
    if shown != given and os.name == "posix" and sys.orig_argv[-len(given) :] == given:
        program = [sys.executable, *sys.orig_argv[1 : -len(given)]]
        os.execve(sys.executable, [*program, *shown], {**environ, VARIABLE: json.dumps(given)})  # noqa: S606
    return given


def _read(handed_on: str) -> list[str]:
    try:
        found = json.loads(handed_on)
    except ValueError:
        return []
    return [str(argument) for argument in found] if isinstance(found, list) else []


def _without_secrets(given: Sequence[str]) -> Iterator[str]:
    flag = ""
    for argument in given:
        name, is_joined, value = argument.partition("=")
        if flag in _FLAGS:
            yield HIDDEN if _is_secret(flag, argument) else argument
            flag = ""
        elif is_joined and name in _FLAGS and _is_secret(name, value):
            yield f"{name}={HIDDEN}"
        else:
            yield argument
            flag = argument


def _is_secret(flag: str, value: str) -> bool:
    # An address is one only with a login or a query in it; else it may well be seen.
    return flag not in _ADDRESSES or "@" in value or "?" in value
