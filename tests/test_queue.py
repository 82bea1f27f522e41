"""Messages that are sent while an answer is being written: they wait, and are sent when their turn comes."""

from __future__ import annotations

from webchat.chat.queued import QueuedMessage
from webchat.storage import storage_at


def test_a_line_of_the_file_that_is_not_understood_is_kept_aside(tmp_path):
    storage = storage_at(tmp_path / "sessions.json")
    with storage.queue.changing("s") as items:
        items.append(QueuedMessage("a", "one"))
    path = tmp_path / "web-chat-transcripts" / "queue" / "s.queue"
    damaged = b"damaged\n" + path.read_bytes()
    path.write_bytes(damaged)
    assert [item.key for item in storage.queue.items("s")] == ["a"]
    with storage.queue.changing("s") as items:
        items.append(QueuedMessage("b", "two"))
    assert [item.key for item in storage.queue.items("s")] == ["a", "b"]
    [kept] = path.parent.glob("s.queue.corrupt-*")
    assert kept.read_bytes() == damaged
    storage.discard(["s"])
    assert [*path.parent.iterdir()] == []
