"""What the chat needs of another program's conversations, and what it gets of them."""

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
    """A session on the disk. `revision` differs from an earlier one when the program has written.

    `time` is when it did so last, in seconds since 1970.
    """

    id: str
    path: Path
    time: float
    revision: tuple[int, ...]


def spotted_in(folder: str, entry: os.DirEntry[str], session_id: str, known: Spotted | None) -> Spotted | None:
    """The session whose file this is, if it is a plain one with something in it. `known` is what it was before."""
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
    """What a list says of a session. `working_dir` is "" if it is not known.

    `parent` is the id of the session that an agent works for; such a session is shown with that one.
    """

    title: str
    working_dir: str = ""
    created_at: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A conversation; `remark` is what its reader should know of it."""

    messages: tuple[Message, ...]
    revision: int
    damaged: bool = False
    remark: str = ""


class Program(Protocol):
    """A program's sessions. Everything here is read, and nothing is written: they are that program's.

    Its files are not trusted, and may change while they are read.
    """

    @property
    def name(self) -> str:
        """As in the setting."""

    @property
    def label(self) -> str:
        """For people."""

    def scan(self, known: Mapping[str, Spotted]) -> Iterable[Spotted]:
        """All sessions that there are, without reading one.

        What has not changed since it was `known`, by its id, is the same object: there may be many thousands.
        """

    def describe(self, spotted: Spotted) -> Described | None:
        """What a list says of it, for which no more than a bounded part is read.

        None for what no list should show. Raises OSError.
        """

    def read(self, spotted: Spotted) -> Read:
        """The conversation. Raises OSError."""
