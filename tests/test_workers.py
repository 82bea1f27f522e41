"""Threads that handle requests are started when they are needed: all at once, they would delay the first page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from tests.reading import until
from webchat.errors import NoThreads
from webchat.serving.workers import AT_FIRST, Workers

MOST = 12


class Request:
    """A task that holds its thread until it is released."""

    def __init__(self) -> None:
        self.begun, self.released, self.is_cancelled = threading.Event(), threading.Event(), False

    def service(self) -> None:
        self.begun.set()
        self.released.wait(30)

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(MOST)
    yield workers
    workers.shutdown()


@pytest.fixture
def requests(workers) -> Iterator[list[Request]]:
    """A list of requests; those in it are released in the end."""
    held: list[Request] = []
    yield held
    for request in held:
        request.released.set()


def hold(workers: Workers, requests: list[Request], number: int) -> None:
    for _ in range(number):
        requests.append(Request())
        workers.add_task(requests[-1])


def test_each_request_gets_a_thread_up_to_the_number(workers, requests):
    assert len(workers.threads) == AT_FIRST
    hold(workers, requests, MOST + 3)
    for request in requests[:MOST]:
        assert request.begun.wait(10)
    assert len(workers.threads) == MOST
    assert not any(request.begun.is_set() for request in requests[MOST:])
    requests[0].released.set()
    assert requests[MOST].begun.wait(10)


def test_requests_one_after_the_other_need_no_further_thread(workers, requests):
    until(lambda: workers.active_count == 0)
    for _ in range(3 * MOST):
        hold(workers, requests, 1)
        requests[-1].released.set()
        until(lambda: requests[-1].begun.is_set() and workers.active_count == 0)
    assert len(workers.threads) == AT_FIRST


def test_many_that_add_at_once_have_all_their_requests_handled(workers):
    together, begun = threading.Barrier(MOST), SimpleQueue[None]()

    class Meeting(Request):
        def service(self) -> None:
            together.wait(10)  # breaks unless every one has a thread
            begun.put(None)

    adding = [threading.Thread(target=workers.add_task, args=(Meeting(),)) for _ in range(MOST)]
    for thread in adding:
        thread.start()
    for _ in adding:
        begun.get(timeout=10)


def test_if_the_system_has_no_thread_left_a_request_waits_for_those_there(workers, requests, monkeypatch):
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    hold(workers, requests, AT_FIRST + 1)
    for request in requests[:AT_FIRST]:
        assert request.begun.wait(10)
    assert len(workers.threads) == AT_FIRST
    requests[0].released.set()
    assert requests[AT_FIRST].begun.wait(10)
    with pytest.raises(NoThreads):
        Workers(MOST)
    monkeypatch.setattr(threading.Thread, "start", start)
    hold(workers, requests, 3)
    assert requests[-1].begun.wait(10)


def test_after_the_end_no_thread_is_started(workers, requests):
    workers.shutdown()
    hold(workers, requests, 2)
    assert not workers.threads
    workers.shutdown()
    assert all(request.is_cancelled for request in requests)
