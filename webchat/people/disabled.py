"""The people whose access is disabled, whatever the proxy says: one document for all servers of a storage."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webchat.errors import NotAllowed, StorageError
from webchat.session_store import utc_now
from webchat.storage.protocols.documents import PEOPLE, Documents

log = logging.getLogger(__name__)
UNKNOWN = "It is unknown who may use this chat"
THEN = "Tell whoever runs it: “webchat doctor” shows the details"


@dataclass(frozen=True)
class Disabled:
    """When somebody was disabled, ISO 8601, and whether their data was removed then."""

    since: str
    removed: bool = False


class DisabledPeople:
    """The disabled people, by their names at the proxy. Raises StorageError."""

    def __init__(self, documents: Documents, clock: Callable[[], str] = utc_now) -> None:
        """`clock` returns the time, ISO 8601."""
        self._documents, self._clock = documents, clock
        self._name = documents.of(PEOPLE, None)
        self._read: tuple[object, Mapping[str, Disabled]] | None = None
        """The last read list, and its version."""

    def all(self) -> Mapping[str, Disabled]:
        """The disabled people; while the storage cannot be read, the last known ones.

        Raises StorageError if there are none known either: nobody is let in by mistake.
        """
        known = self._read
        try:
            version = self._documents.version(self._name)
            if known is None or known[0] != version:
                known = self._read = version, _people(self._documents.read(self._name))
        except OSError as error:
            if known is None:
                raise StorageError(UNKNOWN, error, THEN) from error
            log.warning("the list of disabled people could not be read; its last known state is used", exc_info=True)
        return known[1]

    def is_disabled(self, name: str | None) -> bool:
        """Whether this person is disabled; None is the person of a chat without sign-in."""
        return name is not None and name in self.all()

    def require_enabled(self, name: str | None) -> None:
        """Raises NotAllowed for a disabled person."""
        if self.is_disabled(name):
            raise NotAllowed

    def is_understood(self) -> bool:
        """Whether the document can be read as it is now. Raises OSError."""
        try:
            _people(self._documents.read(self._name))
        except _NotUnderstood:
            return False
        return True

    def disable(self, name: str, *, removed: bool = False) -> None:
        """Disable this person; `removed` notes that their data is removed."""

        def disable(people: dict[str, Any]) -> None:
            known = people.get(name) or {"since": self._clock()}
            people[name] = known | ({"removed": True} if removed else {})

        self._change(disable)

    def enable(self, name: str) -> bool:
        """Enable this person again; returns whether they were disabled."""
        was = name in self.all()
        self._change(lambda people: people.pop(name, None))
        return was

    def _change(self, change: Callable[[dict[str, Any]], object]) -> None:
        try:
            with self._documents.changing(self._name) as draft:
                top = _content(draft.data)
                people = top.setdefault("disabled", {})
                change(people)
                draft.data = (json.dumps(top, ensure_ascii=False, indent=1) + "\n").encode()
        except OSError as error:
            raise StorageError("The list of disabled people could not be saved", error) from error


class _NotUnderstood(OSError):
    def __init__(self) -> None:
        super().__init__(errno.EBADMSG, "it is not a list of people")


def _content(data: bytes | None) -> dict[str, Any]:
    """The document, including keys that this version does not know. Raises _NotUnderstood."""
    try:
        top = {} if data is None else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _NotUnderstood from error
    people = top.get("disabled", {}) if isinstance(top, dict) else None
    if not isinstance(people, dict) or not all(isinstance(entry, dict) for entry in people.values()):
        raise _NotUnderstood
    return dict(top)


def _people(data: bytes | None) -> dict[str, Disabled]:
    people = _content(data).get("disabled", {})
    return {name: Disabled(str(entry.get("since", "")), bool(entry.get("removed"))) for name, entry in people.items()}
