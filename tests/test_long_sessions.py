"""The cost of an update of a long session; and nobody waits while another session is read."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory_folder import MemoryFolder
from tests.stored import Stored
from webchat.chat.conversation import change_since
from webchat.chat.message import Message
from webchat.replies.follow import Conversations
from webchat.storage.files.transcripts import FileTranscripts


def calls_of(work: Callable[[], object]) -> int:
    """How many functions `work` calls, in Python and in C."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


class Session:
    """A session of that many messages with an answer being written."""

    def __init__(self, count: int) -> None:
        stored = Stored(MemoryFolder())
        self.transcripts = stored.transcripts
        self.read_all = Conversations(stored, lambda session_id: None)
        parents = [None, *(f"m{number}" for number in range(count))]
        stored.transcripts.append("s", *(Message(f"m{n}", "user", "hi", parent=parents[n]) for n in range(count)))
        stored.leases.acquire("s")
        self.log = stored.replies.begin("s", {"id": "answer", "parent": f"m{count - 1}"})

    def update(self) -> None:
        self.log.write({"d": "more"})
        conversation = self.read_all.read("s")
        change = change_since(conversation, self.position)
        assert (change.current.id, change.added, change.replaced) == ("answer", (), False)
        assert conversation.find("answer").in_flight

    def updates_cost(self) -> int:
        self.position = self.read_all.read("s").position
        return calls_of(self.update)


def test_an_update_costs_the_same_however_long_the_session_is():
    short, long = Session(10), Session(3000)
    assert long.updates_cost() == short.updates_cost()


def test_so_does_a_message_that_is_added():
    costs = []
    for count in (10, 3000):
        session = Session(count)
        session.read_all.read("s")
        leaf = session.transcripts.read("s").leaf
        session.transcripts.append("s", Message("next", "user", "and?", parent=leaf.id))
        costs.append(calls_of(lambda session=session: session.transcripts.read("s")))
    assert costs[0] == costs[1]


IDS = st.sampled_from("abcdefgh")
RECORDS = st.one_of(
    st.builds(lambda name, parent: {"type": "message", "id": name, "parent": parent}, IDS, st.none() | IDS),
    st.builds(lambda name: {"type": "message", "id": name}, IDS),
    st.builds(lambda name: {"type": "extend", "id": name}, IDS),
    st.builds(lambda name: {"type": "select", "id": name}, IDS),
)


@given(st.lists(RECORDS, max_size=20), st.sets(st.integers(0, 20)))
def test_a_branch_that_is_read_on_is_the_one_that_is_read_at_once(records, looks):
    folder = MemoryFolder()
    reader, seen = FileTranscripts(folder), []
    for number, record in enumerate(records):
        folder.append_line("s.jsonl", json.dumps({"role": "user", "content": str(number), **record}).encode())
        if number in looks:
            branch = reader.read("s")
            assert branch == FileTranscripts(folder).read("s")
            seen.append((branch, tuple(branch.messages)))
    assert reader.read("s") == FileTranscripts(folder).read("s")
    for branch, messages in seen:  # the messages read before are unchanged
        assert tuple(branch.messages) == messages
        assert [branch.messages.place(message.id) for message in messages] == [*range(len(messages))]
        for revision in range(branch.revision + 1):
            fresh = [number for number, message in enumerate(messages) if message.revision > revision]
            assert branch.messages.first_after(revision) == (fresh[0] if fresh else len(messages))


class SlowFolder(MemoryFolder):
    """While a file of session "slow" is read, another thread does something, to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None
        self.logs: SlowFolder | None = None

    def sub(self, name):
        self.logs = self.logs or SlowFolder()
        return self.logs

    def read(self, name, offset=0, size=None):
        work, self.meanwhile = (self.meanwhile, None) if name.startswith("slow.") else (None, self.meanwhile)
        if work:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive(), "it waits for another session's file"
        return super().read(name, offset, size)


@pytest.mark.parametrize("call", ["read", "leaf_below", "sent_with"])
def test_nobody_waits_for_another_sessions_file(call):
    folder = SlowFolder()
    transcripts = FileTranscripts(folder, cached_sessions=1)
    for name in ("slow", "other"):
        transcripts.append(name, Message("a", "user", name, key="k"))
    read = []
    folder.meanwhile = lambda: read.append(transcripts.read("other").leaf.content)
    arguments = {"read": (), "leaf_below": ("a",), "sent_with": ("k",)}[call]
    answer = getattr(transcripts, call)("slow", *arguments)
    assert read == ["other"]
    found = {"read": lambda: answer.leaf.content, "leaf_below": lambda: answer, "sent_with": lambda: answer[0][0].id}
    assert found[call]() == ("slow" if call == "read" else "a")


def test_nobody_waits_for_another_sessions_reply():
    folder = SlowFolder()
    replies = Stored(folder).replies
    for name in ("slow", "other"):
        replies.begin(name, {"id": name})
    read = []
    replies.logs.meanwhile = lambda: read.append(replies.view("other").id)
    assert replies.view("slow").id == "slow"
    assert read == ["other"]


def test_more_live_sessions_than_are_cached_are_asked_at_once():
    transcripts = FileTranscripts(MemoryFolder(), cached_sessions=2)
    names = [f"s{number}" for number in range(6)]
    for name in names:
        transcripts.append(name, Message("a", "user", name, key="k"))
    wrong = []

    def ask(name):
        for _ in range(200):
            if transcripts.leaf_below(name, "a") != "a" or transcripts.sent_with(name, "k")[0][0].content != name:
                wrong.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
