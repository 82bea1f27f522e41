"""The messages of one branch, an immutable sequence with constant costs for appending and lookup."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload
from zlib import crc32

if TYPE_CHECKING:
    from webchat.chat.message import Message


def _trail(message_id: str, before: int) -> int:
    return crc32(message_id.encode(), before)


class _Shared:
    """The data shared by all states of a branch. It is append-only, so a state is just a length."""

    def __init__(self, items: Iterable[Message]) -> None:
        self.items: list[Message] = []
        self.places: dict[str, int] = {}
        self.revisions: list[float] = []
        """For each message, the largest revision up to it. A message in flight has none yet and sorts last."""
        self.trails: list[int] = []
        """For each message, a hash of the ids up to it."""
        for item in items:
            self.append(item)

    def append(self, message: Message) -> None:
        revision = message.revision or float("inf")
        self.revisions.append(max(revision, self.revisions[-1]) if self.revisions else revision)
        self.places.setdefault(message.id, len(self.items))
        self.trails.append(_trail(message.id, self.trails[-1] if self.trails else 0))
        self.items.append(message)


class Messages(Sequence["Message"]):
    """Immutable; `last`, if there is one, follows the shared messages."""

    __slots__ = ("_last", "_length", "_shared")

    def __init__(self, items: Iterable[Message] = ()) -> None:
        self._shared = _Shared(items)
        self._length = len(self._shared.items)
        self._last: Message | None = None

    def extended(self, message: Message) -> Messages:
        """These and one more, without copying."""
        if self._last is not None or self._length < len(self._shared.items):
            return Messages((*self, message))
        self._shared.append(message)
        return self._part(self._length + 1, None)

    def up_to_and(self, count: int, last: Message) -> Messages:
        """The first `count` shared messages followed by `last`, which later states may drop."""
        return self._part(min(count, self._length), last)

    def place(self, message_id: str) -> int | None:
        """The index of the message with this id, or None."""
        place = self._shared.places.get(message_id)
        if place is not None and place < self._length:
            return place
        return self._length if self._last is not None and self._last.id == message_id else None

    def first_after(self, revision: int) -> int:
        """The index of the first message that is in flight or has changed since this revision of the transcript."""
        return bisect_right(self._shared.revisions, revision, hi=self._length)

    def trail(self, place: int) -> int:
        """A hash of the ids of the messages up to this index; 0 if there is none."""
        if not 0 <= place < len(self):
            return 0
        if place < self._length:
            return self._shared.trails[place]
        assert self._last is not None  # noqa: S101
        return _trail(self._last.id, self._shared.trails[place - 1] if place else 0)

    def _part(self, length: int, last: Message | None) -> Messages:
        part = object.__new__(Messages)
        part._shared, part._length, part._last = self._shared, length, last
        return part

    def __len__(self) -> int:
        return self._length + (self._last is not None)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Message, ...]: ...
    def __getitem__(self, index: int | slice) -> Message | tuple[Message, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return tuple(self)[index]
            part = self._shared.items[start : min(stop, self._length)]
            return (*part, self._last) if self._last is not None and start <= self._length < stop else tuple(part)
        place = range(len(self))[index]
        if place == self._length and self._last is not None:
            return self._last
        return self._shared.items[place]

    def __iter__(self) -> Iterator[Message]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Messages | tuple) and self[:] == tuple(other)

    def __hash__(self) -> int:
        return hash(self[:])
