"""The protocol of a storage engine for pictures. Knows no engine and no format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Protocol


class Pictures(Protocol):
    """The pictures of each session, by key. The same bytes are stored once, in however many sessions they are.

    A session has only pictures that were put into it or copied to it: knowing a key gives no access. They are removed
    with their session.
    """

    def put(self, session_id: str, data: bytes, suffix: str) -> str:
        """Add a picture to a session; it is durable when this returns its key."""

    def read(self, session_id: str, key: str) -> bytes | None:
        """The picture that the session has under this key; None if it has none."""

    def sizes(self, session_id: str) -> Mapping[str, int]:
        """The bytes of each of the session's pictures, by key."""

    def copy(self, session_id: str, to: str, keys: Collection[str]) -> None:
        """Give another session these pictures too; those that the first one does not have are left out."""


def key_of(data: bytes, suffix: str) -> str:
    """The key of these bytes: their digest, with a file name extension."""
    return f"{sha256(data).hexdigest()}.{suffix}"
