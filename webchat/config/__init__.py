"""The settings. Precedence: flag, environment variable, saved value, default. Knows no user.

Saved settings are a document in the storage, shared by its servers: backend, address, key, model, prompt, temperature,
memories and theme. All others come from each server's flags and environment. Some differ between servers: the storage's
place (`home`), `host` and `port`, proxies, log, limits. Some must be the same on all servers of a storage: `token`,
which signs cookies (`auto` generates one per server), `auth_header`, and the `agent` commands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from webchat.config.home import default_home
from webchat.config.settings import SETTINGS, Setting, Settings
from webchat.config.values import THEMES, WORDS
from webchat.errors import InvalidInput
from webchat.storage.protocols.documents import SETTINGS as SAVED
from webchat.storage.protocols.documents import Documents

__all__ = ["SETTINGS", "THEMES", "WORDS", "Setting", "Settings"]
BY_NAME = {setting.name: setting for setting in SETTINGS}
_DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
Source = Literal["flag", "environment", "file", "default"]
BELONGS_TO = {"api_key": "api_key_for", "header": "header_for"}
"""The address for which a key, or headers, were saved. They are never sent to another server."""


def load(
    explicit: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    documents: Documents | None = None,
) -> tuple[Settings, dict[str, Source]]:
    """The settings, and the source of each value by the field's name.

    `explicit` has the flags, or Flask's config, by a setting's key; `None` there means "not given". Texts are parsed.
    Without `documents` no saved settings are read, which is how the storage is found. Raises InvalidInput, which names
    the setting with the invalid value.
    """
    return resolve(explicit or {}, environ or {}, read_saved(documents) if documents else {})


def resolve(
    explicit: Mapping[str, Any], environ: Mapping[str, str], saved: Mapping[str, Any]
) -> tuple[Settings, dict[str, Source]]:
    """The result of `load` with these saved settings.

    A saved key, and saved headers, are used only for the address that they were saved for.
    """
    found = {setting.name: _find(setting, explicit, environ, saved) for setting in SETTINGS}
    # A key without this field was saved by an earlier version, or by hand: it belongs to the saved address.
    for name, note in BELONGS_TO.items():
        belongs_to = saved.get(note) or saved.get("base_url") or ""
        if found[name][1] == "file" and not is_same_address(str(belongs_to), found["base_url"][0]):
            found[name] = _DEFAULTS[name], "default"
    sources = {name: source for name, (_, source) in found.items()}
    return Settings(**{name: value for name, (value, _) in found.items()}), sources


def is_same_address(one: str, other: str) -> bool:
    """Whether two base URLs are the same, ignoring surrounding blanks and a trailing slash."""
    return one.strip().rstrip("/") == other.strip().rstrip("/")


def _find(
    setting: Setting, explicit: Mapping[str, Any], environ: Mapping[str, str], saved: Mapping[str, Any]
) -> tuple[Any, Source]:
    """A setting's value and source: the first layer that has one."""
    key = setting.key
    if explicit.get(key) is not None:
        return _parsed(setting, explicit[key]), "flag"
    if environ.get(key):
        return _parsed(setting, environ[key]), "environment"
    if setting.name in saved and _is_usable(setting, saved[setting.name]):
        return _parsed(setting, str(saved[setting.name])), "file"
    return default_home() if setting.name == "home" else setting.default, "default"


def _parsed(setting: Setting, given: Any) -> Any:  # noqa: ANN401
    if not isinstance(given, str):
        return given
    try:
        return setting.parse(given)
    except ValueError as error:
        shown = "this value" if setting.secret else repr(given)
        raise InvalidInput(f"{setting.key} cannot be {shown}: {error}.") from error


def _is_usable(setting: Setting, given: object) -> bool:
    """Whether a saved value is valid. A file that was edited by hand must not prevent the chat from starting."""
    if not setting.saved or not isinstance(given, str | int | float):
        return False
    try:
        str(given).encode()
        setting.parse(str(given))
    except ValueError:
        return False
    return True


def read_saved(documents: Documents) -> dict[str, Any]:
    """The saved settings, by field name; {} if they cannot be read."""
    return _read(documents)[0]


def is_understood(documents: Documents) -> bool:
    """Whether all saved settings are valid, or there are none."""
    return _read(documents)[1]


def saved_now(documents: Documents) -> tuple[dict[str, Any], bool]:
    """The saved settings, and whether all of them are valid. Raises OSError."""
    return _understood(documents.read(SAVED))


def version(documents: Documents) -> object:
    """Differs from an earlier one if the saved settings have changed. Raises OSError."""
    return documents.version(SAVED)


def _read(documents: Documents) -> tuple[dict[str, Any], bool]:
    try:
        return saved_now(documents)
    except OSError:
        return {}, False


def _understood(data: bytes | None) -> tuple[dict[str, Any], bool]:
    """The saved settings, and whether the whole document could be parsed."""
    try:
        saved = {} if data is None else json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}, False
    if not isinstance(saved, dict):
        return {}, False
    known = [setting for setting in SETTINGS if setting.saved and setting.name in saved]
    unusable = {setting.name for setting in known if not _is_usable(setting, saved[setting.name])}
    return {name: value for name, value in saved.items() if name not in unusable}, not unusable


def save(documents: Documents, changes: Mapping[str, Any]) -> None:
    """Save settings by field name; None removes one. Other keys of the document stay.

    A copy of a damaged document is kept. Raises InvalidInput, OSError; then nothing has changed.
    """
    for setting in SETTINGS:
        if changes.get(setting.name) is not None:
            _parsed(setting, changes[setting.name])
    with documents.changing(SAVED) as draft:
        saved, understood = _understood(draft.data)
        kept = {key: value for key, value in {**saved, **changes}.items() if value is not None}
        draft.data = (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode()
        draft.damaged = not understood
