"""A clock that is set back, or was a day ahead: the list's order, the messages' order and ids stay sane."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.stored import documents_in, place_of
from webchat import create_app
from webchat.fileutil import DiskFolder, quarantine
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore


class Clock:
    """Advances by a second each time it is read, and can be set by the test."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> str:
        self.now += timedelta(seconds=1)
        return self.now.isoformat(timespec="microseconds")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(home):
    return place_of(home)


@pytest.fixture
def manager(path, clock):
    manager = WebChatSessionManager(ScriptedBackend(), path, clock=clock)
    yield manager
    manager.close()


def say(manager, text, session_id=None):
    session_id = session_id or manager.create_session().session_id
    manager.send_message(text, session_id)
    until(lambda: not manager.answers_in_flight)
    return session_id


def order(manager):
    return [session.session_id for session in manager.list_sessions()]


JUMPS = [timedelta(days=-1), timedelta(days=1), timedelta(days=-20_000), timedelta(days=400), timedelta(seconds=-30)]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_what_happened_last_stands_first_wherever_the_clock_was_set_meanwhile(manager, clock, path, jump):
    first, second = say(manager, "one"), say(manager, "two")
    clock.now += jump
    third = say(manager, "three")
    assert order(manager) == [third, second, first]
    clock.now -= jump
    say(manager, "more", first)
    assert order(manager) == [first, third, second]
    manager.resume_session(second)
    assert order(manager) == [second, first, third]
    fourth = manager.create_session().session_id
    expected = [fourth, second, first, third]
    assert order(manager) == expected
    # Another process, and one that starts after the log was shortened, see the same.
    assert order(WebChatSessionManager(ScriptedBackend(), path)) == expected
    if isinstance(path, Path):
        manager.storage.main.activity.rewrite()
    assert order(manager) == order(WebChatSessionManager(ScriptedBackend(), path)) == expected


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_messages_stay_in_their_order_and_ids_differ(manager, clock, jump):
    session_id = say(manager, "one")
    clock.now += jump
    say(manager, "two", session_id)
    messages = manager.conversation(session_id).messages
    assert [message.content for message in messages] == ["one", "You said: one", "two", "You said: two"]
    assert len({message.id for message in messages}) == 4


def test_times_are_those_that_the_clock_told(manager, clock):
    say(manager, "one")
    clock.now -= timedelta(days=1)
    session_id = say(manager, "two")
    assert manager.get_session(session_id).last_active.startswith(clock.now.date().isoformat())


def test_each_day_of_the_list_stands_there_once(home, path, clock, page):
    manager = WebChatSessionManager(ScriptedBackend(), path, clock=clock)
    for days in (0, -1, 0, 1, -3, 0):
        clock.now = datetime.now(UTC) + timedelta(days=days)
        say(manager, "hello")
    headings = [heading.get_text() for heading in page("/sessions").soup.select("main section.group h2")]
    assert headings == ["Today"]


def test_memories_and_copies_get_names_of_their_own(home, clock):
    store = MemoryStore(documents_in(DiskFolder(home)), clock=clock)
    ids = [store.remember("one")["id"]]
    clock.now -= timedelta(days=1)
    ids += [store.remember("two")["id"]]
    assert ids == ["mem-001", "mem-002"]
    names = {quarantine(DiskFolder(home), "memory-store.yaml") for _ in range(3)}
    assert len(names) == 3


@pytest.mark.files
def test_a_file_from_a_clock_that_is_ahead_is_listed_at_once(home):
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    file = home / "server" / "web-chat-transcripts" / "brought.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"role": "user", "content": "hello"}\n')
    os.utime(file, (time.time() + 86_400,) * 2)
    assert app.extensions["webchat"].housekeeping.adopt() == ["brought"]


def test_what_is_deleted_while_the_clock_is_behind_stays_in_the_trash_for_its_time(manager, clock, path):
    house, (first, second) = manager.housekeeping, [say(manager, text) for text in ("one", "two")]
    right = clock.now
    clock.now -= timedelta(days=40)
    house.delete([first])
    clock.now += timedelta(seconds=5)
    house.delete([second])
    clock.now = right
    house.empty_expired()
    after = WebChatSessionManager(ScriptedBackend(), path, clock=clock).housekeeping
    assert {session.session_id for session in after.trash()} == {first, second}
    clock.now = right + timedelta(days=29, hours=23)
    after.empty_expired()
    assert len(after.trash()) == 2
    clock.now = right + timedelta(days=30, hours=1)
    after.empty_expired()
    assert after.trash() == []


def test_a_session_brought_back_and_deleted_again_counts_from_then(manager, clock):
    house, session_id = manager.housekeeping, say(manager, "one")
    clock.now -= timedelta(days=1)
    house.delete([session_id])
    house.restore([session_id])
    clock.now += timedelta(days=100)
    house.delete([session_id])
    clock.now += timedelta(days=29)
    house.empty_expired()
    assert len(house.trash()) == 1


def test_a_memory_deleted_while_the_clock_is_behind_stays_in_the_trash_for_its_time(home, clock):
    store = MemoryStore(documents_in(DiskFolder(home)), clock=clock)
    store.remember("one"), store.remember("two")
    right = clock.now
    clock.now -= timedelta(days=40)
    store.delete("mem-001"), store.delete("mem-002")
    clock.now = right + timedelta(days=29)
    store.empty_expired()
    assert len(store.trash()) == 2
    assert store.restore("mem-001")
    assert "kept_since" not in (home / "memory-store.yaml").read_text().partition("trash:")[0]
    clock.now = right + timedelta(days=31)
    store.empty_expired()
    assert store.trash() == []


def test_a_memory_counts_from_the_newest_moment_of_the_sessions(home, path, clock):
    """Compared with the clock now, that time is 40 days ahead: the clock is slow."""
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    documents = app.extensions["webchat"].storage.documents
    MemoryStore(documents).remember("one")
    clock.now += timedelta(days=40)
    say(WebChatSessionManager(ScriptedBackend(), path, clock=clock), "hello")
    assert app.test_client().post("/apps/settings/memories/mem-001/delete").status_code == 303
    clock.now += timedelta(days=29)
    assert [memory["id"] for memory in MemoryStore(documents, clock=clock).trash()] == ["mem-001"]
