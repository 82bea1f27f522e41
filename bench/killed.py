"""What a killed server loses of its answers: the age of the newest text that PostgreSQL has of each."""

from __future__ import annotations

import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from bench import processes
from bench.client import HTMX, Visitor
from bench.database import DURABLE
from bench.figures import Figure, Wrong, quantile
from bench.load import PERSON
from bench.postgres import Cluster, cluster
from webchat.chat.reply import ReplyView
from webchat.storage import storage_at

KILLS = {1: 10, 20: 4, 50: 4}
"""How many servers are killed that give so many answers at once."""
RATE = 50
"""Pieces a second of each answer."""
SHORTEST, LONGEST = 1.0, 6.0
"""Seconds from the questions to the kill."""
MOST_LOST = 250
"""Milliseconds of an answer."""


def losses() -> list[Figure]:
    """The oldest newest text for each number of answers."""
    with cluster(DURABLE) as running, processes.writing_model() as model:
        return [
            _of_ages(count, [age for _ in range(kills) for age in _ages(running, model, count)])
            for count, kills in KILLS.items()
        ]


def _of_ages(count: int, ages: list[float]) -> Figure:
    what = f"age of the newest stored text of {count} answers at a kill, at most"
    return Figure(what, max(ages), "ms", MOST_LOST, median=statistics.median(ages), p95=quantile(ages, 0.95))


def _ages(running: Cluster, model: processes.Server, count: int) -> list[float]:
    """The milliseconds for each of so many answers of one server."""
    options = ("--base-url", f"{model.url}/v1", "--model", "fake", "--auth-header", PERSON, "--database", running.url())
    with processes.home() as home, processes.chat(home, *options, backend="openai") as server:
        with ThreadPoolExecutor(count) as pool:
            sessions = list(pool.map(lambda number: _ask(server, f"user{number}"), range(count)))
        time.sleep(random.uniform(SHORTEST, LONGEST))
        killed = time.monotonic()
        server.kill()
    storage = storage_at(running.url())
    try:
        return [(killed - _newest(storage.replies.view(session_id))) * 1000 for session_id in sessions]
    finally:
        storage.close()


def _ask(server: processes.Server, person: str) -> str:
    """Ask in a new session; returns its id."""
    visitor, header = Visitor(server), {PERSON: person}
    session_id = visitor.new_session(header)
    message = f"stamps {RATE * 60} at {RATE}"
    visitor.post(f"/sessions/{session_id}/messages", {**HTMX, **header}, message=message)
    return session_id


def _newest(view: ReplyView | None) -> float:
    """When the newest text was sent."""
    stamps = view.message(alive=False).content.split() if view else []
    if not stamps:
        raise Wrong("nothing of an answer was stored")
    return int(stamps[-1]) / 1e6
