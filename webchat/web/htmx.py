"""htmx's request and response headers, which no other module uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from flask import Response, request, stream_with_context
from markupsafe import Markup
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

REQUEST_HEADER = "HX-Request"


def is_htmx() -> bool:
    """Whether a fragment is wanted. When htmx goes back in the history it wants the whole page."""
    return request.headers.get(REQUEST_HEADER) == "true" and "HX-History-Restore-Request" not in request.headers


def page_address() -> str:
    """The path of the page that a fragment is for."""
    return urlsplit(request.headers.get("HX-Current-URL", "")).path


PARTIAL_END = "</hx-partial>\n"


def partial(target: str, swap: str, html: str) -> Markup:
    """One swap of several in an answer or an event: `html` goes to the element with that id."""
    # Not with "+": beside a Markup it would escape the tag.
    return Markup(f"{partial_begin(target, swap)}{html}{PARTIAL_END}")  # noqa: S704


def partial_begin(target: str, swap: str) -> str:
    """The tag before the HTML of one swap, for an answer that is sent as it is made; PARTIAL_END follows it."""
    return str(Markup('<hx-partial hx-target="#{}" hx-swap="{}">').format(target, swap))


def event_of(swaps: str) -> str:
    """Swaps as a Server-Sent Event of the page's stream; its id may stand before it."""
    data = "".join(f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", swaps))
    return f"{data}\n"


def fragments(*parts: str, push: str | None = None) -> Response:
    """A response of several parts; `push` becomes the page's address, unless it is already."""
    response = Response("".join(parts), mimetype="text/html")
    address = iri_to_uri(push) if push else ""  # a prefix may have any characters
    if address and page_address() != address:
        response.headers["HX-Push-Url"] = address
    return response


def streamed(parts: Iterator[str]) -> Response:
    """The same, streamed: an error in between breaks it off."""
    return Response(stream_with_context(parts), mimetype="text/html", headers={"X-Accel-Buffering": "no"})


def reload_page(response: BaseResponse) -> BaseResponse:
    """Have the browser load the page anew, for what a swap cannot change."""
    response.status_code = 200
    response.headers["HX-Refresh"] = "true"
    return response
