"""An answer's pieces are written soon, and in one batch if they came together."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from types import SimpleNamespace

import pytest

from tests.reading import until
from tests.scripted_server import DONE, Answer, ScriptedServer, ended
from webchat.backends import Event
from webchat.backends.openai import OpenAIModel, incoming
from webchat.backends.openai.server import Server
from webchat.backends.openai.wire import Wire
from webchat.replies.tending import FEW, Tending
from webchat.replies.write_pace import LONG, LONG_INTERVAL, ReplyTimes, WritePace
from webchat.storage.files.reply_logs import FileReplyLog, FileReplyLogs

FLOOD = 200


@pytest.fixture
def written(monkeypatch):
    """The text that goes into the logs of answers, write by write."""
    writes: list[str] = []
    write = FileReplyLog.write

    def spy(log, *records):
        writes.append("".join(record.get("d", "") for record in records))
        write(log, *records)

    monkeypatch.setattr(FileReplyLog, "write", spy)
    return writes


@pytest.fixture
def gates():
    gates = [threading.Event() for _ in range(3)]
    yield gates
    for gate in gates:
        gate.set()


@pytest.fixture
def model():
    with ScriptedServer() as server:
        yield server


def test_what_came_together_is_written_at_once_and_together(manager, backend, written, gates):
    backend.plays("The first ", gates[0], "and ", "the ", "next ", gates[1], "and the last.", gates[2])
    posted = manager.start_conversation("hello")
    until(lambda: written == ["The first "])
    gates[0].set()
    # Nothing more comes with which it could be written.
    until(lambda: "".join(written) == "The first and the next ")
    assert len(written) <= 3, "one by one"
    gates[1].set()
    until(lambda: posted.run.message.content.endswith("the last."))


def test_a_backend_that_says_that_it_rests_has_its_text_written_without_a_look(
    manager, backend, written, gates, monkeypatch
):
    manager.reply_times.write_interval = 0
    monkeypatch.setattr(Tending, "start", lambda tending: None)
    backend.plays("The first ", gates[0], "and ", "the next", Event("rest"), gates[1])
    posted = manager.start_conversation("hello")
    until(lambda: written == ["The first "])
    gates[0].set()
    until(lambda: written == ["The first ", "and the next"])
    gates[1].set()
    assert posted.wait(10)
    assert posted.answer.content == "The first and the next"


def test_a_rest_soon_after_a_write_has_nothing_written_more_often(manager, backend, written, gates):
    manager.reply_times.write_interval = 3600
    backend.plays("The first ", gates[0], "and ", Event("rest"), "the next", Event("rest"), gates[1])
    posted = manager.start_conversation("hello")
    until(lambda: written == ["The first "])
    gates[0].set()
    gates[1].set()
    assert posted.wait(10)
    assert [text for text in written if text] == ["The first ", "and the next"]


def test_a_flood_of_pieces_is_written_ten_times_a_second(manager, backend, written):
    step = 0.002

    def flood():
        for _ in range(FLOOD):
            time.sleep(step)
            yield "x"

    backend.send_message = lambda session_id, message: flood()
    began = time.monotonic()
    posted = manager.start_conversation("hello")
    assert posted.run.wait(20)
    took = time.monotonic() - began
    assert posted.answer.content == "x" * FLOOD
    assert 2 <= len([text for text in written if text]) <= took / 0.1 + 3


class TestPace:
    """Pieces that arrive one by one are written by their reply's own thread, which is awake."""

    def written(self, *times, pace=None, size=0):
        """Whether it is that thread's turn at each of these times, in seconds after a write."""
        pace = pace or WritePace(ReplyTimes())
        began = time.monotonic()
        pace.begin(began)
        pace.end(began)
        turns = []
        for after in times:
            pace.come(began + after, size, is_first=False)
            turns.append(pace.is_own_turn(began + after))
        return turns

    def test_a_steady_answer_is_written_ten_times_a_second(self):
        assert self.written(0.03, 0.06, 0.09, 0.12) == [False, False, True, True]

    def test_a_long_one_half_as_often(self):
        times = 0.05, 0.1, 0.15, 0.2
        assert self.written(*times, size=LONG) == [False, False, False, True]

    def test_what_may_be_a_burst_is_waited_for(self):
        assert self.written(0.1, 0.101, 0.2, 0.201, 0.29) == [False] * 5

    def test_where_there_are_many_one_thread_writes_for_all(self):
        pace = WritePace(ReplyTimes())
        pace.is_one_of_few = False
        assert self.written(0.05, 0.1, 0.15, 0.2, pace=pace) == [False] * 4
        assert 0 < pace.due_in(has_unwritten=True) <= ReplyTimes.write_interval + 0.2

    @pytest.mark.parametrize("size", [100, LONG])
    @pytest.mark.parametrize("gap", [0.04, 0.1, 0.12, 0.15, 0.2, 0.6])
    def test_nothing_that_was_read_waits_long_for_its_write(self, gap, size):
        """A killed server loses what gathers in the socket, and what waits for its write: a quarter of a second."""
        pace, now, written = WritePace(ReplyTimes()), 100.0, 100.0
        for _ in range(20):
            now += gap
            pace.come(now, size, is_first=True)
            if pace.rest(now):
                pace.begin(now)
                pace.end(now)
                assert now - written < max(gap, LONG_INTERVAL) + 0.01
                written = now
        assert now - written < LONG_INTERVAL

    def test_a_silence_is_over_with_the_next_piece(self):
        assert self.written(ReplyTimes.own_write + 0.05) == [True]


@pytest.mark.parametrize("shared", [False, True])
def test_where_writes_are_shared_even_many_replies_write_for_themselves(manager, backend, gates, monkeypatch, shared):
    def answer():
        yield "so far "
        gates[0].wait()

    monkeypatch.setattr(FileReplyLogs, "shares_writes", shared)
    backend.send_message = lambda session_id, message: answer()
    paces = [manager.start_conversation(f"hello {number}").run.recorder.pace for number in range(FEW + 1)]
    for pace in paces:
        pace.is_one_of_few = not shared
    until(lambda: all(pace.is_one_of_few is shared for pace in paces))


def test_half_a_character_is_no_readers_trouble_wherever_it_comes(manager, backend, gates):
    half = "a\ud800b"
    backend.plays(Event("reasoning", half), Event("note", half), Event("status", half), gates[0], half)
    posted = manager.start_conversation("hello")
    until(lambda: manager.reader.conversation(posted.session.session_id).status)
    shown = manager.reader.conversation(posted.session.session_id)
    assert (shown.last.reasoning, shown.last.notes, shown.status.text) == ("a?b", ("a?b",), "a?b")
    gates[0].set()
    posted.wait()
    assert posted.answer.content == "a?b"


@pytest.fixture
def gathered(model, monkeypatch):
    """Has the model send each of the given texts once events may gather after the one before.

    Returns the seconds for which they may, time by time.
    """
    paused: list[float] = []
    gates: list[threading.Event] = []

    def gather(wire, seconds, **_):
        paused.append(seconds)
        if len(paused) <= len(gates):
            gates[len(paused) - 1].set()

    def sends(first, *texts):
        gates.extend(threading.Event() for _ in texts)
        steps = [step for pair in zip(gates, texts, strict=True) for step in pair]
        model.script(Answer([first, *steps, ended(), DONE]))
        return paused

    monkeypatch.setattr(Wire, "gather", gather)
    monkeypatch.setattr(incoming, "time", SimpleNamespace(monotonic=lambda: 0.0))  # no read takes long
    return sends


@pytest.mark.parametrize(("answers", "seconds"), [(1, 0.1025), (20, 0.15), (500, 0.21)])
def test_many_answers_gather_for_longer_than_one(model, gathered, monkeypatch, answers, seconds):
    monkeypatch.setattr(Server, "answers", answers)
    paused = gathered("a", "b", "c")
    pieces = OpenAIModel(model.url, "m").stream([{"role": "user", "content": "hello"}])
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "abc"
    assert paused == [pytest.approx(seconds)] * len(paused) != []


def test_a_long_answer_gathers_for_longer(model, gathered):
    paused = gathered("a", "b" * 2_000, "c", "d")
    assert [*OpenAIModel(model.url, "m").stream([{"role": "user", "content": "hello"}])]
    assert paused[0] == pytest.approx(0.1025)
    assert paused[-1] == pytest.approx(0.2025)


def test_what_cannot_be_written_ends_its_own_answer_and_no_other(manager, backend, gates):
    backend.plays("so far ", gates[0], "and on", gates[1])
    other = manager.start_conversation("hello")
    until(lambda: other.run.message.content)
    backend.plays("well ", Event("status", "half", progress=Decimal("0.5")))
    posted = manager.start_conversation("hello")
    assert posted.run.wait(10)
    assert (posted.answer.status, posted.answer.content) == ("failed", "well ")
    gates[0].set()
    until(lambda: other.run.message.content == "so far and on")
