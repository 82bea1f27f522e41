"""The protocol for documents: a few named texts besides conversations. Knows no engine and no content."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

SETTINGS, MEMORIES, PEOPLE, RATES = "settings", "memories", "people", "rates"
KINDS = (SETTINGS, MEMORIES, PEOPLE, RATES)
"""All kinds of documents: an engine of plain files has a file name for each."""


@dataclass
class Draft:
    """A document while it is changed: `data` is saved at the end; None removes the document.

    damaged: set it if the old content cannot be parsed; a copy of it is then kept.
    """

    data: bytes | None
    damaged: bool = False


class Documents(Protocol):
    """Texts of a few kinds, each read and written as a whole. All servers of one storage see the same."""

    def of(self, kind: str, owner: str | None) -> str:
        """The name of the document with this person's part of a kind: theirs alone, or one that all share."""

    def names(self, kind: str) -> Collection[str]:
        """The documents of that kind that are there."""

    def read(self, name: str) -> bytes | None:
        """The document as it is now; None if there is none."""

    def changing(self, name: str) -> AbstractContextManager[Draft]:
        """The document for a block, whose end writes it; nothing is written if the block raises or changes nothing.

        Locked for all processes. Raises Locked if somebody else holds the lock for too long.
        """

    def version(self, name: str) -> object:
        """Differs from an earlier one if the document has changed, in any process; None if there is none."""

    @property
    def are_private(self) -> bool:
        """Whether only the person who runs the chat can read them: otherwise no API key may be stored there."""


def name_of(kind: str, owner: str | None) -> str:
    """A name for one person's part of a kind, in an engine where each has their own."""
    return kind if owner is None else f"{kind}/{sha256(owner.encode()).hexdigest()}"
