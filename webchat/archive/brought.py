"""The results of reading a file of sessions: the sessions, and a report of problems. Reads no file itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace

from webchat.archive.pictures import BroughtPictures
from webchat.chat.plain import one_line
from webchat.session_store import Row

MOST_PROBLEMS, MOST_NAMES = 20, 3
"""The most problems to list one by one, and conversations to name with one of them."""


class Unreadable(Exception):
    """Why one conversation cannot be imported."""


class Empty(Unreadable):
    """The conversation has no message: nothing is lost without it."""


@dataclass(frozen=True)
class Brought:
    """One session from a file: its record for the registry, and its transcript.

    `tails` maps a message made of several of theirs to the id that the last of them would have. `pictures` are those in
    its messages. `shown` maps a message with pictures to the lines that stand for missing ones.
    """

    row: Row
    transcript: bytes
    tails: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    pictures: BroughtPictures | None = None
    missing: int = 0
    """How many pictures are in none of the files that are imported together."""
    names: Sequence[str] = ()
    """If it has no id: the names of its beginnings, from the first answer to the whole; see `Beginnings`."""

    @property
    def size(self) -> int:
        """Bytes of its transcript and pictures."""
        return len(self.transcript) + (self.pictures.size if self.pictures else 0)

    @property
    def session_id(self) -> str:
        return str(self.row["session_id"])

    def called(self, session_id: str, name: str) -> Brought:
        """The same as the session of that id, which is that of one of the names."""
        extra = {**self.row["extra"], "imported": {**self.row["extra"]["imported"], "id": name}}
        return replace(self, row={**self.row, "session_id": session_id, "extra": extra})


@dataclass
class _Unread:
    """The conversations with the same problem."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def line(self, where: str, why: str) -> str:
        if self.count == 1:
            return f"{where}{self.names[0]}: {why}."
        more = f" and {self.count - len(self.names)} more" if self.count > len(self.names) else ""
        return f"{where}each of {self.count:,} conversations ({', '.join(self.names)}{more}): {why}."


@dataclass
class Moved:
    """What else was imported of a person's export: sessions into the trash, memories, and unsent messages.

    The latter are taken back: the message fields of their sessions show them.
    """

    trash: int = 0
    memories: int = 0
    waiting: int = 0


@dataclass
class Report:
    """The result of an import.

    It has the new sessions, those that have grown, those that are in the trash and stay there, the number of other
    existing ones with nothing new, the number of empty conversations, and what could not be read. `missing` counts the
    pictures that are not in the files.
    """

    imported: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)
    in_trash: list[str] = field(default_factory=list)
    known: int = 0
    empty: int = 0
    missing: int = 0
    is_only_pictures: bool = False
    """Whether this file, one of several, has only pictures, perhaps of conversations in the others."""
    moved: Moved | None = None
    """None if it was not the export of a person."""
    stopped: bool = False
    """Whether it ended before the file did."""
    _grown: set[str] = field(default_factory=set)
    _problems: list[str] = field(default_factory=list)
    _unread: dict[tuple[str, str], _Unread] = field(default_factory=dict)
    _more: int = 0

    def grow(self, session_id: str) -> None:
        """Note that an existing session has grown; it counts once."""
        if session_id not in self._grown:
            self._grown.add(session_id)
            self.grown.append(session_id)

    @property
    def problems(self) -> list[str]:
        """What could not be read, a sentence each."""
        lines = [*self._problems, *(each.line(*key) for key, each in self._unread.items())]
        return [*map(one_line, lines), *([f"And {self._more:,} more."] if self._more else [])]

    def problem(self, text: str) -> None:
        """Note a problem of a file or of a session, once."""
        if text in self._problems:
            return
        if self._has_room:
            self._problems.append(text)
        else:
            self._more += 1

    def unread(self, where: str, name: str, why: str) -> None:
        """Note that a conversation could not be read; those of one file with one reason are grouped."""
        key = where, why
        if key not in self._unread and not self._has_room:
            self._more += 1
            return
        unread = self._unread.setdefault(key, _Unread())
        unread.count += 1
        if len(unread.names) < MOST_NAMES:
            unread.names.append(name)

    @property
    def _has_room(self) -> bool:
        return len(self._problems) + len(self._unread) < MOST_PROBLEMS

    def stop(self, why: str) -> None:
        """Report that the import ended early. What was imported by then stays."""
        self.stopped = True
        self._problems.insert(0, f"Stopped: {why}. What was imported stays; import the file again for the rest.")

    def add(self, other: Report, name: str = "") -> None:
        """Append the report of a file with this name."""
        self.imported += other.imported
        for session_id in other.grown:
            self.grow(session_id)
        self.in_trash += other.in_trash
        self.known += other.known
        self.empty += other.empty
        self.missing += other.missing
        if other.moved:
            mine = self.moved or Moved()
            self.moved = Moved(*map(sum, zip(astuple(mine), astuple(other.moved), strict=True)))
        self._problems += [f"{name}: {problem}" if name else problem for problem in other.problems]
        self.stopped = self.stopped or other.stopped
