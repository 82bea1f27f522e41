"""A message, as it is stored and as it is sent to models."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from webchat.chat.blocks import without_blocks
from webchat.chat.part_records import parts_of, records_of, usage_of_record
from webchat.chat.parts import Note, Part, Permission, Reasoning, Text, ToolCall, Usage
from webchat.chat.picture import SentPicture, pictures_of
from webchat.chat.plain import one_line

IN_FLIGHT = ("waiting", "streaming")
FINAL = ("complete", "stopped", "interrupted", "failed")
LONGEST_NAME, LONGEST_KEY, LONGEST_NOTE, LONGEST_REASONING, MOST_NOTES = 200, 200, 2000, 4 * 2**20, 50
"""Limits when records are read: characters of a model's or file's name, a form's key, a note or error, and reasoning;
and notes in a message."""
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class File:
    """A text file attached to a message."""

    name: str
    content: str

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content.encode("utf-8", "replace"))


@dataclass(frozen=True)
class Message:
    """One message as it is shown. `revision` is the number, from 1, of the record that changed it last.

    status: complete, stopped (by the person), interrupted (the server died), failed (`error` says why); while it is
    being written: waiting, streaming. kind: None; "memory" for an exchange that no model sees; "edited" for an answer
    that the person rewrote, which models see as their own. `reasoning` and `notes` were said beside the answer. `code`
    identifies the kind of the error ("ended"). `key` is what the form that sent it, or asked for
    it, was known by. `extended` counts how often the answer was continued. `siblings` are the ids of all messages that
    follow the same one, this one among them, oldest first; () if it is the only one. `files` and `pictures` went with
    it. `parts` are what an answer consists of, in order, if there is more to it than `reasoning`, `content` and `notes`
    say, which have the same text; else (). `usage` is what it took, if that is known.
    """

    id: str
    role: str
    content: str
    status: str = "complete"
    parent: str | None = None
    created_at: str = ""
    model: str | None = None
    kind: str | None = None
    reasoning: str = ""
    notes: tuple[str, ...] = ()
    error: str | None = None
    code: str | None = None
    key: str | None = None
    extended: int = 0
    siblings: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    pictures: tuple[SentPicture, ...] = ()
    parts: tuple[Part, ...] = ()
    usage: Usage | None = None
    revision: int = 0

    @property
    def in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    @property
    def can_be_edited(self) -> bool:
        """Whether the person may edit it: a question, which is then asked again, or an answer."""
        if self.role == "user":
            return True
        return self.role == "assistant" and not self.in_flight and self.kind != "memory" and bool(self.content.strip())

    @property
    def ordered(self) -> tuple[Part, ...]:
        """The message's parts, in order."""
        if self.parts:
            return self.parts
        reasoning, text = Reasoning(self.reasoning), Text(self.content)
        return (*((reasoning,) if reasoning.text else ()), *((text,) if text.text else ()), *map(Note, self.notes))

    @property
    def questions(self) -> tuple[Permission, ...]:
        """The agent's open questions to the person."""
        asked = (part for part in self.parts if isinstance(part, Permission) and part.is_open)
        return tuple(asked) if self.in_flight else ()

    @property
    def full_text(self) -> str:
        """The content for a model: the text, followed by each file in a fence."""
        files = (f"{file.name}:\n\n{fenced(file.content)}" for file in self.files)
        return "\n\n".join(filter(None, (self.content, *files)))

    @property
    def heading(self) -> str:
        """What a session that begins with it is named after: its text, or what came without one."""
        names = [*(picture.name for picture in self.pictures), *(file.name for file in self.files)]
        return self.content if self.content.strip() or not names else names[0]

    def in_other_words(self, name: str, text: str, key: str | None, now: str) -> Message:
        """A sibling of this answer with the person's text."""
        edited = Message(name, self.role, text, parent=self.parent, created_at=now)
        return replace(edited, model=self.model, kind="edited", key=key)

    def extended_by(self, more: Message) -> Message:
        """This answer and its continuation."""
        return replace(
            more,
            id=self.id,
            role=self.role,
            parent=self.parent,
            content=self.content + more.content,
            reasoning=self.reasoning + more.reasoning,
            notes=self.notes + more.notes,
            parts=_with_results(self.ordered, more.ordered) if self.parts or more.parts else (),
            usage=more.usage or self.usage,
            created_at=self.created_at,
            model=more.model or self.model,
            extended=self.extended + 1,
            files=self.files + more.files,
            pictures=self.pictures + more.pictures,
        )

    def amended_by(self, new: Message) -> Message:
        """The state of `new` under this message's identity: its id, role, parent, time and key."""
        kept = replace(new, id=self.id, role=self.role, parent=self.parent, created_at=self.created_at)
        return replace(kept, key=self.key, extended=self.extended)

    def record(self) -> dict[str, Any]:
        """The message's record in the transcript, without empty values."""
        always = {"type": "message", "id": self.id, "parent": self.parent, "role": self.role, "content": self.content}
        always |= {"status": self.status, "created_at": self.created_at}
        more: dict[str, Any] = {
            "model": self.model,
            "kind": self.kind,
            "reasoning": self.reasoning,
            "notes": list(self.notes),
        }
        more |= {"error": self.error, "code": self.code, "key": self.key}
        more["files"] = [{"name": file.name, "content": file.content} for file in self.files]
        more["pictures"] = [picture.record() for picture in self.pictures]
        more["parts"] = records_of(self.parts)
        more["usage"] = self.usage.record() if self.usage and not self.parts else None
        return always | {key: value for key, value in more.items() if value}


def _with_results(parts: tuple[Part, ...], more: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts followed by `more`. A tool's later result replaces its call in place."""
    late = {(part.id, part.title, part.input): part for part in more if isinstance(part, ToolCall) and part.output}
    calls = (part for part in parts if isinstance(part, ToolCall) and not part.output)
    found = {call: result for call in calls if (result := late.get((call.id, call.title, call.input)))}
    kept = (found.get(part, part) if isinstance(part, ToolCall) else part for part in parts)
    results = [*found.values()]
    return (*kept, *(part for part in more if part not in results))


def extension(more: Message) -> dict[str, Any]:
    """The record that appends `more` to the message with its id."""
    return _change("extend", more)


def amendment(new: Message) -> dict[str, Any]:
    """The record that puts `new` in the place of the message with its id."""
    return _change("amend", new)


def _change(kind: str, message: Message) -> dict[str, Any]:
    record = message.record() | {"type": kind}
    del record["parent"], record["role"]
    return record


def new_message_id() -> str:
    """A random id: 64 bits are enough within one session, and keep events short."""
    return secrets.token_hex(8)


def is_message_id(value: object) -> TypeGuard[str]:
    """Whether this is a valid message id: safe in HTML and in a reader's position."""
    return isinstance(value, str) and _MESSAGE_ID.fullmatch(value) is not None


def history(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages to send to a model, oldest first, without memory exchanges and failed or empty answers.

    Those with pictures have `pictures` too.
    """
    return [
        {"id": item.id, "role": item.role, "content": item.full_text}
        | ({"pictures": item.pictures} if item.pictures else {})
        for item in _sendable(messages)
    ]


def _sendable(messages: Sequence[Message]) -> Iterator[Message]:
    for message in messages:
        known_role = message.role in ("user", "assistant")
        if (
            known_role
            and message.kind != "memory"
            and message.status != "failed"
            and (message.content.strip() or message.files or message.pictures)
        ):
            yield message


def message_of(record: Mapping[str, Any], before: str | None, name: str, revision: int) -> Message | None:
    """Parses a record; None if it is no message.

    `before` is the message before it, `name` its id if it has none of its own, `revision` the number of the record.
    """
    if record.get("type", "message") != "message" or not isinstance(record.get("role"), str):
        return None
    record = without_blocks(record)
    if not isinstance(record.get("content"), str) or len(record["role"]) > LONGEST_NAME:
        return None
    message_id = record.get("id")
    if not is_message_id(message_id):
        message_id = name
    # A flat transcript from elsewhere may have null on each line; only our own records mean "the first message" by it.
    is_root = "type" in record and record.get("parent", before) is None
    parent = record["parent"] if isinstance(record.get("parent"), str) else None if is_root else before
    notes = record.get("notes")
    given = {key: record[key] for key in _TEXTS if isinstance(record.get(key), str)}
    texts: dict[str, Any] = {key: text[: _TEXTS[key]] for key, text in given.items()}
    # A transcript has no messages in flight, and an unknown status says nothing.
    if texts.get("status", "complete") not in FINAL:
        del texts["status"]
    if isinstance(notes, list):
        texts["notes"] = tuple(note[:LONGEST_NOTE] for note in notes[:MOST_NOTES] if isinstance(note, str))
    texts |= {"files": files_of(record.get("files")), "pictures": pictures_of(record.get("pictures"))}
    message = Message(message_id, record["role"], record["content"], parent=parent, revision=revision, **texts)
    return _with_parts(message, record)


def _with_parts(message: Message, record: Mapping[str, Any]) -> Message:
    """The message with its record's parts and usage, which is one of the parts if there are any."""
    parts = parts_of(record.get("parts"), message.content, message.reasoning, message.notes)
    usage = usage_of_record(record.get("usage")) or _last_usage(parts)
    return replace(message, parts=parts, usage=usage) if parts or usage else message


def files_of(found: object) -> tuple[File, ...]:
    """Parses a record's files."""
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return tuple(
        File(one_line(row["name"][:LONGEST_NAME]) or "file.txt", row["content"])
        for row in rows
        if isinstance(row.get("name"), str) and isinstance(row.get("content"), str)
    )


def fenced(text: str, language: str = "") -> str:
    """The text in a Markdown fence longer than any fence in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{fence}{language}\n{text}{end}{fence}"


def _last_usage(parts: Sequence[Part]) -> Usage | None:
    """Each half of a continued answer has reported its own."""
    return next((part for part in reversed(parts) if isinstance(part, Usage)), None)


_TEXTS = {
    "status": LONGEST_NAME,
    "created_at": LONGEST_NAME,
    "model": LONGEST_NAME,
    "kind": LONGEST_NAME,
    "reasoning": LONGEST_REASONING,
    "error": LONGEST_NOTE,
    "code": LONGEST_NAME,
    "key": LONGEST_KEY,
}
"""A message's other texts, each with how many characters are read: the file is untrusted."""
