"""The protocol for another program's conversations."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from webchat.chat.message import Message


@dataclass(frozen=True, slots=True)
class Spotted:
    """A session on disk. `revision` differs from an earlier one if the program has written since.

    `time` is when it last did, in seconds since 1970.
    """

    id: str
    path: Path
    time: float
    revision: tuple[int, ...]


def spotted_in(folder: str, entry: os.DirEntry[str], session_id: str, known: Spotted | None) -> Spotted | None:
    """The session of this file, if it is a regular file and not empty. `known` is the earlier result."""
    try:
        state = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    revision = (state.st_mtime_ns, state.st_size, state.st_ino)
    if known is not None and known.revision == revision and str(known.path) == f"{folder}/{entry.name}":
        return known
    if not stat.S_ISREG(state.st_mode) or not state.st_size:
        return None
    return Spotted(session_id, Path(folder, entry.name), state.st_mtime, revision)


@dataclass(frozen=True, slots=True)
class Described:
    """A session's description for the list. `working_dir` is "" if unknown.

    `parent` is the id of the session that a subagent works for, with which its own is shown.
    """

    title: str
    working_dir: str = ""
    created_at: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A conversation; `remark` is a notice for its reader."""

    messages: tuple[Message, ...]
    revision: int
    damaged: bool = False
    remark: str = ""


class Program(Protocol):
    """A program's sessions. They belong to that program: they are read and never written.

    The files are untrusted, and may change while they are read.
    """

    @property
    def name(self) -> str:
        """Its name in the setting."""

    @property
    def label(self) -> str:
        """Its name for people."""

    def scan(self, known: Mapping[str, Spotted]) -> Iterable[Spotted]:
        """All existing sessions, without reading any of them.

        An unchanged session is the same object as in `known`, by id: there may be many thousands.
        """

    def describe(self, spotted: Spotted) -> Described | None:
        """Its description, for which only a bounded part is read.

        None if it should not be listed. Raises OSError.
        """

    def read(self, spotted: Spotted) -> Read:
        """The conversation. Raises OSError."""
