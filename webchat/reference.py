"""The request's reference in the log and on error pages. Knows no request."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("webchat_reference", default="")
"""The reference of the request that this thread works for; "" if there is none."""
ROUTE, ERROR, PERSON = "webchat.route", "webchat.error", "webchat.person"
"""Keys of the WSGI environment under which the application leaves route, error type and person for the log."""
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


def new(given: str = "") -> str:
    """A new reference for a request, or the one that its sender, such as a proxy, has given, if it is well-formed."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(4)
