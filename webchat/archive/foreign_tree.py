"""The tree of messages of another program's conversation, as one of our transcripts. Knows no program."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from webchat.archive.brought import Unreadable
from webchat.chat.message import File
from webchat.fileutil import jsonlines

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(slots=True)
class ForeignNode:
    """One message of another program's tree; a node without text only links others."""

    key: str
    parent: str | None
    role: str = ""
    content: str = ""
    time: object = None
    model: str | None = None
    files: tuple[File, ...] = ()

    @property
    def says_something(self) -> bool:
        has_text = self.content and not self.content.isspace()
        return self.role in ("user", "assistant") and bool(has_text or self.files)


class ForeignTree:
    """The messages of one conversation, in the order of our transcript."""

    def __init__(self, nodes: Iterable[ForeignNode], made: object) -> None:
        """`made` is when the conversation began, if that is known. Raises Unreadable if it has no message."""
        self._nodes = {node.key: node for node in nodes}
        self._ids = {key: _id(key) for key, node in self._nodes.items() if node.says_something}
        if not self._ids:
            raise Unreadable("there is no message in it")
        self._kept_above = _kept_above(self._nodes, self._ids)
        self._parents = {key: self._kept_above.get(self._nodes[key].parent) for key in self._ids}
        self._order = _in_order(self._parents)
        started = _time(made) or next((time for node in self._nodes.values() if (time := _time(node.time))), "")
        self._times = {key: _time(self._nodes[key].time) or started for key in self._order}
        self.ended = max(self._times.values()) or started
        self.started = started or self.ended

    @property
    def first_question(self) -> str:
        """The text of the person's first message, "" if there is none."""
        return next((self._nodes[key].content for key in self._order if self._nodes[key].role == "user"), "")

    def transcript(self, current: str | None) -> bytes:
        """All messages as JSON Lines; the branch with the message `current` is shown."""
        ids, above = self._ids, self._parents
        lines = [_line(self._nodes[key], ids[key], ids.get(above[key] or ""), self._times[key]) for key in self._order]
        shown = self._kept_above.get(current)
        if shown and self._order[-1] != shown:
            lines.append(f'{{"type":"select","id":"{ids[shown]}"}}\n')
        return "".join(lines).encode("utf-8", "replace")


def _line(node: ForeignNode, name: str, parent: str | None, time: str) -> str:
    """A message's line. Only what is theirs is encoded: that takes half the time of encoding a record."""
    content = node.content
    if "\0" in content:  # looking is a tenth of the work of replacing
        content = content.replace("\0", "")
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    more = ""
    if node.files:
        files = [{"name": file.name, "content": file.content.replace("\0", "")} for file in node.files]
        more = f',"files":{jsonlines.encode(files)}'
    if node.model and node.role == "assistant":
        more += f',"model":{jsonlines.encode(node.model)}'
    above = f'"{parent}"' if parent else "null"
    message = f'"type":"message","id":"{name}","parent":{above},"role":"{node.role}"'
    return f'{{{message},"content":{jsonlines.encode(content)},"status":"complete","created_at":"{time}"{more}}}\n'


def _in_order(parents: Mapping[str, str | None]) -> list[str]:
    """Each message after its parent, siblings in the file's order."""
    keys = [*parents]
    if [*parents.values()] == [None, *keys[:-1]]:  # most have no branches, and stand in order
        return keys
    below: dict[str | None, list[str]] = {}
    for key, parent in parents.items():
        below.setdefault(parent, []).append(key)
    order: list[str] = []
    seen: set[str] = set()
    waiting = [*reversed(below.get(None, []))]
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            order.append(key)
            waiting += reversed(below.get(key, ()))
    # Messages on a cycle have no root; they are kept all the same.
    return [*order, *(key for key in parents if key not in seen)]


def _kept_above(tree: Mapping[str, ForeignNode], kept: Iterable[str]) -> dict[str | None, str | None]:
    """For each message its nearest kept ancestor, or itself. Each is visited once."""
    found: dict[str | None, str | None] = {key: key for key in kept}
    for key in tree.keys() - found.keys():
        path: list[str] = []
        above: str | None = key
        while above is not None and above in tree and above not in found:
            found[above] = None  # until more is known: a cycle leads nowhere
            path.append(above)
            above = tree[above].parent
        found |= dict.fromkeys(path, found.get(above))
    return found


def _id(key: str) -> str:
    return key if _ID.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


def _time(value: object) -> str:
    """Converts a time in seconds or ISO 8601; "" if it is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            moment = datetime.fromisoformat(str(value))
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="microseconds")
