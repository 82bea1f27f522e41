"""What names, in the log and on error pages, the request that is being worked for. Knows no request."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("webchat_reference", default="")
"""The reference of what this thread does right now; "" where nobody has asked for it."""
ROUTE, ERROR, PERSON = "webchat.route", "webchat.error", "webchat.person"
"""Under these names the application leaves in the environment which route it took, the kind of error, and who asked."""
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


def new(given: str = "") -> str:
    """A reference for a request: the one that its sender, a proxy say, has given, where that looks like one."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(4)
