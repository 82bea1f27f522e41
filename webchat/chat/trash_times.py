"""Since when something has been in the trash, as another chat's export says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webchat.chat.times import seconds_of

TRASH_KEYS = ("deleted_at", "kept_since")
"""The fields of what is in the trash: when it was deleted, and from when on its days there are counted."""


def mark_of(found: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an export that may be kept here; `now`, those of what is deleted now, if they say no time.

    A time still to come says none, either: everything that is deleted later would be kept as long.
    """
    latest = max(seconds_of(time) for time in now.values() if time)
    times = {key: found[key] for key in TRASH_KEYS if _is_past(found.get(key), latest)}
    return times if "deleted_at" in times else dict(now)


def _is_past(time: object, latest: float) -> bool:
    return isinstance(time, str) and time.isascii() and float("-inf") < seconds_of(time) <= latest
