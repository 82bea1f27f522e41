"""A reply in flight, read from its log, and its conversion to a message. Pure: knows no file and no thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webchat.chat.conversation import Status
from webchat.chat.message import FINAL, Message, extension, is_message_id, new_message_id
from webchat.chat.messages import Messages
from webchat.chat.part_records import changed_record, place_of, placed_of
from webchat.chat.parts import MOST_PARTS, Note, Part, Permission, Placed, Reasoning, Record, Text, Usage, closed
from webchat.chat.plain import shows_nothing

_TYPES: dict[str, Any] = dict.fromkeys(("d", "r", "n", "s", "end", "error", "code", "model"), str)
_TYPES |= {
    "parent": (str, type(None)),
    "key": (str, type(None)),
    "started_at": str,
    "extends": int,
    "p": (int, float, type(None)),
    "part": dict,
    "u": bool,
}
_PARTS_OF: dict[str, Callable[[str], Part]] = {"d": Text, "r": Reasoning, "n": Note}


class ReplyView:
    """A reply read from its log, record by record; shared by all readers in this process.

    A record's keys: `d` text, `r` reasoning, `u` that the text since the last reasoning was reasoning, `n` a note,
    `model` which model writes, `s` and `p` a status and its progress, `part` what is new of a part that is updated in
    its place, `end` the final status, with `error`, `code` and `model`.
    """

    def __init__(self, header: Mapping[str, Any] | None) -> None:
        """`header` is the log's first line, None if that cannot be read."""
        self.damaged = not is_message_id((header or {}).get("id"))
        """Whether a part of the log cannot be parsed."""
        header = self._understood(header)
        self.id: str = header["id"] if not self.damaged else ""
        self._header = header
        self.extends: int | None = header.get("extends")
        """If the reply continues an answer: how often that answer was continued before."""
        self._pieces: dict[str, list[str]] = {"d": [], "r": [], "n": []}
        self._order: list[tuple[str, list[str]]] = []
        """In order: either a key of `_pieces` with consecutive pieces, or "part" with the part's place."""
        self._records: dict[str, Record] = {}
        self._placed: dict[str, Placed] = {}
        self._model: str | None = header.get("model")
        self.written_by = ""
        """The model that the backend has named as the writer."""
        self._end: Mapping[str, Any] = {}
        self.status: Status | None = None

    def take(self, line: Mapping[str, Any] | None) -> None:
        """Apply one record; None for a line that cannot be parsed."""
        record = self._understood(line)
        for key, pieces in self._pieces.items():
            if key in record:
                pieces.append(record[key])
                self._add(key, record[key])
        if "u" in record:
            self._take_for_reasoning()
        if "part" in record:
            self._place(record["part"])
        if "s" in record:
            self.status = Status(record["s"], record.get("p"))
        elif record.keys() & {"d", "r", "part", "end"}:
            self.status = None
        if "model" in record:
            self.written_by = self._model = record["model"]
        if "end" in record:
            self._end = record

    def _add(self, key: str, piece: str) -> None:
        if key != "n" and self._order and self._order[-1][0] == key:
            self._order[-1][1].append(piece)
        else:
            self._order.append((key, [piece]))

    def _take_for_reasoning(self) -> None:
        """Turn the text since the last reasoning into reasoning, as which it has been recognised."""
        last = max((at for at, (key, _) in enumerate(self._order) if key == "r"), default=-1)
        order = self._order[: last + 1]
        for key, pieces in self._order[last + 1 :]:
            if key == "d" and order and order[-1][0] == "r":
                order[-1] = "r", order[-1][1] + pieces
            else:
                order.append(("r" if key == "d" else key, pieces))
        self._order = order
        texts = {key: [piece for kind, pieces in order if kind == key for piece in pieces] for key in ("d", "r")}
        self._pieces = {**self._pieces, **texts}

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to show except reasoning."""
        has_said = not all(map(shows_nothing, self._pieces["d"]))
        return not (has_said or self._has_parts or self._pieces["n"])

    def _place(self, changes: Mapping[str, Any]) -> None:
        place = place_of(changes)
        record = changed_record(self._records.get(place, {}), changes)
        part = placed_of(record)
        is_new = place not in self._placed
        if part is None:
            self.damaged = True
            return
        # A question is never dropped: its agent would wait forever.
        if is_new and len(self._placed) >= MOST_PARTS and not isinstance(part, Permission):
            return
        self._records[place], self._placed[place] = record, part
        if is_new and not isinstance(part, Usage):  # which stands in nobody's way
            self._order.append(("part", [place]))

    def _understood(self, record: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """The fields of a record that have the types we write."""
        if record is None:
            self.damaged = True
            return {}
        known = {key: value for key, value in record.items() if isinstance(value, _TYPES.get(key, object))}
        if known.get("end", "failed") not in FINAL:
            del known["end"]
        self.damaged = self.damaged or len(known) < len(record)
        return known

    @property
    def has_ended(self) -> bool:
        return bool(self._end)

    @property
    def questions(self) -> tuple[Permission, ...]:
        """The open questions; none once the answer has ended."""
        asked = (part for part in tuple(self._placed.values()) if isinstance(part, Permission) and part.is_open)
        return () if self._end else tuple(asked)

    def message(self, *, alive: bool) -> Message:
        """The current message; `alive` says whether it is still being written."""
        # Read this first: another reader may take in the remaining records and the end between these two lines.
        end = self._end
        text = "".join(self._pieces["d"])
        going = "streaming" if text or self._has_parts else "waiting"
        status = end.get("end") or (going if alive else "interrupted")
        return Message(
            self.id,
            "assistant",
            text,
            status=status,
            parent=self._header.get("parent"),
            created_at=str(self._header.get("started_at", "")),
            model=self._model,
            reasoning="".join(self._pieces["r"]),
            notes=tuple(self._pieces["n"]),
            error=end.get("error"),
            code=end.get("code"),
            key=self._header.get("key"),
            parts=self._parts(status) if self._has_parts else (),
            usage=self._usage,
        )

    @property
    def _usage(self) -> Usage | None:
        return next((part for part in tuple(self._placed.values()) if isinstance(part, Usage)), None)

    @property
    def _has_parts(self) -> bool:
        """Whether it has parts other than text and usage."""
        return any(not isinstance(part, Usage) for part in tuple(self._placed.values()))

    def _parts(self, status: str) -> tuple[Part, ...]:
        parts: list[Part] = []
        for key, pieces in self._order:
            part: Part = self._placed[pieces[0]] if key == "part" else _PARTS_OF[key]("".join(pieces))
            parts.append(closed(part, status) if status in FINAL else part)
        return (*parts, *filter(None, (self._usage,)))


def left_message(view: ReplyView, messages: Sequence[Message]) -> Message:
    """The answer of a dead writer's log, as the transcript keeps it after these messages."""
    message = view.message(alive=False)
    # If the log's header is damaged, the answer follows the message after which it is shown.
    parent = message.parent or (messages[-1].id if messages else None)
    return replace(message, id=message.id or new_message_id(), parent=parent)


def left_behind(view: ReplyView | None, unsaved: ReplyView | None, messages: Messages) -> tuple[Message, bool] | None:
    """The answer that a dead writer left after these messages, and whether it continues one of them; None if there is
    none.

    `view` is its log's state; `unsaved` is an answer that only this process has, because it could not be written.
    """
    if unsaved and (view is None or view.id == unsaved.id):
        view = unsaved
    if view is None or is_committed(view, messages):
        return None
    left = left_message(view, messages)
    return replace(left, error=None) if view is unsaved else left, view.extends is not None


def left_record(view: ReplyView | None, messages: Messages) -> dict[str, Any] | None:
    """The transcript's future record of such an answer, without what only this process has."""
    left = left_behind(view, None, messages)
    if left is None:
        return None
    return extension(left[0]) if left[1] else left[0].record()


def is_committed(view: ReplyView, messages: Messages) -> bool:
    """Whether the reply is in the transcript already."""
    place = messages.place(view.id)
    return place is not None and messages[place].extended > (-1 if view.extends is None else view.extends)
