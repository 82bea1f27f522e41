"""The error for a file that cannot be accepted, and a limit on a picture's parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import TypeVar

Part = TypeVar("Part")
MOST_PARTS = 20_000
"""Segments, chunks or blocks of one picture: photos have a few hundred, long animations a few thousand."""


class Broken(Exception):
    """A file cannot be accepted; the text, which follows the file's name, says why: "ends too early"."""


ENDS_EARLY = "ends too early: it is damaged, or was not copied completely"


def bounded(parts: Iterable[Part]) -> Iterator[Part]:
    """Yields a picture's parts. Raises Broken if there are too many."""
    for number, part in zip(count(), parts, strict=False):
        if number >= MOST_PARTS:
            raise Broken("has too many parts")
        yield part
