"""Metrics for Prometheus: counts and times, one registry for each application. Needs the extra `metrics`.

No label contains an id, a name or anything typed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from webchat.errors import InvalidInput
from webchat.extras import install

if TYPE_CHECKING:
    from webchat.observer import ReplyReport
    from webchat.serving.request_log import RequestReport

NOT_INSTALLED = f"WEBCHAT_METRICS needs a library that is not installed. Run: {install('metrics')}"
FIRST_PIECE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
REPLY = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
WRITE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
"""Upper ends of the histograms' ranges, in seconds."""


class Metrics:
    """An Observer that counts. Raises InvalidInput if the library is missing."""

    def __init__(self) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise InvalidInput(NOT_INSTALLED) from error
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        counter = partial(prometheus.Counter, registry=self._registry)
        gauge = partial(prometheus.Gauge, registry=self._registry)
        histogram = partial(prometheus.Histogram, registry=self._registry)
        self._replies = counter("webchat_replies", "Replies that have ended.", ["status"])
        self._first_piece = histogram(
            "webchat_reply_first_piece_seconds", "From a question to its reply's first piece.", buckets=FIRST_PIECE
        )
        self._reply = histogram("webchat_reply_seconds", "From a question to its reply's end.", buckets=REPLY)
        self._in_flight = gauge("webchat_replies_in_flight", "Replies that have not ended.")
        self._waiting = gauge("webchat_replies_waiting", "Of these, those without a first piece.")
        self._streams = gauge("webchat_streams_open", "Pages' event streams, and scripts that wait for a reply.")
        self._errors = counter("webchat_errors", "Errors shown to people.", ["where", "kind"])
        self._writes = histogram("webchat_store_write_seconds", "Writes to disk or database.", ["how"], buckets=WRITE)
        self._requests = counter("webchat_requests", "Requests answered.", ["route", "status"])

    def text(self) -> tuple[bytes, str]:
        """All metrics in Prometheus' text format, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def watch_streams(self, count: Callable[[], int]) -> None:
        """Call `count` for the number of open streams at each scrape."""
        self._streams.set_function(count)

    def reply_began(self) -> None:
        self._in_flight.inc()
        self._waiting.inc()

    def reply_spoke(self, seconds: float) -> None:
        self._waiting.dec()
        self._first_piece.observe(seconds)

    def reply_ended(self, report: ReplyReport) -> None:
        self._in_flight.dec()
        if report.first_piece is None:
            self._waiting.dec()
        self._replies.labels(report.status).inc()
        self._reply.observe(report.seconds)
        if report.error:
            self._errors.labels("reply", report.error).inc()

    def wrote(self, how: str, seconds: float) -> None:
        self._writes.labels(how).observe(seconds)

    def request_ended(self, report: RequestReport) -> None:
        self._requests.labels(report.route or "none", f"{report.status // 100}xx").inc()
        if report.error:
            self._errors.labels("request", report.error).inc()
