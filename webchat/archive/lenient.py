"""Reads other programs' JSON leniently: a value of the wrong type counts as missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]
NOTHING: Table = {}


def table(found: object) -> Table:
    """The object, or an empty one."""
    return found if isinstance(found, dict) else NOTHING


def rows(found: object) -> list[Table]:
    """The objects in a list."""
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def text(found: object) -> str:
    """The text, or ""."""
    return found if isinstance(found, str) else ""


def first_text(found: Table, *keys: str) -> str:
    """The first non-empty text under one of these keys."""
    return next((value for key in keys if (value := text(found.get(key)))), "")


def time_of(found: object) -> object:
    """A time, also as MongoDB writes it: {"$date": "…"} or {"$date": {"$numberLong": "…"}}."""
    inner = table(found).get("$date", found)
    number = table(inner).get("$numberLong", inner)
    return int(number) if isinstance(number, str) and number.isascii() and number.isdigit() else number


def as_text(found: object) -> str:
    """A text unchanged, anything else as readable JSON; "" for nothing."""
    if isinstance(found, str):
        return found
    return "" if found in (None, [], {}) else json.dumps(found, ensure_ascii=False, indent=2)
