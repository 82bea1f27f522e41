"""Every setting, once: flag over environment variable over file over default. Knows nothing of who uses them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from webchat import conventions
from webchat.addresses import Network, networks
from webchat.errors import InvalidInput
from webchat.fileutil import DiskFolder, locked, quarantine

Source = Literal["flag", "environment", "file", "default"]
THEMES = ("system", "light", "dark")
LOG_FORMATS = ("human", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
WORDS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
KEY_BELONGS_TO = "api_key_for"
"""Beside a saved key: the address that it was saved for. No other server is ever sent it."""


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError("a port is a number from 0 to 65535")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError("a number above 0 is needed")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError("a number from 0 on is needed")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("a whole number from 1 on is needed")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("a whole number from 0 on is needed")
    return number


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]*", text):
        raise ValueError("a header's name is needed, as X-Remote-User")
    return text


def _theme(text: str) -> str:
    if text not in THEMES:
        raise ValueError(f"choose one of {', '.join(THEMES)}")
    return text


def _log_format(text: str) -> str:
    if text not in LOG_FORMATS:
        raise ValueError(f"choose one of {', '.join(LOG_FORMATS)}")
    return text


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(f"choose one of {', '.join(LOG_LEVELS)}")
    return text.lower()


def _temperature(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 2:
        raise ValueError("a number from 0 to 2 is needed")
    return number


def _switch(text: str) -> bool:
    if text.lower() not in WORDS:
        raise ValueError("on or off is needed")
    return WORDS[text.lower()]


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _setting(
    default: Any,  # noqa: ANN401
    key: str,
    flag: str,
    help: str,
    parse: Callable[[str], Any] = str,
    *,
    secret: bool = False,
    saved: bool = False,
) -> Any:  # noqa: ANN401
    """One setting: its default, its name in the environment and in Flask's config, its flag, and what it means."""
    metadata = {"key": key, "flag": flag, "help": help, "parse": parse, "secret": secret, "saved": saved}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What the program was told. Times are in seconds; an empty text means "not set"."""

    home: Path = _setting(conventions.AMPLIFIER_HOME, "AMPLIFIER_HOME", "--home", "Folder that holds all files.", Path)
    backend: str = _setting(
        "local", "WEBCHAT_BACKEND", "--backend", "Who answers: local, openai, mock, or an add-on.", saved=True
    )
    model: str = _setting(
        "auto",
        "WEBCHAT_MODEL",
        "--model",
        "A model's name; for the embedded model also a FILE.gguf, or auto.",
        saved=True,
    )
    # Secret because it may have a name and password in it.
    base_url: str = _setting(
        "",
        "WEBCHAT_BASE_URL",
        "--base-url",
        "Address of an OpenAI-compatible server, up to and with /v1.",
        secret=True,
        saved=True,
    )
    api_key: str = _setting("", "WEBCHAT_API_KEY", "--api-key", "Key for that server.", secret=True, saved=True)
    system_prompt: str = _setting(
        "", "WEBCHAT_SYSTEM_PROMPT", "--system-prompt", "Said to the model before all else.", saved=True
    )
    temperature: float | None = _setting(
        None,
        "WEBCHAT_TEMPERATURE",
        "--temperature",
        "How freely the model chooses its words, 0 to 2; the model's own where it is not set.",
        _temperature,
        saved=True,
    )
    memory_context: bool = _setting(
        False,
        "WEBCHAT_MEMORY_CONTEXT",
        "--memory-context",
        "Whether the model is told what is remembered: on or off.",
        _switch,
        saved=True,
    )
    titles: bool = _setting(
        True, "WEBCHAT_TITLES", "--titles", "Whether the model names new conversations: on or off.", _switch
    )
    trash_days: float = _setting(
        30.0,
        "WEBCHAT_TRASH_DAYS",
        "--trash-days",
        "Days that deleted sessions and memories can be restored.",
        _not_negative,
    )
    connect_timeout: float = _setting(
        10.0, "WEBCHAT_CONNECT_TIMEOUT", "--connect-timeout", "Seconds to wait for the model server.", _positive
    )
    read_timeout: float = _setting(
        120.0, "WEBCHAT_READ_TIMEOUT", "--read-timeout", "Seconds that a model may be silent.", _positive
    )
    mock_delay: float = _setting(
        0.03, "WEBCHAT_MOCK_DELAY", "--mock-delay", "Seconds between the mock's pieces.", _not_negative
    )
    context: int = _setting(
        4096, "WEBCHAT_CONTEXT", "--context", "Tokens that the embedded model keeps of one session.", _count
    )
    idle_unload: float = _setting(
        15.0,
        "WEBCHAT_IDLE_UNLOAD",
        "--idle-unload",
        "Minutes without a message after which the embedded model leaves the memory; 0 is never.",
        _not_negative,
    )
    title: str = _setting("Amplifier", "WEBCHAT_TITLE", "--title", "The name at the top of the page.")
    theme: str = _setting("system", "WEBCHAT_THEME", "--theme", "system, light or dark.", _theme, saved=True)
    allow_host: tuple[str, ...] = _setting(
        (), "WEBCHAT_ALLOW_HOST", "--allow-host", "Host names to answer to besides loopback, by commas.", _hosts
    )
    token: str = _setting(
        "",
        "WEBCHAT_TOKEN",
        "--token",
        "Who has it is let in, by a link or as a script's Bearer token; auto makes one.",
        secret=True,
    )
    auth_header: str = _setting(
        "",
        "WEBCHAT_AUTH_HEADER",
        "--auth-header",
        "Header in which a proxy names who has signed in there; each person has their own sessions.",
        _header_name,
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        networks("127.0.0.1,::1"),
        "WEBCHAT_TRUSTED_PROXIES",
        "--trusted-proxies",
        "Addresses or networks of proxies, by commas: what others say of whom they speak for is not believed.",
        networks,
    )
    proxies: int = _setting(
        0,
        "WEBCHAT_PROXIES",
        "--proxies",
        "How many proxies stand before the chat, whose X-Forwarded- headers are believed.",
        _whole,
    )
    max_streams: int = _setting(
        250, "WEBCHAT_MAX_STREAMS", "--max-streams", "Event streams open at once; above it pages poll.", _count
    )
    max_streams_per_client: int = _setting(
        100,
        "WEBCHAT_MAX_STREAMS_PER_CLIENT",
        "--max-streams-per-client",
        "The same for each person or address; 0 is no limit.",
        _whole,
    )
    max_body: float = _setting(
        1.0, "WEBCHAT_MAX_BODY", "--max-body", "MiB of a request at most, without the files that go with it.", _positive
    )
    max_message: int = _setting(
        1_048_576, "WEBCHAT_MAX_MESSAGE", "--max-message", "Characters of a message at most; 0 is no limit.", _whole
    )
    max_title: int = _setting(
        300, "WEBCHAT_MAX_TITLE", "--max-title", "Characters of a title at most; 0 is no limit.", _whole
    )
    max_sessions: int = _setting(
        100_000, "WEBCHAT_MAX_SESSIONS", "--max-sessions", "Sessions of one person at most; 0 is no limit.", _whole
    )
    max_replies: int = _setting(
        250, "WEBCHAT_MAX_REPLIES", "--max-replies", "Answers written at once, in all; 0 is no limit.", _whole
    )
    max_replies_per_client: int = _setting(
        100,
        "WEBCHAT_MAX_REPLIES_PER_CLIENT",
        "--max-replies-per-client",
        "The same for each person or address; 0 is no limit.",
        _whole,
    )
    answer_time: float = _setting(
        3600.0, "WEBCHAT_ANSWER_TIME", "--answer-time", "Seconds that an answer may take; 0 is no limit.", _not_negative
    )
    min_free: float = _setting(
        100.0,
        "WEBCHAT_MIN_FREE",
        "--min-free",
        "MiB of the disk that stay free; with less nothing new is taken.",
        _not_negative,
    )
    grace: float = _setting(
        10.0, "WEBCHAT_GRACE", "--grace", "Seconds that answers have to finish when the server is ended.", _not_negative
    )
    log_format: str = _setting(
        "human", "WEBCHAT_LOG_FORMAT", "--log-format", "How the log is written: human or json.", _log_format
    )
    log_level: str = _setting(
        "info",
        "WEBCHAT_LOG_LEVEL",
        "--log-level",
        "What is logged: debug, info (each request and reply), warning or error.",
        _log_level,
    )
    metrics: bool = _setting(
        False, "WEBCHAT_METRICS", "--metrics", "Whether Prometheus can read /metrics: on or off.", _switch
    )
    host: str = _setting("127.0.0.1", "WEBCHAT_HOST", "--host", "Address to listen on.")
    port: int = _setting(8000, "WEBCHAT_PORT", "--port", "Port to listen on; the next free one if taken.", _port)


SETTINGS: tuple[Field[Any], ...] = fields(Settings)


def settings_path(home: Path) -> Path:
    """Where the settings page saves."""
    return _folder(home).path / conventions.WEB_CHAT_SETTINGS_FILENAME


def _folder(home: Path) -> DiskFolder:
    return DiskFolder(home.expanduser()).sub(conventions.SERVER_DIR)


def load(
    explicit: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, Source]]:
    """The settings, and for each field's name where its value came from.

    `explicit` has the flags, or Flask's config, by a setting's key; `None` there means "not given". Values are parsed
    where they are text. Raises InvalidInput naming the setting whose value cannot be used.
    """
    explicit, environ = explicit or {}, environ or {}
    home = explicit.get("AMPLIFIER_HOME") or environ.get("AMPLIFIER_HOME") or conventions.AMPLIFIER_HOME
    return resolve(explicit, environ, read_saved(Path(home)))


def resolve(
    explicit: Mapping[str, Any], environ: Mapping[str, str], saved: Mapping[str, Any]
) -> tuple[Settings, dict[str, Source]]:
    """What `load` gives with these saved settings. A saved key counts for the address that it was saved for alone."""
    found = {setting.name: _find(setting, explicit, environ, saved) for setting in SETTINGS}
    address = found["base_url"][0]
    if found["api_key"][1] == "file" and saved.get(KEY_BELONGS_TO, address) != address:
        found["api_key"] = "", "default"
    sources = {name: source for name, (_, source) in found.items()}
    return Settings(**{name: value for name, (value, _) in found.items()}), sources


def _find(
    setting: Field[Any], explicit: Mapping[str, Any], environ: Mapping[str, str], saved: Mapping[str, Any]
) -> tuple[Any, Source]:
    """A setting's value, and which layer gave it: the first that has one."""
    key = setting.metadata["key"]
    if explicit.get(key) is not None:
        return _parsed(setting, explicit[key]), "flag"
    if environ.get(key):
        return _parsed(setting, environ[key]), "environment"
    if setting.name in saved and _is_usable(setting, saved[setting.name]):
        return _parsed(setting, str(saved[setting.name])), "file"
    return setting.default, "default"


def _parsed(setting: Field[Any], given: Any) -> Any:  # noqa: ANN401
    if not isinstance(given, str):
        return given
    try:
        return setting.metadata["parse"](given)
    except ValueError as error:
        shown = "this value" if setting.metadata["secret"] else repr(given)
        raise InvalidInput(f"{setting.metadata['key']} cannot be {shown}: {error}.") from error


def _is_usable(setting: Field[Any], given: object) -> bool:
    """Whether a saved value counts. A file that was edited by hand must not keep the chat from starting."""
    if not setting.metadata["saved"] or not isinstance(given, str | int | float):
        return False
    try:
        str(given).encode()
        setting.metadata["parse"](str(given))
    except ValueError:
        return False
    return True


def read_saved(home: Path) -> dict[str, Any]:
    """What the settings page saved, by a field's name; {} where it cannot be read."""
    return _read(home)[0]


def is_understood(home: Path) -> bool:
    """Whether all of the saved settings can be used; also where there are none."""
    return _read(home)[1]


def _read(home: Path) -> tuple[dict[str, Any], bool]:
    """The saved settings, and whether all of the file was understood."""
    try:
        data = _folder(home).read(conventions.WEB_CHAT_SETTINGS_FILENAME)
        saved = {} if data is None else json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}, False
    if not isinstance(saved, dict):
        return {}, False
    known = [setting for setting in SETTINGS if setting.metadata["saved"] and setting.name in saved]
    unusable = {setting.name for setting in known if not _is_usable(setting, saved[setting.name])}
    return {name: value for name, value in saved.items() if name not in unusable}, not unusable


def save(home: Path, changes: Mapping[str, Any]) -> None:
    """Save settings by a field's name; None removes one. What else is in the file stays.

    A file that was not understood is first copied to `<name>.corrupt-<time>`. Raises InvalidInput, OSError; then
    nothing has changed.
    """
    for setting in SETTINGS:
        if changes.get(setting.name) is not None:
            _parsed(setting, changes[setting.name])
    folder, name = _folder(home), conventions.WEB_CHAT_SETTINGS_FILENAME
    with locked(folder, name):
        saved, understood = _read(home)
        if not understood:
            quarantine(folder, name)
        kept = {key: value for key, value in {**saved, **changes}.items() if value is not None}
        folder.replace(name, (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode())
