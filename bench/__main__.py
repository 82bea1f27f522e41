"""`python -m bench [NAME…] [--only-fixed]`: measure, print the table, exit with 1 if a fixed budget is missed."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from bench import (
    across,
    beside,
    crowd,
    database,
    idle,
    imports,
    killed,
    long_answer,
    many,
    others,
    start,
    tools,
    updates,
    waiting,
    weight,
)
from bench.figures import Figure, Skipped, Wrong, table

LIMIT = 600
"""Seconds for everything, of which the usual measurements take about 400; measurements that are left are named."""


class OutOfTime(BaseException):
    """Raised when the time is up, at any point of a measurement, which must not catch it as an error of its own."""


@dataclass(frozen=True)
class Measurement:
    """`has_fixed`: some of its figures do not depend on the machine. `is_long`: it is measured only if named."""

    measure: Callable[[], list[Figure]]
    has_fixed: bool = False
    is_long: bool = False


MEASUREMENTS = {
    "page": Measurement(weight.first_visit, has_fixed=True),
    "visits": Measurement(weight.second_visit, has_fixed=True),
    "start": Measurement(start.first_page),
    "memory": Measurement(start.memory),
    "first-text": Measurement(waiting.first_text),
    "whole-answer": Measurement(waiting.whole_answer),
    "sessions": Measurement(many.message_cost, has_fixed=True),
    "list": Measurement(many.session_list),
    "search": Measurement(many.search),
    "other-programs": Measurement(others.sessions, has_fixed=True, is_long=True),
    "messages": Measurement(many.long_session),
    "long-session": Measurement(updates.long_session, has_fixed=True),
    "tools": Measurement(tools.updates, has_fixed=True),
    "import": Measurement(imports.memory_and_time, has_fixed=True),
    "idle": Measurement(idle.open_pages),
    "many-idle": Measurement(idle.many_pages, is_long=True),
    "readers": Measurement(crowd.plain_readers),
    "pages": Measurement(crowd.page_readers),
    "users": Measurement(crowd.users),
    "users-beside-earlier": Measurement(crowd.users_beside_earlier, is_long=True),
    "script": Measurement(crowd.whole_answers),
    "database": Measurement(database.users, has_fixed=True),
    "kills": Measurement(killed.losses, is_long=True),
    "people": Measurement(database.many_people, has_fixed=True),
    "two-servers": Measurement(across.two_servers),
    "long-answer": Measurement(long_answer.wire, has_fixed=True),
    "renderer": Measurement(long_answer.renderer),
    "long-blocks": Measurement(long_answer.long_blocks, has_fixed=True, is_long=True),
    "long-beside-earlier": Measurement(beside.long_answers, has_fixed=True, is_long=True),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the chat against its budgets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--only-fixed", action="store_true", help="only what does not depend on the machine")
    given = parser.parse_args()
    if unknown := set(given.names) - MEASUREMENTS.keys():
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    usual = [name for name, measurement in MEASUREMENTS.items() if not measurement.is_long]
    names = [name for name in given.names or usual if MEASUREMENTS[name].has_fixed or not given.only_fixed]
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(LIMIT)
    load, rows, left = os.getloadavg()[0], list[tuple[str, Figure | str]](), names.copy()
    try:
        while left:
            rows += [(left[0], row) for row in _measured(left[0]) if not given.only_fixed or _is_fixed(row)]
            del left[0]
    except OutOfTime:
        pass
    print(table(rows))
    print("\n* does not depend on the machine")
    print(f"{os.cpu_count()} processors, load before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    if left:
        print(f"Not measured within {LIMIT} seconds: {', '.join(left)}")
    return int(bool(left) or any(isinstance(row, Figure) and row.fixed and row.verdict == "MISS" for _, row in rows))


def _measured(name: str) -> list[Figure | str]:
    start = time.monotonic()
    try:
        return [*MEASUREMENTS[name].measure()]
    except Skipped as reason:
        return [str(reason)]
    except Wrong as error:
        return [Figure(f"wrong: {error}", 1, "", 0, fixed=True)]
    finally:
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def _is_fixed(row: Figure | str) -> bool:
    return isinstance(row, str) or row.fixed


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime


if __name__ == "__main__":
    sys.exit(main())
