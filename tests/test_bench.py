"""The benchmarks read what pages receive, and report what they could not measure."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench import processes
from bench.client import WHOLE, Visitor
from bench.crowd import visit
from bench.fake_model import parted
from bench.texts import SHAPES

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


@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_writes_what_it_is_asked_for(shape):
    with processes.home() as home, processes.writing_model() as model:
        options = ("--base-url", f"{model.url}/v1", "--model", "fake")
        with processes.chat(home, *options, backend="openai") as server:
            visitor = Visitor(server)
            asked = f"/sessions/{visitor.new_session()}/messages"
            answer = json.loads(visitor.post(asked, WHOLE, message=f"{shape} 60 at 1000").body)["response"]
    assert parted(answer)[0] == "".join(SHAPES[shape](60))


def test_what_was_measured_is_told_though_the_time_is_up():
    command = [sys.executable, "-c", TWO_MEASUREMENTS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=processes.ROOT, timeout=60)
    assert "what is quick" in done.stdout
    assert "Not measured within 1 seconds: slow, last" in done.stdout
    assert done.returncode == 1
