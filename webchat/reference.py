"""The reference of a request, for the log and error pages. Knows no request."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("webchat_reference", default="")
"""The reference of the request for which this thread works; "" if there is none."""
ROUTE, ERROR, PERSON = "webchat.route", "webchat.error", "webchat.person"
"""Keys of the WSGI environment in which the application leaves the route, error type and person for the log."""
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


def new(given: str = "") -> str:
    """A new reference for a request, or the one that its sender, such as a proxy, has given, if it is well-formed."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(4)
