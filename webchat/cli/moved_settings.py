"""The saved settings in a whole chat's export, without keys and passwords. Knows no session and no terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from webchat import config
from webchat.archive.lenient import table, text
from webchat.backends.openai.endpoint import HIDDEN, without_password
from webchat.chat.plain import one_line
from webchat.config import BELONGS_TO
from webchat.errors import storing
from webchat.people.moving import NO_SETTINGS
from webchat.storage.protocols import Documents

FORMAT = 1
WHO = ("backend", "base_url", "model", "title_model")
"""The settings that say who answers. They are kept or imported together: a model is one of its server."""
Which = Literal["missing", "all", "none"]
"""Which settings to import: only those that are not set here, all, or none."""
NAMED = {"api_key": "the key", "header": "the headers", "base_url": "the address"}
_QUERY = re.compile(r"[?#].*", re.DOTALL)
LONGEST, SHOWN = 1_000_000, 200
"""Characters of a setting's value, and of what is said about a secret."""
DAMAGED = "No settings were imported: those here are damaged. Run “webchat doctor”, then import the file again."
KEPT_WITH = {
    "missing": "“--settings all” replaces them.",
    "all": "A key or header in a variable would be sent to the other address.",
}
Saved = Mapping[str, Any]


def exported(documents: Documents) -> tuple[dict[str, object], bool]:
    """The saved settings for an export, and whether all of them could be read. Raises StorageError.

    `left_out` names secrets that are not part of it: the key, the headers by their names, and an address with a
    password, without that.
    """
    with storing("The settings could not be read"):
        saved, is_whole = config.saved_now(documents)
    settings, sources = config.resolve({}, {}, saved)
    shown = _QUERY.sub("?…", without_password(settings.base_url))
    secret = {"api_key": "", "header": ", ".join(name for name, _ in settings.header)}
    secret |= {} if _is_open(settings.base_url) else {"base_url": shown}
    found = [setting.name for setting in config.SETTINGS if sources[setting.name] == "file"]
    content = {
        "format": FORMAT,
        "settings": {name: saved[name] for name in found if name not in secret},
        "left_out": {name: secret[name] for name in found if name in secret},
    }
    return content, is_whole


class SettingsIntake:
    """Imports the settings of one file after the other, and says what has become of those of the last one."""

    def __init__(self, documents: Documents, which: Which, environ: Mapping[str, str]) -> None:
        """`environ` has the settings that are set here by variables."""
        self._documents, self._which, self._environ = documents, which, environ
        self._taken, self._are_left = Taken(), False

    def __call__(self, found: Mapping[str, Any]) -> str:
        """Import the settings in an export; returns why they cannot be imported, or "". Raises StorageError."""
        if self._which == "none":
            self._are_left = bool(table(found.get("settings")))
        else:
            self._taken = bring_in(self._documents, found, self._environ, replace=self._which == "all")
        return self._taken.problem

    @property
    def summary(self) -> str:
        """The imported settings; "" if there are none."""
        # An address decides where messages are sent: nobody should overlook it.
        saved = self._taken.saved.items()
        names = (f"{name} ({value})" if name == "base_url" else name for name, value in saved)
        return f"; settings: {', '.join(names)}" if saved else ""

    def notes(self) -> list[str]:
        """What the person should know or do, a sentence each; forgets the file."""
        taken, notes = self._taken, [NO_SETTINGS] if self._are_left else []
        self._taken, self._are_left = Taken(), False
        if taken.kept:
            notes.append(f"Kept as they are here: {', '.join(taken.kept)}. {KEPT_WITH[self._which]}")
        if taken.enter:
            where = "on the settings page" if self._documents.are_private else "where the servers are started"
            wanted = (
                f"{NAMED[name]} ({config.BY_NAME[name].key}) {shown}".strip() for name, shown in taken.enter.items()
            )
            notes.append(f"Keys and passwords are not exported. Set them again {where}: {'; '.join(wanted)}.")
        return notes


@dataclass(frozen=True)
class Taken:
    """The result of an import: the saved settings, those kept although they differ, the secrets to enter again, by name
    with what may be shown of them, and why nothing was imported.
    """

    saved: Saved = field(default_factory=dict)
    kept: Sequence[str] = ()
    enter: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def bring_in(documents: Documents, found: Mapping[str, Any], environ: Mapping[str, str], *, replace: bool) -> Taken:
    """Save the settings in an export. What is set here, also by a variable, is replaced only with `replace`.

    Raises StorageError; nothing has changed then.
    """
    if found.get("format") != FORMAT:
        return Taken(problem="A later version of the chat has written the settings; they are left out.")
    theirs, left_out = _usable(table(found.get("settings"))), table(found.get("left_out"))
    with storing("The settings could not be imported"):
        here, is_whole = config.saved_now(documents)
        if not is_whole:
            return Taken(problem=DAMAGED)
        by_variables = {setting.name for setting in config.SETTINGS if environ.get(setting.key)}
        # Even if all are to be replaced: a key in a variable would be sent to the imported address.
        fixed = by_variables & {*BELONGS_TO} if replace else {*here, *by_variables}
        changes = _changes(theirs, left_out, here, fixed)
        if changes:
            config.save(documents, changes)
    after = {name: value for name, value in {**here, **changes}.items() if value is not None}
    saved = {name: value for name, value in theirs.items() if name in changes and here.get(name) != value}
    kept = tuple(name for name, value in theirs.items() if after.get(name) != value)
    is_theirs = all(after.get(name) == theirs[name] for name in WHO if name in theirs)
    return Taken(saved, kept, _missing(left_out, after, environ) if is_theirs else {})


def _usable(settings: Saved) -> dict[str, Any]:
    """The settings that may be saved here: no secret, no invalid one, and none of a later version."""
    short = {name: value for name, value in settings.items() if len(str(value)) <= LONGEST and name not in BELONGS_TO}
    _, sources = config.resolve({}, {}, short)
    usable = {name: value for name, value in short.items() if sources.get(name) == "file"}
    return {name: value for name, value in usable.items() if name != "base_url" or _is_open(value)}


def _changes(theirs: Saved, left_out: Saved, here: Saved, fixed: set[str]) -> dict[str, Any]:
    """What to save; None removes a setting."""
    changes = {name: value for name, value in theirs.items() if name not in WHO and name not in fixed}
    if not fixed & {*WHO, *BELONGS_TO} and any(name in theirs for name in WHO):
        changes |= {name: theirs.get(name) for name in WHO}
        address = text(theirs.get("base_url")) or text(left_out.get("base_url"))
        if config.is_same_address(without_password(text(here.get("base_url"))), address):
            del changes["base_url"]
        else:  # a key belongs to its address
            changes |= dict.fromkeys((*BELONGS_TO, *BELONGS_TO.values()))
    return {name: value for name, value in changes.items() if here.get(name) != value}


def _missing(left_out: Saved, after: Saved, environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that the imported settings need and that are not here."""
    settings, _ = config.resolve({}, environ, after)
    return {
        name: one_line(text(left_out[name])[:SHOWN])
        for name in NAMED
        if name in left_out and not getattr(settings, name)
    }


def _is_open(base_url: object) -> bool:
    """Whether this address has no password and no query, which may be a key, and does not take the place of one."""
    shown = without_password(text(base_url))
    is_whole = config.is_same_address(shown, text(base_url)) and not _QUERY.search(shown)
    return bool(shown) and is_whole and HIDDEN not in shown
