"""Bounds the parts of an answer: if they are too long, leaves out the output of the oldest tool calls. Knows no log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webchat.replies.records import size_of

MAX_PARTS = 8 * 2**20
"""Bytes of an answer's parts, besides its text: the largest picture and much else."""
SHORT = 2_000
"""Bytes of a part that is not worth shortening, and characters that are kept of a long input."""
LEFT_OUT = "Left out: the answer has become too long to keep this."
Record = dict[str, Any]


class PartRoom:
    """How many bytes the parts of an answer have, and which finished calls can be shortened."""

    def __init__(self) -> None:
        self.taken = 0
        self._finished: dict[str, None] = {}
        """The places of finished calls that are long, oldest first."""

    @property
    def is_exceeded(self) -> bool:
        return self.taken > MAX_PARTS

    def fitted(self, place: str, record: Record, latest: Callable[[str], Mapping[str, Any]]) -> dict[str, Record]:
        """The records to keep, by place: this one, and those of the calls that are shortened for it.

        `latest` looks up the record that a place has now. Unfinished calls come last: somebody may be asked about them.
        """
        self.taken += size_of(record) - size_of(latest(place))
        self._finished.pop(place, None)
        if record.get("status") in ("done", "failed") and size_of(record) > SHORT:
            self._finished[place] = None
        kept = {place: record}
        while self.is_exceeded and (self._finished or record is kept[place]):
            oldest = next(iter(self._finished), place)
            self._finished.pop(oldest, None)
            before = record if oldest == place else latest(oldest)
            kept[oldest] = _shortened(before)
            self.taken += size_of(kept[oldest]) - size_of(before)
        return kept


def _shortened(record: Mapping[str, Any]) -> Record:
    if record["type"] != "tool_call":
        return dict(record)
    output = [{"type": "text", "text": LEFT_OUT}] if record["output"] else []
    return {**record, "input": record["input"][:SHORT], "output": output}
