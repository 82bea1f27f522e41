"""Finds the session that an earlier import has made of a conversation without an id. Knows no format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, count, takewhile
from typing import Any

from webchat.archive.alignment import ImportedMessages, tree_of
from webchat.archive.brought import Brought, Report
from webchat.archive.foreign import id_of
from webchat.archive.lenient import table, text
from webchat.chat.session import Row
from webchat.errors import StorageError, storing, why
from webchat.storage.protocols import Storage

MOST_ALIKE = 10
"""The most sessions with which one conversation is compared."""


class EarlierImports:
    """The imported sessions of one person, by the names of their contents; see `Beginnings`.

    Each gets the name of its shortest beginning that no other has: so it is found again however long it was or is.
    If there is none, it is numbered: two may have the same texts, but other pictures or tool calls.
    Earlier versions gave the names of the whole, or of the shortest beginning.
    """

    def __init__(self, storage: Storage, owner: str | None) -> None:
        self._storage, self._owner = storage, owner
        self._known: dict[tuple[str, str], str] | None = None
        self._compared = "", ImportedMessages((), is_exact=True)
        """The session compared last, and its messages: many conversations may begin like it."""

    def session_for(self, found: Brought, report: Report) -> Brought:
        """The conversation as the session that it belongs to, which may be a new one.

        The report notes sessions that cannot be read: nothing is recognised as one of these. Raises StorageError if all
        cannot be read for now.
        """
        source, known = name_of(found.row)[0], self._ids()
        taken = [each for name in found.names for each in self._taken(source, name)]
        for name in taken[: -MOST_ALIKE - 1 : -1]:
            if self._may_be(known[source, name], found, report):
                return found.called(known[source, name], name)
        last = found.names[-1]
        numbered = f"{last}-{len([*self._taken(source, last)]) + 1}"
        name = next((name for name in found.names if (source, name) not in known), numbered)
        return found.called(id_of(source, name), name)

    def _taken(self, source: str, name: str) -> Iterator[str]:
        """The name and its numbered ones, as far as sessions have them."""
        numbered = (f"{name}-{number}" for number in count(2))
        return takewhile(lambda each: (source, each) in self._ids(), chain([name], numbered))

    def _may_be(self, session_id: str, found: Brought, report: Report) -> bool:
        try:
            with storing("It could not be read"):
                return self.is_same_conversation(session_id, found)
        except StorageError as error:
            if error.is_away:
                raise
            report.problem(f"session {session_id} could not be compared with others like it: {why(error.cause)}.")
            return False

    def is_same_conversation(self, session_id: str, found: Brought) -> bool:
        """Whether a session and a conversation without an id are one. Raises StorageError, OSError."""
        if session_id != self._compared[0]:
            if self._storage.export(session_id).startswith(found.transcript):  # which costs less than reading both
                return True
            self._compared = session_id, ImportedMessages(self._storage.transcripts.messages(session_id), is_exact=True)
        return self._compared[1].is_same_conversation(tree_of(found.transcript), found.shown)

    def forget(self) -> None:
        """Note that a session has grown."""
        self._compared = "", ImportedMessages((), is_exact=True)

    def knows(self, found: Brought) -> bool:
        """Whether this is the name of a known session."""
        return name_of(found.row) in self._ids()

    def note(self, found: Brought, session_id: str) -> None:
        """Note which session has this name."""
        self._ids()[name_of(found.row)] = session_id

    def _ids(self) -> dict[tuple[str, str], str]:
        if self._known is None:
            sessions = self._storage.sessions
            found = [*sessions.page(self._owner, "trash"), *reversed(sessions.all_of(self._owner))]
            self._known = {_imported(session.extra): session.session_id for session in found}
        return self._known


def name_of(row: Row) -> tuple[str, str]:
    """The program from which a session was imported, and the conversation's name there."""
    return _imported(table(row.get("extra")))


def _imported(extra: Mapping[str, Any]) -> tuple[str, str]:
    imported = table(extra.get("imported"))
    return text(imported.get("from")), text(imported.get("id"))
