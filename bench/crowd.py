"""Many users in parallel: replies that must arrive in time, and users with a model server."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import earlier, processes
from bench.client import WHOLE, Visitor
from bench.fake_model import parted, words
from bench.figures import Figure, Wrong, of_times, quantile
from bench.load import PERSON

PIECES, RATE = 160, 20
SHORT, LONG = 90, 120
"""The piece up to which an answer is short, and the one from which on it is long and updated less often: see
`LONG_INTERVAL` in `webchat.web.growing`."""
PAIRS = 5
"""Pairs of runs, alternating between this state and an earlier one."""
USERS, QUESTIONS, TOKENS, TOKEN_SECONDS = 50, 4, 200, 0.01
SCRIPT_QUESTIONS, SCRIPT_TOKENS = 25, 37


def plain_readers() -> list[Figure]:
    """200 replies at once, each read as plain text."""
    visits, cpu = _in_time("plain", 200)
    return [*_latest(visits, PIECES), cpu]


def page_readers() -> list[Figure]:
    """50 replies at once, each read by a page's own stream."""
    visits, cpu = _in_time("page", 50)
    late = [moment for found in visits for moment in found["late"][LONG:]]
    long = of_times("the same of long answers, which are updated every 0.5 s", late, 700, judged="p95")
    return [*_latest(visits, SHORT), long, cpu]


def users() -> list[Figure]:
    """50 people, each with a session, who ask four questions each, with an OpenAI-compatible model server."""
    outcome, cpu = _ask_as_users()
    answers = USERS * QUESTIONS
    first, late = ([moment for user in outcome["visits"] for moment in user[key]] for key in ("first", "late"))
    return [
        Figure("answers a second, of 25 possible", answers / outcome["took"], "/s", 20, at_least=True),
        of_times("first token", first, 100, judged="median"),
        of_times("an answer's end, after the model's", late, None, judged="median"),
        Figure("server's CPU for an answer", cpu, "ms", 20),
    ]


def users_beside_earlier() -> list[Figure]:
    """The same compared with an earlier state, in alternating pairs; the medians count."""
    ratios: list[tuple[float, float]] = []
    with earlier.sources() as sources:
        for _ in range(PAIRS):
            (cpu_before, first_before), (cpu, first) = _cost_and_first(sources), _cost_and_first(processes.ROOT)
            ratios.append((cpu / cpu_before, first / first_before))
    of_cpu, of_first = (sorted(values) for values in zip(*ratios, strict=True))
    return [
        _of_ratios(f"CPU for an answer to {USERS} users, to {earlier.STATE}", of_cpu, 0.6),
        _of_ratios(f"median of their first token, to {earlier.STATE}", of_first, 0.7),
    ]


def _of_ratios(what: str, ratios: Sequence[float], budget: float) -> Figure:
    median = statistics.median(ratios)
    return Figure(f"{what} ({min(ratios):.2f} to {max(ratios):.2f})", median, "", budget, median=median)


def _cost_and_first(root: Path) -> tuple[float, float]:
    """Milliseconds of the server's CPU for an answer, and until the first token at the median."""
    outcome, cpu = _ask_as_users(root=root)
    return cpu, statistics.median(moment for user in outcome["visits"] for moment in user["first"])


def cost_of_users(*options: str) -> float:
    """Milliseconds of the server's CPU per answer to `users`; `options` are the server's."""
    return _ask_as_users(*options)[1]


def _ask_as_users(*more: str, root: Path = processes.ROOT) -> tuple[dict[str, Any], float]:
    """The results of the users, and the server's CPU per answer in milliseconds."""
    with processes.home() as home, processes.fake_model(TOKENS, TOKEN_SECONDS) as model:
        options = ("--base-url", f"{model.url}/v1", "--model", "fake", "--auth-header", PERSON, *more)
        with processes.chat(home, *options, backend="openai", root=root) as server:
            visitor, people = Visitor(server), [f"user{number}" for number in range(USERS)]
            sessions = [f"{person} {visitor.new_session({PERSON: person})}" for person in people]
            visit(server, "user", sessions[:1], 1, words(TOKENS))
            before = server.cpu()
            outcome = visit(server, "user", sessions, QUESTIONS, words(TOKENS))
            return outcome, (server.cpu() - before) * 1000 / (USERS * QUESTIONS)


def whole_answers() -> list[Figure]:
    """A script that requests whole answers: how long after the model's end it gets them."""
    with processes.home() as home, processes.fake_model(SCRIPT_TOKENS, TOKEN_SECONDS) as model:
        options = ("--base-url", f"{model.url}/v1", "--model", "fake")
        with processes.chat(home, *options, backend="openai") as server:
            visitor = Visitor(server)
            session = visitor.new_session()
            _lateness(visitor, session, 0)
            before = server.cpu()
            late = [_lateness(visitor, session, number) for number in range(SCRIPT_QUESTIONS)]
            cpu = (server.cpu() - before) * 1000
    return [
        of_times("a script's whole answer, after the model's end", late, 30, judged="median"),
        Figure("server's CPU for it", cpu / SCRIPT_QUESTIONS, "ms"),
    ]


def _lateness(visitor: Visitor, session: str, number: int) -> float:
    answer = visitor.post(f"/sessions/{session}/messages", WHOLE, message=f"question {number}")
    text, ended = parted(json.loads(answer.body)["response"])
    if text != words(SCRIPT_TOKENS):
        raise Wrong(f"a script got {text[:100]!r}")
    return (time.monotonic() - ended) * 1000


def visit(server: processes.Server, visitor: str, sessions: list[str], *rest: object) -> dict[str, Any]:
    """The results of simultaneous visitors. Raises Wrong if anything that they received was wrong."""
    plan = json.dumps([server.port, visitor, sessions, *rest])
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, input=plan, capture_output=True, text=True, cwd=processes.ROOT, timeout=90)  # noqa: S603
    if done.returncode:
        raise Wrong(f"the visitors gave up: {done.stderr.strip().splitlines()[-1]}")
    outcome: dict[str, Any] = json.loads(done.stdout)
    broken = [found for found in outcome["visits"] if not found["right"]]
    if broken:
        errors = {found.get("error", "not what was asked for, or not to its end") for found in broken}
        raise Wrong(f"{len(broken)} of {len(sessions)} answers are broken: {'; '.join(sorted(errors))}")
    return outcome


def _in_time(visitor: str, count: int) -> tuple[list[dict[str, Any]], Figure]:
    """The figures of the visits, and the server's cost per piece."""
    with processes.home() as home, processes.paced_chat(home) as server:
        sessions = _sessions(server, count)
        before = server.cpu()
        outcome = visit(server, visitor, sessions, f"pieces {PIECES} at {RATE}")
        cpu = server.cpu() - before
    return outcome["visits"], Figure("server's CPU for a piece", cpu / (count * PIECES) * 1e6, "µs")


def _latest(visits: Sequence[dict[str, Any]], pieces: int) -> list[Figure]:
    """How many replies ran in parallel, and how late the latest first pieces were."""
    late = [found["late"][:pieces] for found in visits]
    worst = max(quantile(moments, 0.95) for moments in late)
    median = statistics.median(moment for moments in late for moment in moments)
    count = len(visits)
    return [
        Figure("replies at once", _at_once(visits), "", count, at_least=True),
        Figure(f"latest of {count} replies, p95 of its pieces", worst, "ms", 250, median=median, p95=worst),
    ]


def _at_once(visits: Sequence[dict[str, float]]) -> int:
    """The maximum number of parallel replies; one that waits for a thread does not count."""
    return max(sum(other["began"] <= one["began"] < other["ended"] for other in visits) for one in visits)


def _sessions(server: processes.Server, count: int) -> list[str]:
    visitor = Visitor(server)
    return [visitor.new_session() for _ in range(count)]
