"""htmx's headers and swap markup, which no other module uses."""

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
    """Whether the request wants a fragment. For going back in the history htmx wants the whole page."""
    return request.headers.get(REQUEST_HEADER) == "true" and "HX-History-Restore-Request" not in request.headers


def page_address() -> str:
    """The path of the page that a fragment is for."""
    return urlsplit(request.headers.get("HX-Current-URL", "")).path


PARTIAL_END = "</hx-partial>\n"


def partial(target: str, swap: str, html: str) -> Markup:
    """One swap of a response or an event: `html` goes to the element with that id."""
    # Not with "+": with a Markup it would escape the tag.
    return Markup(f"{partial_begin(target, swap)}{html}{PARTIAL_END}")  # noqa: S704


def partial_begin(target: str, swap: str) -> str:
    """The tag before the HTML of one swap, for a streamed response; PARTIAL_END follows the HTML."""
    return str(Markup('<hx-partial hx-target="#{}" hx-swap="{}">').format(target, swap))


def event_of(swaps: str) -> str:
    """Swaps as a Server-Sent Event of the page's stream; its id may stand before it."""
    data = "".join(f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", swaps))
    return f"{data}\n"


def fragments(*parts: str, push: str | None = None) -> Response:
    """A response of several parts; `push` becomes the page's address, if it is another one."""
    response = Response("".join(parts), mimetype="text/html")
    address = iri_to_uri(push) if push else ""  # a prefix may have any characters
    if address and page_address() != address:
        response.headers["HX-Push-Url"] = address
    return response


def streamed(parts: Iterator[str]) -> Response:
    """The same, streamed: an error in the middle cuts it off."""
    return Response(stream_with_context(parts), mimetype="text/html", headers={"X-Accel-Buffering": "no"})


def shown_as_problem(response: Response) -> Response:
    """Have the page show this error also if the form that was sent has been swapped away.

    Otherwise htmx drops it with the form. As long as the form is there, its `hx-status` says where it is shown.
    """
    response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#problem", "innerHTML"
    return response


def reload_page(response: BaseResponse) -> BaseResponse:
    """Make the browser reload the page, for changes that a swap cannot make."""
    response.status_code = 200
    response.headers["HX-Refresh"] = "true"
    return response
