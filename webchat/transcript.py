"""The messages of one session: typed records in a file that is only ever appended to. Knows no reply in flight."""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeGuard

from webchat import jsonlines
from webchat.fileutil import Folder, Stamp
from webchat.messages import Messages
from webchat.plain import one_line

SUFFIX = ".jsonl"
FORMAT = 1
"""Of the transcripts. A later one is told by a record {"type": "format", "version"}; ours have none."""
CACHED_SESSIONS = 64
CACHED_BYTES = 64 * 2**20
"""Of all transcripts that are kept as they were read; the one read last is kept whatever its size."""
IN_FLIGHT = ("waiting", "streaming")
FINAL = ("complete", "stopped", "interrupted", "failed")
LONGEST_NAME, LONGEST_KEY, LONGEST_NOTE, LONGEST_REASONING, MOST_NOTES = 200, 200, 2000, 1_048_576, 50
"""Characters that are read of the name of a model or a file, of a form's key, of a note or an error, and of reasoning;
and notes of one message."""
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class File:
    """A text file that was sent with a message."""

    name: str
    content: str

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content.encode("utf-8", "replace"))


@dataclass(frozen=True)
class Message:
    """One message as it is shown. `end` is the offset in the transcript behind its last record, in bytes.

    status: complete, stopped (by the person), interrupted (the server went away), failed (`error` says why); while it
    is being written: waiting, streaming. kind: None, or "memory" for an exchange that no model saw. `reasoning` and
    `notes` were said beside the answer. `code` names an error that the page offers a way out of ("ended"). `key` is
    what the form that sent it, or asked for it, was known by. `extended` counts how often the answer was continued.
    `siblings` are the ids of all messages that follow the same one, this one among them, oldest first; () where it is
    the only one. `files` went with it.
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
    end: int = 0

    @property
    def in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    @property
    def told(self) -> str:
        """What a model is told: the text, and each file in a fence behind it."""
        return "\n\n".join([self.content, *(f"{file.name}:\n\n{_fenced(file.content)}" for file in self.files)])

    def extended_by(self, more: Message) -> Message:
        """This answer and what was said when it was continued."""
        return replace(
            more,
            id=self.id,
            role=self.role,
            parent=self.parent,
            content=self.content + more.content,
            reasoning=self.reasoning + more.reasoning,
            notes=self.notes + more.notes,
            created_at=self.created_at,
            model=more.model or self.model,
            extended=self.extended + 1,
        )

    def record(self) -> dict[str, Any]:
        """The line that stands for this message in the transcript; what is empty is left out."""
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
        return always | {key: value for key, value in more.items() if value}


@dataclass(frozen=True)
class Branch:
    """The messages that are shown, oldest first; `end` is the offset behind the last record read, in bytes.

    damaged: some of the file was not understood. torn: something stands behind the last line that is no whole record;
    somebody may be writing it. newer: it says that a later version has written it.
    """

    messages: Messages = field(default_factory=Messages)
    end: int = 0
    damaged: bool = False
    newer: bool = False
    torn: bool = False

    @property
    def leaf(self) -> Message | None:
        return self.messages[-1] if self.messages else None


@dataclass
class _Tree:
    """What the records of one file say so far. A message without `parent` follows the one before it."""

    messages: dict[str, Message] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=dict)
    keyed: dict[str, list[str]] = field(default_factory=dict)
    leaf: str | None = None
    end: int = 0
    damaged: bool = False
    torn: bool = False
    newer: bool = False
    shown: Messages = field(default_factory=Messages)
    """The branch as it was last shown."""
    outdated: int | None = None
    """From where on `shown` is no longer right; None if all of it is."""

    def add(self, record: Mapping[str, Any] | None, end: int) -> None:
        kind = record.get("type", "message") if record is not None else None
        if record is None:
            self.damaged = True
        elif kind == "message":
            self._add_message(_message(record, self.leaf, end))
        elif kind == "extend":
            self._extend(record, end)
        elif kind == "select" and str(record.get("id")) in self.messages:
            self._show(str(record["id"]))
        elif kind == "format":
            self.newer = self.newer or record.get("version") != FORMAT
        # Records of types from later versions are no damage.

    def _add_message(self, message: Message | None) -> None:
        if message is None or message.id in self.messages:
            self.damaged = True
            return
        if message.parent is not None and message.parent not in self.messages:
            message = replace(message, parent=self.leaf)
        self.messages[message.id] = message
        siblings = self.children.setdefault(message.parent, [])
        for sibling in siblings:
            self._outdate(sibling)
        siblings.append(message.id)
        self._note_key(message)
        if self.outdated is None and message.parent == self.leaf and len(siblings) == 1:
            self.shown, self.leaf = self.shown.extended(message), message.id
        else:
            self._show(message.id)

    def _extend(self, record: Mapping[str, Any], end: int) -> None:
        message = self.messages.get(str(record.get("id")))
        # The rest of the record reads as a message of its own would.
        more = _message({**record, "type": "message", "role": "assistant"}, None, end)
        if message is None or more is None:
            self.damaged = True
            return
        self.messages[message.id] = message.extended_by(more)
        self._outdate(message.id)
        self._note_key(replace(more, id=message.id))

    def _note_key(self, message: Message) -> None:
        if message.key:
            self.keyed.setdefault(message.key, []).append(message.id)

    def branch(self) -> Branch:
        if self.outdated is not None:
            self.shown, self.outdated = self._shown_anew(self.outdated), None
        return Branch(self.shown, self.end, self.damaged, self.newer, self.torn)

    def _show(self, leaf: str) -> None:
        """Show the branch that ends with this message."""
        self.leaf = leaf
        self.outdated = len(self.shown) if self.outdated is None else self.outdated

    def _outdate(self, message_id: str) -> None:
        """This message is to be shown otherwise, if it is shown."""
        place = self.shown.place(message_id)
        if place is not None:
            self.outdated = place if self.outdated is None else min(place, self.outdated)

    def _shown_anew(self, right: int) -> Messages:
        """The branch now; the first `right` messages that were shown are right wherever it goes through them."""
        new: list[Message] = []
        here, left = self.leaf, len(self.messages)
        kept = 0
        while here in self.messages and left:  # `left`: a file edited by hand may have a loop
            place = self.shown.place(here)
            if place is not None and place < right:
                kept = place + 1
                break
            message = self.messages[here]
            siblings = self.children[message.parent]
            new.append(replace(message, siblings=tuple(siblings)) if len(siblings) > 1 else message)
            here, left = message.parent, left - 1
        return Messages((*self.shown[:kept], *reversed(new)))


def messages_in(data: bytes) -> Iterable[Message]:
    """All messages of a transcript's bytes, those of branches that are not shown among them, in the file's order."""
    tree = _Tree()
    for end, record in jsonlines.parse(data):
        tree.add(record, end)
    return tree.messages.values()


@dataclass
class _Cached:
    """A transcript as it was read. The lock is for one session: who waits for it needs what is being read."""

    reader: jsonlines.LineReader
    tree: _Tree = field(default_factory=_Tree)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read_on(self) -> None:
        """Take in what is new in the file. Raises OSError."""
        new = self.reader.read_on()
        tree = _Tree() if new.afresh else self.tree
        for end, record in new.lines:
            tree.add(record, end)
        tree.end, tree.torn = self.reader.end, self.reader.torn
        self.tree = tree


class Transcripts:
    """The transcripts in one folder, `<session>.jsonl` each. What was read once is read on from there."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        """Of the table of what is cached; nothing is read while it is held."""
        self._cached: OrderedDict[str, _Cached] = OrderedDict()

    def read(self, session_id: str) -> Branch:
        """The messages shown now; empty where there is no file. Raises OSError."""
        with self._tree(session_id) as tree:
            return tree.branch()

    @contextmanager
    def _tree(self, session_id: str) -> Iterator[_Tree]:
        """What the file says now, for a block. Only those who read the same session wait. Raises OSError."""
        with self._guard:
            cached = self._cached.get(session_id)
            if cached is None:
                cached = self._cached[session_id] = _Cached(jsonlines.LineReader(self._folder, _file(session_id)))
            self._cached.move_to_end(session_id)
        with cached.lock:
            cached.read_on()
            yield cached.tree
        with self._guard:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        size = sum(cached.tree.end for cached in self._cached.values())
        while len(self._cached) > CACHED_SESSIONS or (size > CACHED_BYTES and len(self._cached) > 1):
            size -= self._cached.popitem(last=False)[1].tree.end

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        """The message that is shown last where this one is shown: of several answers the newest, and so on down."""
        with self._tree(session_id) as tree:
            if message_id not in tree.messages:
                return None
            seen = {message_id}
            while tree.children.get(message_id) and tree.children[message_id][-1] not in seen:
                message_id = tree.children[message_id][-1]
                seen.add(message_id)
            return message_id

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        """The questions that came with this key, on whatever branch, each with its latest answer, or itself again.

        Where an answer was asked for with it, that one and its question.
        """
        with self._tree(session_id) as tree:
            found = [tree.messages[message_id] for message_id in tree.keyed.get(key, ())]
            return [
                (message, tree.messages[tree.children.get(message.id, [message.id])[-1]])
                if message.role == "user"
                else (tree.messages.get(message.parent or "", message), message)
                for message in found
            ]

    def select(self, session_id: str, message_id: str) -> None:
        """Show the branch that ends with this message from now on. Raises OSError."""
        self._append(session_id, {"type": "select", "id": message_id})

    def extend(self, session_id: str, more: Message) -> None:
        """Add to a message what `more`, which has its id, brings. Raises OSError."""
        self._append(session_id, extension(more))

    def append(self, session_id: str, *messages: Message) -> None:
        """Append messages; they are on the disk when this returns. Raises OSError."""
        self._append(session_id, *(message.record() for message in messages))

    def raw(self, session_id: str) -> bytes:
        """The file as it is; b"" where there is none. Raises OSError."""
        return self._folder.read(_file(session_id)) or b""

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        """Make transcripts of these bytes, by session. Raises OSError, FileExistsError if there is one."""
        for session_id in transcripts:
            if self.stamp(session_id) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), _file(session_id))
        self._folder.replace_all({_file(session_id): data for session_id, data in transcripts.items() if data})

    def remove(self, session_id: str) -> None:
        """Remove the transcript, for good. Raises OSError."""
        self._folder.remove(_file(session_id))
        with self._guard:
            self._cached.pop(session_id, None)

    def remove_unfinished(self, session_ids: Collection[str]) -> None:
        """Remove what a killed writer left of these transcripts; nobody may be writing them. Raises OSError."""
        for name in self._folder.names():
            if name.startswith(".") and name[1:].partition(SUFFIX)[0] in session_ids:
                self._folder.remove(name)

    def _append(self, session_id: str, *records: Mapping[str, Any]) -> None:
        self._folder.append_line(_file(session_id), b"\n".join(map(jsonlines.dump, records)))

    def last_written(self, but: Container[str] = ()) -> dict[str, str]:
        """When each transcript was last written, ISO 8601 in UTC, by session; not of those in `but`. Reads no file."""
        times: dict[str, str] = {}
        names = (name.removesuffix(SUFFIX) for name in self._folder.names() if name.endswith(SUFFIX))
        for session_id in names:
            stamp = None if session_id in but else self.stamp(session_id)
            if stamp:
                moment = datetime.fromtimestamp(stamp.modified_ns / 1e9, UTC)
                times[session_id] = moment.isoformat(timespec="microseconds")
        return times

    def state(self) -> object:
        """Differs from an earlier one when files have come or gone; None where that cannot be told."""
        return self._folder.stamp(".")

    def stamp(self, session_id: str) -> Stamp | None:
        return self._folder.stamp(_file(session_id))


def extension(more: Message) -> dict[str, Any]:
    """The line that adds to a message what `more`, which has its id, brings."""
    record = more.record() | {"type": "extend"}
    del record["parent"], record["role"]
    return record


def new_message_id() -> str:
    """A random id: 64 bits, since it is told apart within one session only, and it stands in every event."""
    return secrets.token_hex(8)


def is_message_id(value: object) -> TypeGuard[str]:
    """Whether this may name a message: it is safe in HTML and in a reader's position."""
    return isinstance(value, str) and _MESSAGE_ID.fullmatch(value) is not None


def history(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """What the model is told of these messages, oldest first: no memory exchanges, no failed or empty answers."""
    return [{"id": item.id, "role": item.role, "content": item.told} for item in _told(messages)]


def _told(messages: Sequence[Message]) -> Iterator[Message]:
    for message in messages:
        known_role = message.role in ("user", "assistant")
        if known_role and message.kind != "memory" and message.status != "failed" and message.content.strip():
            yield message


def _file(session_id: str) -> str:
    return session_id + SUFFIX


def _message(record: Mapping[str, Any], before: str | None, end: int) -> Message | None:
    if record.get("type", "message") != "message" or not isinstance(record.get("role"), str):
        return None
    if not isinstance(record.get("content"), str) or len(record["role"]) > LONGEST_NAME:
        return None
    message_id = record.get("id")
    if not is_message_id(message_id):
        message_id = f"line-{end}"
    # A flat transcript from elsewhere may have null on each line; only in a record of our own does it mean "the first".
    is_root = "type" in record and record.get("parent", before) is None
    parent = record["parent"] if isinstance(record.get("parent"), str) else None if is_root else before
    notes = record.get("notes")
    given = {key: record[key] for key in _TEXTS if isinstance(record.get(key), str)}
    texts: dict[str, Any] = {key: text[: _TEXTS[key]] for key, text in given.items()}
    # A status of a message in flight has no place here, and one that we do not know says nothing.
    if texts.get("status", "complete") not in FINAL:
        del texts["status"]
    if isinstance(notes, list):
        texts["notes"] = tuple(note[:LONGEST_NOTE] for note in notes[:MOST_NOTES] if isinstance(note, str))
    files = _files(record.get("files"))
    return Message(message_id, record["role"], record["content"], parent=parent, files=files, end=end, **texts)


def _files(found: object) -> tuple[File, ...]:
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return tuple(
        File(one_line(row["name"][:LONGEST_NAME]) or "file.txt", row["content"])
        for row in rows
        if isinstance(row.get("name"), str) and isinstance(row.get("content"), str)
    )


def _fenced(text: str) -> str:
    """The text in a fence that nothing in it closes."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{fence}\n{text}{end}{fence}"


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
"""A message's texts beside its content, and how many characters of each are read: the file may be from anywhere."""
