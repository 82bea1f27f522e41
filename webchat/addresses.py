"""Parses IP addresses and host names of requests. Knows no request."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNIX = "unix:"
ONE_CLIENT = 64
"""Leading bits of an IPv6 address that identify a client: it may choose the others freely."""


def address_in(text: str | None) -> Address | None:
    """The IP address in a text, IPv4-mapped IPv6 as IPv4; None if it is none."""
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks (10.0.0.0/8), separated by commas. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_among(text: str | None, among: Sequence[Network]) -> bool:
    """Whether this is an address in one of the networks."""
    address = address_in(text)
    return address is not None and any(address in network for network in among)


def socket_path(host: str) -> Path | None:
    """The path in `unix:PATH`, a Unix socket to listen on; None for any other host."""
    return Path(host.removeprefix(UNIX)).expanduser().absolute() if host.startswith(UNIX) else None


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host.startswith(UNIX):
        return True
    address = address_in(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def client_at(text: str | None) -> str:
    """The key under which the limits count requests from this address."""
    address = address_in(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, ONE_CLIENT), strict=False))
    return str(address or text or "")


def host_and_port(host: str) -> tuple[str, str]:
    """The name and the port in a Host header, "" each if missing or malformed."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname or "", str(parts.port or "")
    except ValueError:
        return "", ""
