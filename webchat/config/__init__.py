"""The settings: flag over environment variable over file over default. Knows nothing of who uses them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any, Literal

from webchat import conventions
from webchat.config.settings import SETTINGS, Settings
from webchat.config.values import THEMES, WORDS
from webchat.errors import InvalidInput
from webchat.fileutil import DiskFolder, locked, quarantine

__all__ = ["SETTINGS", "THEMES", "WORDS", "Settings"]
Source = Literal["flag", "environment", "file", "default"]
KEY_BELONGS_TO = "api_key_for"
"""Saved beside a key: the address it was saved for. The key is never sent to another server."""


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
    return resolve(explicit, environ, read_saved(_home_of(explicit, environ)))


def stamp(explicit: Mapping[str, Any], environ: Mapping[str, str]) -> object:
    """Differs from an earlier one if the saved settings have changed. Raises OSError."""
    return _folder(_home_of(explicit, environ)).stamp(conventions.WEB_CHAT_SETTINGS_FILENAME)


def _home_of(explicit: Mapping[str, Any], environ: Mapping[str, str]) -> Path:
    return Path(explicit.get("AMPLIFIER_HOME") or environ.get("AMPLIFIER_HOME") or conventions.AMPLIFIER_HOME)


def resolve(
    explicit: Mapping[str, Any], environ: Mapping[str, str], saved: Mapping[str, Any]
) -> tuple[Settings, dict[str, Source]]:
    """What `load` gives with these saved settings. A saved key is used only for the address it was saved for."""
    found = {setting.name: _find(setting, explicit, environ, saved) for setting in SETTINGS}
    # A key without that note was saved before the note existed, or by hand: it belongs to the address beside it.
    belongs_to = saved.get(KEY_BELONGS_TO) or saved.get("base_url") or ""
    if found["api_key"][1] == "file" and not is_same_address(str(belongs_to), found["base_url"][0]):
        found["api_key"] = "", "default"
    sources = {name: source for name, (_, source) in found.items()}
    return Settings(**{name: value for name, (value, _) in found.items()}), sources


def is_same_address(one: str, other: str) -> bool:
    """Whether two base URLs name the same server; spaces around them and a slash at the end do not matter."""
    return one.strip().rstrip("/") == other.strip().rstrip("/")


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
