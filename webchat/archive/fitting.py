"""Applies the limits of people's input to imported records. Knows no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webchat.chat.agent_ids import AGENT_IDS
from webchat.chat.chosen import CHOICES
from webchat.chat.session import TEMPORARY
from webchat.chat.texts import shortened
from webchat.fileutil import jsonlines
from webchat.limits import CHOSEN
from webchat.session_store import Row

LARGEST_RECORD = 64 * 1024
"""Bytes of one record, including unknown keys. The whole registry is rewritten with each change."""
LONGEST_PATH = 4096
_TEXTS = {"created_at": 64, "last_active": 64, "title_by": 64, "key": 64}
_EXTRA = {"project_id": LONGEST_PATH, "working_dir": LONGEST_PATH, **CHOSEN}
"""The most characters of a record's texts."""
_KNOWN = {"session_id", "description", "begun", "pinned", "archived", "extra", *_TEXTS}


def fitted(row: Row, may_work_in: Callable[[str], bool], longest_title: int, problem: Callable[[str], None]) -> Row:
    """The record within the limits; `problem` receives what was removed. It is marked as begun.

    Folders that the owner may not choose for a new session are removed.
    """
    gone: list[str] = []
    extra = _within(row.get("extra", {}), _EXTRA, gone)
    # In the mode that a file names, an agent might work without asking.
    extra.pop(CHOICES, None)
    extra.pop(AGENT_IDS, None)
    if extra.get("working_dir") not in (None, "~") and not may_work_in(extra["working_dir"]):
        extra = {name: value for name, value in extra.items() if name not in ("working_dir", "project_id")}
    row = {name: value for name, value in row.items() if name != TEMPORARY}
    new = _within(row, _TEXTS, gone) | ({"extra": extra} if "extra" in row else {}) | {"begun": True}
    title = row.get("description", "")
    if 0 < longest_title < len(title):
        gone.append("a part of the title")
        new["description"] = shortened(title, longest_title)
    if len(jsonlines.dump(new)) > LARGEST_RECORD:
        gone.append("keys unknown to this version")
        new = {name: value for name, value in new.items() if name in _KNOWN}
        new["extra"] = {name: value for name, value in extra.items() if name in _EXTRA}
    if gone:
        problem(f"session {row['session_id']}: left out, because it is too long or not text: {', '.join(gone)}.")
    return new


def _within(fields: Mapping[str, Any], longest: Mapping[str, int], gone: list[str]) -> dict[str, Any]:
    """The fields without those that are too long or not texts."""

    def fits(name: str, value: object) -> bool:
        return name not in longest or value is None or (isinstance(value, str) and len(value) <= longest[name])

    gone += [name.replace("_", " ") for name, value in fields.items() if not fits(name, value)]
    return {name: value for name, value in fields.items() if fits(name, value)}
