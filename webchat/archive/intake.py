"""One import: a file's sessions, added in batches, or merged into existing ones. Knows no format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from webchat.archive.bounds import Watch
from webchat.archive.brought import Brought, Report
from webchat.archive.earlier import name_of
from webchat.archive.fitting import fitted
from webchat.archive.growth import Growth
from webchat.archive.importer import Importer
from webchat.chat.session import Row, session_of
from webchat.errors import InvalidInput, LimitReached, NoRoom, SessionBusy, StorageError, storing

BYTES_AT_ONCE = 8 * 1024 * 1024
"""About how many bytes of transcripts and pictures are added together."""


@dataclass(frozen=True)
class Terms:
    """The sessions' owner, the folders they may keep, their longest title, and how many are added at once.

    `mark` gives the fields of a session that is imported into the trash, by its id in the file; {} for the list.
    """

    owner: str | None
    may_work_in: Callable[[str], bool]
    longest_title: int
    at_once: int
    mark: Callable[[str], Row]


class Intake:
    """Imports the sessions of one file. Raises LimitReached, NoRoom, StorageError; earlier ones stay then."""

    def __init__(self, importer: Importer, growth: Growth, terms: Terms, watch: Watch) -> None:
        self.report = Report()
        self._importer, self._growth, self._terms, self._watch = importer, growth, terms, watch
        self._before = watch.added
        self._batch: dict[str, Brought] = {}
        self._waiting: set[str] = set()
        """The names of those in the batch that have no ids."""
        self._earlier = growth.earlier(terms.owner)
        self._size = 0
        self._here = importer.here(terms.owner)

    def take(self, found: Brought) -> None:
        """Take the next session."""
        # A file may contain an older and a newer export of one conversation.
        if not self._waiting.isdisjoint(found.names):
            self.add()
        found = self._recognised(found) if found.names else found
        if found.session_id in self._batch:
            self.add()
        if row := self._here(found):
            self._grow(row, found)
        elif not found.transcript and not session_of(found.row).begun:
            self.report.problem(f"session {found.session_id}: it has no messages.")
        else:
            self._collect(found)

    def _recognised(self, found: Brought) -> Brought:
        """The conversation as the session that it belongs to. Another import may have added sessions meanwhile."""
        while True:
            chosen = self._earlier.session_for(found, self.report)
            row = self._here(chosen)
            if row is None or self._earlier.knows(chosen):
                return chosen
            self._earlier.note(chosen, str(row["session_id"]))

    def _collect(self, found: Brought) -> None:
        terms = self._terms
        row = fitted(found.row, terms.may_work_in, terms.longest_title, self.report.problem)
        row |= terms.mark(found.session_id)
        self._batch[found.session_id] = replace(found, row=row)
        self._waiting.update([name_of(row)[1], found.names[-1]] if found.names else ())
        self._size += found.size
        if len(self._batch) == terms.at_once or self._size > BYTES_AT_ONCE:
            self.add()

    def _grow(self, row: Row, found: Brought) -> None:
        """Add what is new to an existing session."""
        name, report = str(row["session_id"]), self.report
        if row.get("deleted_at"):
            report.in_trash.append(name)
            return
        try:
            is_in_trash = self._terms.mark(found.session_id)
            with storing("It could not be changed"):
                has_grown = not is_in_trash and self._growth.add(name, found, self._terms.owner)
        except (InvalidInput, SessionBusy, NoRoom, LimitReached, StorageError) as error:
            report.unread("", f"“{row.get('description', name)}”", f"nothing was added to it. {str(error).rstrip('.')}")
            return
        if has_grown:
            self._earlier.forget()
            report.grow(name)
            report.missing += found.missing
        else:
            report.known += 1

    def add(self) -> None:
        """Add the waiting batch. An error says how much was imported before."""
        while self._batch:
            for found in self._add():
                self.take(found)

    def _add(self) -> Sequence[Brought]:
        """Add the waiting batch; returns those that have to be taken again."""
        report, batch = self.report, [*self._batch.values()]
        so_far = f"{len(report.imported)} sessions were imported before that. Import the file again to continue"
        try:
            taken = self._importer.add(batch, self._terms.owner, report)
        except LimitReached as error:
            raise (LimitReached(error.most, so_far) if report.imported else error) from None
        except NoRoom as error:
            raise (NoRoom(error.most, so_far) if report.imported else error) from None
        except StorageError as error:
            raise (StorageError(error.what, error.cause, so_far) if report.imported else error) from error
        self._watch.added, self._size = self._before + len(report.imported), 0
        self._batch.clear()
        self._waiting.clear()
        self._here = self._importer.here(self._terms.owner)
        report.missing += sum(added.missing for added in batch) - sum(found.missing for found in taken)
        for added in batch:
            if added.names and (row := self._here(added)):
                self._earlier.note(added, str(row["session_id"]))
        return taken
