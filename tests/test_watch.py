"""One thread polls for all readers of a process: what it reports, what it costs, and when it ends."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.reading import until
from webchat.errors import NoThreads
from webchat.storage.polling_bus import PollingBus


class World:
    """The list and the sessions as other processes change them; counts the checks."""

    def __init__(self) -> None:
        self.lists: Counter[str | None] = Counter()
        self.sessions: Counter[str] = Counter()
        self.looks: Counter[str] = Counter()
        self.rounds = 0
        self.broken = False
        self.bus = PollingBus(self.version, self.look)

    def version(self, owner: str | None) -> object:
        return self.lists[owner]

    def look(self, session_ids) -> dict[str, object]:
        self.rounds += 1
        self.looks.update(session_ids)
        if self.broken:
            raise OSError("the disk is gone")
        return {session_id: self.sessions[session_id] for session_id in session_ids}

    def follow(self, session_id: str = "a", gone=lambda: False, owner: str | None = None):
        return self.bus.follow(session_id, owner, gone)

    def after_rounds(self, count: int = 2) -> None:
        """Wait until the thread has checked that many more times."""
        before = self.rounds
        until(lambda: self.rounds >= before + count)


@pytest.fixture
def world():
    world = World()
    yield world
    world.bus.close()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "watch"]


def settle(world, *waiters) -> None:
    """Wait for the first check, which wakes everybody once, because earlier changes are unknown."""
    world.after_rounds(3)  # the first may have begun before the readers joined
    for waiter in waiters:
        waiter.clear()


def test_a_change_of_one_session_wakes_its_readers_and_no_others(world):
    with world.follow("a") as first, world.follow("a") as second, world.follow("b") as other:
        settle(world, first, second, other)
        world.sessions["a"] += 1
        assert first.wait(10)
        assert second.wait(10)
        world.after_rounds()
        assert not other.wait(0)


def test_a_change_of_a_persons_list_wakes_all_that_they_read_and_nobody_elses(world):
    with (
        world.follow("a", owner="ada") as reader,
        world.follow("", owner="ada") as without_session,
        world.follow("", owner="bob") as other,
    ):
        settle(world, reader, without_session, other)
        world.lists["ada"] += 1
        assert reader.wait(10)
        assert without_session.wait(10)
        world.after_rounds()
        assert not other.wait(0)
        assert (world.bus.list_version("ada"), world.bus.list_version("bob")) == (1, 0)


def test_a_change_of_the_list_wakes_many_in_turns(world):
    world.bus.notified_at_once = 2
    with ExitStack() as stack:
        readers = [stack.enter_context(world.follow(str(number))) for number in range(5)]
        world.after_rounds(3)
        settle(world, *readers)
        told: list[int] = []
        for reader in readers:
            reader.call(lambda: told.append(world.rounds), urgent=False)
        world.lists[None] += 1
        until(lambda: len(told) == 5)
    assert max(Counter(told).values()) == 2


def test_a_reader_who_has_gone_is_woken(world):
    gone = threading.Event()
    with world.follow("a", gone.is_set) as reader:
        settle(world, reader)
        gone.set()
        assert reader.wait(10)


def test_what_changes_before_the_first_look_is_not_missed(world):
    with world.follow("a") as reader:
        world.sessions["a"] += 1
        assert reader.wait(10)


def test_many_readers_cost_one_look_at_each_session(world):
    followed = [world.follow(name) for name in "ab" for _ in range(50)]
    for reader in followed:
        reader.__enter__()
    world.after_rounds()
    world.looks.clear()
    before = world.rounds
    world.after_rounds(3)
    assert max(world.looks.values()) <= world.rounds - before + 1
    until(lambda: len(threads()) == 1)  # those of earlier tests may still be ending
    for reader in followed:
        reader.__exit__(None, None, None)


def test_without_readers_there_is_no_thread_and_nobody_looks(world):
    with world.follow():
        world.after_rounds()
    until(lambda: not threads())
    with world.follow() as reader:
        settle(world, reader)
        world.sessions["a"] += 1
        assert reader.wait(10)


def test_what_cannot_be_looked_at_wakes_the_readers_who_meet_it_themselves(world):
    with world.follow() as reader:
        settle(world, reader)
        world.broken = True
        assert reader.wait(10)
        world.broken = False
        world.after_rounds()
        reader.clear()
        world.sessions["a"] += 1
        assert reader.wait(10)


def test_the_end_of_the_server_wakes_everybody(world):
    with world.follow() as reader:
        settle(world, reader)
        world.bus.close()
        assert reader.wait(10)


def test_without_a_thread_nobody_can_follow_and_the_next_can(world, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _refused)
        with pytest.raises(NoThreads), world.follow():
            pass
    with world.follow() as reader:
        world.sessions["a"] += 1
        assert reader.wait(10)


def test_one_who_comes_and_goes_while_readers_are_counted_ends_nothing(world):
    class Busy(str):
        """A session of which another page is opened and closed whenever the thread looks it up."""

        def __hash__(self):
            if threading.current_thread().name == "watch":
                with world.follow("passing"):
                    pass
            return super().__hash__()

    with world.follow(Busy("busy")):
        world.after_rounds()
    with world.follow("a") as reader:
        settle(world, reader)
        world.sessions["a"] += 1
        assert reader.wait(10)


def _refused(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
