"""The cost of 20,000 sessions of another program: the list of sessions, and how late a change is seen."""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench import processes
from bench.client import HTMX, Visitor
from bench.figures import Figure, Wrong, of_times
from bench.many import write_sessions
from bench.processes import Server

THEIRS, OURS, FOLDERS = 20_000, 1_000, 200
TIMES, CHANGES = 60, 15
PATIENCE = 90.0
"""Seconds within which all of them must be scanned, and a change must be seen."""
LATEST = 2_000
"""Milliseconds until a change is in the list, p95."""


def sessions() -> list[Figure]:
    """The list with and without them, alternating; then changes of some, while a page is open."""
    with processes.home() as plain, processes.home() as shared, processes.home() as theirs:
        for home in (plain, shared):
            write_sessions(home, OURS)
        paths = [_write(theirs, number) for number in range(THEIRS)]
        with _claude_in(theirs), processes.chat(plain) as without, _among(shared) as among:
            visitors = [Visitor(without), Visitor(among)]
            page = HTTPConnection("127.0.0.1", among.port, timeout=PATIENCE)
            page.request("GET", "/events")  # while a page is open, one thread scans instead of the requests
            page.getresponse().read(1)
            _wait_for(visitors[1], "Question 0 of")
            took: tuple[list[float], list[float]] = [], []
            for _ in range(TIMES):
                for place in random.sample((0, 1), 2):
                    took[place].append(visitors[place].get("/sessions", HTMX).milliseconds)
            late = [_seen_after(visitors[1], random.choice(paths), number) for number in range(CHANGES)]
    ratio = statistics.median(took[1]) / statistics.median(took[0])
    return [
        of_times("the list of sessions", took[0], None, judged="median"),
        of_times("the same with 20,000 of another program", took[1], None, judged="median"),
        Figure("the second to the first", ratio, "", 1.5, fixed=True),
        of_times("a change of one of them is in the list", late, LATEST, judged="p95"),
    ]


def _write(folder: Path, number: int) -> Path:
    path = folder / "projects" / f"-proj-{number % FOLDERS}" / f"session-{number}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = [_row(place, f"Question {number} of a session, with some words to it. " * 5) for place in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in said))
    return path


def _row(place: int, text: str) -> Mapping[str, Any]:
    role = "user" if place % 2 == 0 else "assistant"
    before = f"u{place - 1}" if place else None
    message = {"role": role, "content": text}
    return {"type": role, "uuid": f"u{place}", "parentUuid": before, "cwd": "/srv/work", "message": message}


@contextmanager
def _claude_in(folder: Path) -> Iterator[None]:
    """Claude Code's folder, for the servers started in the block."""
    before = os.environ.get("CLAUDE_CONFIG_DIR")
    os.environ["CLAUDE_CONFIG_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["CLAUDE_CONFIG_DIR"]
        if before is not None:
            os.environ["CLAUDE_CONFIG_DIR"] = before


def _among(home: Path) -> Server:
    return processes.chat(home, "--sources", "claude-code")


def _wait_for(visitor: Visitor, title: str) -> None:
    """Wait until the session with this title is in the list: the oldest is scanned last."""
    end = time.monotonic() + PATIENCE
    while title not in visitor.get(f"/sessions?q={title.replace(' ', '+')}", HTMX).text:
        if time.monotonic() > end:
            raise Wrong(f"{title!r} is not in the list")
        time.sleep(0.05)


def _seen_after(visitor: Visitor, path: Path, number: int) -> float:
    """The milliseconds until a new title is in the list."""
    title = f"Renamed {number} meanwhile"
    with path.open("a") as file:
        file.write(json.dumps({"type": "custom-title", "customTitle": title}) + "\n")
    written = time.monotonic()
    _wait_for(visitor, title)
    return (time.monotonic() - written) * 1000
