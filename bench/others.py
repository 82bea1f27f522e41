"""The cost of 20,000 sessions of other programs: the list of sessions, what is read, and how late a change is seen."""

from __future__ import annotations

import json
import os
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
"""Sessions of other programs, our own, and the folders of each program."""
TIMES, CHANGES = 60, 30
TIMES_APART, APART = 10, 2.0
"""Lists without an open page, and the seconds between them: longer than a scan's result counts."""
PATIENCE = 90.0
"""Seconds within which all of them must be scanned and indexed, and a change must be seen."""
LATEST = 2_000
"""Milliseconds until a change is in the list, p95."""
QUIET, MOST_READ = 5.0, 1_000
"""Seconds in which nothing changes, and the most kilobytes read in them: all sessions have forty times as many."""
VARIABLES = {"AMPLIFIER_HOME": "amplifier", "CLAUDE_CONFIG_DIR": "claude", "CODEX_HOME": "codex"}
"""The variables that name the programs' folders, and ours for these."""
Row = Mapping[str, Any]


def sessions() -> list[Figure]:
    """The list with and without them, alternating; then changes of some at random times, while a page is open."""
    with processes.home() as plain, processes.home() as shared, processes.home() as theirs:
        for home in (plain, shared):
            write_sessions(home, OURS)
        written = [_MAKERS[number % len(_MAKERS)](theirs, number) for number in range(THEIRS)]
        with _programs_in(theirs), processes.chat(plain) as without, _among(shared) as among:
            visitors = [Visitor(without), Visitor(among)]
            for number in range(len(_MAKERS)):
                _wait_for(visitors[1], f"/sessions?q=Question+{number}+of", f"Question {number} of")
            apart = _both(visitors, "/sessions", TIMES_APART, APART)
            page = HTTPConnection("127.0.0.1", among.port, timeout=PATIENCE)
            page.request("GET", "/events")
            page.getresponse().read(1)
            read = _read_in_silence(among)
            visitors = [Visitor(without), Visitor(among)]  # an idle connection is closed after a while
            took = _both(visitors, "/sessions", TIMES)
            grouped = _both(visitors, "/sessions?by=folder", TIMES)
            late = [_seen_after(visitors[1], *changed) for changed in random.sample(written, CHANGES)]
    return [
        of_times("the list of sessions", took[0], None, judged="median"),
        of_times("the same with 20,000 of other programs", took[1], None, judged="median"),
        Figure("the second to the first", _ratio(took), "", 1.5, fixed=True),
        Figure("the same, grouped by folder", _ratio(grouped), "", 1.5, fixed=True),
        Figure(f"the same, a list every {APART} s and no open page", _ratio(apart), "", 1.5, fixed=True),
        Figure(f"read in {QUIET:.0f} s in which nothing changes", read / 1000, "KB", MOST_READ, fixed=True),
        of_times("a change of one of them is in the list", late, LATEST, judged="p95"),
    ]


def _both(visitors: Sequence[Visitor], path: str, times: int, apart: float = 0.0) -> Sequence[list[float]]:
    """The milliseconds that each visitor's requests for this took, alternating, with so many seconds between them."""
    took: tuple[list[float], ...] = tuple([] for _ in visitors)
    for _ in range(times):
        time.sleep(apart)
        for place in random.sample(range(len(visitors)), len(visitors)):
            took[place].append(visitors[place].get(path, HTMX).milliseconds)
    return took


def _ratio(took: Sequence[list[float]]) -> float:
    return statistics.median(took[1]) / statistics.median(took[0])


def _of_amplifier(folder: Path, number: int) -> tuple[Path, str]:
    """Writes a session; returns its transcript and our id for it."""
    name = str(uuid.UUID(int=number))
    path = folder / "amplifier" / "projects" / f"-proj-{number % FOLDERS}" / "sessions" / name / "transcript.jsonl"
    rows = ({"role": role, "content": [{"type": "text", "text": text}]} for role, text in _said(number))
    _write(path, rows)
    path.with_name("metadata.json").write_text(json.dumps({"session_id": name, "working_dir": "/srv/work"}))
    return path, f"amplifier.{name}"


def _of_claude_code(folder: Path, number: int) -> tuple[Path, str]:
    path = folder / "claude" / "projects" / f"-proj-{number % FOLDERS}" / f"session-{number:05}.jsonl"
    _write(path, (_row(place, *said) for place, said in enumerate(_said(number))))
    return path, f"claude-code.session-{number:05}"


def _row(place: int, role: str, text: str) -> Row:
    before = f"u{place - 1}" if place else None
    message = {"role": role, "content": text}
    return {"type": role, "uuid": f"u{place}", "parentUuid": before, "cwd": "/srv/work", "message": message}


def _of_codex(folder: Path, number: int) -> tuple[Path, str]:
    name = str(uuid.UUID(int=number))
    day = folder / "codex" / "sessions" / "2026" / f"{number % 12 + 1:02}" / f"{number % 28 + 1:02}"
    first = {"type": "session_meta", "payload": {"id": name, "cwd": "/srv/work"}}
    said = (
        {"type": "message", "role": role, "content": [{"type": "text", "text": text}]} for role, text in _said(number)
    )
    _write(day / f"rollout-2026-01-01T00-00-00-{name}.jsonl", [first, *map(_response, said)])
    return day / f"rollout-2026-01-01T00-00-00-{name}.jsonl", f"codex.{name}"


def _response(payload: Row) -> Row:
    return {"type": "response_item", "payload": payload}


_MAKERS: tuple[Callable[[Path, int], tuple[Path, str]], ...] = (_of_amplifier, _of_claude_code, _of_codex)


def _said(number: int) -> Iterator[tuple[str, str]]:
    for place in range(6):
        yield "assistant" if place % 2 else "user", f"Question {number} of a session, with some words to it. " * 5


def _write(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@contextmanager
def _programs_in(folder: Path) -> Iterator[None]:
    """The programs' folders, for the servers started in the block."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ |= {name: str(folder / below) for name, below in VARIABLES.items()}
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def _among(home: Path) -> Server:
    return processes.chat(home, "--sources", "amplifier,claude-code,codex")


def _wait_for(visitor: Visitor, path: str, text: str) -> None:
    """Wait until this page has the text."""
    end = time.monotonic() + PATIENCE
    while text not in visitor.get(path, HTMX).text:
        if time.monotonic() > end:
            raise Wrong(f"{text!r} is not in the list")
        time.sleep(0.05)


def _read_in_silence(server: Server) -> int:
    """The bytes that the server reads in a quiet time, once its search index is complete."""
    end = time.monotonic() + PATIENCE
    while True:
        before = server.read()
        time.sleep(QUIET)
        read = server.read() - before
        if read < MOST_READ * 1000 or time.monotonic() > end:
            return read


def _seen_after(visitor: Visitor, path: Path, name: str) -> float:
    """The milliseconds until a session that is written at a random moment is in the list, which it then begins."""
    time.sleep(random.uniform(0, 2))
    content = path.read_text()
    new = path.with_name(".new.tmp")
    if name.startswith("amplifier."):  # replaced as a whole
        new.write_text(content + content.partition("\n")[0] + "\n")
        new.replace(path)
    else:
        with path.open("a") as file:
            file.write(content.rstrip("\n").rpartition("\n")[2] + "\n")
    written = time.monotonic()
    _wait_for(visitor, "/sessions", name)
    return (time.monotonic() - written) * 1000
