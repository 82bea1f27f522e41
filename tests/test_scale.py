"""The simulation of many people, against what arithmetic says of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.scale import Costs, Habits, Machines, load_of, simulate

HABITS = Habits(open_pages=0.5, questions=60, tokens=40, tokens_a_second=20)
COSTS = Costs(answer=0.02, idle_page=0.0, write=0.001, question=0.004)
SECONDS = 400
DOCS = (Path(__file__).parent.parent / "docs" / "scale.md").read_text("utf-8")


def outcome(people: int, machines: Machines, costs: Costs = COSTS):
    return simulate(people, machines, HABITS, costs, seconds=SECONDS)


def test_machines_are_as_busy_as_the_work_makes_them():
    load = load_of(300, HABITS, COSTS)
    assert load.answers_a_second == pytest.approx(2.5)
    assert load.in_flight == pytest.approx(5)  # Little's law
    assert load.writes_a_second == pytest.approx(50)
    found = outcome(300, Machines(2, 4))
    assert found.server_busy == pytest.approx(load.server / 2, rel=0.15)
    assert found.database_busy == pytest.approx(load.database / 4, rel=0.15)


def test_nobody_waits_where_there_is_room_and_everybody_where_there_is_none():
    costs = Costs(answer=0.02, idle_page=0.0, write=0.02, question=0.02)
    roomy, full = outcome(300, Machines(2, 8), costs), outcome(300, Machines(2, 1), costs)
    assert roomy.late_p95 < 0.1
    assert full.database_busy > 0.9
    assert full.late_p95 > 10 * roomy.late_p95


def test_open_pages_make_a_server_slower_for_the_rest():
    idle = Costs(answer=0.02, idle_page=0.002, write=0.001, question=0.004)
    assert outcome(300, Machines(1, 4), idle).server_busy > outcome(300, Machines(1, 4)).server_busy + 0.25


def test_nobody_asks_for_nothing():
    assert outcome(0, Machines(1, 1)).pieces == 0
    assert load_of(0, HABITS, COSTS).servers == 1


def test_the_documentation_works_the_same_numbers_through():
    rows = re.findall(r"^\| ([\d,]+) \|(.*)\|", DOCS.partition("## Worked through")[2], re.MULTILINE)
    assert [people for people, _ in rows] == ["1,000", "100,000", "10,000,000"]
    for people, row in rows:
        load = load_of(int(people.replace(",", "")), Habits(), Costs())
        told = [float(number.replace(",", "")) for cell in row.split("|")[:4] for number in cell.split("/")]
        found = [load.answers_a_second, load.in_flight, load.writes_a_second, load.server, load.database]
        assert told == [
            pytest.approx(value, rel=0.03, abs=0.5 if place == 1 else 0.005) for place, value in enumerate(found)
        ]
    assert f" {load.servers} servers;" in rows[-1][1]


def test_the_command_says_what_is_needed():
    command = [sys.executable, "-m", "bench.scale", "2000", "--seconds", "5"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "answers a second" in told
    assert "simulated: servers" in told
