"""Logs each request with its reference, and reports it to the metrics. Knows no chat."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webchat import reference
from webchat.reference import ERROR, PERSON, ROUTE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("webchat.request")
LINE = "%(method)s %(path)s %(status)d %(ms)d ms %(bytes)d bytes %(client)s %(reference)s"
LINE_WITH_PERSON = LINE.replace("%(client)s", "%(client)s %(person)s")
HEADER = "X-Request-ID"
LONGEST = 200
"""Characters of a method or path that are logged."""


@dataclass(frozen=True)
class RequestReport:
    """One request whose response was sent completely. `path` is without the query, which may contain typed text."""

    method: str
    path: str
    route: str
    status: int
    ms: int
    bytes: int
    client: str
    reference: str
    error: str
    person: str = ""


class RequestLog:
    """A WSGI middleware. Requests to the `quiet` routes are logged at debug level only."""

    def __init__(
        self,
        application: WSGIApplication,
        quiet: Collection[str] = (),
        on_request: Callable[[RequestReport], object] = lambda report: None,
    ) -> None:
        self._application, self._quiet, self._on_request = application, quiet, on_request

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = reference.new(environ.get("HTTP_X_REQUEST_ID", ""))
        reference.current.set(name)
        began, status = time.monotonic(), 500

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:  # noqa: ANN401
            nonlocal status
            status = int(line[:3])
            return start_response(line, [*headers, (HEADER, name)], *rest)

        def ended(sent: int) -> None:
            self._tell(_report(environ, name, status, time.monotonic() - began, sent))
            reference.current.set("")

        try:
            return _Counted(self._application(environ, start), ended)
        except BaseException:
            ended(0)
            raise

    def _tell(self, report: RequestReport) -> None:
        line = LINE_WITH_PERSON if report.person else LINE
        log.log(logging.DEBUG if report.route in self._quiet else logging.INFO, line, vars(report))
        self._on_request(report)


class _Counted:
    """The parts of a response, counted as they are sent."""

    def __init__(self, parts: Iterable[bytes], ended: Callable[[int], None]) -> None:
        self._parts, self._ended = parts, ended
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._sent += len(part)
            yield part

    def close(self) -> None:
        try:
            close = getattr(self._parts, "close", None)
            if close:
                close()
        finally:
            self._ended(self._sent)


def _report(environ: WSGIEnvironment, name: str, status: int, seconds: float, sent: int) -> RequestReport:
    # WSGI decodes the path's bytes as Latin-1.
    path = (
        (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        .encode("latin-1", "replace")
        .decode("utf-8", "replace")
    )
    return RequestReport(
        method=environ.get("REQUEST_METHOD", "")[:LONGEST],
        path=path[:LONGEST],
        route=environ.get(ROUTE, ""),
        status=status,
        ms=round(seconds * 1000),
        bytes=sent,
        client=environ.get("REMOTE_ADDR", ""),
        reference=name,
        error=environ.get(ERROR, ""),
        person=environ.get(PERSON, "")[:LONGEST],
    )
