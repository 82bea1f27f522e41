"""Where a model server is and what opens it. Knows nothing of HTTP; nothing secret leaves it by accident."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

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

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secrets(self) -> list[str]:
        """What must not be shown, whoever repeats it."""
        return [secret for secret in (self.key, self.login and self.login[1]) if secret]


def parse(base_url: str, key: str, connect_timeout: float, read_timeout: float) -> Endpoint:
    """The endpoint at `base_url`; a login in it is taken out. Raises InvalidInput, which quotes nothing."""
    parts = _split(base_url)
    where = parts.netloc.rpartition("@")[2]
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username and not key.strip() else None
    return Endpoint(
        f"{parts.scheme}://{where}{path}",
        parts.hostname or "",
        where,
        _checked(key),
        login,
        connect_timeout,
        read_timeout,
    )


def without_password(base_url: str) -> str:
    """The address as it may be shown. What cannot be read as one is not shown at all."""
    try:
        parts = urlsplit(base_url)
        login, at, where = parts.netloc.rpartition("@")
    except ValueError:
        return ""
    name, colon, _ = login.partition(":")
    return parts._replace(netloc=f"{name}{colon and ':' + HIDDEN}{at}{where}").geturl()


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
