"""The chat's measurements: times and outcomes, nothing of the conversations. Knows no metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Protocol


@dataclass(frozen=True)
class ReplyReport:
    """One reply that has ended. Times are in seconds from its beginning.

    `first_piece` is None if none came; `error` is the type of the error that ended it early, else "".
    """

    session: str
    status: str
    model: str
    first_piece: float | None
    seconds: float
    pieces: int
    error: str


def line_of(report: ReplyReport) -> tuple[str, dict[str, str | int | None]]:
    """The log's format string for a reply, and its values; times in milliseconds."""
    first = None if report.first_piece is None else round(report.first_piece * 1000)
    fields = {
        "session": report.session,
        "status": report.status,
        "model": report.model,
        "first_ms": first,
        "ms": round(report.seconds * 1000),
        "pieces": report.pieces,
        "error": report.error,
    }
    spoke = "no piece" if first is None else "first piece after %(first_ms)d ms"
    why = " (%(error)s)" if report.error else ""
    return f"reply in %(session)s: %(status)s{why}, {spoke}, %(ms)d ms, %(pieces)d pieces, %(model)s", fields


class Observer(Protocol):
    """Receives events as they happen, from any thread. It returns at once and raises nothing."""

    def reply_began(self) -> None: ...

    def reply_spoke(self, seconds: float) -> None:
        """The first piece of text or reasoning has come, so many seconds after the beginning."""

    def reply_ended(self, report: ReplyReport) -> None: ...

    def wrote(self, how: str, seconds: float) -> None:
        """A write has ended, successfully or not; `how` is "replace" (files or rows), "append" (to a transcript) or
        "reply" (pieces of a reply in flight)."""


class NoObserver:
    """Ignores all events."""

    def reply_began(self) -> None:
        pass

    def reply_spoke(self, seconds: float) -> None:
        pass

    def reply_ended(self, report: ReplyReport) -> None:
        pass

    def wrote(self, how: str, seconds: float) -> None:
        pass


NOBODY = NoObserver()


@contextmanager
def timed(observer: Observer, how: str) -> Iterator[None]:
    """Tell the observer how long the block took to write."""
    began = monotonic()
    try:
        yield
    finally:
        observer.wrote(how, monotonic() - began)
