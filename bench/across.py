"""Two servers on one database: how soon a page of one shows what the other writes, and one stops the other."""

from __future__ import annotations

from bench import processes
from bench.client import HTMX, WHOLE, Visitor
from bench.crowd import visit
from bench.figures import Figure, of_times
from bench.postgres import cluster

PIECES, RATE, STOPS = 160, 20, 20


def two_servers() -> list[Figure]:
    """An answer on one server, read by a page of the other; then several stops from the other server."""
    with cluster() as running, processes.home() as home:
        with processes.paced_chat(home / "a", running.url()) as a, processes.paced_chat(home / "b", running.url()) as b:
            reader, writer = Visitor(a), Visitor(b)
            visits = visit(a, "page", [reader.new_session()], f"pieces {PIECES} at {RATE}", b.port)["visits"]
            stops = [_stop(reader, writer) for _ in range(STOPS)]
    return [
        of_times("a piece on a page of the other server", visits[0]["late"], 300, judged="p95"),
        of_times("a stop from the other server", stops, 500, judged="p95"),
    ]


def _stop(reader: Visitor, writer: Visitor) -> float:
    """Milliseconds until an answer that is stopped from the other server has ended."""
    path = f"/sessions/{reader.new_session()}"
    writer.post(f"{path}/messages", HTMX, message="pieces 1000 at 20")
    return reader.post(f"{path}/stop", WHOLE).milliseconds
