"""The memories' file, YAML that people may edit; what cannot be parsed is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypedDict

from webchat.chat.plain import one_line
from webchat.memory.words import categorise, tags_of


class Memory(TypedDict):
    """One memory as callers see it; every value can be written as JSON."""

    id: str
    timestamp: str
    category: str
    content: str
    tags: list[str]


Memories = list[Memory]

MOST_SENT = 100
"""Memories that a retry finds again."""
_ID = re.compile(r"mem-([0-9]{1,9})")


@dataclass
class MemoryFile:
    """The file's content: the rows that could be parsed, and all other keys unchanged."""

    top: dict[str, Any]
    rows: list[dict[str, Any]]
    next_id: int
    damaged: bool = False
    trash: list[dict[str, Any]] = field(default_factory=list)
    shared: list[dict[str, Any]] | None = None
    """The other program's rows, which have no owner; None if it has no file."""

    def new_row(self, timestamp: str, content: str, owner: str | None, sent: str | None = None) -> dict[str, Any]:
        """Add a row; `sent` is a digest of its request, by which `sent_with` finds it among the latest rows."""
        row = {
            "id": f"mem-{self.next_id:03}",
            "timestamp": timestamp,
            "category": categorise(content),
            "content": content,
            "tags": tags_of(content),
        }
        if owner is not None:
            row["owner"] = owner
        self.rows.append(row)
        self.next_id += 1
        if sent:
            self.top = self.top | {"sent": [*self._sent()[-MOST_SENT + 1 :], {"key": sent, "id": row["id"]}]}
        return row

    def with_new_id(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with a new id, which `sent_with` then finds, too: another memory has its old one."""
        new_id = f"mem-{self.next_id:03}"
        self.next_id += 1
        if sent := self._sent():
            moved = [{**each, "id": new_id} if each.get("id") == row["id"] else each for each in sent]
            self.top = self.top | {"sent": moved}
        return {**row, "id": new_id}

    def sent_with(self, sent: str, content: str) -> dict[str, Any] | None:
        """The row with this request's digest, even in the trash; None if there is none."""
        ids = [each.get("id") for each in self._sent() if each.get("key") == sent]
        rows = (row for row in (*self.rows, *self.trash) if row["id"] in ids)
        return next((row for row in rows if row["content"] == content), None)  # another program may have used the id

    def _sent(self) -> list[dict[str, Any]]:
        known = self.top.get("sent")
        return [each for each in known if isinstance(each, dict)] if isinstance(known, list) else []


def parse(data: bytes) -> MemoryFile:
    """Parses a file; `damaged` if some of it cannot be parsed, and then its text is searched for ids."""
    try:
        top = _load(data)
    except Exception:  # PyYAML passes on its constructors' exceptions: ValueError, LookupError, RecursionError, …
        top = "no YAML"
    keys = top if isinstance(top, dict) else {}
    found = keys.get("memories") or []
    rows = [row for row in found if is_memory(row)] if isinstance(found, list) else []
    damaged = not isinstance(top, dict | None) or rows != found
    ids = data.decode(errors="replace") if damaged else "\n".join(str(row["id"]) for row in rows)
    thrown = keys.get("trash") or []
    trash = [row for row in thrown if is_memory(row)] if isinstance(thrown, list) else []
    damaged = damaged or trash != thrown
    return MemoryFile(keys, rows, _next_id(keys.get("next_id"), ids), damaged, trash)


def is_memory(row: object) -> bool:
    """Whether this is a row with an id and a content."""
    return isinstance(row, dict) and all(isinstance(row.get(key), str | int | float) for key in ("id", "content"))


def by_time(row: dict[str, Any]) -> tuple[str, int, str]:
    """The order of memories: the oldest first."""
    return str(row.get("timestamp") or ""), len(str(row["id"])), str(row["id"])


def identity(row: Mapping[str, Any]) -> tuple[str, str]:
    """A memory's identity, wherever it is stored: its time and its content."""
    return str(row.get("timestamp") or ""), str(row["content"])


def _next_id(kept: object, ids: str) -> int:
    """The number in the file, but above every id in `ids`: from rows written by hand, or any text of a damaged file."""
    highest = max((int(match[1]) for match in _ID.finditer(ids)), default=0)
    return max(kept if type(kept) is int else 1, highest + 1)


def view(row: Mapping[str, Any]) -> Memory:
    """A row as callers see it. If written by hand, it may lack keys or have numbers in place of strings."""
    tags = row.get("tags") or []
    return {
        "id": str(row["id"]),
        "timestamp": str(row.get("timestamp") or ""),
        "category": one_line(str(row.get("category") or "general")),
        "content": str(row["content"]),
        "tags": [one_line(str(tag)) for tag in (tags if isinstance(tags, list) else [tags])],
    }


_TIMESTAMP, _STRING = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:str"
_NEEDS_ESCAPES = re.compile("[\x00-\t\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def _load(data: bytes) -> Any:  # noqa: ANN401  (whatever somebody wrote there)
    import yaml

    return yaml.load(data, Loader=_yaml_classes()[0])  # noqa: S506  (a subclass of the safe loader)


def dump(content: dict[str, Any]) -> bytes:
    """The file's new text."""
    import yaml

    return yaml.dump(content, Dumper=_yaml_classes()[1], allow_unicode=True, sort_keys=False, encoding="utf-8")


@cache
def _yaml_classes() -> tuple[Any, Any]:
    """PyYAML's safe loader without dates (JSON has none), and its safe dumper with a style that loses no character.

    The C classes are up to a hundred times faster. Imported with the first memory: the chat starts without.
    """
    import yaml

    loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0] != _TIMESTAMP]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    dumper: Any = type("Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
    dumper.add_representer(str, _represent_text)
    return loader, dumper


def _represent_text(dumper: Any, text: str) -> Any:  # noqa: ANN401  (PyYAML's classes differ with the platform)
    """Without its C library PyYAML picks quotes that lose line ends such as U+0085; only escapes are exact."""
    style = '"' if _NEEDS_ESCAPES.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar(_STRING, text, style=style)
