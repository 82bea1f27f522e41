"""A model server's address and credentials; keeps the credentials out of what is shown and logged. Knows no HTTP."""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from webchat.errors import InvalidInput

BAD_ADDRESS = (
    "The address of the model server cannot be used. It begins with http:// or https:// and usually ends in /v1, "
    "for example http://127.0.0.1:11434/v1 for Ollama."
)
HIDDEN = "…"
BEHIND_BASE = re.compile(
    r"(/+|/(chat/completions|completions|responses|embeddings|models(/[^/]*)?)"
    r"|(?<=/v1)/(chat|messages|models/.*|moderations|rerank|files|batches|(audio|images)/\w+))$"
)
"""Endings that people paste along with a base URL."""
_OLLAMAS_OWN = re.compile(r"/api/(chat|generate|tags|version)$")
"""Paths of Ollama's own API, beside which its OpenAI-compatible one is."""
_IN_HOST, _IN_PATH = (rf"[^\s\"'`<>“”‘’()\[\]\\{more}]" for more in ("/", ""))
_ADDRESS = re.compile(
    rf"(?<![a-z0-9+.-])https?://{_IN_HOST}*(?:\[[\w:.%]*\]{_IN_HOST}*)?(/{_IN_PATH}*)?", re.IGNORECASE
)
"""An address with its path; a password in it may have other characters."""
_BEHIND = re.compile(r"[\"'`<>“”‘’()\[\]\\,;.]*(?:\s+[\\|#&>;-].*)?", re.DOTALL)
"""What may follow an address that begins the text, such as the options of a shell's command."""
_QUOTES = ('"', "'", "`", "“", "‘", "<")
_ANOTHER = re.compile(r"(?<!/)https?://", re.IGNORECASE)
"""A second address that was pasted right behind the first; one behind a slash belongs to the address of a proxy."""
_MISTYPED = re.compile(r"(https?)(?::/*|//+)", re.IGNORECASE)
LONGEST = 2_000
"""Characters of an address; what is longer is not searched for one."""
LEAST_KEY, SURELY_KEY = 4, 16
"""The least characters of a key, and of a header's value that counts as a key whatever the header's name is."""
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.%]*:[0-9a-f:.%]*", re.IGNORECASE)
_SECRET = re.compile(
    r"(?:^|[-_.])(?:(?:api|access|subscription)[-_.]?)?(?:key|sig|code)(?:$|[-_.])"
    "|token|secret|signature|passw|pwd|credential|auth|cookie",
    re.IGNORECASE,
)
"""Names of headers and query parameters whose values are keys; "X-Portkey-Provider" is not one of them."""
_QUERY = re.compile(r"([^=&;?#]+)=([^&;#]*)")


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server. `url` has no trailing slash, no query and no credentials; times are in seconds.

    `query` and `headers` are sent with each request.
    """

    url: str
    host: str
    where: str
    key: str = field(repr=False)
    login: tuple[str, str] | None = field(repr=False)
    connect_timeout: float
    read_timeout: float
    secrets: tuple[str, ...] = field(repr=False)
    """The strings that must never be shown."""
    query: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def address(self, path: str) -> str:
        """The URL of `path`, for example "/models"."""
        return f"{self.url}{path}{'?' if self.query else ''}{self.query}"

    def beside(self, path: str) -> str:
        """The same for a path beside the API's own, which ends in /v1; it may have a query."""
        address = f"{self.url.removesuffix('/v1')}{path}"
        return f"{address}{'&' if '?' in path else '?'}{self.query}" if self.query else address

    @property
    def has_key(self) -> bool:
        """Whether any credentials are sent."""
        return bool(self.key or self.login or self.headers or self.query)

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(
    base_url: str,
    key: str,
    connect_timeout: float,
    read_timeout: float,
    headers: Sequence[tuple[str, str]] = (),
) -> Endpoint:
    """The endpoint at `base_url`, in any form in which people paste it; a login in it is taken out.

    Without a scheme it is http:// for this machine and its network, else https://; without a path it ends in /v1.
    Raises InvalidInput, which quotes nothing.
    """
    parts = _split(base_url)
    where = parts.netloc.rpartition("@")[2]
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    key = _checked(key)
    return Endpoint(
        f"{parts.scheme}://{where}{_base_path(parts.path)}",
        parts.hostname or "",
        where,
        key,
        None if key else login,
        connect_timeout,
        read_timeout,
        tuple(
            filter(
                None,
                (key, *_secrets(login), *_secrets_in(f"{parts.query}&{parts.fragment}"), *_secrets_of(headers)),
            )
        ),
        parts.query,
        tuple(headers),
    )


def _base_path(path: str) -> str:
    while (shorter := BEHIND_BASE.sub("", path)) != path:
        path = shorter
    return _OLLAMAS_OWN.sub("/v1", path) or "/v1"


def _secrets_of(headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The values that may be keys, without a word such as "Bearer".

    A short value counts only if its name says that it is a key.
    """
    for name, value in headers:
        for text in (value, value.rpartition(" ")[2]):
            if len(text) >= (LEAST_KEY if _SECRET.search(name) else SURELY_KEY):
                yield text


def _secrets_in(query: str) -> Iterator[str]:
    """The values that may be keys, decoded and as written in the query."""
    for name, value in parse_qsl(query):
        if _SECRET.search(name):
            yield from (value, quote(value, safe=""))


def _secrets(login: tuple[str, str] | None) -> Iterator[str]:
    """The password, plain and in its encoded forms. A user name without a password counts as a key."""
    if login:
        secret = login[1] or login[0]
        yield from (secret, quote(secret, safe=""), b64encode(":".join(login).encode()).decode())


def without_password(base_url: str) -> str:
    """The address as it may be shown, without what was pasted with it; "" if it cannot be parsed."""
    base_url = bare(base_url)
    try:
        parts = urlsplit(base_url)
        login, at, where = parts.netloc.rpartition("@")
        _ = parts.port  # raises ValueError for a password with a slash, which looks like a port
    except ValueError:
        return ""
    if ("@" in base_url and not parts.netloc) or re.search(r"\s", base_url.replace(parts.netloc, "", 1)):
        return ""
    name, colon, _ = login.partition(":")
    shown = f"{name}:{HIDDEN}" if colon else HIDDEN  # a name alone is a key
    address = parts._replace(netloc=f"{shown}{at}{where}").geturl() if at else base_url
    path = len(re.split("[?#]", address, maxsplit=1)[0])
    return address[:path] + _QUERY.sub(_hidden, address[path:])


def _hidden(pair: re.Match[str]) -> str:
    return f"{pair[1]}={HIDDEN}" if _SECRET.search(pair[1]) else pair[0]


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(_with_scheme(bare(base_url)))
        host = parts.hostname or ""
        usable = parts.scheme in ("http", "https") and _HOST.fullmatch(host) and parts.port != 0
    except ValueError as error:
        raise InvalidInput(BAD_ADDRESS) from error
    has_another = _ANOTHER.search(parts.path) is not None
    if not usable or has_another or not parts.query.isprintable() or " " in parts.path + parts.query:
        raise InvalidInput(BAD_ADDRESS)
    return parts


def bare(pasted: str) -> str:
    """The address in a text such as a line of a shell's or a Markdown link.

    The whole text if it has no address or several ones, or if it is uncertain where the address ends.
    """
    text = pasted.strip().strip("<>\"'`\u200b\u2060\ufeff").strip()
    found = list(_ADDRESS.finditer(text)) if len(text) <= LONGEST else []
    if len({one[0].rstrip("/,;.") for one in found}) != 1 or not _is_complete(text, found[0]):
        return text
    return found[0][0].rstrip(",;.")


def _is_complete(text: str, found: re.Match[str]) -> bool:
    """Whether this is the whole address: a password may have any characters, and a path might have a space."""
    before, rest = text[: found.start()], text[found.end() :]
    if "@" in rest and not found[1]:
        return False
    if not before:
        return bool(_BEHIND.fullmatch(rest))
    return not (before.endswith(_QUOTES) and rest[:1].isspace())


def _with_scheme(address: str) -> str:
    """Raises ValueError for a login in an address without a scheme: it could not be kept from being shown."""
    if "://" in address:
        return address
    if begin := _MISTYPED.match(address):
        return f"{begin[1]}://{address[begin.end() :]}"
    parts = urlsplit(f"//{address.removeprefix('//')}")
    if parts.username or not parts.hostname or parts.netloc.endswith(":"):
        raise ValueError
    return f"{'http' if _is_near(parts) else 'https'}:{parts.geturl()}"


def _is_near(parts: SplitResult) -> bool:
    """Whether this looks like an address in the local network, where servers rarely speak TLS."""
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".lan", ".internal")) or bool(parts.port)


def _checked(key: str) -> str:
    """A header may contain only visible ASCII; anything else in a key was copied by mistake."""
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("The key for the model server contains characters that a key cannot have. Copy it again.")
    return key
