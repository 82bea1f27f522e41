"""Compares PostgreSQL with plain files, and shows that it does not get slower with more people and sessions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import LiteralString
from urllib.parse import quote

from bench import processes
from bench.client import HTMX, WHOLE, Visitor
from bench.crowd import QUESTIONS, USERS, cost_of_users
from bench.figures import Figure, of_times
from bench.load import PERSON
from bench.postgres import Cluster, cluster
from webchat.storage import storage_at
from webchat.storage.protocols import Storage

SESSIONS_EACH, FEW, MANY = 20, 50, 50_000
"""Sessions of each person, and people: 1,000 sessions and 1,000,000."""
ROUNDS = 60
WRITERS, WRITES = 16, 500
"""Answers written in parallel, and the number of writes of each."""
DURABLE = {"fsync": "on", "full_page_writes": "on"}
"""Settings with which a database survives a power loss."""
_FILL: tuple[LiteralString, ...] = (
    """INSERT INTO webchat.sessions
    SELECT 's' || n, 'user' || n %% %(people)s, 'list', false, true, n < %(people)s, NULL, '~', NULL, NULL, 1.7e9 + n,
        nextval('webchat.numbers'), '2026-03-01T12:00:00+00:00', '2026-03-01T12:00:00+00:00', false,
        convert_to(format('{"session_id":"s%%s","description":"About number %%s","created_at":'
            '"2026-03-01T12:00:00+00:00","last_active":"2026-03-01T12:00:00+00:00","is_active":false,"begun":true,'
            '"owner":"user%%s","extra":{}}', n, n, n %% %(people)s), 'UTF8')
    FROM generate_series(0, %(sessions)s - 1) AS n""",
    """INSERT INTO webchat.conversations (session_id, lines, bytes, said)
    SELECT 's' || n, 2, 300, nextval('webchat.numbers') FROM generate_series(0, %(sessions)s - 1) AS n""",
    """INSERT INTO webchat.lines SELECT 's' || n, 1 + m, convert_to(format('{"type":"message","id":"m%%s","role":"%%s",'
        '"parent":%%s,"content":"What is said in message %%s of number %%s, a zebra of many words"}', m,
        CASE m WHEN 0 THEN 'user' ELSE 'assistant' END, CASE m WHEN 0 THEN 'null' ELSE '"m0"' END, m, n), 'UTF8')
    FROM generate_series(0, %(sessions)s - 1) AS n, generate_series(0, 1) AS m""",
    """INSERT INTO webchat.words SELECT 's' || n, 'm' || m, 1 + m, false,
        format(' what is said in message %%s of number %%s a zebra of many words ', m, n)
    FROM generate_series(0, %(sessions)s - 1) AS n, generate_series(0, 1) AS m""",
)


def many_people() -> list[Figure]:
    """One person's actions, alternating between 1,000 sessions of 50 people and 1,000,000 of 50,000."""
    with cluster({"shared_buffers": "512MB", "max_wal_size": "4GB"}) as running:
        with _chat_of(running, FEW) as few, _chat_of(running, MANY) as many:
            took: dict[str, dict[int, list[float]]] = {name: {FEW: [], MANY: []} for name in _DEEDS}
            chats = [(FEW, Visitor(few)), (MANY, Visitor(many))]
            for number in range(ROUNDS):
                random.shuffle(chats)
                for people, visitor in chats:
                    for name, deed in _DEEDS.items():
                        spent = deed(visitor, random.randrange(people), people)
                        if number >= ROUNDS // 6:  # the caches are warm by now
                            took[name][people].append(spent)
    rows = []
    for name, times in took.items():
        few_times = of_times(f"{name}, of 1,000 sessions", times[FEW], None, judged="median")
        many_times = of_times(f"{name}, of 1,000,000", times[MANY], None, judged="median")
        rows += [
            few_times,
            many_times,
            Figure("the second to the first", many_times.value / few_times.value, "", 1.3, fixed=True),
        ]
    return rows


def _list(visitor: Visitor, person: int, people: int) -> float:
    return visitor.get("/sessions", {**HTMX, PERSON: f"user{person}"}).milliseconds


def _message(visitor: Visitor, person: int, people: int) -> float:
    path = f"/sessions/s{person + people * random.randrange(SESSIONS_EACH)}/messages"
    return visitor.post(path, {**WHOLE, PERSON: f"user{person}"}, message="a message").milliseconds


def _open(visitor: Visitor, person: int, people: int) -> float:
    path = f"/sessions/s{person + people * random.randrange(SESSIONS_EACH)}"
    return visitor.get(path, {PERSON: f"user{person}"}).milliseconds


def _search(visitor: Visitor, person: int, people: int) -> float:
    return visitor.get(f"/sessions?q={quote('zebra many')}", {**HTMX, PERSON: f"user{person}"}).milliseconds


_DEEDS: dict[str, Callable[[Visitor, int, int], float]] = {
    "a person's list": _list,
    "a message": _message,
    "opening a session": _open,
    "a search": _search,
}


@contextmanager
def _chat_of(running: Cluster, people: int) -> Iterator[processes.Server]:
    """A chat on a database of its own, with the sessions of that many people."""
    import psycopg

    from webchat.storage.postgres.schema import FOLDING

    name = f"of_{people}"
    with psycopg.connect(running.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    storage_at(running.url(name)).close()
    with psycopg.connect(running.url(name), autocommit=True) as connection:
        connection.execute("SELECT set_config('webchat.folding', %s, false)", (FOLDING,))  # else all would be reindexed
        for statement in _FILL:
            connection.execute(statement, {"people": people, "sessions": people * SESSIONS_EACH})
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    with processes.home() as home:
        with processes.chat(home, "--database", running.url(name), "--auth-header", PERSON) as server:
            yield server


def users() -> list[Figure]:
    """50 people who ask four questions each, with plain files and with PostgreSQL, in one run."""
    with cluster(DURABLE) as running:
        files = cost_of_users()
        before = running.cpu()
        database = cost_of_users("--database", running.url())
        own = (running.cpu() - before) * 1000 / (USERS * QUESTIONS + 1)
    return [
        Figure("server's CPU for an answer, plain files", files, "ms"),
        Figure("the same with PostgreSQL", database, "ms"),
        Figure("the second to the first", database / files, "", 1.5, fixed=True),
        Figure("PostgreSQL's own CPU for an answer", own, "ms"),
        *_writes(),
    ]


def _writes() -> list[Figure]:
    """Writes an answer's log as fast as possible, by one writer and by several."""
    rows = []
    with cluster(DURABLE) as running:
        storage = storage_at(running.url())
        for writers in (1, WRITERS):
            before, began = running.cpu(), time.monotonic()
            with ThreadPoolExecutor(writers) as pool:
                list(pool.map(partial(_write, storage), [f"s{number}" for number in range(writers)]))
            took, spent = time.monotonic() - began, running.cpu() - before
            count = writers * WRITES
            rows.append(Figure(f"writes a second of {writers} answers", count / took, "/s"))
            rows.append(Figure("PostgreSQL's CPU for one of them", spent / count * 1000, "ms"))
        storage.close()
    return rows


def _write(storage: Storage, session_id: str) -> None:
    release = storage.leases.acquire(session_id)
    log = storage.replies.begin(session_id, {"id": "answer"})
    for number in range(WRITES):
        log.write({"d": f"some words, of which these are number {number} "})
    log.discard()
    release()
