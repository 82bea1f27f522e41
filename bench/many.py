"""Operations that must not get slower with many sessions and messages."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import processes, texts
from bench.client import HTMX, Visitor
from bench.figures import Figure, Wrong, of_times
from webchat.housekeeping import LOOK_INTERVAL

FEW, MANY = 10, 10_000
SEARCHED_MESSAGES = 40
SEARCHES = ("the", "answer", "list of", "python function", "question 17", "nothing at all", "zebra")
MESSAGES, TIMES, LONG_SESSIONS = 2_000, 200, 20
SHORT = 4
"""Messages per session if there are thousands of sessions."""
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def message_cost() -> list[Figure]:
    """A message with 10,000 sessions compared with a message with 10, alternating."""
    with processes.home() as small, processes.home() as large:
        for home, count in ((small, FEW), (large, MANY)):
            write_sessions(home, count)
            for number in range(count):
                write_transcript(home, number, SHORT)
        with processes.chat(small) as few, processes.chat(large) as many:
            took: dict[str, list[float]] = {few.url: [], many.url: []}
            visitors = [(server, Visitor(server)) for server in (few, many)]
            for _, visitor in visitors:
                visitor.say(session_id(0), "warm up")
            before = {server.url: server.cpu() for server, _ in visitors}
            for number in range(TIMES):
                random.shuffle(visitors)
                for server, visitor in visitors:
                    took[server.url].append(visitor.say(session_id(0), f"message {number}").milliseconds)
                time.sleep(LOOK_INTERVAL / 10)  # so that housekeeping looks at least once every ten messages
            cpu = {server.url: server.cpu() - before[server.url] for server, _ in visitors}
    ratio = statistics.median(took[many.url]) / statistics.median(took[few.url])
    return [
        of_times("a message with 10 sessions", took[few.url], None, judged="median"),
        of_times("a message with 10,000 sessions", took[many.url], None, judged="median"),
        Figure("the second to the first, time", ratio, "", 1.2, fixed=True),
        Figure("the second to the first, server's CPU", cpu[many.url] / cpu[few.url], "", 1.2, fixed=True),
    ]


def session_list() -> list[Figure]:
    """GET /sessions with 10,000 sessions: unchanged, after a message moved a row, and with a search."""
    with processes.home() as home:
        write_sessions(home, MANY)
        with processes.chat(home) as server:
            visitor = Visitor(server)
            _list(visitor, "/sessions")
            same = [_list(visitor, "/sessions") for _ in range(50)]
            moved = []
            for number in range(50):
                visitor.say(session_id(0), f"message {number}")
                moved.append(_list(visitor, "/sessions"))
            searched = [_list(visitor, f"/sessions?q=number+{number}") for number in range(50)]
    return [
        of_times("GET /sessions with 10,000", same, 50, judged="p95"),
        of_times("the same, each after a message", moved, 50, judged="p95"),
        of_times("the same, searched", searched, 50, judged="p95"),
    ]


def long_session() -> list[Figure]:
    """Opening sessions of 2,000 messages, at first and again."""
    with processes.home() as home:
        write_sessions(home, LONG_SESSIONS)
        for number in range(LONG_SESSIONS):
            write_transcript(home, number)
        with processes.chat(home) as server:
            visitor = Visitor(server)
            visitor.get("/sessions")
            first = [_open(visitor, number) for number in range(LONG_SESSIONS)]
            again = [_open(visitor, number) for number in range(LONG_SESSIONS)]
    return [
        of_times("opening a session of 2,000 messages", first, 60, judged="median"),
        of_times("the same again", again, 60, judged="median"),
    ]


def search() -> list[Figure]:
    """GET /sessions with a search in 10,000 sessions of 40 messages, once the index is complete."""
    with processes.home() as home:
        write_sessions(home, MANY)
        for number in range(MANY):
            write_transcript(home, number, SEARCHED_MESSAGES)
        with processes.chat(home) as server:
            visitor = Visitor(server)
            began = time.monotonic()
            took = []
            while b"still being indexed" in visitor.get("/sessions?q=zebra", HTMX).body:
                took.append(_list(visitor, "/sessions"))
                time.sleep(0.25)
            built = time.monotonic() - began
            queries = [*SEARCHES, *(f"{word[:3]}" for word in SEARCHES), *(f"message {n}" for n in range(20))]
            searched = [visitor.get(f"/sessions?q={quote(query)}", HTMX).milliseconds for query in queries * 3]
    return [
        of_times("a search in 10,000 sessions of 40 messages", searched, 100, judged="p95"),
        Figure("making its index", built, "s"),
        of_times("GET /sessions meanwhile", took or [0.0], None, judged="p95"),
    ]


def session_id(number: int) -> str:
    return f"bench-{number:05}"


def write_sessions(home: Path, count: int) -> None:
    """A list of that many used sessions, of which the first is current."""
    rows = [json.dumps(row) for row in _rows(count)]
    (home / "server").mkdir(mode=0o700)
    (home / "server" / "web-chat-sessions.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


def write_transcript(home: Path, session: int, count: int = MESSAGES) -> None:
    """A conversation of that many messages; no two answers are the same."""
    folder = home / "server" / "web-chat-transcripts"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{session_id(session)}.jsonl").open("w") as file:
        for number in range(count):
            role = "assistant" if number % 2 else "user"
            content = texts.answer(session * MESSAGES + number) if number % 2 else f"And what about point {number}?"
            message = {"type": "message", "id": f"m{number}", "parent": f"m{number - 1}" if number else None}
            message |= {"role": role, "content": content, "status": "complete", "created_at": _NOW.isoformat()}
            file.write(json.dumps(message) + "\n")


def _rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        when = (_NOW - timedelta(minutes=number)).isoformat(timespec="microseconds")
        row = {"session_id": session_id(number), "description": f"Conversation number {number}", "begun": True}
        row |= {"created_at": when, "last_active": when, "is_active": number == 0}
        yield row | {"extra": {"project_id": "bench", "working_dir": "~"}}


def _list(visitor: Visitor, path: str) -> float:
    answer = visitor.get(path, HTMX)
    if "Conversation number" not in answer.text:
        raise Wrong("the list has no sessions")
    return answer.milliseconds


def _open(visitor: Visitor, number: int) -> float:
    answer = visitor.get(f"/sessions/{session_id(number)}")
    if f"Answer {number * MESSAGES + MESSAGES - 1} of many" not in answer.text:
        raise Wrong("the session's last answer is not on its page")
    return answer.milliseconds
