"""Signing in, by a link with the token or by a form, and signing out."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from webchat.addresses import client_at
from webchat.errors import WrongToken
from webchat.people import DisabledPeople
from webchat.storage.wakeups import POLL_INTERVAL
from webchat.web import guard
from webchat.web.auth import Access
from webchat.web.faces import Face, json_answer, wanted_face
from webchat.web.inputs import request_fields

ALWAYS_OPEN = ("access.sign_in", "webchat.static")
"""The endpoints that are open before signing in."""


class SignIn:
    """Guards all other views of an application; has the views for signing in and out."""

    def __init__(self, access: Access, disabled: DisabledPeople) -> None:
        self._access, self._disabled = access, disabled

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("access", __name__)
        blueprint.get("/sign-in", endpoint="form")(self.form)
        blueprint.post("/sign-in", endpoint="sign_in")(self.sign_in)
        blueprint.post("/sign-out", endpoint="sign_out")(self.sign_out)
        guard(blueprint)
        return blueprint

    def before(self) -> AnyResponse | None:
        """Checks every request, and answers the link with the token."""
        g.way_in = "header" if self._access.auth_header else "token" if self._access.token else ""
        if request.endpoint in ALWAYS_OPEN:
            return None
        if self._access.token and request.method == "GET" and "token" in request.args and _is_followed():
            return self._let_in(request.args["token"], _without_token())
        self._access.admit(request)
        name = g.get("owner")
        self._disabled.require_enabled(name)
        g.is_out = _seldom(lambda: self._disabled.is_disabled(name))
        return None

    def form(self) -> AnyResponse:
        return redirect(_local(request.args.get("next", "")), code=303)  # without access the form was shown instead

    def sign_in(self) -> AnyResponse:
        fields = request_fields()
        return self._let_in(fields.optional("token") or "", _local(fields.optional("next") or ""))

    def sign_out(self) -> AnyResponse:
        as_json = wanted_face() is Face.JSON
        response = json_answer({"signed_in": False}) if as_json else redirect(url_for("access.form"), code=303)
        self._access.sign_out(request, response)
        return response

    def _let_in(self, token: str, address: str) -> AnyResponse:
        if not self._access.is_right(token, client_at(request.remote_addr)):
            raise WrongToken
        response = json_answer({"signed_in": True}) if wanted_face() is Face.JSON else redirect(address, code=303)
        self._access.sign_in(request, response)
        return response


def _seldom(is_out: Callable[[], bool]) -> Callable[[], bool]:
    """The same function, evaluated at most every `POLL_INTERVAL`: an answer's reader calls it for each piece."""
    last, next_look = False, 0.0

    def is_out_by_now() -> bool:
        nonlocal last, next_look
        if not last and time.monotonic() >= next_look:
            next_look = time.monotonic() + POLL_INTERVAL  # also if that cannot be determined
            last = is_out()
        return last

    return is_out_by_now


def _is_followed() -> bool:
    """Whether a person follows a link. An image on another site's page must not use up a person's attempts."""
    return request.headers.get("Sec-Fetch-Dest", "document") == "document"


def _without_token() -> str:
    """This request's address without the token, which must not stay in the browser's history."""
    rest = [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
    return quote(request.script_root + request.path) + (f"?{urlencode(rest)}" if rest else "")


def _local(address: str) -> str:
    """The address if it belongs to this application; else that of its first page."""
    inside = address.startswith(f"{request.script_root}/") and not address.startswith(("//", "/\\"))
    return address if inside and address.isprintable() else url_for("webchat.index")
