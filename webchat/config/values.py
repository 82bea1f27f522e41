"""Parsers of settings. Each raises ValueError, whose text says what is expected."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

PROGRAMS = ("amplifier", "claude-code", "codex")
"""The programs whose conversations can be shown."""
THEMES = ("system", "light", "dark")
LOG_FORMATS = ("human", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
OWN_HEADERS = ("accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding")
"""Without these as they are the chat could not read the answer."""
WORDS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("it must be a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("it must be a number") from None


def database(text: str) -> str:
    """The address of a database; blank: none."""
    if text.strip() and not text.strip().startswith(("postgresql://", "postgres://")):
        raise ValueError("the address of a PostgreSQL database must begin with postgresql://")
    return text.strip()


def port(text: str) -> int:
    """A port; 0: any free one."""
    number = _whole(text)
    if not 0 <= number <= 65535:
        raise ValueError("a port must be a number from 0 to 65535")
    return number


def programs(text: str) -> tuple[str, ...] | Literal["auto"]:
    """Names of programs, separated by commas; none if blank or "off"."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["auto"]:
        return "auto"
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown and names != ["off"]:
        raise ValueError(f"it must be auto, off, or a comma-separated list of {', '.join(PROGRAMS)}")
    return () if unknown else tuple(dict.fromkeys(names))


def positive(text: str) -> float:
    """Any number above 0."""
    number = _number(text)
    if not 0 < number < float("inf"):
        raise ValueError("it must be a number above 0")
    return number


def not_negative(text: str) -> float:
    """Any number from 0 on."""
    number = _number(text)
    if not 0 <= number < float("inf"):
        raise ValueError("it must be 0 or more")
    return number


def whole_from(least: int) -> Callable[[str], int]:
    """A whole number, `least` or more."""

    def parse(text: str) -> int:
        number = _whole(text)
        if number < least:
            raise ValueError(f"it must be a whole number from {least} up")
        return number

    return parse


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}")
        return text

    return parse


def header_name(text: str) -> str:
    """The name of an HTTP header; "": none."""
    if not re.fullmatch(r"[A-Za-z0-9-]*", text):
        raise ValueError("it must be a header's name, such as X-Remote-User")
    return text


def headers(text: str) -> tuple[tuple[str, str], ...]:
    """HTTP headers, "Name: value", one per line."""
    return tuple(_header(line) for line in text.splitlines() if line.strip())


def _header(line: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not value.isprintable():
        raise ValueError("it must be a header, such as X-Portkey-Provider: openai")
    if name.lower() in OWN_HEADERS:
        raise ValueError("the chat sets this header itself")
    return name, value


def temperature(text: str) -> float | None:
    """A model's temperature; None for its default."""
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 2:
        raise ValueError("it must be a number from 0 to 2")
    return number


def switch(text: str) -> bool:
    """On or off."""
    if text.lower() not in WORDS:
        raise ValueError("it must be on or off")
    return WORDS[text.lower()]


def switch_or_auto(text: str) -> bool | Literal["auto"]:
    """On, off or auto."""
    try:
        return "auto" if text.lower() == "auto" else switch(text)
    except ValueError:
        raise ValueError("it must be on, off or auto") from None


def host_names(text: str) -> tuple[str, ...]:
    """Names of hosts or IP addresses, separated by commas, in lower case."""
    found = tuple(name.strip().strip("[]").lower() for name in text.split(",") if name.strip())
    if not all(re.fullmatch(r"[\w.-]+|[0-9a-f.]*:[0-9a-f:.]*:[0-9a-f:.]*", name) for name in found):
        raise ValueError("it must be names of hosts without scheme, port and path, such as chat.example.org")
    return found


def home(text: str) -> Path:
    """A folder, which need not be there yet."""
    if not text.strip():  # as a script's unset variable is
        raise ValueError("it must name a folder")
    return Path(text)


def title(text: str) -> str:
    """Any text but a blank one."""
    if not text.strip():
        raise ValueError("it must not be blank")
    return text


def commands(text: str) -> tuple[tuple[str, ...], ...]:
    """Commands, one per line, quoted as in a shell."""
    try:
        found = tuple(tuple(shlex.split(line)) for line in text.splitlines() if line.strip())
    except ValueError:
        raise ValueError("it must be a command, and has an unclosed quotation mark") from None
    if not all(command and command[0] for command in found):
        raise ValueError("a command must begin with a program")
    return found


def folders(text: str) -> tuple[str, ...]:
    """Absolute paths of folders, one per line; "~" is the server's home."""
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not all(Path(folder).expanduser().is_absolute() for folder in found):
        raise ValueError("it must be an absolute path, such as /srv/projects")
    return found


def log_level(text: str) -> str:
    """The log level."""
    return one_of(LOG_LEVELS)(text.lower())
