"""Times as they are stored, ISO 8601 in UTC, and as numbers."""

from __future__ import annotations

from datetime import UTC, datetime

LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""A time with a zone may lie behind all that UTC can say."""


def utc_now() -> str:
    """The present, ISO 8601 in UTC with microseconds, which sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def time_of(seconds: float) -> str:
    """The stored form of a time in seconds since 1970; the last day of the year 9999 if it is later."""
    return datetime.fromtimestamp(min(seconds, LATEST), UTC).isoformat(timespec="microseconds")


def seconds_of(time: str) -> float:
    """A stored time as a number; without a zone it is UTC, and what is no time is older than all."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return float("-inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
