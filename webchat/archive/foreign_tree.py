"""Converts the tree of another program's conversation to one of our transcripts. Knows no program."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from webchat.archive.brought import Empty
from webchat.archive.foreign_node import ForeignNode, line_of

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
LATEST_SECOND = 1e11
"""A larger number of seconds, after the year 5138, must be milliseconds."""


class ForeignTree:
    """The messages of one conversation, in the order of our transcript.

    An answer that spans several messages there, with tools between them, is one message here.
    """

    def __init__(self, nodes: Iterable[ForeignNode], made: object) -> None:
        """`made` is when the conversation began, if known. Raises Empty if it has no message."""
        self._nodes = {node.key: node for node in nodes}
        self._ids = {key: _id(key) for key, node in self._nodes.items() if node.says_something}
        if not self._ids:
            raise Empty("it has no messages")
        self._kept_above = _kept_above(self._nodes, self._ids)
        parents = {key: self._kept_above.get(self._nodes[key].parent) for key in self._ids}
        order = _in_order(parents)
        self._groups = _groups(self._nodes, parents, order)
        self._head = {key: head for head, group in self._groups.items() for key in group}
        self._parents = {head: self._head.get(parents[head] or "") for head in self._groups}
        started = _time(made) or next((time for node in self._nodes.values() if (time := _time(node.time))), "")
        self._times = {key: _time(self._nodes[key].time) or started for key in order}
        self.ended = max(self._times.values()) or started
        self.started = started or self.ended

    @property
    def first_question(self) -> str:
        """The text of the person's first message, "" if there is none."""
        return next((self._nodes[key].content for key in self._groups if self._nodes[key].role == "user"), "")

    @property
    def tails(self) -> dict[str, str]:
        """Maps each message made of several of theirs to the id that the last of them would have."""
        return {self._ids[head]: self._ids[group[-1]] for head, group in self._groups.items() if len(group) > 1}

    @property
    def shown(self) -> dict[str, frozenset[str]]:
        """Maps each message with pictures to the lines that stand for missing ones, with their names or without."""
        found = {
            head: frozenset(line for key in group for picture in self._nodes[key].pictures for line in picture.lines)
            for head, group in self._groups.items()
        }
        return {self._ids[head]: lines for head, lines in found.items() if lines}

    def branch(self, current: str | None) -> list[ForeignNode]:
        """The messages of the branch with the message `current`, as the program has them."""
        path: dict[str, None] = {}
        head: str | None = self._shown(current)
        while head and head not in path:  # they may form a cycle
            path[head] = None
            head = self._parents[head]
        return [self._nodes[key] for head in reversed(path) for key in self._groups[head]]

    def transcript(self, current: str | None) -> bytes:
        """All messages as JSON Lines; the branch with the message `current` is shown."""
        lines = [self._line(head, group) for head, group in self._groups.items()]
        shown = self._shown(current)
        if next(reversed(self._groups)) != shown:
            lines.append(f'{{"type":"select","id":"{self._ids[shown]}"}}\n')
        return "".join(lines).encode("utf-8", "replace")

    def _shown(self, current: str | None) -> str:
        """The last message of the branch with the message `current`; the last of all if that is unknown."""
        return self._last_below(self._head.get(self._kept_above.get(current) or "")) or next(reversed(self._groups))

    def _last_below(self, head: str | None) -> str | None:
        """The newest message of the branch that goes on from this one: not all programs name a branch by its end."""
        last = {parent: child for child, parent in self._parents.items() if parent}
        while head in last:
            head = last.pop(head)  # each once: they may form a cycle
        return head

    def _line(self, head: str, group: Sequence[str]) -> str:
        nodes = [self._nodes[key] for key in group]
        return line_of(nodes, self._ids[head], self._ids.get(self._parents[head] or ""), self._times[head])


def _groups(
    nodes: Mapping[str, ForeignNode], parents: Mapping[str, str | None], order: Sequence[str]
) -> dict[str, list[str]]:
    """The messages that become one, by their first: an answer and its only followers that belong to it."""
    children = Counter(parents.values())
    groups: dict[str, list[str]] = {}
    head: dict[str | None, str] = {}
    for key in order:
        above = parents[key]
        is_more = above in head and children[above] == 1 and nodes[key].role == "assistant" == nodes[above or ""].role
        head[key] = head[above] if is_more else key
        groups.setdefault(head[key], []).append(key)
    return groups


def _in_order(parents: Mapping[str, str | None]) -> list[str]:
    """Each message after its parent, siblings in the file's order."""
    keys = [*parents]
    if [*parents.values()] == [None, *keys[:-1]]:  # most have no branches, and are in order
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
    # Messages on a cycle have no root; they are kept anyway.
    return [*order, *(key for key in parents if key not in seen)]


def _kept_above(tree: Mapping[str, ForeignNode], kept: Iterable[str]) -> dict[str | None, str | None]:
    """Maps each message to its nearest kept ancestor, or itself. Each is visited once."""
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
    """Converts a time in seconds, milliseconds or ISO 8601; "" if it is invalid."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if value > LATEST_SECOND else value, UTC)
        else:
            moment = datetime.fromisoformat(value if isinstance(value, str) else "")
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="microseconds")
