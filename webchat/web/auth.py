"""Access control: open to everybody, by a token, or by a proxy that signs people in."""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flask import Request, g
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from webchat.addresses import Network, client_at, host_and_port, is_among
from webchat.errors import InvalidInput, NotSignedIn, TooManyGuesses, WrongToken
from webchat.web.security import LOOPBACK_NAMES, SAFE_METHODS

SHORTEST_TOKEN = 16
SIGNED_IN_FOR = 30 * 24 * 3600
"""Seconds that a browser stays signed in."""
LONGEST_NAME = 200
GUESSES, GUESS_TIME = 10, 60.0
"""Wrong tokens that one address may send, and within how many seconds."""
ADDRESSES_KEPT = 10_000


class Guesses:
    """Counts the wrong tokens of each address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises TooManyGuesses if this address must wait."""
        with self._guard:
            recent = self._recent(address)
            if len(recent) >= GUESSES:
                raise TooManyGuesses(int(recent[0] + GUESS_TIME - self._clock()) + 1)

    def note(self, address: str) -> None:
        """Count a wrong token from this address."""
        with self._guard:
            self._wrong[address] = [*self._recent(address), self._clock()]
            self._wrong.move_to_end(address)
            while len(self._wrong) > ADDRESSES_KEPT:
                self._wrong.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        return [moment for moment in self._wrong.get(address, ()) if self._clock() - moment < GUESS_TIME]


@dataclass(frozen=True)
class Access:
    """The access rules of one application. Without token and header everybody is let in.

    token: what a browser exchanges for a cookie and a script sends as `Authorization: Bearer`. auth_header: the name of
    the header in which a proxy names the signed-in person; only `trusted_proxies` are believed, and each
    person has their own sessions.
    """

    token: str = ""
    auth_header: str = ""
    trusted_proxies: Sequence[Network] = ()
    guesses: Guesses = field(default_factory=Guesses)

    def __post_init__(self) -> None:
        if self.token and self.auth_header:
            raise InvalidInput("Choose one way to sign in: --token or --auth-header.")
        if self.token and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise InvalidInput(f"WEBCHAT_TOKEN needs {SHORTEST_TOKEN} characters at least, all of them ASCII.")

    def admit(self, request: Request) -> None:
        """Let the request in, and set `g.owner` to its user.

        Raises NotSignedIn, TooManyGuesses; Forbidden if the request bypassed the proxy, or may be a cross-site request:
        it writes, and no header says which site it comes from.
        """
        if self.auth_header:
            g.owner = self._named_by_proxy(request)
        elif self.token and self._has_bearer(request):
            return  # no browser sends this by itself
        elif self.token and not self.is_signed_in(request):
            raise NotSignedIn
        if (self.auth_header or self.token) and _may_be_made_to_write(request):
            raise Forbidden("Send an Origin header, or the token as Authorization: Bearer.")

    def is_right(self, given: str, address: str) -> bool:
        """Whether this is the token. Raises TooManyGuesses."""
        self.guesses.check(address)
        right = hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())
        if not right:
            self.guesses.note(address)
        return right

    def is_signed_in(self, request: Request) -> bool:
        """Whether the browser has the cookie that it got for the token."""
        try:
            self._signer().loads(request.cookies.get(_cookie(request), ""), max_age=SIGNED_IN_FOR)
        except BadSignature:
            return False
        return True

    def sign_in(self, request: Request, response: Response) -> None:
        """Give the browser its cookie, which grants the same access as the token without revealing it."""
        _put_cookie(request, response, str(self._signer().dumps("in")), SIGNED_IN_FOR)

    def sign_out(self, request: Request, response: Response) -> None:
        _put_cookie(request, response, "", 0)

    def _signer(self) -> URLSafeTimedSerializer:
        # Derived from the token: a new token signs everybody out.
        return URLSafeTimedSerializer(self.token, salt="webchat-access")

    def _has_bearer(self, request: Request) -> bool:
        """Whether the request has the token itself. Raises WrongToken, TooManyGuesses."""
        given = request.authorization
        if given is None or given.type != "bearer":
            return False
        if not self.is_right(given.token or "", client_at(request.remote_addr)):
            raise WrongToken
        return True

    def _named_by_proxy(self, request: Request) -> str:
        if not is_among(_peer(request), self.trusted_proxies):
            raise Forbidden("This chat can only be reached through its proxy, which signs people in.")
        name = _text(request.headers.get(self.auth_header, "")).strip(" \t")
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise NotSignedIn("The proxy has not passed on who you are. Sign in there, then come back.")
        return name


def _peer(request: Request) -> str:
    """The peer's address, ignoring X-Forwarded-For."""
    behind = request.environ.get("werkzeug.proxy_fix.orig") or request.environ
    return str(behind.get("REMOTE_ADDR") or "")


def _text(header: str) -> str:
    """A header's text: WSGI decodes it as Latin-1, but most clients send UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _may_be_made_to_write(request: Request) -> bool:
    silent = "Sec-Fetch-Site" not in request.headers and "Origin" not in request.headers
    name, _ = host_and_port(request.host)
    return request.method not in SAFE_METHODS and silent and name not in LOOPBACK_NAMES


def _cookie(request: Request) -> str:
    # Cookies are shared by all ports of a host: two chats on one machine must not sign each other out.
    _, port = host_and_port(request.host)
    return f"webchat-access-{port or request.scheme}"


def _put_cookie(request: Request, response: Response, value: str, seconds: int) -> None:
    response.set_cookie(
        _cookie(request),
        value,
        max_age=seconds,
        path=request.script_root or "/",
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
