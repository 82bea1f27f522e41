"""Several answers written to PostgreSQL at once: with few statements, and none suffers from another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from tests.reading import until
from webchat.errors import LeaseLost, StorageAway
from webchat.storage import storage_at
from webchat.storage.postgres.database import Database

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (webchat[postgres])")
NAMES = ("a", "b", "c", "d")


class Answers:
    """One answer in each of several sessions of one server."""

    def __init__(self, place: str, stack: ExitStack) -> None:
        self.storage, self._place = storage_at(place), place
        stack.callback(self.storage.close)
        self._pool = stack.enter_context(ThreadPoolExecutor())
        for name in NAMES:
            stack.callback(self.storage.leases.acquire(name))
        self._logs = {name: self.storage.replies.begin(name, {"id": f"answer {name}"}) for name in NAMES}

    def write(self, name: str, *texts: str) -> Future[None]:
        """Write in a thread of its own."""
        return self._pool.submit(self._logs[name].write, *({"d": text} for text in texts))

    def write_here(self, name: str, text: str) -> None:
        """Write in the test's own thread."""
        self._logs[name].write({"d": text})

    def write_together(self, *names: str) -> dict[str, Future[None]]:
        """Have the first write wait for the locked table of lines, and the others for the first."""
        with psycopg.connect(self._place) as connection:
            connection.execute("LOCK TABLE webchat.reply_lines IN EXCLUSIVE MODE")
            written = {names[0]: self.write(names[0], "some ", "words")}
            until(self.has_lock_awaited)
            written |= {name: self.write(name, "some ", "words") for name in names[1:]}
            until(lambda: len(self.storage.replies.writer.waiting) == len(names) - 1)
        return written

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        with psycopg.connect(self._place) as connection:
            connection.execute("SELECT FROM webchat.conversations WHERE session_id = %s FOR UPDATE", (name,))
            yield

    def has_lock_awaited(self) -> bool:
        return bool(self._asked("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    def text(self, name: str) -> str:
        return self.storage.replies.view(name).message(alive=True).content

    def transactions(self) -> int:
        """The number of transactions that have written the lines that are there."""
        return len(self._asked("SELECT DISTINCT xmin::text FROM webchat.reply_lines"))

    def _asked(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self._place) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Nobody waits long for a lock; requested before `answers`."""
    monkeypatch.setattr(Database, "limits", "SET statement_timeout = '8s'; SET lock_timeout = '1s'")


@pytest.fixture
def answers(database) -> Iterator[Answers]:
    with ExitStack() as stack:
        yield Answers(database, stack)


def test_writes_that_come_during_another_one_share_a_transaction(answers):
    for written in answers.write_together(*NAMES).values():
        written.result()
    assert [answers.text(name) for name in NAMES] == ["some words"] * 4
    assert answers.transactions() == 2
    answers.write("b", " and more").result()
    assert answers.text("b") == "some words and more"


def test_one_thread_that_writes_for_all_waits_for_no_others(answers):
    answers.storage.replies.writer.interval = 20.0
    began = time.monotonic()
    for name in NAMES:
        answers.write_here(name, "some words")
    assert time.monotonic() - began < 20
    assert [answers.text(name) for name in NAMES] == ["some words"] * 4


def test_a_lease_that_was_lost_costs_only_its_own_answer(answers):
    answers.storage.database.rows("UPDATE webchat.conversations SET lease = 1 WHERE session_id = 'c'")
    written = answers.write_together(*NAMES)
    with pytest.raises(LeaseLost):
        written["c"].result()
    for name in ("a", "b", "d"):
        written[name].result()
    assert [answers.text(name) for name in NAMES] == ["some words", "some words", "", "some words"]


def test_a_row_that_stays_locked_costs_only_its_own_answer(impatient, answers):
    with answers.locked("c"):
        written = answers.write_together(*NAMES)
        with pytest.raises(StorageAway):
            written["c"].result()
        for name in ("a", "b", "d"):
            written[name].result()
    answers.write("c", "later").result()
    assert [answers.text(name) for name in NAMES] == ["some words", "some words", "later", "some words"]


def test_nobody_waits_for_the_locked_row_of_another_answer(answers):
    with answers.locked("a"):
        first = answers.write("a", "some ", "words")
        until(answers.has_lock_awaited)
        for name in ("b", "c", "d"):
            answers.write(name, "some ", "words").result()
        assert not first.done()
    first.result()
    assert [answers.text(name) for name in NAMES] == ["some words"] * 4


def test_any_text_is_written_as_it_is(answers):
    text = 'quote " back\\slash \\u0000 \0 new\nline € 🎉'
    answers.write("a", text).result()
    assert answers.text("a") == text


def test_no_write_reads_all_sessions(answers):
    rows = answers.storage.database.rows
    rows("INSERT INTO webchat.conversations (session_id) SELECT 'other' || n FROM generate_series(1, 3000) AS n")
    rows("ANALYZE webchat.conversations")

    def scans() -> tuple[int, int]:
        """How often all of the table has been read, and how often an index."""
        return rows("SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'conversations'")[0]

    def write() -> None:
        indexed = scans()[1]
        answers.write("a", "words ").result()
        until(lambda: scans()[1] > indexed)  # PostgreSQL counts with a delay

    write()
    before = scans()
    write()
    assert scans()[0] == before[0]
