"""Downloads a model's bytes from an HTTP server, resuming where a download broke off. Loaded on demand."""

from __future__ import annotations

import logging

import httpx

from webchat.models.sources import PartFile, SourceFailed, Stopped, Transfer

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
PAUSES = (0.0, 0.1, 0.5, 2.0)  # seconds before each try


class _Broken(Exception):
    """The connection broke off; the received bytes are kept, and a retry resumes there."""


def from_address(url: str, place: str, transfer: Transfer) -> None:
    """Complete the part from an HTTP server, called `place` in reasons. Raises SourceFailed and Stopped.

    Resumes with `Range` and `If-Range` (RFC 9110, 13.1.5 and 14.2). A broken connection is retried, a failed one is
    not: the next source is faster.
    """
    part = transfer.part
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        for pause in PAUSES:
            if part.size > part.total:
                part.forget()
            if part.size == part.total:
                return
            if transfer.cancelled.wait(pause):
                raise Stopped
            try:
                _ask(client, url, place, transfer)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise SourceFailed(f"{place} cannot be reached") from error
            except (httpx.HTTPError, httpx.InvalidURL, _Broken) as error:
                log.info("the download broke off at byte %d: %r", part.size, error)
    if part.size != part.total:
        raise SourceFailed(f"the connection to {place} broke off")


def _ask(client: httpx.Client, url: str, place: str, transfer: Transfer) -> None:
    part = transfer.part
    with client.stream("GET", url, headers=_range_headers(part)) as response:
        if response.status_code == 416:  # the local part does not match the server's file: begin again
            part.forget()
            raise _Broken("416")
        if response.status_code not in (200, 206):
            if response.status_code >= 500 or response.status_code == 429:
                raise _Broken(str(response.status_code))
            raise SourceFailed(f"{place} answered {response.status_code}")
        _require_fit(response, part, place)
        part.etag = _strong(response.headers.get("etag", ""))
        transfer.append(response.iter_raw())
    if part.size < part.total:
        raise _Broken("ended early")


def _range_headers(part: PartFile) -> dict[str, str]:
    headers = {"accept-encoding": "identity"}
    if part.size:
        headers["range"] = f"bytes={part.size}-"
        if part.etag:
            headers["if-range"] = part.etag
    return headers


def _require_fit(response: httpx.Response, part: PartFile, place: str) -> None:
    """Make `part` end where the response begins, and refuse a file of another size before it is downloaded."""
    if response.status_code == 206:
        if response.headers.get("content-range", "") != f"bytes {part.size}-{part.total - 1}/{part.total}":
            part.forget()
            raise _Broken("another range than asked for")
        return
    part.forget()
    if response.headers.get("content-length", str(part.total)) != str(part.total):
        raise SourceFailed(f"{place} has a different file")


def _strong(etag: str) -> str:
    return "" if etag.startswith("W/") else etag  # If-Range allows no weak ETag
