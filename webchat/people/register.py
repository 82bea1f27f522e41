"""Lists, exports, disables and removes the people who have data here."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

from webchat.archive.export import LeftOut
from webchat.chat.trash_times import TRASH_KEYS
from webchat.errors import NoSuchPerson, SessionBusy, StorageError
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import moving
from webchat.people.disabled import Disabled, DisabledPeople
from webchat.people.waiting import waiting_lines
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Kept

TRIES = 5
"""Tries to stop or remove everything: a request that was let in just before may start something new."""


@dataclass(frozen=True)
class Person:
    """One person's data. `kept` are their sessions; `memories` counts those in the trash, too."""

    name: str | None
    kept: Kept
    memories: int
    disabled: Disabled | None


@dataclass(frozen=True)
class Removed:
    """The numbers of removed things."""

    sessions: int
    memories: int


class People:
    """The people of one chat, by the names that their proxy gives them. Works beside running servers.

    Raises StorageError.
    """

    def __init__(self, manager: WebChatSessionManager, memory: MemoryStore, disabled: DisabledPeople) -> None:
        self._manager, self._memory, self._disabled = manager, memory, disabled
        self._storage = manager.storage

    def all(self) -> list[Person]:
        """Everybody who has a session or a memory, or is disabled; sorted by name, with the nameless person first."""
        kept = {each.owner: each for each in self._storage.people()}
        memories, disabled = self._memory.counts(), self._disabled.all()
        names = {*kept, *memories, *disabled}
        return [
            Person(name, kept.get(name, Kept(name)), memories[name], disabled.get(name or ""))
            for name in sorted(names, key=lambda name: name or "")
        ]

    def get(self, name: str) -> Person:
        """One person. Raises NoSuchPerson."""
        kept, disabled = self._storage.kept_by(name), self._disabled.all().get(name)
        memories = self._memories_of(name)
        if not (kept.sessions or memories or disabled):
            raise NoSuchPerson(name)
        return Person(name, kept, memories, disabled)

    def disable(self, name: str) -> bool:
        """Disable this person and stop their answers. Their data stays.

        Returns whether they have anything here, as far as can be read. Raises SessionBusy if an answer could not be
        stopped.
        """
        self._disabled.disable(name)
        self._stop(name)
        try:
            return bool(self._storage.kept_by(name).sessions or self._memories_of(name))
        except StorageError:  # they are disabled nevertheless
            return True

    def _memories_of(self, name: str) -> int:
        return len(self._memory.list(name)) + len(self._memory.trash(name))

    def enable(self, name: str) -> bool:
        """Enable this person again; returns whether they were disabled."""
        return self._disabled.enable(name)

    def remove(self, name: str) -> Removed:
        """Remove all of this person's data, and disable them. An interrupted call can be repeated.

        Raises NoSuchPerson; SessionBusy if an answer could not be stopped: the next call removes the rest.
        """
        self.get(name)
        self._disabled.disable(name, removed=True)
        self._stop(name)
        sessions = self._remove_sessions(name)
        memories = self._memory.forget_all(name)
        self._manager.allowance.forget(name)
        self._storage.search.forget_gone(wait=True)
        return Removed(sessions, memories)

    def export(self, name: str | None, file: IO[bytes], settings: object = None) -> list[LeftOut]:
        """Write all of this person's data as a zip, which can be imported; returns the sessions that cannot be read.

        None is the person of a chat without sign-in, whose export may have the chat's saved `settings`, too.

        It has `waiting.jsonl` with unsent messages and their pictures, `sessions.jsonl` and `trash.jsonl`, in the
        format of `webchat export`, `deleted.json` with the times of deletion of the latter, `memories.json`, and
        `settings.json` if `settings` are given. Raises NoSuchPerson.
        """
        if name is not None:
            self.get(name)
        left_out: list[LeftOut] = []
        store, archive = self._manager.store, self._manager.archive
        sessions, trash = store.list_all(name), store.trash(name)
        memories = self._memory.taken_along(name)
        rows = {item.session_id: store.row(item.session_id) for item in trash}
        deleted = {name: {key: row.get(key) for key in TRASH_KEYS} for name, row in rows.items()}
        members: list[tuple[str, Iterable[bytes]]] = [
            # First: a message that is sent meanwhile is then in both, which an import notices, and never in neither.
            (moving.WAITING, waiting_lines(self._storage, [item.session_id for item in (*sessions, *trash)])),
            (moving.SESSIONS, archive.export(_begun(sessions), left_out.append)),
            (moving.TRASH, archive.export(_begun(trash), left_out.append)),
            (moving.DELETED, [_json(deleted)]),
            (moving.MEMORIES, [_json(memories)]),
            *([(moving.SETTINGS, [_json(settings)])] if settings is not None else []),
        ]
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as into:
            for member, content in members:
                with into.open(member, "w", force_zip64=True) as to:
                    for part in content:
                        to.write(part)
        return left_out

    def _stop(self, name: str) -> None:
        """Stop this person's answers in all processes, and take back queued messages.

        Temporary chats end: those of this process now, those of a server at its next look at the list of the disabled.
        """
        self._manager.temporary.end_all_of(lambda: [name])
        for _ in range(TRIES):
            busy = {*self._storage.replies.sessions(), *self._storage.queue.sessions()}
            mine = [session.session_id for session in self._manager.store.list_all(name) if session.session_id in busy]
            stopped = [session_id for session_id in mine if self._manager.stop(session_id, name)]
            if not stopped:
                return
        raise SessionBusy(f"Something is still being written for {name}. Try again in a few seconds.")

    def _remove_sessions(self, name: str) -> int:
        removed = 0
        for _ in range(TRIES):
            before = self._storage.kept_by(name).sessions
            try:
                self._manager.housekeeping.purge_all(name)
            except SessionBusy:
                continue
            finally:
                removed += before - self._storage.kept_by(name).sessions
            return removed
        raise SessionBusy(f"Something is still being written for {name}. Try again to remove the rest.")


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def _begun(sessions: Iterable[WebChatSession]) -> list[WebChatSession]:
    begun = (session for session in sessions if session.begun)
    return sorted(begun, key=lambda session: (session.created_at, session.session_id))
