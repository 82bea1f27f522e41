"""A message of another program, and its line in our transcript. Knows no program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from webchat.chat.message import LONGEST_NAME, LONGEST_NOTE, File, Message
from webchat.chat.parts import Note, Part, Reasoning, Text, ToolCall
from webchat.chat.picture import SentPicture
from webchat.chat.plain import normal_lines
from webchat.fileutil import jsonlines

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class ForeignPicture:
    """A picture of a message: its placeholder line in the text, its name, and its base64.

    If it `is_file`, `address` is the id or name of a file in the export instead.
    """

    shown: str
    name: str
    address: str
    is_file: bool = False

    @property
    def lines(self) -> tuple[str, str]:
        """Its placeholder, and the one that it has in an export without its name."""
        return self.shown, f"{self.shown.partition(':')[0].removesuffix(']')}]"


def placeholder(kind: str, name: str) -> str:
    """The line that stands for a picture or file without its content."""
    return f"[{kind}: {name[:LONGEST_NAME]}]" if name else f"[{kind}]"


def line_and_picture(name: str, address: str) -> tuple[str, tuple[ForeignPicture, ...]]:
    """The placeholder line of a file in the export, and the picture, if its name says that it is one."""
    line = placeholder("file", name)
    is_picture = address.lower().endswith(_PICTURES)
    return line, (ForeignPicture(line, name[:LONGEST_NAME], address, is_file=True),) if is_picture else ()


@dataclass(slots=True)
class ForeignNode:
    """One message of another program's tree; a node without content only links others.

    An answer with more than text has `parts` instead of `content`. `error` says why it failed.
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
    """The pictures that have been found."""

    @property
    def says_something(self) -> bool:
        if self.role not in ("user", "assistant"):
            return False
        has_text = self.content and not self.content.isspace()
        return bool(has_text or self.files or self.parts or self.error or self.sent)

    @property
    def size(self) -> int:
        """Roughly the memory that it takes, in characters."""
        parts = sum(len(getattr(part, "text", "")) for part in self.parts) if self.parts else 0
        calls = (part for part in self.parts if isinstance(part, ToolCall))
        tools = sum(len(call.input) + sum(len(str(block)) for block in call.output) for call in calls)
        return 500 + len(self.content) + parts + tools + sum(len(file.content) for file in self.files)

    @property
    def all_parts(self) -> tuple[Part, ...]:
        """Its parts, in order."""
        return self.parts or ((Text(self.content),) if self.content else ())


def line_of(nodes: Sequence[ForeignNode], name: str, parent: str | None, time: str) -> str:
    """The transcript line of a message made of these nodes."""
    if len(nodes) == 1 and not (nodes[0].parts or nodes[0].error or nodes[0].sent):
        return _simple_line(nodes[0], name, parent, time)
    return f"{jsonlines.encode(_cleaned(_message(nodes, name, parent, time).record()))}\n"


def _simple_line(node: ForeignNode, name: str, parent: str | None, time: str) -> str:
    """The line of a text message. Encoding only the foreign values takes half the time of a whole record."""
    content = node.content
    if "\0" in content:  # searching takes a tenth of the time of replacing
        content = content.replace("\0", "")
    content = normal_lines(content)
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
    parts = joined(part for node in nodes for part in node.all_parts)
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
    """The parts of one answer: tool results are joined with their calls, and texts separated by blank lines."""
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
    """The call together with its result, which has no name of its own."""
    if not isinstance(call, ToolCall):
        return call
    return replace(call, output=call.output + result.output, status=result.status, seconds=result.seconds)


def _end_paragraph(parts: list[Part], place: int) -> None:
    before = parts[place]
    if isinstance(before, Text | Reasoning):
        parts[place] = replace(before, text=before.text.rstrip("\n") + "\n\n")


def _plain(part: Part) -> Part:
    """The part with "\\n" as line ends, since its characters are counted; a failed tool call counts as ended."""
    if isinstance(part, ToolCall) and part.was_left:
        return replace(part, seconds=0.0)
    if isinstance(part, Text | Reasoning | Note):
        return replace(part, text=normal_lines(part.text.replace("\0", "")))
    return part


def _cleaned(value: Any) -> Any:  # noqa: ANN401  (JSON)
    """The text without NUL, which a database cannot store."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return {key: _cleaned(inner) for key, inner in value.items()} if isinstance(value, dict) else value
