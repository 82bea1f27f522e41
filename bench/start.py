"""From the command to the first page, and the memory of the idle process."""

from __future__ import annotations

import time

from bench import processes
from bench.client import Visitor
from bench.figures import Figure, of_times

STARTS = 10


def first_page() -> list[Figure]:
    """From the start to the first served page."""
    starts = [_start() for _ in range(STARTS)]
    return [
        of_times("start to first page", [took for took, _ in starts], 600, judged="median"),
        of_times("its CPU", [cpu for _, cpu in starts], None, judged="median"),
    ]


def memory() -> list[Figure]:
    """Resident memory of the chat's process when it is idle: after a page, and again after some answers."""
    figures = []
    with processes.fake_model(20, 0.0) as model:
        for backend, options in (("mock", ()), ("openai", ("--base-url", f"{model.url}/v1", "--model", "fake"))):
            with processes.home() as home, processes.chat(home, *options, backend=backend) as server:
                visitor = Visitor(server)
                visitor.get("/")
                figures.append(Figure(f"idle memory, {backend}, after a page", server.resident(), "MiB", 60))
                session = visitor.new_session()
                for number in range(20):
                    visitor.post(f"/sessions/{session}/messages", {"Accept": "application/json"}, message=str(number))
                    visitor.get("/")
                figures.append(Figure(f"idle memory, {backend}, after 20 answers", server.resident(), "MiB", 60))
    return figures


def _start() -> tuple[float, float]:
    with processes.home() as home, processes.chat(home) as server:
        Visitor(server).get("/")
        return (time.monotonic() - server.started) * 1000, server.cpu() * 1000
