"""What a person has chosen for the controls of a session's agent: its mode, its model. Knows no agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHOICES = "choices"
"""Their key in a session's `extra`."""
MOST, LONGEST = 20, 500
"""How many choices a session keeps, and the most characters of one with its control's id: an agent names both."""


@dataclass(frozen=True)
class Chosen:
    """The chosen values by the controls' ids. `revision` counts the changes that were made, on all servers."""

    values: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0


def chosen_of(extra: Mapping[str, Any]) -> Chosen:
    """The choices in a session's `extra`; none if they are damaged."""
    found = extra.get(CHOICES)
    if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
        return Chosen()
    values, revision = found["values"], found.get("revision")
    if not isinstance(revision, int) or not all(isinstance(value, str) for value in values.values()):
        return Chosen()
    return Chosen(values, revision)


def with_chosen(extra: Mapping[str, Any], select_id: str, value: str) -> dict[str, Any]:
    """The `extra` with this choice as well. One that is too long is left out, with the one before."""
    before = chosen_of(extra)
    values = {key: each for key, each in before.values.items() if key != select_id}
    if len(select_id) + len(value) <= LONGEST:
        values[select_id] = value
    newest = dict([*values.items()][-MOST:])
    return {**extra, CHOICES: {"revision": before.revision + 1, "values": newest}}
