"""Converts times between their stored form, ISO 8601 in UTC, and numbers."""

from __future__ import annotations

from datetime import UTC, datetime

LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""A time with a zone may be too late to be expressed in UTC."""


def utc_now() -> str:
    """The current time as ISO 8601 in UTC with microseconds, which sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def whole_second(time: str) -> str:
    """A valid time, ISO 8601, without the fraction of its second."""
    return datetime.fromisoformat(time).isoformat(timespec="seconds")


def time_of(seconds: float) -> str:
    """The stored form of a time in seconds since 1970; the last day of the year 9999 if it is later."""
    return datetime.fromtimestamp(min(seconds, LATEST), UTC).isoformat(timespec="microseconds")


def seconds_of(time: str) -> float:
    """A stored time in seconds since 1970. Without a zone it is in UTC; anything invalid is older than every time."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return float("-inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
