"""What one update of a growing answer costs a page, whatever the length of its session."""

from __future__ import annotations

import time

from bench import processes
from bench.figures import Figure
from webchat.chat.conversation import change_since
from webchat.chat.message import Message
from webchat.replies.follow import Conversations
from webchat.storage.files.engine import FileStorage

SHORT, LONG = 10, 16_667
UPDATES = 300


def long_session() -> list[Figure]:
    """The CPU of an update with 16,667 messages and with 10."""
    short, long = _cost(SHORT), _cost(LONG)
    return [
        Figure("an update with 10 messages, CPU", short, "ms"),
        Figure("an update with 16,667 messages, CPU", long, "ms", 0.5),
        Figure("the second to the first", long / short, "", 1.5, fixed=True),
    ]


def _cost(count: int) -> float:
    """Milliseconds of CPU for reading the session again and sending what is new."""
    with processes.home() as home:
        storage = FileStorage(home / "sessions.json")
        transcripts = storage.transcripts
        conversations = Conversations(storage, lambda session_id: None)
        parents = [None, *(f"m{number}" for number in range(count))]
        transcripts.append("s", *(Message(f"m{n}", "user", "hello", parent=parents[n]) for n in range(count)))
        release = storage.leases.acquire("s")
        log = storage.replies.begin("s", {"id": "answer", "parent": parents[count]})
        position, used = conversations.read("s").position, 0.0
        for _ in range(UPDATES):
            log.write({"d": "more "})
            before = time.process_time()
            change_since(conversations.read("s"), position)
            used += time.process_time() - before
        log.leave()
        release()
    return used / UPDATES * 1000
