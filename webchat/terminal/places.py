"""Connects to a chat: at an address, or in a folder or database, which this process then serves to itself."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

import httpx

from webchat.addresses import is_loopback, networks, socket_path
from webchat.errors import InvalidInput
from webchat.terminal.client import ChatClient

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from webchat.backends import SessionBackend

OWNER = "X-Webchat-Owner"
HERE = "127.0.0.1"
MOST_STREAMS = 100
"""Streams that a terminal may have open: that of a session it has left ends only at the next event there."""
TIMEOUT = httpx.Timeout(10, read=120)
Report = Callable[[str, float | None], None]


@contextmanager
def chat_at(url: str, token: str) -> Iterator[ChatClient]:
    """The chat of the server at this address: http://…, https://… or unix:PATH. It may have a `?token=`.

    Raises InvalidInput for another address.
    """
    path = socket_path(url)
    parts = _parts("http://localhost" if path else url)
    token = token or parse_qs(parts.query).get("token", [""])[0]
    base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    is_near = is_loopback(parts.hostname or "")  # so that no proxy is used for it
    # Without TLS no certificates are loaded: that saves 20 ms.
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_near and parts.scheme == "http" else True
    transport = httpx.HTTPTransport(uds=str(path), verify=verify) if path else None
    if not token.isprintable():
        raise InvalidInput("A token must be one line of printable characters.")
    headers = {b"Authorization": f"Bearer {token}".encode()} if token else {}
    with httpx.Client(
        base_url=base, transport=transport, headers=headers, timeout=TIMEOUT, trust_env=not is_near, verify=verify
    ) as client:
        yield ChatClient(client, url if path else "")


@contextmanager
def chat_in(
    explicit: Mapping[str, Any],
    owner: str | None,
    backend: SessionBackend | None = None,
    report: Report | None = None,
    grace: float = 0.0,
) -> Iterator[ChatClient]:
    """The chat in the folder or database of these settings, served by this process to itself alone.

    `report` receives the backend's progress after the client's `start`; without it no answers will be requested. After
    the block, an answer in flight has `grace` seconds to finish. Raises what `create_app` raises.
    """
    from webchat.app import create_app

    # Nobody else can reach it; and only a server's flags may say how long the trash is kept.
    ways_in = {"WEBCHAT_TOKEN": "", "WEBCHAT_PROXIES": 0, "WEBCHAT_TRASH_DAYS": float("inf")}
    ways_in["WEBCHAT_MAX_STREAMS"] = MOST_STREAMS
    ways_in |= {"WEBCHAT_AUTH_HEADER": OWNER if owner else "", "WEBCHAT_TRUSTED_PROXIES": networks(HERE)}
    app = create_app({**explicit, **ways_in}, backend=backend)
    manager = app.extensions["webchat"]
    try:
        transport = httpx.WSGITransport(app=_named(app, owner), remote_addr=HERE)
        with httpx.Client(base_url="http://localhost", transport=transport) as client:
            yield ChatClient(client, start=lambda: manager.start(report) if report else None)
    finally:
        manager.close(grace)


def _parts(url: str) -> SplitResult:
    """Raises InvalidInput if this is no address of a chat."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, or half of an IPv6 address
        is_address = False
    if not is_address:
        raise InvalidInput("The address of a chat must begin with http:// or https://, or be unix:PATH.")
    return parts


def _named(app: WSGIApplication, owner: str | None) -> WSGIApplication:
    """The application, with this person as the one who has signed in."""
    if owner is None:
        return app
    name = {f"HTTP_{OWNER.upper().replace('-', '_')}": owner.encode().decode("latin-1")}

    def named(environ: WSGIEnvironment, start_response: StartResponse) -> Any:  # noqa: ANN401
        return app({**environ, **name}, start_response)

    return named
