"""The parts of an answer, in order: text, reasoning, notes, tool calls, questions, a plan. Knows no agent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

ToolKind = Literal["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"]
"""The kinds of tool calls of the Agent Client Protocol."""
ToolStatus = Literal["pending", "running", "done", "failed"]
PermissionStatus = Literal["open", "answered", "cancelled"]
PlanStatus = Literal["pending", "running", "done"]
LONGEST_ID, LONGEST_TITLE, LONGEST_PATH = 200, 2_000, 4_000
LONGEST_INPUT, LONGEST_OUTPUT = 256 * 1024, 2**20
"""Characters kept of a tool's input, and of one block of its output."""
MOST_BLOCKS, MOST_OPTIONS, MOST_ENTRIES = 100, 100, 200
"""The most blocks in a tool call's output, options of a permission, and entries of a plan."""
MOST_PARTS = 5_000
"""The most tool calls and similar parts kept of one answer; each may have text, reasoning and a note before it."""
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the answer, in Markdown; the message's `content` is all of these joined."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model's reasoning at this point."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """A tool's plain-text output."""

    text: str

    def record(self) -> Record:
        return {"type": "text", "text": self.text[:LONGEST_OUTPUT]}


@dataclass(frozen=True, slots=True)
class Terminal:
    """A command's terminal output, with control sequences. The end of a long output is kept."""

    text: str

    def record(self) -> Record:
        return {"type": "terminal", "text": self.text[-LONGEST_OUTPUT:]}


@dataclass(frozen=True, slots=True)
class Diff:
    """A change to a file; `old` is None if the file is new. Both texts may be excerpts."""

    path: str
    old: str | None
    new: str

    def record(self) -> Record:
        old = None if self.old is None else self.old[:LONGEST_OUTPUT]
        return {"type": "diff", "path": self.path[:LONGEST_PATH], "old": old, "new": self.new[:LONGEST_OUTPUT]}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, in base64; `media_type` is one of `PICTURES`."""

    media_type: str
    data: str

    def record(self) -> Record:
        return {"type": "picture", "media_type": self.media_type, "data": self.data}


Block = Output | Terminal | Diff | Picture


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One use of a tool. A later part with the same `id` replaces it in place.

    `input` is the tool's input as text; `seconds` is how long it took, None while it runs or if unknown.
    """

    id: str
    title: str = ""
    kind: ToolKind = "other"
    status: ToolStatus = "pending"
    input: str = ""
    output: tuple[Block, ...] = ()
    seconds: float | None = None

    @property
    def is_open(self) -> bool:
        return self.status in ("pending", "running")

    @property
    def was_left(self) -> bool:
        """Whether the answer ended before the tool did, which would have reported how long it took."""
        return self.status == "failed" and self.seconds is None

    @property
    def took(self) -> str:
        """How long it took, if that is worth showing."""
        if self.seconds is None or self.seconds < 1:
            return ""
        if self.seconds < 10:
            return f"{self.seconds:.1f} s"
        whole = round(self.seconds)
        return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"

    def record(self) -> Record:
        return {
            "type": "tool_call",
            "id": self.id[:LONGEST_ID],
            "title": self.title[:LONGEST_TITLE],
            "kind": self.kind,
            "status": self.status,
            "input": self.input[:LONGEST_INPUT],
            "output": [block.record() for block in self.output[:MOST_BLOCKS]],
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a permission. `kind` is the agent's own classification, such as "allow_once"."""

    id: str
    name: str
    kind: str = ""

    def record(self) -> Record:
        return {"id": self.id[:LONGEST_ID], "name": self.name[:LONGEST_TITLE], "kind": self.kind[:LONGEST_ID]}


@dataclass(frozen=True, slots=True)
class Permission:
    """An agent's question, which the person answers with one of `options`.

    `tool_call` is the id of the tool call in question, or "". `choice` is the id of the chosen option, and `by` the
    person who chose it. `status` is "cancelled" if the answer ended first.
    """

    id: str
    title: str
    options: tuple[Option, ...]
    tool_call: str = ""
    status: PermissionStatus = "open"
    choice: str | None = None
    by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status == "open"

    @property
    def chosen(self) -> Option | None:
        return next((option for option in self.options if option.id == self.choice), None)

    def record(self) -> Record:
        return {
            "type": "permission",
            "id": self.id[:LONGEST_ID],
            "title": self.title[:LONGEST_TITLE],
            "tool_call": self.tool_call[:LONGEST_ID],
            "options": [option.record() for option in self.options[:MOST_OPTIONS]],
            "status": self.status,
            "choice": self.choice,
            "by": self.by,
        }


@dataclass(frozen=True, slots=True)
class PlanEntry:
    text: str
    status: PlanStatus = "pending"
    priority: str = ""

    def record(self) -> Record:
        return {"text": self.text[:LONGEST_TITLE], "status": self.status, "priority": self.priority[:LONGEST_ID]}


@dataclass(frozen=True, slots=True)
class Plan:
    """The agent's plan. An answer has at most one; a later one replaces it."""

    entries: tuple[PlanEntry, ...]

    def record(self) -> Record:
        return {"type": "plan", "entries": [entry.record() for entry in self.entries[:MOST_ENTRIES]]}


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of the model's context is used, in tokens. An answer has at most one, the latest.

    `size` is the context's size. `read` and `written` are the answer's own prompt and completion tokens. Each is 0 if
    unknown.
    """

    used: int
    size: int
    read: int = 0
    written: int = 0

    def record(self) -> Record:
        counted = {name: count for name in ("read", "written") if (count := getattr(self, name))}
        return {"type": "usage", "used": self.used, "size": self.size, **counted}


Placed = ToolCall | Permission | Plan | Usage
"""Parts that are updated in place."""
Part = Text | Reasoning | Note | Placed


def closed(part: Part, status: str) -> Part:
    """The part once its answer has ended with this status: nothing in it stays open."""
    if isinstance(part, ToolCall) and part.is_open:
        return replace(part, status="done" if part.status == "running" and status == "complete" else "failed")
    if isinstance(part, Permission) and part.is_open:
        return replace(part, status="cancelled")
    return part
