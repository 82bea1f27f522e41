"""Routes calls for a session to the engine that holds it: transcripts, replies, queues, pictures and leases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.chat.reply import ReplyView
from webchat.chat.tree import Branch
from webchat.fileutil import jsonlines
from webchat.storage.protocols import Pictures, Queue, Release, ReplyLog, ReplyLogs, Transcripts
from webchat.storage.temporary.engines import Engines


@dataclass(eq=False)
class RoutedTranscripts:
    """See `Transcripts`."""

    engines: Engines

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
        self.engines.main.transcripts.put_all(transcripts)

    def sessions(self) -> Mapping[str, object]:
        return self.engines.main.transcripts.sessions()

    def size(self, session_id: str) -> int:
        return self._of(session_id).size(session_id)

    def version(self, session_id: str) -> object:
        return self._of(session_id).version(session_id)

    def _of(self, session_id: str) -> Transcripts:
        return self.engines.of(session_id).transcripts

    def _of_growing(self, session_id: str, *messages: Message) -> Transcripts:
        """The same, after checking that there is room for these messages."""
        if session_id in self.engines.temporary:
            self.engines.require_memory(sum(len(jsonlines.dump(each.record())) + 1 for each in messages))
        return self._of(session_id)


@dataclass(eq=False)
class RoutedReplyLogs:
    """See `ReplyLogs`. The limit is checked before an answer begins; once begun, all of it is kept."""

    engines: Engines

    @property
    def shares_writes(self) -> bool:
        return self.engines.main.replies.shares_writes

    def begin(self, session_id: str, header: Mapping[str, Any]) -> ReplyLog:
        self.engines.require_room(session_id, 0)
        return self._of(session_id).begin(session_id, header)

    def view(self, session_id: str) -> ReplyView | None:
        return self._of(session_id).view(session_id)

    def sessions(self) -> Collection[str]:
        return self.engines.main.replies.sessions()

    def request(self, session_id: str, request: Mapping[str, Any]) -> None:
        self._of(session_id).request(session_id, request)

    def requests(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        return self._of(session_id).requests(session_id)

    def asked(self, session_ids: Collection[str]) -> Collection[str]:
        temporary, others = self.engines.split(session_ids)
        return [*temporary, *self.engines.main.replies.asked(others)]

    def settle(self, session_id: str, unsaved: ReplyView | None = None) -> None:
        self._of(session_id).settle(session_id, unsaved)

    def version(self, session_id: str) -> object:
        return self._of(session_id).version(session_id)

    def _of(self, session_id: str) -> ReplyLogs:
        return self.engines.of(session_id).replies


@dataclass(eq=False)
class RoutedQueue:
    """See `Queue`."""

    engines: Engines

    def items(self, session_id: str) -> tuple[QueuedMessage, ...]:
        return self._of(session_id).items(session_id)

    @contextmanager
    def changing(self, session_id: str) -> Iterator[list[QueuedMessage]]:
        with self._of(session_id).changing(session_id) as items:
            before = sum(item.text_size for item in items)
            yield items
            more = sum(item.text_size for item in items) - before
            if more > 0:  # a message can always be sent or taken back
                self.engines.require_room(session_id, more)

    def sessions(self) -> Collection[str]:
        return self.engines.main.queue.sessions()

    def version(self, session_id: str) -> object:
        return self._of(session_id).version(session_id)

    def _of(self, session_id: str) -> Queue:
        return self.engines.of(session_id).queue


@dataclass(eq=False)
class RoutedPictures:
    """See `Pictures`."""

    engines: Engines

    def put(self, session_id: str, data: bytes, suffix: str) -> str:
        self.engines.require_room(session_id, len(data))
        return self._of(session_id).put(session_id, data, suffix)

    def read(self, session_id: str, key: str) -> bytes | None:
        return self._of(session_id).read(session_id, key)

    def sizes(self, session_id: str) -> Mapping[str, int]:
        return self._of(session_id).sizes(session_id)

    def copy(self, session_id: str, to: str, keys: Collection[str]) -> None:
        """Within one engine the bytes are not copied."""
        source = self._of(session_id)
        if source is self._of(to):
            source.copy(session_id, to, keys)
        else:
            copy_bytes(source, session_id, to, keys, self.put)

    def _of(self, session_id: str) -> Pictures:
        return self.engines.of(session_id).pictures


@dataclass(eq=False)
class RoutedLeases:
    """See `Leases`."""

    engines: Engines

    def acquire(self, session_id: str) -> Release:
        return self.engines.of(session_id).leases.acquire(session_id)

    def is_held(self, session_id: str) -> bool:
        return self.engines.of(session_id).leases.is_held(session_id)


def copy_bytes(
    source: Pictures, session_id: str, to: str, keys: Collection[str], put: Callable[[str, bytes, str], object]
) -> None:
    """Copy a session's pictures between two engines; `put` is that of the other one."""
    for key in keys:
        data = source.read(session_id, key)
        if data is not None:
            put(to, data, key.partition(".")[2])
