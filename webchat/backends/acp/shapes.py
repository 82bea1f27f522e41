"""Reads an agent's values by their expected types; a wrong type counts as absent. Raises nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from webchat.chat.parts import LONGEST_ID

LARGEST = 2**53


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def mappings(value: object, most: int) -> list[Mapping[str, Any]]:
    """The mappings in a list, at most so many."""
    found: list[Mapping[str, Any]] = []
    if isinstance(value, list):
        found += (item for item in value[: most * 2] if isinstance(item, dict))
    return found[:most]


def whole(value: object) -> int | None:
    """A count, None if the value is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None


def identity(value: object) -> str:
    """An id as a printable string of limited length, which every file and form keeps; "" if the value is none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return str(value)
    given = text(value)
    is_kept = len(given) <= LONGEST_ID and given.isprintable()
    return given if is_kept else hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
