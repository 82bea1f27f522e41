"""The measurements read what pages are sent, and say what they did not come to."""

from __future__ import annotations

import subprocess
import sys

from bench import processes
from bench.client import Visitor
from bench.crowd import visit

TWO_MEASUREMENTS = """
import signal, sys
from bench import __main__ as bench
from bench.figures import Figure
bench.LIMIT, sys.argv = 1, ["bench"]
bench.MEASUREMENTS = {
    "quick": bench.Measurement(lambda: [Figure("what is quick", 3, "ms", 5)]),
    "slow": bench.Measurement(signal.pause),
    "last": bench.Measurement(list),
}
sys.exit(bench.main())
"""


def test_a_reader_follows_an_answer_that_grows_over_several_blocks():
    with processes.home() as home, processes.paced_chat(home) as server:
        session = Visitor(server).new_session()
        (found,) = visit(server, "page", [session], "pieces 45 at 50")["visits"]
    assert len(found["late"]) == 45


def test_what_was_measured_is_told_though_the_time_is_up():
    command = [sys.executable, "-c", TWO_MEASUREMENTS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=processes.ROOT, timeout=60)
    assert "what is quick" in done.stdout
    assert "Not measured within 1 seconds: slow, last" in done.stdout
    assert done.returncode == 1
