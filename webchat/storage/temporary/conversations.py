"""Routes calls for a session to the engine that holds it: transcripts, replies, queues, pictures and leases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView
from webchat.chat.tree import Branch
from webchat.fileutil import jsonlines
from webchat.storage.protocols import Queue, Release, ReplyLog, ReplyLogs, Storage, Transcripts

EngineOf = Callable[[str], Storage]
"""Returns the engine that has this session."""
RequireRoom = Callable[[str, int], None]
"""Raises MemoryFull if this session can take no more bytes of that number."""


class RoutedTranscripts:
    """See `Transcripts`."""

    def __init__(self, engine_of: EngineOf, main: Transcripts, require_room: RequireRoom) -> None:
        self._engine_of, self._main, self._require_room = engine_of, main, require_room

    def read(self, session_id: str) -> Branch:
        return self._of(session_id).read(session_id)

    def messages(self, session_id: str) -> Iterable[Message]:
        return self._of(session_id).messages(session_id)

    def leaf_below(self, session_id: str, message_id: str) -> str | None:
        return self._of(session_id).leaf_below(session_id, message_id)

    def sent_with(self, session_id: str, key: str) -> list[tuple[Message, Message]]:
        return self._of(session_id).sent_with(session_id, key)

    def append(self, session_id: str, *messages: Message) -> None:
        self._of_growing(session_id, *messages).append(session_id, *messages)

    def extend(self, session_id: str, more: Message) -> None:
        self._of_growing(session_id, more).extend(session_id, more)

    def amend(self, session_id: str, new: Message) -> None:
        self._of_growing(session_id, new).amend(session_id, new)

    def select(self, session_id: str, message_id: str) -> None:
        self._of_growing(session_id).select(session_id, message_id)

    def put_all(self, transcripts: Mapping[str, bytes]) -> None:
        self._main.put_all(transcripts)

    def sessions(self) -> Mapping[str, object]:
        return self._main.sessions()

    def size(self, session_id: str) -> int:
        return self._of(session_id).size(session_id)

    def version(self, session_id: str) -> object:
        return self._of(session_id).version(session_id)

    def _of(self, session_id: str) -> Transcripts:
        return self._engine_of(session_id).transcripts

    def _of_growing(self, session_id: str, *messages: Message) -> Transcripts:
        """The same, if there is room for these."""
        transcripts = self._of(session_id)
        if transcripts is not self._main:
            self._require_room(session_id, sum(len(jsonlines.dump(each.record())) + 1 for each in messages))
        return transcripts


class RoutedReplyLogs:
    """See `ReplyLogs`. An answer that has begun is kept whole: room is required before it."""

    def __init__(self, engine_of: EngineOf, main: ReplyLogs, require_room: RequireRoom) -> None:
        self._engine_of, self._main, self._require_room = engine_of, main, require_room

    def begin(self, session_id: str, header: Mapping[str, Any]) -> ReplyLog:
        self._require_room(session_id, 0)
        return self._of(session_id).begin(session_id, header)

    def view(self, session_id: str) -> ReplyView | None:
        return self._of(session_id).view(session_id)

    def sessions(self) -> Collection[str]:
        return self._main.sessions()

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        self._of(session_id).request(session_id, request)

    def requests(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        return self._of(session_id).requests(session_id)

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        self._of(session_id).settle(session_id, unsaved)

    def version(self, session_id: str) -> object:
        return self._of(session_id).version(session_id)

    def _of(self, session_id: str) -> ReplyLogs:
        return self._engine_of(session_id).replies


class RoutedQueue:
    """See `Queue`."""

    def __init__(self, engine_of: EngineOf, main: Queue, require_room: RequireRoom) -> None:
        self._engine_of, self._main, self._require_room = engine_of, main, require_room

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        return self._engine_of(session_id).queue.items(session_id)

    def changing(self, session_id: str) -> AbstractContextManager[list[QueuedMessage]]:
        queue = self._engine_of(session_id).queue
        return queue.changing(session_id) if queue is self._main else self._bounded(queue, session_id)

    def sessions(self) -> Collection[str]:
        return self._main.sessions()

    def version(self, session_id: str) -> object:
        return self._engine_of(session_id).queue.version(session_id)

    @contextmanager
    def _bounded(self, queue: Queue, session_id: str) -> Iterator[list[QueuedMessage]]:
        with queue.changing(session_id) as items:
            before = sum(item.text_size for item in items)
            yield items
            more = sum(item.text_size for item in items) - before
            if more > 0:  # a message can always be sent or taken back
                self._require_room(session_id, more)


class RoutedPictures:
    """See `Pictures`."""

    def __init__(self, engine_of: EngineOf, require_room: RequireRoom) -> None:
        self._engine_of, self._require_room = engine_of, require_room

    def put(self, session_id: str, data: bytes, suffix: str) -> str:
        self._require_room(session_id, len(data))
        return self._engine_of(session_id).pictures.put(session_id, data, suffix)

    def read(self, session_id: str, key: str) -> bytes | None:
        return self._engine_of(session_id).pictures.read(session_id, key)

    def sizes(self, session_id: str) -> Mapping[str, int]:
        return self._engine_of(session_id).pictures.sizes(session_id)

    def copy(self, session_id: str, to: str, keys: Collection[str]) -> None:
        """Within one engine without a copy of the bytes."""
        source, target = self._engine_of(session_id).pictures, self._engine_of(to).pictures
        if source is target:
            source.copy(session_id, to, keys)
            return
        for key in keys:
            data = source.read(session_id, key)
            if data is not None:
                self.put(to, data, key.partition(".")[2])


class RoutedLeases:
    """See `Leases`."""

    def __init__(self, engine_of: EngineOf) -> None:
        self._engine_of = engine_of

    def acquire(self, session_id: str) -> Release:
        return self._engine_of(session_id).leases.acquire(session_id)

    def is_held(self, session_id: str) -> bool:
        return self._engine_of(session_id).leases.is_held(session_id)
