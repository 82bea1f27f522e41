"""A message of another program, and the line of our transcript that it becomes. Knows no program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from webchat.chat.message import LONGEST_NAME, LONGEST_NOTE, File, Message
from webchat.chat.parts import Note, Part, Reasoning, Text, ToolCall
from webchat.chat.picture import SentPicture
from webchat.fileutil import jsonlines

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class ForeignPicture:
    """A picture of a message: the line that stands for it in the text, its name, and its base64.

    If it `is_file`, `address` is the id or name of a file of the export instead.
    """

    shown: str
    name: str
    address: str
    is_file: bool = False


def line_and_picture(name: str, address: str) -> tuple[str, tuple[ForeignPicture, ...]]:
    """The line that stands for a file of the export, and the picture that it is by its name, if it is one."""
    line = f"[file: {name[:LONGEST_NAME]}]"
    is_picture = address.lower().endswith(_PICTURES)
    return line, (ForeignPicture(line, name[:LONGEST_NAME], address, is_file=True),) if is_picture else ()


@dataclass(slots=True)
class ForeignNode:
    """One message of another program's tree; a node that says nothing only links others.

    An answer that is more than text has `parts`, and no `content`. `error` says why it failed.
    """

    key: str
    parent: str | None
    role: str = ""
    content: str = ""
    time: object = None
    model: str | None = None
    files: tuple[File, ...] = ()
    parts: tuple[Part, ...] = ()
    error: str = ""
    pictures: tuple[ForeignPicture, ...] = ()
    sent: tuple[SentPicture, ...] = ()
    """Those of the pictures that are there."""

    @property
    def says_something(self) -> bool:
        if self.role not in ("user", "assistant"):
            return False
        has_text = self.content and not self.content.isspace()
        return bool(has_text or self.files or self.parts or self.error or self.sent)

    @property
    def size(self) -> int:
        """About how much memory it takes, in characters."""
        parts = sum(len(getattr(part, "text", "")) for part in self.parts) if self.parts else 0
        calls = (part for part in self.parts if isinstance(part, ToolCall))
        tools = sum(len(call.input) + sum(len(str(block)) for block in call.output) for call in calls)
        return 500 + len(self.content) + parts + tools + sum(len(file.content) for file in self.files)

    @property
    def said(self) -> tuple[Part, ...]:
        """All that it says, in order."""
        return self.parts or ((Text(self.content),) if self.content else ())


def line_of(nodes: Sequence[ForeignNode], name: str, parent: str | None, time: str) -> str:
    """The line of a message that consists of these."""
    if len(nodes) == 1 and not (nodes[0].parts or nodes[0].error or nodes[0].sent):
        return _simple_line(nodes[0], name, parent, time)
    return f"{jsonlines.encode(_cleaned(_message(nodes, name, parent, time).record()))}\n"


def _simple_line(node: ForeignNode, name: str, parent: str | None, time: str) -> str:
    """A text's line. Only what is theirs is encoded: that takes half the time of encoding a record."""
    content = node.content
    if "\0" in content:  # looking is a tenth of the work of replacing
        content = content.replace("\0", "")
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    more = ""
    if node.files:
        files = [{"name": file.name, "content": file.content} for file in node.files]
        more = f',"files":{jsonlines.encode(_cleaned(files))}'
    if node.model and node.role == "assistant":
        more += f',"model":{jsonlines.encode(_cleaned(node.model))}'
    above = f'"{parent}"' if parent else "null"
    message = f'"type":"message","id":"{name}","parent":{above},"role":"{node.role}"'
    return f'{{{message},"content":{jsonlines.encode(content)},"status":"complete","created_at":"{time}"{more}}}\n'


def _message(nodes: Sequence[ForeignNode], name: str, parent: str | None, time: str) -> Message:
    parts = joined(part for node in nodes for part in node.said)
    error = next((node.error for node in reversed(nodes) if node.error), "")
    message = Message(
        name,
        nodes[0].role,
        "".join(part.text for part in parts if isinstance(part, Text)),
        "failed" if error else "complete",
        parent,
        time,
        next((node.model[:LONGEST_NAME] for node in reversed(nodes) if node.model), None),
        reasoning="".join(part.text for part in parts if isinstance(part, Reasoning)),
        notes=tuple(part.text[:LONGEST_NOTE] for part in parts if isinstance(part, Note)),
        error=error[:LONGEST_NOTE] or None,
        files=tuple(file for node in nodes for file in node.files),
        pictures=tuple(picture for node in nodes for picture in node.sent),
    )
    return message if message.ordered == parts else replace(message, parts=parts)


def joined(said: Iterable[Part]) -> tuple[Part, ...]:
    """The parts of one answer: what came of a tool with the call of it, and texts with a blank line between them."""
    parts: list[Part] = []
    calls: dict[str, int] = {}
    last: dict[type, int] = {}
    for part in map(_plain, said):
        if isinstance(part, ToolCall) and part.id in calls:
            parts[calls[part.id]] = _with_result(parts[calls[part.id]], part)
            continue
        if isinstance(part, ToolCall):
            calls[part.id] = len(parts)
        if isinstance(part, Text | Reasoning):
            if type(part) in last:
                _end_paragraph(parts, last[type(part)])
            last[type(part)] = len(parts)
        parts.append(part)
    return tuple(parts)


def _with_result(call: Part, result: ToolCall) -> Part:
    """The call and what came of it, which has no name of its own."""
    if not isinstance(call, ToolCall):
        return call
    return replace(call, output=call.output + result.output, status=result.status, seconds=result.seconds)


def _end_paragraph(parts: list[Part], place: int) -> None:
    before = parts[place]
    if isinstance(before, Text | Reasoning):
        parts[place] = replace(before, text=before.text.rstrip("\n") + "\n\n")


def _plain(part: Part) -> Part:
    """A text with "\\n" at each line's end, before its characters are counted; a failure that its tool has told."""
    if isinstance(part, ToolCall) and part.was_left:
        return replace(part, seconds=0.0)
    if isinstance(part, Text | Reasoning | Note):
        return replace(part, text=part.text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n"))
    return part


def _cleaned(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """Without NUL, which no transcript in a database can hold."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return {key: _cleaned(inner) for key, inner in value.items()} if isinstance(value, dict) else value
