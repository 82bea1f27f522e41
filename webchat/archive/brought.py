"""The results of reading a file of sessions: the sessions, and a report of problems. Reads no file itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from webchat.chat.plain import one_line
from webchat.session_store import Row

MOST_PROBLEMS = 100
"""Problems that are listed one by one, at most."""


class Unreadable(Exception):
    """Why one conversation cannot be imported."""


@dataclass(frozen=True)
class Brought:
    """One session from a file: its record for the registry, and its transcript."""

    row: Row
    transcript: bytes

    @property
    def session_id(self) -> str:
        return str(self.row["session_id"])


@dataclass
class Report:
    """The result of an import: how many sessions were new, how many existed already, and what could not be read."""

    imported: list[str] = field(default_factory=list)
    known: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: bool = False
    """Whether it ended before the file did."""

    def problem(self, text: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(one_line(text))

    def stop(self, why: str) -> None:
        """Report that the import ended early. What was imported by then stays."""
        self.stopped = True
        self.problems.insert(0, f"Stopped: {why}. What is in stays; import the file again for the rest.")

    def add(self, other: Report) -> None:
        """Append another file's report."""
        self.imported += other.imported
        self.known += other.known
        self.problems += other.problems
        self.stopped = self.stopped or other.stopped
