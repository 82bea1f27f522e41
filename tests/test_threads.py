"""Threads that are used again, for work that begins often."""

from __future__ import annotations

import os
import threading
import weakref
from contextvars import ContextVar

import pytest

from tests.reading import until
from tests.tab import PATIENCE
from webchat.errors import NoThreads
from webchat.threads import ReusedThreads

spoken: ContextVar[str] = ContextVar("spoken", default="nothing")


@pytest.fixture
def threads():
    return ReusedThreads(idle=2 * PATIENCE)


class Work:
    """Notes the thread and the context it was called in; ends when `gate` is set."""

    def __init__(self) -> None:
        self.begun, self.gate = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.thread, self.name = threading.current_thread(), threading.current_thread().name
        self.found = spoken.get()
        spoken.set("something")
        self.begun.set()
        assert self.gate.wait(30)


def begun(threads, name="work"):
    work = Work()
    threads.start(work, name)
    assert work.begun.wait(30)
    return work


def ended(work):
    """Have it end; returns its thread once that is idle, or gone."""
    work.gate.set()
    until(lambda: work.thread.name == "idle" or not work.thread.is_alive())
    return work.thread


def test_work_is_done_by_a_thread_that_is_done_with_another(threads):
    first = begun(threads, "first")
    thread = ended(first)
    second = begun(threads, "second")
    assert second.thread is thread
    assert (first.name, second.name) == ("first", "second")
    ended(second)


def test_works_at_once_have_a_thread_each(threads):
    works = [begun(threads) for _ in range(3)]
    assert len({work.thread for work in works}) == 3
    for work in works:
        ended(work)


def test_nothing_of_one_work_reaches_the_next(threads):
    first = begun(threads)
    thread = ended(first)
    trace = weakref.ref(first)
    del first
    until(lambda: trace() is None)
    second = begun(threads)
    assert (second.thread, second.found) == (thread, "nothing")
    ended(second)


def test_an_idle_thread_ends_and_another_one_is_started():
    threads = ReusedThreads(idle=0.01)
    thread = ended(begun(threads))
    until(lambda: not thread.is_alive())
    another = begun(threads)
    assert another.thread is not thread
    ended(another)


def test_a_work_that_fails_takes_its_thread_with_it(threads, monkeypatch):
    failures = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failures.append(args.exc_type))

    def fail() -> None:
        raise KeyError

    threads.start(fail, "fails")
    until(lambda: failures == [KeyError])
    ended(begun(threads))


def test_it_is_told_if_there_are_no_threads_left_except_idle_ones(threads, monkeypatch):
    thread = ended(begun(threads))
    monkeypatch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no thread")))
    work = begun(threads)
    assert work.thread is thread
    with pytest.raises(NoThreads):
        threads.start(print, "refused")
    ended(work)


def test_a_fork_starts_threads_of_its_own(threads):
    ended(begun(threads))
    child = os.fork()
    if child == 0:
        work = Work()
        work.gate.set()
        threads.start(work, "in a fork")
        os._exit(0 if work.begun.wait(30) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
