"""The store of people's memories."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from typing import Any

from webchat.chat.times import seconds_of, time_of, utc_now, whole_second
from webchat.chat.trash_times import TRASH_KEYS, mark_of
from webchat.errors import InvalidInput, LimitReached, TooLarge, storing
from webchat.memory.file import Memories, Memory, MemoryFile, by_time, dump, identity, is_memory, parse, view
from webchat.memory.shared import SharedMemories
from webchat.memory.words import significant_words
from webchat.storage.protocols.documents import MEMORIES, Documents, Draft

LONGEST, MOST, MOST_TEXT = 10_000, 2_000, 1_000_000
"""Limits: characters of a memory; memories of one person, with the trash, and their total characters: the file is read
as a whole each time."""
Rows = Iterable[Mapping[str, Any]]


class MemoryStore:
    """The memories in a storage's documents. Several processes may share them.

    An owner sees only memories with the same owner; None is an owner like any other.
    """

    def __init__(
        self,
        documents: Documents,
        *,
        clock: Callable[[], str] = utc_now,
        trash_days: float = 30.0,
        newest: Callable[[], float] = lambda: float("-inf"),
        shared: SharedMemories | None = None,
    ) -> None:
        """`trash_days` is for how long a deleted memory can be restored.

        `shared` has the memories without an owner, if its file exists.
        `newest` returns the latest time known from elsewhere, in seconds since 1970: the clock may be behind.
        """
        self._documents, self._newest = documents, newest
        self._read_clock, self._shared = clock, shared
        self._trash_days = trash_days

    def _clock(self) -> str:
        return whole_second(self._read_clock())

    def remember(self, content: str, owner: str | None = None, *, key: str | None = None) -> Memory:
        """Store a text under a new id; a retry with the same `key` returns the same memory.

        Raises InvalidInput for a text that UTF-8 cannot hold, TooLarge, LimitReached; StorageError, and then nothing
        has changed.
        """
        _require_utf8(content)
        if len(content) > LONGEST:
            raise TooLarge(f"This is too long to remember: {LONGEST:,} characters at most.")
        sent = _digest(key, content, owner) if key else None
        with self._changing(owner) as (draft, file):
            row = file.sent_with(sent, content) if sent else None
            if row is None:
                self._require_room(file, content, owner)
                row = file.new_row(self._clock(), content, owner, sent)
                self._replace(draft, file)
        return view(row)  # its id may change at the end of the block

    def recall(self, query: str, owner: str | None = None) -> Memories:
        """The memories that match, oldest first, whatever the case. Raises StorageError.

        A memory matches when its content, category and tags contain the whole query, or else every significant word of
        it ("my favourite tea" finds "Tea: green is my favourite"). A part of a word counts: "dog" finds "dogs".
        """
        query = query.casefold()
        words = list(significant_words(query))
        return [memory for memory in self.list(owner) if _matches(memory, query, words)]

    def list(self, owner: str | None = None) -> Memories:
        """All memories, oldest first. Raises StorageError."""
        with storing("The memories could not be read"):
            return [view(row) for row in self._read(owner).rows if row.get("owner") == owner]

    def taken_along(self, owner: str | None = None) -> dict[str, Any]:
        """All of this person's memories, and those in the trash with their times of deletion. Raises StorageError."""
        with storing("The memories could not be read"):
            file = self._read(owner)
        thrown = [row for row in file.trash if row.get("owner") == owner and not self._is_expired(row)]
        return {
            "memories": self.list(owner),
            "trash": [{**view(row), **{key: row[key] for key in TRASH_KEYS if key in row}} for row in thrown],
        }

    def bring_in(self, memories: Rows, trash: Rows, owner: str | None = None) -> int:
        """Import memories under new ids; existing ones are not changed.

        Returns how many are new. Raises TooLarge, LimitReached, StorageError; nothing has changed then.
        """
        with self._changing(owner) as (draft, file):
            mine = [row for row in (*file.rows, *file.trash) if row.get("owner") == owner]
            here, added = set(map(identity, mine)), 0
            for found, mark in ((memories, None), (trash, self._trash_mark(file))):
                for row in (row for row in found if is_memory(row) and identity(row) not in here):
                    self._take_in(file, row, owner, mark)
                    here.add(identity(row))
                    added += 1
            if added:
                file.rows.sort(key=by_time)
                self._replace(draft, file)
        return added

    def _take_in(
        self, file: MemoryFile, row: Mapping[str, Any], owner: str | None, mark: dict[str, str] | None
    ) -> None:
        brought = view(row)
        _require_utf8(brought["content"])
        if len(brought["content"]) > LONGEST:
            raise TooLarge(f"A memory is too long: {LONGEST:,} characters at most.")
        self._require_room(file, brought["content"], owner)
        new = file.new_row(brought["timestamp"], brought["content"], owner)
        new |= {"category": brought["category"], "tags": brought["tags"]}
        if mark:
            file.trash.append({**file.rows.pop(), **mark_of(row, mark)})

    def delete(self, memory_id: str, owner: str | None = None) -> bool:
        """Move a memory to the trash; False if there is none. Its id is not used again. Raises StorageError."""
        with self._changing(owner) as (draft, file):
            gone, file.rows = _parted(file.rows, memory_id, owner)
            if gone:
                file.trash += [{**row, **self._trash_mark(file)} for row in gone]
                self._replace(draft, file)
        return bool(gone)

    def trash(self, owner: str | None = None) -> Memories:
        """The deleted memories that can be restored, oldest first. Raises StorageError."""
        with storing("The memories could not be read"):
            rows = self._read(owner).trash
        return [view(row) for row in rows if row.get("owner") == owner and not self._is_expired(row)]

    def restore(self, memory_id: str, owner: str | None = None) -> bool:
        """Restore a memory from the trash; False if it is not there. Raises StorageError."""
        with self._changing(owner) as (draft, file):
            back, file.trash = _parted(file.trash, memory_id, owner)
            if back:
                file.rows += [{key: value for key, value in row.items() if key not in TRASH_KEYS} for row in back]
                file.rows.sort(key=by_time)
                self._replace(draft, file)
        return bool(back)

    def purge(self, memory_id: str, owner: str | None = None) -> bool:
        """Delete a memory in the trash for good; False if it is not there. Raises StorageError."""
        with self._changing(owner) as (draft, file):
            gone, file.trash = _parted(file.trash, memory_id, owner)
            if gone:
                self._replace(draft, file)
        return bool(gone)

    def counts(self) -> Counter[str | None]:
        """How many memories each person has, with those in the trash. Raises StorageError."""
        found: Counter[str | None] = Counter()
        with storing("The memories could not be read"):
            for name in self._documents.names(MEMORIES):
                file = self._named(name)
                found.update(row.get("owner") for row in (*file.rows, *file.trash))
        return found

    def forget_all(self, owner: str | None) -> int:
        """Delete all of a person's memories for good, at once; returns how many. Raises StorageError.

        A person's own document is removed, too; in a shared one the next id stays.
        """
        with self._changing(owner) as (draft, file):
            before = len(file.rows) + len(file.trash)
            file.rows = [row for row in file.rows if row.get("owner") != owner]
            file.trash = [row for row in file.trash if row.get("owner") != owner]
            gone = before - len(file.rows) - len(file.trash)
            if self._documents.of(MEMORIES, owner) != self._documents.of(MEMORIES, None):
                draft.data = None
            elif gone:
                self._replace(draft, file)
        return gone

    def is_whole(self) -> bool:
        """Whether the memories of every owner can be parsed. Raises StorageError."""
        with storing("The memories could not be read"):
            return not any(self._named(name).damaged for name in self._documents.names(MEMORIES))

    def mend(self) -> None:
        """Rewrite what could be parsed; a copy of a damaged document is kept. Raises StorageError."""
        for name in self._documents.names(MEMORIES):
            self._rewrite(name)

    def empty_expired(self) -> None:
        """Delete everything that has expired in the trash for good, of every owner. Raises StorageError."""
        for name in self._documents.names(MEMORIES):
            with storing("The memories could not be read"):
                expired = any(map(self._is_expired, self._named(name).trash))
            if expired:
                self._rewrite(name)

    def _require_room(self, file: MemoryFile, content: str, owner: str | None) -> None:
        kept = [*file.rows, *(row for row in file.trash if not self._is_expired(row))]
        mine = [row for row in kept if row.get("owner") == owner]
        then = "Delete some permanently on the settings page first"
        if len(mine) >= MOST:
            raise LimitReached(MOST, then, "memories")
        if sum(len(str(row["content"])) for row in mine) + len(content) > MOST_TEXT:
            raise LimitReached(MOST_TEXT, then, "characters in memories")

    def _is_expired(self, row: dict[str, Any]) -> bool:
        since = _kept_since(row)
        # A time that somebody wrote by hand may be invalid: such a memory is kept.
        return since > float("-inf") and seconds_of(self._clock()) - since > self._trash_days * 24 * 3600

    def _trash_mark(self, file: MemoryFile) -> dict[str, str]:
        """The changes to a memory that is deleted now. If the clock is behind, the latest known time is used."""
        now = self._clock()
        remembered = (seconds_of(str(row.get("timestamp"))) for row in (*file.rows, *file.trash))
        newest = max([self._newest(), *remembered, *map(_kept_since, file.trash)])
        return {"deleted_at": now} | ({"kept_since": time_of(newest)} if newest > seconds_of(now) else {})

    def _rewrite(self, name: str) -> None:
        with self._changing_named(name) as (draft, file):
            self._replace(draft, file)

    def _changing(self, owner: str | None) -> AbstractContextManager[tuple[Draft, MemoryFile]]:
        return self._changing_named(self._documents.of(MEMORIES, owner))

    @contextmanager
    def _changing_named(self, name: str) -> Iterator[tuple[Draft, MemoryFile]]:
        with storing("The memories could not be saved"):
            with self._documents.changing(name) as draft:
                before, ours = draft.data, _file_of(draft.data)
                file = self._joined(name, ours)
                yield draft, file
                next_id = ours.next_id if draft.data is before else file.next_id  # joining may have assigned new ids
                # Whatever fails, a memory is in one of the files: it is added to theirs before it leaves ours …
                self._share(file, removes=False)
                if file.next_id != next_id:
                    self._replace(draft, file)
            self._share(file, removes=True)  # … and added to our trash before it leaves theirs.

    def _share(self, file: MemoryFile, *, removes: bool) -> None:
        if self._shared and file.shared is not None:
            self._shared.replace(file, removes=removes)

    def _read(self, owner: str | None) -> MemoryFile:
        return self._named(self._documents.of(MEMORIES, owner))

    def _named(self, name: str) -> MemoryFile:
        return self._joined(name, _file_of(self._documents.read(name)))

    def _joined(self, name: str, file: MemoryFile) -> MemoryFile:
        is_shared = self._shared and self._shared.is_there and name == self._documents.of(MEMORIES, None)
        return self._shared.joined(file) if self._shared and is_shared else file

    def _replace(self, draft: Draft, file: MemoryFile) -> None:
        trash = [row for row in file.trash if not self._is_expired(row)]
        top = {key: value for key, value in file.top.items() if key != "trash"} | ({"trash": trash} if trash else {})
        rows = file.rows
        if file.shared is not None:
            rows = [row for row in rows if "owner" in row]
        draft.data = dump(top | {"memories": rows, "next_id": file.next_id})
        draft.damaged = file.damaged


def _digest(key: str, content: str, owner: str | None) -> str:
    return sha256(json.dumps([key, content, owner]).encode()).hexdigest()[:32]


def _file_of(data: bytes | None) -> MemoryFile:
    return MemoryFile({}, [], 1) if data is None else parse(data)


def _kept_since(row: dict[str, Any]) -> float:
    """When a memory was deleted, in seconds since 1970."""
    return max(seconds_of(str(row.get(key))) for key in TRASH_KEYS)


def _require_utf8(content: str) -> None:
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("The text contains half a character and cannot be saved. Type it again.") from error


def _matches(memory: Memory, query: str, words: list[str]) -> bool:
    text = "\n".join((memory["content"], memory["category"], *memory["tags"])).casefold()
    return query in text or (bool(words) and all(word in text for word in words))


def _parted(
    rows: list[dict[str, Any]], memory_id: str, owner: str | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of that memory, and the others."""
    meant = [row for row in rows if str(row["id"]) == memory_id and row.get("owner") == owner]
    return meant, [row for row in rows if row not in meant]
