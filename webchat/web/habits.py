"""A person's habits of writing and reading in this browser, kept in its cookies. Knows no setting of the server."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from werkzeug.wrappers import Response as AnyResponse

from webchat.errors import InvalidInput
from webchat.web.inputs import Fields

KEPT = 365 * 24 * 3600
"""Seconds that a browser keeps the cookie."""
CHOICES = {"send": ("enter", "control"), "follow": ("on", "off")}
"""The choices, with the default first: the keys that send a message, and whether the page follows an answer."""


@dataclass(frozen=True)
class Habits:
    """`send` and `follow` are among their `CHOICES`."""

    send: str
    follow: str

    @property
    def sends_with_control(self) -> bool:
        return self.send == "control"


def habits() -> Habits:
    """The habits of the requesting browser."""
    return Habits(*(_chosen(name, request.cookies.get(_cookie(name), "")) for name in CHOICES))


def submitted(fields: Fields) -> dict[str, str]:
    """The habits in a form, by name. Raises InvalidInput."""
    given = {name: text for name in CHOICES if (text := fields.optional(name))}
    for name, text in given.items():
        if text not in CHOICES[name]:
            raise InvalidInput(f"{name} must be one of: {', '.join(CHOICES[name])}.")
    return given


def keep(response: AnyResponse, given: dict[str, str]) -> AnyResponse:
    """The response with cookies for these habits."""
    for name, text in given.items():
        response.set_cookie(_cookie(name), text, max_age=KEPT, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


def _chosen(name: str, text: str) -> str:
    return text if text in CHOICES[name] else CHOICES[name][0]


def _cookie(name: str) -> str:
    return f"webchat-{name}"
