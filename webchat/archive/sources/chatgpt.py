"""ChatGPT's export: conversations.json, or a zip of conversations-000.json and so on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webchat.archive.asset_names import NamesIn
from webchat.archive.foreign import Conversation
from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.lenient import Table, as_text, first_text, rows, table, text
from webchat.archive.sources.chatgpt_canvas import Canvas
from webchat.archive.sources.chatgpt_citations import Links, without_marks
from webchat.chat.message import fenced
from webchat.chat.parts import Note, Output, Part, Reasoning, Text, ToolCall, ToolKind, ToolStatus

NAME, SPANS_FILE = "ChatGPT", False
_NAMES = "conversation_asset_file_names.json"
_NOT_SAID = ("user_editable_context", "model_editable_context")
_KINDS: dict[str, ToolKind] = {"python": "execute", "container": "execute", "web": "search", "browser": "search"}
_KINDS |= {"file_search": "search", "myfiles_browser": "search", "canmore": "edit"}
_VOICE = ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer")


def recognises(value: Any) -> bool:  # noqa: ANN401
    """See `SingleSource`."""
    return isinstance(value, dict) and isinstance(value.get("mapping"), dict) and "inserted_at" not in value


def conversation_with(item: Table, names: NamesIn) -> Conversation:
    """See `NamingSource`."""
    reader = _Reader(item["mapping"], names)
    return Conversation(
        "chatgpt",
        item.get("conversation_id") or item.get("id"),
        text(item.get("title")),
        [reader.node(str(key), table(node)) for key, node in item["mapping"].items()],
        text(item.get("current_node")) or None,
        item.get("create_time"),
        pinned=bool(item.get("pinned_time")) or item.get("is_starred") is True,
        archived=item.get("is_archived") is True,
    )


class _Reader:
    """Reads the messages of one conversation."""

    def __init__(self, mapping: Mapping[str, Any], names: NamesIn) -> None:
        self._mapping, self._canvas, self._names = mapping, Canvas(), names

    def node(self, key: str, node: Table) -> ForeignNode:
        parent, message = text(node.get("parent")) or None, table(node.get("message"))
        content = table(message.get("content"))
        metadata = table(message.get("metadata"))
        role, time = text(table(message.get("author")).get("role")), message.get("create_time")
        found = ForeignNode(key, parent, time=time, model=text(metadata.get("model_slug")) or None)
        is_hidden = metadata.get("is_visually_hidden_from_conversation") is True
        if is_hidden or content.get("content_type") in _NOT_SAID:
            return found
        attached = _Attachments(metadata, self._names)
        if role == "user":
            found.role, found.content = role, _text_in(content, metadata, attached)
            found.pictures = attached.pictures(content)
        elif role == "assistant":
            found.role = role
            self._answer(found, message, content, attached)
        elif role == "tool":
            found.role, found.parts = "assistant", self._result(found, message, content, attached)
            found.pictures = attached.pictures(content)
        return found

    def _answer(self, found: ForeignNode, message: Table, content: Table, attached: _Attachments) -> None:
        recipient = text(message.get("recipient")) or "all"
        if recipient != "all":
            if file := self._canvas.file(recipient, as_text(_of_tool(content))):
                found.files = (file,)
            else:
                kind = _KINDS.get(recipient.partition(".")[0], "other")
                found.parts = (ToolCall(found.key, recipient, kind, "done", as_text(_of_tool(content))),)
        elif content.get("content_type") == "thoughts":
            thoughts = [first_text(row, "content", "summary") for row in rows(content.get("thoughts"))]
            found.parts = tuple(Reasoning(thought) for thought in thoughts if thought)
        elif content.get("content_type") == "reasoning_recap":
            recap = text(content.get("content"))
            found.parts = (Note(recap),) if recap else ()
        else:
            found.content = without_marks(_text_in(content, table(message.get("metadata")), attached))

    def _result(self, found: ForeignNode, message: Table, content: Table, attached: _Attachments) -> tuple[Part, ...]:
        """Adds a tool's result; pictures that it has drawn are part of the answer."""
        call, name = self._call(found.parent), text(table(message.get("author")).get("name"))
        if call is None and not name:
            return ()
        drawn = [part for part in map(table, _parts(content)) if part.get("content_type") == "image_asset_pointer"]
        pictures = tuple(Text(attached.picture(part)) for part in drawn)
        output = _of_tool(content)
        if self._canvas.is_about(name):
            return pictures
        blocks = (Output(output),) if output.strip() and not drawn else ()
        status: ToolStatus = "failed" if content.get("content_type") == "system_error" else "done"
        kind = _KINDS.get(name.partition(".")[0], "other")
        return (ToolCall(call or found.key, name, kind, status, output=blocks), *pictures)

    def _call(self, key: str | None) -> str | None:
        """The earlier message that called the tool; only results of the same call are between them."""
        for _ in range(MOST_RESULTS):
            message = table(table(self._mapping.get(key or "")).get("message"))
            role = table(message.get("author")).get("role")
            if role == "assistant":
                return key if message.get("recipient") not in (None, "all") else None
            if role != "tool":
                return None
            key = text(table(self._mapping.get(key or "")).get("parent"))
        return None


MOST_RESULTS = 50
"""The most messages of a tool that count as results of one call."""


class _Attachments:
    """The names and lines of what one message has attached or shows."""

    def __init__(self, metadata: Table, names: NamesIn) -> None:
        self._title, self._names_in = text(metadata.get("image_gen_title")), names
        attached = [(text(row.get("id")), text(row.get("name"))) for row in rows(metadata.get("attachments"))]
        self._names = [(key, name or self._original(key)) for key, name in attached]
        self._name_of = dict(self._names)

    def pictures(self, content: Table) -> tuple[ForeignPicture, ...]:
        found = [part for part in map(table, _parts(content)) if part.get("content_type") == "image_asset_pointer"]
        return tuple(
            ForeignPicture(self.picture(part), self._name(part)[:200], _asset(part), is_file=True) for part in found
        )

    def picture(self, part: Table) -> str:
        """The line of a picture, with its name or its prompt."""
        shown = self._name(part) or self._drawn(part)
        return f"[picture: {shown[:200]}]" if shown else "[picture]"

    def files(self, content: Table) -> list[str]:
        """The lines of what is attached and not shown."""
        shown = {_asset(table(part)) for part in _parts(content)}
        return [f"[file: {name[:200]}]" for key, name in self._names if name and key not in shown]

    def _name(self, part: Table) -> str:
        asset = _asset(part)
        if asset in self._name_of or self._drawn(part):
            return self._name_of.get(asset, "")
        return self._original(asset)

    def _original(self, asset: str) -> str:
        return self._names_in(_NAMES).get(asset, "")

    def _drawn(self, part: Table) -> str:
        """The description of a drawn picture, which has no name."""
        dalle = table(table(part.get("metadata")).get("dalle"))
        return first_text(dalle, "prompt") or self._title


def _parts(content: Table) -> list[Any]:
    parts = content.get("parts")
    return parts if isinstance(parts, list) else []


def _of_tool(content: Table) -> str:
    """The text of a message to or from a tool."""
    said = first_text(content, "text", "result", "content")
    return said or "\n\n".join(
        part if isinstance(part, str) else text(table(part).get("text")) for part in _parts(content)
    )


def _text_in(content: Table, metadata: Table, attached: _Attachments) -> str:
    said, links = content.get("text"), Links(metadata)
    if isinstance(said, str):
        return fenced(said) if content.get("content_type") == "code" else links.in_place_of_marks(said)
    is_spoken = any(table(part).get("content_type") == "audio_transcription" for part in _parts(content))
    shown = [_part(part, links, attached, is_spoken) for part in _parts(content)]
    return "\n\n".join(filter(None, (*shown, *attached.files(content))))


def _part(part: object, links: Links, attached: _Attachments, is_spoken: bool) -> str:
    if isinstance(part, str):
        return links.in_place_of_marks(part)
    found = table(part)
    kind = text(found.get("content_type"))
    if said := text(found.get("text")):
        return said
    if kind in _VOICE:
        return "" if is_spoken else "[voice message]"
    if kind == "image_asset_pointer":
        return attached.picture(found)
    return f"[{kind[:60] or 'attachment'}]" if found else ""


def _asset(part: Table) -> str:
    return text(part.get("asset_pointer")).rpartition("/")[2]
