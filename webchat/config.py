"""Every setting, once: flag over environment variable over file over default. Knows nothing of who uses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from webchat import conventions
from webchat.errors import InvalidInput
from webchat.fileutil import atomic_write

Source = Literal["flag", "environment", "file", "default"]
THEMES = ("system", "light", "dark")


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


def _theme(text: str) -> str:
    if text not in THEMES:
        raise ValueError(f"choose one of {', '.join(THEMES)}")
    return text


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
    backend: str = _setting("local", "WEBCHAT_BACKEND", "--backend", "Who answers: local, openai, mock, or an add-on.")
    model: str = _setting(
        "auto", "WEBCHAT_MODEL", "--model", "A model's name; for the embedded model also a FILE.gguf, or auto."
    )
    base_url: str = _setting(
        "", "WEBCHAT_BASE_URL", "--base-url", "Address of an OpenAI-compatible server, up to and with /v1."
    )
    api_key: str = _setting("", "WEBCHAT_API_KEY", "--api-key", "Key for that server.", secret=True)
    system_prompt: str = _setting("", "WEBCHAT_SYSTEM_PROMPT", "--system-prompt", "Said to the model before all else.")
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
    title: str = _setting("Amplifier", "WEBCHAT_TITLE", "--title", "The name at the top of the page.")
    theme: str = _setting("system", "WEBCHAT_THEME", "--theme", "system, light or dark.", _theme, saved=True)
    allow_hosts: tuple[str, ...] = _setting(
        (), "WEBCHAT_ALLOW_HOSTS", "--allow-hosts", "Host names to answer to besides loopback, by commas.", _hosts
    )
    max_streams: int = _setting(
        100, "WEBCHAT_MAX_STREAMS", "--max-streams", "Event streams open at once; above it pages poll.", _count
    )
    host: str = _setting("127.0.0.1", "WEBCHAT_HOST", "--host", "Address to listen on.")
    port: int = _setting(8000, "WEBCHAT_PORT", "--port", "Port to listen on; the next free one if taken.", _port)


SETTINGS: tuple[Field[Any], ...] = fields(Settings)


def settings_path(home: Path) -> Path:
    """Where the settings page saves."""
    return home.expanduser() / conventions.SERVER_DIR / conventions.WEB_CHAT_SETTINGS_FILENAME


def load(
    explicit: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, Source]]:
    """The settings, and for each field's name where its value came from.

    `explicit` has the flags, or Flask's config, by a setting's key; `None` there means "not given". Values are parsed
    where they are text. Raises InvalidInput naming the setting whose value cannot be used.
    """
    explicit, environ = explicit or {}, environ or {}
    home = explicit.get("AMPLIFIER_HOME") or environ.get("AMPLIFIER_HOME") or conventions.AMPLIFIER_HOME
    saved = read_saved(Path(home))
    values: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    layers: dict[Source, Mapping[str, Any]] = {"flag": explicit, "environment": environ, "file": saved}
    for setting in SETTINGS:
        sources[setting.name] = "default"
        for source, layer in layers.items():
            name = setting.name if source == "file" else setting.metadata["key"]
            given = layer.get(name)
            if given is None or (source == "environment" and given == ""):
                continue
            if source == "file" and not setting.metadata["saved"]:
                continue
            values[setting.name] = _parsed(setting, given)
            sources[setting.name] = source
            break
    return Settings(**values), sources


def _parsed(setting: Field[Any], given: Any) -> Any:  # noqa: ANN401
    if not isinstance(given, str):
        return given
    try:
        return setting.metadata["parse"](given)
    except ValueError as error:
        shown = "this value" if setting.metadata["secret"] else repr(given)
        raise InvalidInput(f"{setting.metadata['key']} cannot be {shown}: {error}.") from error


def read_saved(home: Path) -> dict[str, Any]:
    """What the settings page saved; an unreadable file counts as empty here, and is kept aside before a write."""
    try:
        saved = json.loads(settings_path(home).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) else {}


def save(home: Path, **changes: Any) -> None:  # noqa: ANN401
    """Save settings by a field's name; unknown keys survive. Raises InvalidInput, OSError; then nothing has changed."""
    for setting in SETTINGS:
        if setting.name in changes:
            _parsed(setting, changes[setting.name])
    atomic_write(settings_path(home), json.dumps({**read_saved(home), **changes}, ensure_ascii=False, indent=1) + "\n")
