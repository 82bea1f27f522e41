"""The embedded model answers from a process of its own, in turn, and recovers from failures of that process."""

from __future__ import annotations

import gc
import importlib.util
import json
import secrets
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.backend_contract import Case, ModelContract
from tests.reading import until
from webchat.backends import Event
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.local import NOT_INSTALLED, LocalModel, from_settings
from webchat.backends.local.child import NEVER_LOADED, STOPPED
from webchat.backends.local.history import LEFT_OUT, SHORTENED, Cuts, fit
from webchat.backends.local.line import Line
from webchat.config import BY_NAME, Settings
from webchat.errors import BackendUnavailable
from webchat.models import SMOLLM, EmbeddedModel, models_folder
from webchat.models.shelf import shelf

PATIENCE = 60.0
ROOT = Path(__file__).parent.parent


class Asking:
    """A question in a thread of its own, with the pieces of its answer so far."""

    def __init__(self, model, *contents):
        self.reply = model.stream(in_turn(contents))
        self.pieces = []
        self.error = None
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self):
        try:
            for piece in self.reply:
                self._add(piece)
        except BackendUnavailable as error:
            self.error = error
        self._add(None)

    def _add(self, piece):
        with self.changed:
            self.pieces.append(piece)
            self.changed.notify_all()

    @property
    def text(self):
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    def shown(self):
        """The status shown now."""
        told = [piece for piece in self.pieces if piece is not None and getattr(piece, "kind", "") != "rest"]
        last = told[-1:]
        return last[0].text if last and isinstance(last[0], Event) and last[0].kind == "status" else ""

    def until(self, seen):
        with self.changed:
            assert self.changed.wait_for(seen, PATIENCE), self.pieces
        return self

    def until_ended(self):
        return self.until(lambda: None in self.pieces)


def in_turn(contents):
    """Question and answer in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": it} for at, it in enumerate(contents)]


def ask(model, *contents):
    """Asks with a conversation; returns the pieces."""
    return list(model.stream(in_turn(contents)))


def text_of(pieces):
    return "".join(piece for piece in pieces if isinstance(piece, str))


def notes_of(pieces):
    return [piece.text for piece in pieces if isinstance(piece, Event) and piece.kind == "note"]


def process_of(model):
    return psutil.Process(model.engine.attempt().ready.result(PATIENCE).pid)


class TestContract(ModelContract):
    @pytest.fixture
    def case(self, stand_in, tmp_path):
        backends = [ChatModelBackend(stand_in(mode)) for mode in ("works", "endless")]
        return Case(*backends, lambda: json.loads((tmp_path / "asked").read_text())["messages"])


def test_a_message_is_answered_and_bounded_by_the_room_that_is_left(stand_in, tmp_path):
    assert text_of(ask(stand_in(), "hello")) == "You said: hello"
    asked = json.loads((tmp_path / "asked").read_text())
    assert asked["max_tokens"] == 600 - len("hello")
    assert asked["return_progress"] is True


def test_a_message_waits_for_the_model_and_says_so(stand_in, tmp_path):
    may_end = threading.Event()

    def slow_fetch(model, folder, report, cancelled):
        report("Downloading the model (first time only)", 0.43)
        may_end.wait(PATIENCE)
        return folder / "weights.gguf"

    shelf(tmp_path).fetch = slow_fetch
    model = stand_in(model=SMOLLM)
    told = []
    model.start(lambda text, progress: told.append((text, progress)))
    asking = Asking(model, "hello")
    asking.until(lambda: asking.shown().startswith("Downloading"))
    assert asking.pieces[-1].progress == 0.43
    may_end.set()
    assert asking.until_ended().text == "You said: hello"
    assert [text for text, _ in told] == [
        "Downloading the model (first time only)",
        "Loading the model",
        "The model is ready",
    ]


def test_a_model_that_cannot_be_fetched_says_what_to_do_and_is_tried_again(stand_in, tmp_path):
    nowhere = EmbeddedModel("none", "None", "none.gguf", "MIT", 4, "0" * 64, None)
    model = stand_in(model=nowhere)
    assert model.notice is None
    with pytest.raises(BackendUnavailable, match="--backend openai"):
        ask(model, "hello")
    assert "--backend openai" in model.notice
    shelf(tmp_path).fetch = lambda *_: tmp_path / "weights.gguf"
    assert text_of(ask(model, "hello")) == "You said: hello"
    assert model.notice is None


def test_a_process_that_dies_while_loading_is_told_and_started_anew(stand_in, tmp_path, caplog):
    model = stand_in("dies")
    with pytest.raises(BackendUnavailable) as caught:
        ask(model, "hello")
    assert str(caught.value) == NEVER_LOADED
    assert "out of memory, says the stand-in" in caplog.text
    (tmp_path / "mended").touch()
    assert text_of(ask(model, "hello")) == "You said: hello"


def test_a_process_that_dies_while_it_answers_is_told_and_started_anew(stand_in):
    model = stand_in()
    with pytest.raises(BackendUnavailable) as caught:
        ask(model, "crash")
    assert str(caught.value) == STOPPED
    assert text_of(ask(model, "hello")) == "You said: hello"


def test_a_process_that_was_killed_between_two_messages_is_started_anew(stand_in):
    model = stand_in()
    ask(model, "hello")
    process = process_of(model)
    process.kill()
    process.wait(PATIENCE)
    assert text_of(ask(model, "again")) == "You said: again"


def test_of_processes_that_have_ended_nothing_stays_open(stand_in, tmp_path):
    model = stand_in("dies")
    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True, action="always", category=ResourceWarning) as told:
        for message in ("hello", "crash", "hello"):
            with suppress(BackendUnavailable):
                ask(model, message)
            (tmp_path / "mended").touch()
        gc.collect()
    assert [str(warning.message) for warning in told] == []


def test_people_are_answered_in_the_order_in_which_they_came(stand_in):
    model = stand_in(answers_at_once=2)
    first, second = (Asking(model, "hang") for _ in range(2))
    for asking in (first, second):
        asking.until(lambda asking=asking: asking.text)
    third = Asking(model, "third")
    third.until(lambda: third.shown() == "Waiting: 1 before you")
    fourth = Asking(model, "fourth")
    fourth.until(lambda: fourth.shown() == "Waiting: 2 before you")
    fifth = Asking(model, "hang")
    fifth.until(lambda: fifth.shown() == "Waiting: 3 before you")
    third.reply.cancel()
    assert third.until_ended().text == ""
    fourth.until(lambda: fourth.shown() == "Waiting: 1 before you")
    first.reply.cancel()
    assert fourth.until_ended().text == "You said: fourth"
    fifth.until(lambda: fifth.text)
    assert None not in second.pieces
    second.reply.cancel()
    second.until_ended()


def test_an_answer_that_nobody_reads_on_gives_its_place_free(stand_in):
    model = stand_in(answers_at_once=1)
    pieces = iter(model.stream([{"role": "user", "content": "hang"}]))
    assert next(piece for piece in pieces if isinstance(piece, str)) == "You "
    pieces.close()
    assert text_of(ask(model, "next")) == "You said: next"


def test_stopping_while_the_model_loads_ends_the_wait_at_once(stand_in, tmp_path):
    never = threading.Event()
    shelf(tmp_path).fetch = lambda *_: never.wait(PATIENCE)
    asking = Asking(stand_in(model=SMOLLM), "hello")
    asking.until(lambda: asking.pieces)
    asking.reply.cancel()
    asking.until_ended()
    assert asking.error is None
    never.set()


def test_a_model_that_is_closed_while_it_loads_is_no_failure(stand_in, tmp_path, caplog):
    model = stand_in("loads for ever")
    told = []
    model.start(lambda text, _: told.append(text))
    asking = Asking(model, "hello")
    asking.until(lambda: asking.shown().startswith("Loading"))
    until((tmp_path / "loading").exists)
    model.close()
    assert "Send the message again" in str(asking.until_ended().error)
    assert told == ["Loading the model"]
    assert caplog.text == ""


def test_a_reply_that_is_stopped_before_it_began_asks_nothing(stand_in, tmp_path):
    reply = stand_in().stream([{"role": "user", "content": "hello"}])
    reply.cancel()
    assert list(reply) == []
    assert not (tmp_path / "asked").exists()


def test_closing_ends_the_process(stand_in):
    model = stand_in()
    process = process_of(model)
    model.close()
    assert not process.is_running()
    with pytest.raises(BackendUnavailable):
        ask(model, "hello")


def test_a_damaged_file_is_told_plainly(tmp_path):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + b"\0" * 100)
    model = LocalModel(damaged, tmp_path)
    with pytest.raises(BackendUnavailable) as caught:
        ask(model, "hello")
    assert str(caught.value) == NEVER_LOADED


def test_without_its_runtime_the_notice_says_what_to_install(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "xllamacpp" else real(name))
    backend = from_settings(Settings())
    assert backend.notice == NOT_INSTALLED
    with pytest.raises(BackendUnavailable, match=r"webchat\[local\]"):
        list(backend.send_message(backend.create_session().session_id, "hello"))


def test_a_context_without_room_for_a_question_and_an_answer_is_refused(tmp_path):
    LocalModel(SMOLLM, tmp_path, context=BY_NAME["context"].parse("512"))
    with pytest.raises(ValueError, match="context must be at least 512 tokens, not 511"):
        LocalModel(SMOLLM, tmp_path, context=511)


def test_the_label_says_which_model_and_how_far_to_trust_it(tmp_path):
    weights = tmp_path / "mine.gguf"
    assert LocalModel(weights, tmp_path).label == "mine.gguf, on this machine"
    assert LocalModel(SMOLLM, tmp_path).label.endswith("A very small model: quick, and often wrong.")


def test_the_line_counts_the_answers_that_must_end_first():
    line = Line(2)
    moved = []
    people = [lambda number=number: moved.append(number) for number in range(4)]
    for person in people:
        line.join(person)
    assert [line.before(person) for person in people] == [0, 0, 1, 2]
    line.leave(people[1])
    line.leave(people[1])
    assert [line.before(person) for person in people] == [0, 0, 0, 1]
    assert moved == [0, 2, 3]


def conversation(turns, size=20, system=""):
    """Questions and answers of `size` characters each, and a last question."""
    said = [
        {"role": role, "content": f"{role[0]}{turn}".ljust(size, ".")}
        for turn in range(turns)
        for role in ("user", "assistant")
    ]
    last = {"role": "user", "content": "last"}
    return [*([{"role": "system", "content": system}] if system else []), *said, last]


class Counted:
    """A model for which each character is a token; counts its calls."""

    def __init__(self):
        self.times = 0

    def __call__(self, messages):
        self.times += 1
        return sum(len(item["content"]) for item in messages)


def test_a_conversation_that_fits_is_left_whole_and_counted_once():
    count = Counted()
    messages = conversation(5)
    fitted = fit(messages, 1000, count, Cuts())
    assert (list(fitted.messages), fitted.note, fitted.room, count.times) == (messages, "", 1000 - 204, 1)


def test_the_oldest_turns_go_first_and_the_system_prompt_stays():
    count = Counted()
    messages = conversation(1000, system="Be kind.")
    fitted = fit(messages, 1000, count, Cuts())
    kept = len(fitted.messages)
    assert fitted.messages == [messages[0], *messages[-kept + 1 :]]
    assert fitted.messages[1]["role"] == "user"
    assert fitted.note == LEFT_OUT
    assert 400 < count(fitted.messages) <= 500
    assert fitted.room == 1000 - count(fitted.messages)
    assert count.times < 15


def test_the_next_message_is_cut_at_the_same_place_until_the_context_is_full_again():
    cuts, count, places = Cuts(), Counted(), []
    for turns in range(30, 60):
        fitted = fit(conversation(turns), 1000, count, cuts)
        assert count(fitted.messages) <= 750
        places.append(fitted.messages[0]["content"])
    assert len(set(places)) < 6


def test_a_cut_in_one_conversation_is_none_in_another():
    cuts = Cuts()
    fit(conversation(100), 1000, Counted(), cuts)
    assert fit(conversation(5), 1000, Counted(), cuts).note == ""


@pytest.mark.parametrize("system", ["", "Be kind."])
def test_a_message_that_is_too_long_keeps_its_beginning_and_its_end(system):
    long = {"role": "user", "content": "BEGIN" + "x" * 5000 + "END"}
    fitted = fit([*conversation(3, system=system)[:-1], long], 1000, Counted(), Cuts())
    shown = fitted.messages[-1]["content"]
    assert shown.startswith("BEGINxx")
    assert shown.endswith("xxEND")
    assert "[…]" in shown
    assert 700 < Counted()(fitted.messages) <= 750
    assert fitted.note == SHORTENED
    assert [item["role"] for item in fitted.messages] == (["system", "user"] if system else ["user"])


def test_a_system_prompt_that_is_too_long_leaves_room_for_the_message():
    messages = [{"role": "system", "content": "S" * 10**6}, {"role": "user", "content": "hello"}]
    fitted = fit(messages, 1000, Counted(), Cuts())
    assert fitted.messages[-1]["content"] == "hello"
    assert Counted()(fitted.messages) <= 750


def test_a_history_of_megabytes_is_not_counted_whole():
    counted = []

    def count(messages):
        counted.append(sum(len(item["content"]) for item in messages))
        return counted[-1]

    fit(conversation(200, size=50_000), 1000, count, Cuts())
    assert max(counted) <= 16_000


def test_a_model_that_nobody_asks_leaves_the_memory_and_comes_back(stand_in):
    model = stand_in(idle=1.0)
    assert text_of(ask(model, "hello")) == "You said: hello"
    first = process_of(model)
    first.wait(PATIENCE)
    assert text_of(ask(model, "again")) == "You said: again"
    assert process_of(model).pid != first.pid


def test_a_model_that_answers_or_is_never_idle_stays(stand_in):
    busy, kept, idle = stand_in(idle=1.0), stand_in(), stand_in(idle=1.0)
    asking = Asking(busy, "hang")
    asking.until(lambda: asking.text)
    assert text_of(ask(kept, "hello"))
    processes = [process_of(model) for model in (busy, kept)]
    # A model that became idle after these has been unloaded; they would have been unloaded before it.
    assert text_of(ask(idle, "hello"))
    process_of(idle).wait(PATIENCE)
    assert all(process.is_running() for process in processes)
    asking.reply.cancel()
    asking.until_ended()
    processes[0].wait(PATIENCE)


@pytest.fixture(scope="module")
def smollm():
    """The real SmolLM2 in its real process, fetched once for this user."""
    model = LocalModel(SMOLLM, models_folder(), context=1024)
    yield model
    model.close()


@pytest.mark.model
class TestRealModel:
    def test_it_answers(self, smollm):
        pieces = ask(smollm, "Say hello.")
        assert text_of(pieces).strip()
        assert [piece.text for piece in pieces if isinstance(piece, Event) and piece.kind == "finish"]

    def test_its_key_is_in_no_process_list(self, monkeypatch):
        keys, made = [], secrets.token_urlsafe
        monkeypatch.setattr(secrets, "token_urlsafe", lambda size: keys.append(made(size)) or keys[-1])
        model = LocalModel(SMOLLM, models_folder(), context=1024)
        process = process_of(model)
        seen = " ".join([*process.cmdline(), *process.environ().values()])
        model.close()
        assert keys
        assert not [key for key in keys if key in seen]

    def test_a_conversation_beyond_its_context_is_cut_with_a_note(self, smollm):
        said = ["Tell me about the sea and its many fish, please."] * 120 + ["Goodbye"]
        pieces = ask(smollm, *said)
        assert notes_of(pieces)[0] == LEFT_OUT  # the model decides whether the answer then ends by itself
        assert text_of(pieces).strip()

    def test_a_message_beyond_its_context_is_cut_with_a_note(self, smollm):
        asking = Asking(smollm, "word and word " * 2000)
        asking.until(lambda: notes_of(asking.pieces))
        asking.reply.cancel()
        asking.until_ended()
        assert notes_of(asking.pieces)[0] == SHORTENED

    def test_stopping_frees_the_processor_while_it_reads_and_while_it_writes(self, smollm):
        process = process_of(smollm)
        for message, seen in (("zebra " * 300, "Reading"), ("Count from 1 to 1000.", "")):
            asking = Asking(smollm, message)
            asking.until(lambda asking=asking, seen=seen: asking.shown().startswith(seen) if seen else asking.text)
            asking.reply.cancel()
            asking.until_ended()
            assert asking.error is None
            assert any(process.cpu_percent(0.2) < 20 for _ in range(20))

    def test_four_people_at_once_are_all_answered(self, smollm):
        everybody = [Asking(smollm, f"Name the number {number}.") for number in range(4)]
        for asking in everybody:
            asking.until(lambda asking=asking: asking.text.strip())
            asking.reply.cancel()  # the next one gets its turn; such a small model may go on for a long time
            asking.until_ended()

    def test_its_process_ends_when_the_chat_is_killed(self, smollm):
        process_of(smollm)  # it has been downloaded
        chat = subprocess.Popen([sys.executable, "-c", CHAT], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        child = psutil.Process(int(chat.stdout.readline()))
        chat.send_signal(signal.SIGKILL)
        chat.wait(PATIENCE)
        child.wait(PATIENCE)
        assert not child.is_running()


CHAT = """
import os, threading
from webchat.backends.local import LocalModel
from webchat.models import SMOLLM, models_folder
model = LocalModel(SMOLLM, models_folder())
print(model.engine.attempt().ready.result().pid, flush=True)
threading.Event().wait()
"""
