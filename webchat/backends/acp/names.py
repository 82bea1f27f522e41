"""Names agents by their commands. Knows no process."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

_LAUNCHER = re.compile(r"(npx|npm|pnpx|pnpm|yarn|bunx?|uvx?|pipx|node|deno|python[\d.]*)", re.ASCII)
"""Programs that run a package or a script, whose name then says more than theirs."""
SUBCOMMANDS = ("run", "exec", "dlx", "x", "tool")
WITH_VALUE = ("-p", "--package", "--from", "--with", "--python")
"""Their options that are followed by a value."""


def names_of(commands: Sequence[Sequence[str]]) -> list[str]:
    """A name for each command: that of its program, package or script. The order of the commands does not matter: those
    with the same name are told apart by a digest, and only equal commands by a number."""
    bases = [_base(command) for command in commands]
    counts = Counter(bases)
    pairs = zip(bases, commands, strict=True)
    return _numbered([base if counts[base] == 1 else f"{base}-{_digest(command)}" for base, command in pairs])


def former_names_of(commands: Sequence[Sequence[str]]) -> list[str]:
    """The names under which earlier versions recorded sessions: that of the program, with a number in their order."""
    return _numbered([_program(command) for command in commands])


def _program(command: Sequence[str]) -> str:
    return Path(command[0]).name or command[0]


def _base(command: Sequence[str]) -> str:
    program = _program(command)
    words = iter(command[1:] if _LAUNCHER.fullmatch(program) else ())
    for word in words:
        if word in WITH_VALUE:
            next(words, None)
        elif not word.startswith("-") and word not in SUBCOMMANDS:
            return re.split(r"[@=<>~!\[]", Path(word).name)[0] or program
    return program


def _digest(command: Sequence[str]) -> str:
    return sha256("\0".join(command).encode("utf-8", "surrogatepass")).hexdigest()[:6]


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that are taken."""
    found: list[str] = []
    for base in names:
        name, number = base, 1
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found.append(name)
    return found
