"""A model server's address and credentials, which are never shown by accident. Knows no HTTP."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit

from webchat.errors import InvalidInput

BAD_ADDRESS = (
    "The address of the model server cannot be used. It begins with http:// or https:// and usually ends in /v1, "
    "for example http://127.0.0.1:11434/v1 for Ollama."
)
HIDDEN = "…"


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server. `url` has no trailing slash and no credentials; times are in seconds."""

    url: str
    host: str
    where: str
    key: str = field(repr=False)
    login: tuple[str, str] | None = field(repr=False)
    connect_timeout: float
    read_timeout: float
    secrets: tuple[str, ...] = field(repr=False)
    """The texts that must never be shown."""

    @property
    def has_key(self) -> bool:
        """Whether anything is sent by which the server could know us."""
        return bool(self.key or self.login)

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(base_url: str, key: str, connect_timeout: float, read_timeout: float) -> Endpoint:
    """The endpoint at `base_url`; a login in it is taken out. Raises InvalidInput, which quotes nothing."""
    parts = _split(base_url)
    where = parts.netloc.rpartition("@")[2]
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    key = _checked(key)
    return Endpoint(
        f"{parts.scheme}://{where}{path}",
        parts.hostname or "",
        where,
        key,
        None if key else login,
        connect_timeout,
        read_timeout,
        tuple(filter(None, (key, *_secrets(login)))),
    )


def _secrets(login: tuple[str, str] | None) -> Iterator[str]:
    """The password as it is and in the ways in which it travels. A name without one is a key in its place."""
    if login:
        secret = login[1] or login[0]
        yield from (secret, quote(secret, safe=""), b64encode(":".join(login).encode()).decode())


def without_password(base_url: str) -> str:
    """The address as it may be shown. What cannot be read as one is not shown at all."""
    try:
        parts = urlsplit(base_url)
        login, at, where = parts.netloc.rpartition("@")
    except ValueError:
        return ""
    if "@" in base_url and not parts.netloc:
        return ""
    name, colon, _ = login.partition(":")
    shown = f"{name}:{HIDDEN}" if colon else HIDDEN  # a name alone is a key
    return parts._replace(netloc=f"{shown if at else ''}{at}{where}").geturl()


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise InvalidInput(BAD_ADDRESS) from error
    if not usable or parts.query or parts.fragment:
        raise InvalidInput(BAD_ADDRESS)
    return parts


def _checked(key: str) -> str:
    """A header takes visible ASCII alone; what else is in a key came with copying it."""
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("The key for the model server has characters that no key has. Copy it again.")
    return key
