"""Merges a newer export into an existing session: what is new is added, and what was said here since stays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from webchat.archive.alignment import ImportedMessages, has_positions, is_imported, renamed, tree_of
from webchat.archive.brought import Brought
from webchat.archive.earlier import EarlierImports
from webchat.archive.likeness import says_more, says_the_same, shows_less, shows_more
from webchat.chat.message import Message
from webchat.chat.parts import Part, Reasoning, Text, ToolCall
from webchat.chat.tree import Tree
from webchat.fileutil import jsonlines
from webchat.replies.services import Services
from webchat.session_store import WebChatSession
from webchat.storage.protocols.pictures import key_of


class Growth:
    """Adds what newer exports contain to existing sessions. Raises StorageError, NoRoom, SessionBusy, InvalidInput."""

    def __init__(self, services: Services) -> None:
        self._storage, self._supervisor, self._allowance = services.storage, services.supervisor, services.allowance

    def earlier(self, owner: str | None) -> EarlierImports:
        """What finds this person's sessions of conversations without ids."""
        return EarlierImports(self._storage, owner)

    def add(self, session_id: str, found: Brought, owner: str | None) -> bool:
        """Add the messages, and the rest of messages, that the session lacks; returns whether there were any."""
        if self._storage.export(session_id).startswith(found.transcript):  # which costs much less than reading both
            return False
        tree, placed = self._placed(session_id, found)
        # Messages of ours without ids have different ones wherever they are stored.
        if "" in tree.messages or not _new(tree, self._here(session_id), placed):
            return False
        with self._supervisor.turn(session_id) as turn:
            session = self._storage.sessions.get(session_id)
            if session is None or session.deleted_at or session.owner != owner:  # since it was looked up
                return False
            tree, found = self._placed(session_id, found)  # another import may have taken a place since
            new = _new(tree, self._here(session_id), found)
            self._require_room(session, new, found)
            shown = turn.conversation.last
            self._write(session_id, new, found)
            self._show(session_id, shown.id if shown else None, tree, found, new.beside)
        last = str(found.row.get("last_active", ""))
        if session.last_active < last:
            self._storage.sessions.touch({session_id: last}, "import")
        self._storage.bus.publish(session_id, urgent=True)
        return bool(new)

    def _placed(self, session_id: str, found: Brought) -> tuple[Tree, Brought]:
        """The messages with their ids in the session."""
        tree = tree_of(found.transcript)
        if not has_positions(tree):
            return tree, found
        messages = self._storage.transcripts.messages(session_id)
        names = ImportedMessages(messages, is_exact=bool(found.names)).places(tree, found.shown)
        tails = {name: tail for name, tail in found.tails.items() if names.get(name) == name}
        shown = {names.get(name, name): lines for name, lines in found.shown.items()}
        return renamed(tree, names), replace(found, tails=tails, shown=shown)

    def _write(self, session_id: str, new: _New, found: Brought) -> None:
        for suffix, data in self._pictures(session_id, new, found):
            self._storage.pictures.put(session_id, data, suffix)
        for message in new.amended:
            self._storage.transcripts.amend(session_id, message)
        for message in new.longer:
            self._storage.transcripts.extend(session_id, message)
        if new.missing:
            self._storage.transcripts.append(session_id, *new.missing)

    def _require_room(self, session: WebChatSession, new: _New, found: Brought) -> None:
        """Raises NoRoom if the additions are too large."""
        lines = sum(len(jsonlines.dump(message.record())) for message in (*new.missing, *new.longer, *new.amended))
        pictures = sum(len(data) for _, data in self._pictures(session.session_id, new, found))
        self._allowance.require_room(session.owner, lines + pictures)

    def _pictures(self, session_id: str, new: _New, found: Brought) -> Iterator[tuple[str, bytes]]:
        """The pictures of new and amended messages that the session lacks."""
        keys = {picture.key for message in (*new.missing, *new.amended) for picture in message.pictures}
        keys -= self._storage.pictures.sizes(session_id).keys()
        return ((suffix, data) for suffix, data in found.pictures or () if key_of(data, suffix) in keys)

    def _here(self, session_id: str) -> Mapping[str, Message]:
        return {message.id: message for message in self._storage.transcripts.messages(session_id)}

    def _show(
        self,
        session_id: str,
        before: str | None,
        tree: Tree,
        found: Brought,
        beside: Mapping[str, str],
    ) -> None:
        """Show the branch that the export shows, unless something was said here since; then keep the shown branch."""
        is_theirs = before is None or before in tree.messages or before in found.tails.values() or is_imported(before)
        leaf = beside.get(tree.leaf or "", tree.leaf) if is_theirs else before
        now = self._storage.transcripts.read(session_id).leaf
        if leaf and now and now.id != leaf:
            self._storage.transcripts.select(session_id, leaf)


@dataclass(frozen=True)
class _New:
    """What is new: messages that the session lacks, and the rest of answers that have grown.

    `amended` are existing messages, as a whole, that have got pictures or files. `beside` maps an answer that was
    replaced to the id of its new sibling.
    """

    missing: list[Message]
    longer: list[Message]
    amended: list[Message]
    beside: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.longer or self.amended)


def _new(tree: Tree, here: Mapping[str, Message], found: Brought) -> _New:
    longer, amended, beside, tails = list[Message](), list[Message](), dict[str, Message](), found.tails
    for name, after in tree.messages.items():
        before = here.get(name)
        if before is None or not _is_one(name, here, tails):
            continue
        is_fuller, lines = shows_more(before, after), found.shown.get(name, ())
        if (is_fuller or shows_less(before, after)) and says_the_same(before, after, lines):
            if is_fuller:
                amended.append(after)
            elif says_more(before, after, lines):  # neither the new words nor the pictures here are lost
                beside[name] = replace(after, id=_id_beside(after))
        elif more := _more(before, after):
            longer.append(more)
        elif _is_another(before, after):
            beside[name] = replace(after, id=_id_beside(after))
    names = {name: message.id for name, message in beside.items()}
    missing = [
        replace(message, parent=names.get(message.parent or "") or _parent(message.parent, here, tails))
        for message in (beside.get(name, message) for name, message in tree.messages.items())
        if message.id not in here
    ]
    return _New(missing, longer, amended, names)


def _parent(parent: str | None, here: Collection[str], tails: Mapping[str, str]) -> str | None:
    """An answer imported by an earlier version may be several messages here: what follows belongs below the last."""
    tail = tails.get(parent or "")
    return tail if tail in here else parent


def _is_one(name: str, here: Collection[str], tails: Mapping[str, str]) -> bool:
    return tails.get(name, name) == name or tails[name] not in here


def _more(before: Message, after: Message) -> Message | None:
    """The rest of an answer that begins as before: it may have been still being written, or was continued."""
    if before.role != "assistant" or not _begins(before, after):
        return None
    both = zip(_others(before), _others(after), strict=False)
    results = [late for early, late in both if early != late and isinstance(late, ToolCall) and late.output]
    parts = (*results, *_rest(before, after))
    more = replace(
        after,
        content="".join(part.text for part in parts if isinstance(part, Text)),
        reasoning="".join(part.text for part in parts if isinstance(part, Reasoning)),
        notes=after.notes[len(before.notes) :],
        files=(),
        parts=parts,
    )
    has_ended = after.status == "complete" != before.status
    return more if parts or has_ended else None


def _begins(before: Message, after: Message) -> bool:
    """Whether an answer begins with everything that it had, in the same order."""
    had, has = _others(before), _others(after)
    has_texts = after.content.startswith(before.content) and after.reasoning.startswith(before.reasoning)
    return has_texts and len(had) <= len(has) and all(map(_is_same, had, has))


def _is_same(early: Part, late: Part) -> bool:
    """Whether a part is the earlier one, perhaps with its tool's result."""
    if isinstance(early, ToolCall) and isinstance(late, ToolCall) and not early.output:
        return replace(early, output=late.output, status=late.status, seconds=late.seconds) == late
    return early == late


def _others(message: Message) -> tuple[Part, ...]:
    """The parts that are not text."""
    return tuple(part for part in message.ordered if not isinstance(part, Text | Reasoning))


def _rest(before: Message, after: Message) -> Iterator[Part]:
    """The new parts. The blank line at the end of an earlier text moves to the beginning of the next one."""
    had: dict[type, int] = {Text: len(before.content), Reasoning: len(before.reasoning)}
    blank: dict[type, str] = {}
    others = len(_others(before))
    for part in after.ordered:
        if isinstance(part, Text | Reasoning):
            kind = type(part)
            text = blank.pop(kind, "") + part.text[had[kind] :]
            had[kind] = max(0, had[kind] - len(part.text))
            if text.strip():
                yield replace(part, text=text)
            else:
                blank[kind] = text
        elif others:
            others -= 1
        else:
            yield part


def _is_another(before: Message, after: Message) -> bool:
    """Whether an answer was replaced by a longer one."""
    return before.role == "assistant" and len(after.content) > len(before.content) and not _begins(before, after)


def _id_beside(message: Message) -> str:
    """The id of a longer sibling of an existing answer, the same with each import."""
    return sha256(f"{message.id}:{message.content}".encode("utf-8", "replace")).hexdigest()[:32]
