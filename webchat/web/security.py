"""Which requests are accepted and what the pages may do. Knows no view."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, wraps
from typing import Any, cast
from urllib.parse import quote

from flask import Request, Response, g
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import Forbidden, MisdirectedRequest

from webchat.addresses import address_in, host_and_port
from webchat.conventions import ANSWER_HEADER

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = {
    # Anything not named below is forbidden: media, workers, manifests, plug-ins.
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
INERT = {"default-src": "'none'", "style-src": "'unsafe-inline'", "frame-ancestors": "'none'", "sandbox": ""}
"""For a picture that is opened by itself: browsers show it with inline styles."""
ALL_OF_ASCII = "".join(map(chr, range(0x20, 0x7F)))
NOT_NEEDED = "camera display-capture geolocation hid local-fonts microphone midi payment serial usb".split()
"""Features denied to pages; the clipboard is allowed, for copying."""


def is_same_site(request: Request) -> bool:
    """Whether a request comes from one of our pages, or from a script.

    Browsers say where a request comes from in Sec-Fetch-Site, older ones in Origin; a script sends neither.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or origin == f"{request.scheme}://{request.host}"


def check_same_site(request: Request) -> None:
    """Refuse cross-site requests that write. Raises Forbidden."""
    if request.method not in SAFE_METHODS and not is_same_site(request):
        raise Forbidden("This request comes from another site's page, and is refused.")


def check_host(request: Request, allowed: Collection[str], *, any_address: bool = False) -> None:
    """Refuse unknown host names, against DNS rebinding. Raises MisdirectedRequest.

    `any_address`: the chat is served to other machines, so accept any IP address; DNS rebinding needs a name.
    """
    name, _ = host_and_port(request.host)
    if name not in LOOPBACK_NAMES and name not in allowed and not (any_address and address_in(name)):
        raise MisdirectedRequest(
            "This host name is not allowed. Open the address shown in the terminal, or add the name with --allow-host."
        )


@lru_cache(maxsize=4)
def headers(*, framed: bool = False, inert: bool = False) -> Mapping[str, str]:
    """The headers of every response; `framed` is for a page in a frame, `inert` for anything but a page."""
    policy = INERT if inert else POLICY | ({"frame-ancestors": "'self'"} if framed else {})
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}".strip() for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: browsers would then send "Origin: null" with our own forms.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in NOT_NEEDED),
    }


def set_headers(response: Response) -> Response:
    """Add them to a response; a view may have set `g.framed`, `g.inert` or a Cache-Control."""
    response.headers.update(headers(framed=g.get("framed", False), inert=g.get("inert", False)))
    if g.get("is_ours"):
        response.headers[ANSWER_HEADER] = "yes"
    response.headers.setdefault("Cache-Control", "no-store")
    for place, (name, value) in enumerate(response.headers):
        if not (value.isascii() and value.isprintable()):
            response.headers[place] = name, _in_ascii(value)
    return response


def _in_ascii(value: str) -> str:
    """A header's value in ASCII: servers fail on some other characters, and clients misread the rest."""
    return quote(value, safe=ALL_OF_ASCII, errors="replace")


def mark_as_ours() -> None:
    """Add `ANSWER_HEADER` to the response of this request."""
    g.is_ours = True


def mark_views(setup: BlueprintSetupState) -> None:
    """Mark the responses of all views that a blueprint has when it is registered."""
    prefix = f"{setup.name_prefix}.{setup.name}.".lstrip(".")
    views = setup.app.view_functions
    for name in [name for name in views if name.startswith(prefix)]:
        views[name] = _marked(cast(Callable[..., Any], views[name]))


def _marked(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view, with its responses marked. Those that a host application sends before calling it are not."""

    def marked(**values: object) -> object:
        answer = view(**values)
        mark_as_ours()
        return answer

    return wraps(view)(marked)
