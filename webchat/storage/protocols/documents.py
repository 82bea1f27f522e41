"""What the chat keeps beside its conversations: a few named texts. Knows no engine, and not what they say."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

SETTINGS, MEMORIES, PEOPLE, RATES = "settings", "memories", "people", "rates"
KINDS = (SETTINGS, MEMORIES, PEOPLE, RATES)
"""Every kind of document that there is: an engine of plain files has a name for each."""


@dataclass
class Draft:
    """A document while it is changed: what is in `data` at the end is kept; None is no document.

    damaged: set where what was there is not understood, and a copy of it is kept beside the new one.
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

        Nobody else changes it meanwhile, in any process. Raises Locked if somebody does for too long.
        """

    def version(self, name: str) -> object:
        """Differs from an earlier one if the document has changed, in any process; None if there is none."""

    @property
    def are_private(self) -> bool:
        """Whether only who runs the chat can read them: else a key is not to be kept there as it is."""


def name_of(kind: str, owner: str | None) -> str:
    """A name for one person's part of a kind, in an engine where each has their own."""
    return kind if owner is None else f"{kind}/{sha256(owner.encode()).hexdigest()}"
