"""`python -m bench.scale PEOPLE [SERVERS]`: simulates how many servers and how much of PostgreSQL so many people need.

The costs are measured; docs/scale.md gives the commands and works through the results.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.figures import quantile


@dataclass(frozen=True)
class Costs:
    """Measured on one machine. Times are seconds of one processor unless stated otherwise."""

    answer: float = 0.056
    """Server: an answer of 200 tokens and its question."""
    idle_page: float = 0.00004
    """Server: an idle open page, per second."""
    write: float = 0.00022
    """PostgreSQL: one write of an answer's log."""
    question: float = 0.010
    """PostgreSQL: everything else for an answer: the question, its session's record, the lease, the end."""


@dataclass(frozen=True)
class Habits:
    """What people do in the busiest hour."""

    open_pages: float = 0.1
    """Open pages per person."""
    questions: float = 6.0
    """Questions per hour and open page."""
    tokens: int = 200
    tokens_a_second: float = 20.0
    writes_a_second: float = 10.0
    """The interval between writes of an answer in flight: the text of a tenth of a second is written together."""

    @property
    def seconds(self) -> float:
        """The duration of an answer."""
        return self.tokens / self.tokens_a_second

    @property
    def writes(self) -> int:
        """Writes per answer."""
        return max(1, round(self.seconds * min(self.writes_a_second, self.tokens_a_second)))


@dataclass(frozen=True)
class Machines:
    """Each server counts as one processor, because a Python process uses little more.

    `database` counts all of its own.
    """

    servers: int
    database: int = 8


@dataclass(frozen=True)
class Load:
    """The load of the busiest hour, by arithmetic alone."""

    answers_a_second: float
    in_flight: float
    writes_a_second: float
    server: float
    """Processors of all servers together."""
    database: float
    """Processors of PostgreSQL."""

    @property
    def servers(self) -> int:
        """Servers needed so that none is busier than `ROOM`."""
        return max(1, math.ceil(self.server / ROOM))


MOST_SERVERS = 6
"""The most servers to simulate; for more, a proportional part with its people is simulated."""
ROOM = 0.6
"""How busy a processor may be on average; beyond that, simultaneous work waits noticeably."""


def load_of(people: int, habits: Habits, costs: Costs) -> Load:
    """The load of that many people."""
    pages = people * habits.open_pages
    answers = pages * habits.questions / 3600
    return Load(
        answers,
        answers * habits.seconds,
        answers * habits.writes,
        answers * costs.answer + pages * costs.idle_page,
        answers * (costs.question + habits.writes * costs.write),
    )


@dataclass(frozen=True)
class Outcome:
    """The result of a simulation: how busy each kind of machine was, and the delays of pieces, in seconds."""

    server_busy: float
    database_busy: float
    late_median: float
    late_p95: float
    pieces: int


class _Queue:
    """Processors that take one piece of work at a time, in the order in which it comes."""

    def __init__(self, processors: int) -> None:
        self._free_at = [0.0] * processors
        self.worked = 0.0

    def take(self, at: float, work: float) -> float:
        """When work that arrives at that time is done."""
        begins = max(at, heapq.heappop(self._free_at))
        heapq.heappush(self._free_at, begins + work)
        self.worked += work
        return begins + work


def simulate(
    people: int, machines: Machines, habits: Habits, costs: Costs, *, seconds: float, seed: int = 1
) -> Outcome:
    """People ask at random times for that many seconds; every piece queues at its server and at the database.

    A proxy assigns each question to a random server. The delay of a piece is the time until it is written and sent.
    """
    chance = random.Random(seed)
    servers = [_Queue(1) for _ in range(machines.servers)]
    database = _Queue(machines.database)
    late: list[float] = []
    piece = costs.answer / (habits.writes + 1)
    idle = people * habits.open_pages * costs.idle_page / machines.servers
    for at, server, is_question in _work(people, machines, habits, seconds, chance):
        done = servers[server].take(at, piece / (1 - min(idle, 0.99)))
        done = database.take(done, costs.question if is_question else costs.write)
        late.append(done - at)
    if not late:
        return Outcome(idle, 0.0, 0.0, 0.0, 0)
    return Outcome(
        sum(server.worked for server in servers) / seconds / machines.servers + idle,
        database.worked / seconds / machines.database,
        quantile(late, 0.5),
        quantile(late, 0.95),
        len(late),
    )


def _work(
    people: int, machines: Machines, habits: Habits, seconds: float, chance: random.Random
) -> Iterator[tuple[float, int, bool]]:
    """(when, on which server, whether it is the question rather than a piece of the answer), in order of time."""
    rate = people * habits.open_pages * habits.questions / 3600
    pace = habits.seconds / habits.writes
    coming: list[tuple[float, int, int]] = []
    """The next piece of each answer in flight: when, on which server, and how many more there are."""
    asked = chance.expovariate(rate) if rate else math.inf
    while asked < seconds or coming:
        if asked < seconds and (not coming or asked <= coming[0][0]):
            server = chance.randrange(machines.servers)
            yield asked, server, True
            heapq.heappush(coming, (asked + pace, server, habits.writes))
            asked += chance.expovariate(rate)
            continue
        at, server, left = heapq.heappop(coming)
        if at >= seconds:
            continue
        yield at, server, False
        if left > 1:
            heapq.heappush(coming, (at + pace, server, left - 1))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("people", type=int, help="how many people there are")
    parser.add_argument("servers", type=int, nargs="?", help="how many servers; as many as it takes by default")
    parser.add_argument("--database", type=int, default=8, help="processors of PostgreSQL (8)")
    parser.add_argument("--seconds", type=float, default=60, help="of the busiest hour that are simulated (60)")
    given = parser.parse_args()
    habits, costs = Habits(), Costs()
    load = load_of(given.people, habits, costs)
    print(f"{load.answers_a_second:,.2f} answers a second, {load.in_flight:,.0f} in flight at once")
    print(f"{load.writes_a_second:,.0f} writes of logs a second; PostgreSQL: {load.database:,.2f} processors")
    print(f"servers: {load.server:,.2f} processors, so {load.servers:,} with one each")
    machines = Machines(given.servers or load.servers, given.database)
    # Part of the people on that part of the machines are as busy, with the same delays or longer ones.
    part = Machines(min(machines.servers, MOST_SERVERS))
    share = part.servers / machines.servers
    part = replace(part, database=max(1, round(machines.database * share)))
    outcome = simulate(round(given.people * share), part, habits, costs, seconds=given.seconds)
    print(
        f"simulated: servers {outcome.server_busy:.0%} busy, PostgreSQL {outcome.database_busy:.0%}; "
        f"a piece is late by {outcome.late_median * 1000:.1f} ms, p95 {outcome.late_p95 * 1000:.1f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
