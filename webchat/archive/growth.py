"""A newer export of a conversation that is here: what is new in it is added, and what was said here since stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from webchat.archive.brought import Brought
from webchat.chat.message import Message
from webchat.chat.parts import Part, Reasoning, Text
from webchat.chat.tree import Tree
from webchat.fileutil import jsonlines
from webchat.replies.allowance import Allowance
from webchat.replies.supervisor import ReplySupervisor
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Storage
from webchat.storage.protocols.pictures import key_of


class Growth:
    """Adds to sessions what newer exports have. Raises StorageError, NoRoom, SessionBusy, InvalidInput."""

    def __init__(self, storage: Storage, supervisor: ReplySupervisor, allowance: Allowance) -> None:
        self._storage, self._supervisor, self._allowance = storage, supervisor, allowance

    def add(self, session_id: str, found: Brought, owner: str | None) -> bool:
        """Add the messages that are not in the session yet; returns whether there were any."""
        tree = _tree(found.transcript)
        if not any(_new(tree, self._here(session_id), found.tails)):
            return False
        with self._supervisor.turn(session_id) as turn:
            session = self._storage.sessions.get(session_id)
            if session is None or session.deleted_at or session.owner != owner:  # since it was found here
                return False
            missing, longer = _new(tree, self._here(session_id), found.tails)
            self._require_room(session, missing, longer, found)
            shown = turn.conversation.last
            for suffix, data in self._pictures(session_id, missing, found):
                self._storage.pictures.put(session_id, data, suffix)
            for message in longer:
                self._storage.transcripts.extend(session_id, message)
            if missing:
                self._storage.transcripts.append(session_id, *missing)
            self._show(session_id, shown.id if shown else None, tree, found.tails)
        last = str(found.row.get("last_active", ""))
        if session.last_active < last:
            self._storage.sessions.touch_all({session_id: last}, "import")
        self._storage.bus.publish(session_id, urgent=True)
        return bool(missing or longer)

    def _require_room(
        self, session: WebChatSession, missing: Iterable[Message], longer: Iterable[Message], found: Brought
    ) -> None:
        """Raises NoRoom if what is new is too much."""
        lines = sum(len(jsonlines.dump(message.record())) for message in (*missing, *longer))
        pictures = sum(len(data) for _, data in self._pictures(session.session_id, missing, found))
        self._allowance.require_room(session.owner, lines + pictures)

    def _pictures(self, session_id: str, missing: Iterable[Message], found: Brought) -> Iterator[tuple[str, bytes]]:
        """The pictures of new messages that the session does not have yet."""
        keys = {picture.key for message in missing for picture in message.pictures}
        keys -= self._storage.pictures.sizes(session_id).keys()
        return ((suffix, data) for suffix, data in found.pictures or () if key_of(data, suffix) in keys)

    def _here(self, session_id: str) -> Mapping[str, Message]:
        return {message.id: message for message in self._storage.transcripts.messages(session_id)}

    def _show(self, session_id: str, before: str | None, tree: Tree, tails: Mapping[str, str]) -> None:
        """Show what the export shows, unless something was said here since: then what was shown before."""
        is_theirs = before is None or before in tree.messages or before in tails.values()
        leaf, now = tree.leaf if is_theirs else before, self._storage.transcripts.read(session_id).leaf
        if leaf and now and now.id != leaf:
            self._storage.transcripts.select(session_id, leaf)


def _tree(transcript: bytes) -> Tree:
    tree = Tree()
    for _, record in jsonlines.parse(transcript):
        tree.add(record)
    return tree


def _new(tree: Tree, here: Mapping[str, Message], tails: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
    """The messages that are not here, below those that are, and what answers that are here have more of."""
    missing = [
        replace(message, parent=_parent(message.parent, here, tails))
        for message in tree.messages.values()
        if message.id not in here
    ]
    both = [
        (here[name], message) for name, message in tree.messages.items() if name in here and _is_one(name, here, tails)
    ]
    return missing, [more for before, after in both if (more := _more(before, after))]


def _parent(parent: str | None, here: Collection[str], tails: Mapping[str, str]) -> str | None:
    """An answer that is one message now may be several here, by an earlier version: what follows is below the last."""
    tail = tails.get(parent or "")
    return tail if tail in here else parent


def _is_one(name: str, here: Collection[str], tails: Mapping[str, str]) -> bool:
    return tails.get(name, name) == name or tails[name] not in here


def _more(before: Message, after: Message) -> Message | None:
    """What an answer has more of, if it begins as it was; its program may have been writing it."""
    grows = after.content.startswith(before.content) and after.reasoning.startswith(before.reasoning)
    if before.role != "assistant" or before.status != "complete" or not grows or after.ordered == before.ordered:
        return None
    last = len(before.ordered) - 1
    begun = [_rest(before.ordered[last], after.ordered[last])] if 0 <= last < len(after.ordered) else []
    parts = tuple(part for part in (*begun, *after.ordered[last + 1 :]) if part)
    more = replace(
        after,
        content="".join(part.text for part in parts if isinstance(part, Text)),
        reasoning="".join(part.text for part in parts if isinstance(part, Reasoning)),
        notes=after.notes[len(before.notes) :],
        files=(),
        parts=parts,
    )
    is_whole = before.content + more.content == after.content and before.reasoning + more.reasoning == after.reasoning
    return more if parts and is_whole else None


def _rest(before: Part, after: Part) -> Part | None:
    """What a text has more of."""
    if isinstance(before, Text | Reasoning) and isinstance(after, Text | Reasoning):
        rest = after.text[len(before.text) :]
        return replace(after, text=rest) if rest else None
    return None
