"""A model behind an OpenAI-compatible server: requests, responses, and what a person reads when it fails."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from tests.scripted_server import (
    DONE,
    EVENT_STREAM,
    SILENCE,
    Answer,
    ScriptedServer,
    delta,
    ended,
    refuses,
    says,
    sends,
)
from webchat.backends import Event
from webchat.backends.openai import OpenAIModel, endpoint, from_settings, problems
from webchat.backends.openai.incoming import MAX_EVENT
from webchat.backends.openai.wire import Wire
from webchat.config import Settings
from webchat.errors import BackendUnavailable, InvalidInput, NothingSaid

KEY = "sk-secret-0123456789"
QUESTION = [{"role": "user", "content": "What is the capital of Portugal?"}]
PROMPTLY = 30.0  # seconds; it takes milliseconds, while the read timeout is 60 s here

needs_full_queues = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses or takes calls")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def ask(server):
    """Ask the scripted server after telling it what to answer; all pieces, or the error."""

    def ask(*answers, **options):
        server.script(*answers)
        return [piece for piece in model_at(server, **options).stream(QUESTION) if piece != Event("rest")]

    return ask


@pytest.fixture
def complaint(ask):
    """The sentence that a person reads after these answers."""

    def complaint(*answers, **options):
        with pytest.raises(BackendUnavailable) as caught:
            ask(*answers, **options)
        assert KEY not in str(caught.value)
        return str(caught.value)

    return complaint


def model_at(server, **options):
    options = {"model": "scripted-model", "api_key": KEY, "connect_timeout": 30.0, "read_timeout": 60.0, **options}
    return OpenAIModel(server.url, **options)


def text_of(pieces):
    return "".join(piece for piece in pieces if isinstance(piece, str))


def events_of(pieces, kind):
    return [piece for piece in pieces if isinstance(piece, Event) and piece.kind == kind]


def reasoning_of(pieces):
    return "".join(event.text for event in events_of(pieces, "reasoning"))


@contextmanager
def reading(stream):
    """Iterate in a thread, as a reply does; returns the pieces so far, and `finished`, set at its end."""
    seen = Reading(stream)
    seen.thread.start()
    yield seen
    stream.cancel()
    seen.thread.join(10)


class Reading:
    def __init__(self, stream):
        self.pieces, self.error = [], None
        self.first, self.finished = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._read, args=[stream], daemon=True)

    def _read(self, stream):
        try:
            for piece in stream:
                self.pieces.append(piece)
                self.first.set()
        except Exception as error:
            self.error = error
        self.finished.set()


# Requests


def test_the_question_is_posted_with_model_messages_and_key(server, ask):
    ask(says("Lisbon"))
    request = server.requests[0]
    assert (request.path, request.headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert request.body["model"] == "scripted-model"
    assert request.body["messages"] == QUESTION
    assert request.body["stream"] is True
    assert request.body["stream_options"] == {"include_usage": True}


def test_without_a_key_nothing_is_authorised(server, ask):
    ask(says("Lisbon"), api_key="")
    assert "authorization" not in server.requests[0].headers


def test_only_role_and_content_of_a_message_are_sent(server):
    list(model_at(server).stream([{"role": "user", "content": "Hi", "id": "m1", "created_at": "today"}]))
    assert server.questions[0]["messages"] == [{"role": "user", "content": "Hi"}]


def test_the_extra_body_goes_into_the_question(server, ask):
    ask(says("Lisbon"), extra_body={"return_progress": True})
    assert server.questions[0]["return_progress"] is True


def test_a_server_that_refuses_to_count_tokens_is_asked_again_without_and_remembered(server):
    refusal = refuses(400, {"error": {"message": "Unknown field: stream_options"}})
    server.script(refusal, says("Lisbon"), says("Porto"))
    model = model_at(server)
    assert text_of(model.stream(QUESTION)) == "Lisbon"
    assert text_of(model.stream(QUESTION)) == "Porto"
    assert ["stream_options" in question for question in server.questions] == [True, False, False]


def test_a_server_that_refuses_for_another_reason_is_asked_once(server, complaint):
    assert "HTTP 400" in complaint(refuses(400, {"error": {"message": "temperature is odd"}}))
    assert len(server.questions) == 1


@pytest.mark.parametrize("name", ["", "auto"])
def test_without_a_model_name_the_first_that_the_server_has_is_taken_once(server, name):
    server.models = ["ada", "bob"]
    model = model_at(server, model=name)
    assert model.label == "Model at 127.0.0.1"
    list(model.stream(QUESTION))
    list(model.stream(QUESTION))
    assert [request.path for request in server.requests].count("/v1/models") == 1
    assert [question["model"] for question in server.questions] == ["ada", "ada"]
    assert model.label == "ada at 127.0.0.1"


def test_the_servers_own_model_follows_the_server(server):
    model = model_at(server, model="auto", follow_after=0.0)
    server.models = ["ada"]
    list(model.stream(QUESTION))
    server.models = ["bob"]
    list(model.stream(QUESTION))
    server.models_answer = refuses(500)
    list(model.stream(QUESTION))
    assert [question["model"] for question in server.questions] == ["ada", "bob", "bob"]
    assert model.label == "bob at 127.0.0.1"


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_a_model_that_the_server_has_no_longer_is_replaced_by_its_first(server, status):
    model = model_at(server, model="auto")
    server.models = ["ada"]
    list(model.stream(QUESTION))
    server.models = ["bob", "eve"]
    server.script(refuses(status, {"error": {"message": "no such model"}}), says("Lisbon"))
    assert text_of(model.stream(QUESTION)) == "Lisbon"
    assert text_of(model.named("auto").stream(QUESTION)) == "Hello there."
    assert [question["model"] for question in server.questions] == ["ada", "ada", "bob", "bob"]


@pytest.mark.parametrize(("name", "asked"), [("ada", 1), ("auto", 2)])
def test_a_refusal_that_another_model_does_not_mend_is_told(server, name, asked):
    server.models = ["ada"]
    model = model_at(server, model=name)
    server.script(refuses(404, {"error": "no ada"}), refuses(404, {"error": "no ada"}))
    with pytest.raises(BackendUnavailable, match="does not have the model 'ada'"):
        list(model.stream(QUESTION))
    server.models = ["bob"]
    with pytest.raises(BackendUnavailable, match="does not have the model") if name == "ada" else nullcontext():
        list(model.stream(QUESTION))
    assert len(server.questions) == asked + 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("gpt-x-2026-08", ["gpt-x-2026-08 at 127.0.0.1"]),
        ("/srv/models/gpt x.gguf", ["gpt x.gguf at 127.0.0.1"]),
        ("C:\\models\\gpt.gguf", ["gpt.gguf at 127.0.0.1"]),
        ("openai/gpt-x", ["openai/gpt-x at 127.0.0.1"]),
        ("scripted-model", []),
        ("", []),
        (7, []),
        ("evil\u202e", []),
    ],
)
def test_the_model_that_the_chunks_name_is_told_once(ask, said, told):
    first, second = delta(content="Lis"), delta(content="bon")
    pieces = ask(sends({**first, "model": said}, {**second, "model": said}, ended(), DONE))
    assert [event.text for event in events_of(pieces, "model")] == told
    assert text_of(pieces) == "Lisbon"


@pytest.mark.parametrize("listed", [{"data": []}, {"object": "list", "data": None}, []])  # Ollama's has been null
def test_a_server_without_models_says_so(server, complaint, listed):
    server.models_answer = refuses(200, listed)
    assert (
        complaint(model="auto")
        == f"{server.address} has no model. Install or load one there, or name one in the settings."
    )


def test_models_can_be_listed(server):
    server.models = ["ada", "bob"]
    assert model_at(server).list_models() == ["ada", "bob"]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_models_may_be_listed_without_an_object_around_them(server):
    server.models_answer = refuses(200, [{"id": "ada", "context_length": 8192}, {"id": "bob"}])  # as Together's are
    assert model_at(server).list_models() == ["ada", "bob"]


def test_listing_models_fails_with_a_sentence(server):
    server.models_answer = refuses(401, {"error": {"message": f"bad key {KEY}"}})
    with pytest.raises(BackendUnavailable, match="did not accept the key"):
        model_at(server).list_models()
    server.models_answer = refuses(200, "<html>Welcome</html>")
    with pytest.raises(BackendUnavailable, match="does not respond like a model server"):
        model_at(server).list_models()
    server.models_answer = refuses(400, {"error": {"message": "no"}})
    with pytest.raises(BackendUnavailable, match="refused to list its models"):
        model_at(server).list_models()


@pytest.mark.parametrize(
    "answer", [refuses(404), refuses(405), refuses(404, {"detail": "Not Found"}), refuses(200, "")]
)
def test_a_server_without_a_list_of_models_is_asked_by_a_models_name(server, answer):
    server.models_answer = answer
    with pytest.raises(BackendUnavailable) as caught:
        list(model_at(server, model="auto").stream(QUESTION))
    assert str(caught.value) == (
        f"{server.address} does not list its models. If the address is right, name a model in the settings."
    )
    assert text_of(model_at(server).stream(QUESTION)) == "Hello there."


def test_a_silent_list_of_models_is_given_up_after_the_connect_timeout(server):
    server.models_answer = Answer(before=[SILENCE])
    with pytest.raises(BackendUnavailable, match=r"silent for 0\.2 seconds"):
        model_at(server, connect_timeout=0.2).list_models()


# Responses


def event(sent):
    return f"data: {json.dumps(sent)}\n\n".encode()


def test_texts_that_are_read_at_once_come_as_one_and_a_rest_follows(server):
    """Anything else in between stays in its place."""
    thought = delta(reasoning_content="Hm")
    server.script(
        sends(b"".join(map(event, (delta(content="Lis"), delta(content="bon"), thought, delta(content="!")))))
    )
    pieces = iter(model_at(server).stream(QUESTION))
    assert [next(pieces) for _ in range(4)] == ["Lisbon", Event("reasoning", "Hm"), "!", Event("rest")]


def test_a_text_in_an_event_that_is_read_in_parts_is_there_before_its_end(server):
    rest = threading.Event()
    first, second = event(delta(content="Lis")), event(delta(content="bon"))
    server.script(sends(first + second[:20], rest, second[20:], ended(), DONE))
    pieces = iter(model_at(server).stream(QUESTION))
    assert next(pieces) == "Lis"
    rest.set()
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "bon"


def test_what_was_read_with_an_error_is_given_out_before_it(server):
    error = event({"error": {"message": "out of memory"}})
    server.script(sends(event(delta(content="Lis")) + event(delta(content="bon")) + error))
    pieces = iter(model_at(server).stream(QUESTION))
    assert next(pieces) == "Lisbon"
    with pytest.raises(BackendUnavailable, match="out of memory"):
        list(pieces)


def test_a_piece_is_there_before_the_next_was_sent(server):
    rest = threading.Event()
    server.script(sends("Lis", rest, "bon", ended(), DONE))
    pieces = iter(model_at(server).stream(QUESTION))
    assert next(pieces) == "Lis"
    rest.set()
    assert text_of(pieces) == "bon"


def test_bytes_may_drip(ask):
    stream = b": ping\n\n" + b'data: {"choices":[{"delta":{"content":"Ol\xc3\xa1"}}]}\r\n\r\n' + DONE
    assert text_of(ask(sends(*(stream[n : n + 1] for n in range(len(stream)))))) == "Olá"


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "text/html", "application/octet-stream", None])
@pytest.mark.parametrize("begin", [b"", b"\n", b": ping\n\n", b"\xef\xbb\xbf", b"event: message\n"])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_is_one_whatever_it_is_called(ask, kind, begin, chunked):
    headers = {"Content-Type": kind} if kind else {}
    answer = Answer([begin, "Lis", "bon", ended(), DONE], headers=headers, chunked=chunked)
    assert text_of(ask(answer)) == "Lisbon"
    drips = b"\ndata: " + json.dumps(delta(content="Lisbon")).encode() + b"\n\n" + DONE
    answer = Answer(
        [begin, *(step for byte in drips[:9] for step in (bytes([byte]), 0.002)), drips[9:]], headers=headers
    )
    assert text_of(ask(answer)) == "Lisbon"


def test_such_a_stream_is_not_waited_for(server):
    rest = threading.Event()
    server.script(Answer(["Lis", rest, "bon", ended(), DONE], headers={}))
    pieces = iter(model_at(server).stream(QUESTION))
    assert next(pieces) == "Lis"
    rest.set()
    assert text_of(pieces) == "bon"


def test_a_byte_order_mark_is_no_part_of_the_first_event(ask):
    assert text_of(ask(sends(b"\xef\xbb\xbf", "Lis", "bon", ended(), DONE))) == "Lisbon"
    assert text_of(ask(sends(b"\xef\xbb\xbf" + event(delta(content="Lis")), "bon", ended(), DONE))) == "Lisbon"


def test_the_tokens_used_come_once_and_last_before_the_finish(ask):
    first, last = {"prompt_tokens": 3}, {"prompt_tokens": 3, "completion_tokens": 9}
    pieces = ask(sends({**delta(content="Hi"), "usage": first}, ended(), {"choices": [], "usage": last}, DONE))
    assert pieces == ["Hi", Event("usage", data=last), Event("finish", "stop")]


@pytest.mark.parametrize("code", [0, "0", 200, None, "ok"])
def test_a_code_of_success_in_each_chunk_is_no_error(ask, code):
    success = {"code": code, "message": "Success"}
    last = {"choices": [], "usage": {"prompt_tokens": 3}}
    answer = sends({**delta(content="Hi"), **success}, success, {**ended(), **success}, {**last, **success}, DONE)
    assert text_of(ask(answer)) == "Hi"


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"max_model_len": 4096}, 4096),
        ({"context_length": 4096}, 4096),
        ({"context_window": 4096}, 4096),
        ({"max_context_length": 4096}, 4096),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 131072}}, 4096),
        ({"meta": {"n_ctx_train": 131072}}, None),
        ({"max_model_len": "4096"}, None),
        ({"max_model_len": True, "meta": 7}, None),
        ({}, None),
    ],
)
def test_the_size_of_the_context_is_what_the_list_of_models_says(server, entry, size):
    server.models_answer = refuses(200, {"data": [{"id": "ada", **entry}, {"id": "bob", "context_length": 7}]})
    server.default = says("Lisbon", usage={"prompt_tokens": 3})
    (event,) = events_of(model_at(server, model="auto").stream(QUESTION), "usage")
    assert event.data.get("context") == size


def test_an_answer_at_the_length_limit_says_that_it_was_cut_off(ask):
    pieces = ask(says("Lisb", finish="length"))
    assert events_of(pieces, "note") == [Event("note", "The answer was cut off: the model's length limit was reached.")]
    assert events_of(pieces, "finish") == [Event("finish", "length")]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_told_apart_from_the_answer(ask, name):
    pieces = ask(sends(delta(**{name: "Hmm"}), delta(**{name: ", yes"}), delta(content="Lisbon"), ended(), DONE))
    assert (reasoning_of(pieces), text_of(pieces)) == ("Hmm, yes", "Lisbon")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
def test_think_tags_at_the_beginning_are_reasoning_however_they_are_split(ask, size):
    content = "\n<think>\nIs 1 < 2? </th no </think>\n\nLisbon <think>literally</think>"
    pieces = ask(says(*(content[n : n + size] for n in range(0, len(content), size))))
    assert reasoning_of(pieces) == "Is 1 < 2? </th no "
    assert text_of(pieces) == "Lisbon <think>literally</think>"


@pytest.mark.parametrize("content", ["<thin", "  <", "<b>Lisbon</b>", "a <think>b</think>"])
def test_what_only_looks_like_a_think_tag_is_text(ask, content):
    assert text_of(ask(says(*content))) == content


def test_reasoning_that_never_ends_is_still_reasoning_and_no_answer(server):
    server.script(says("<think>", "hm</thi", finish="length"))
    pieces = []
    with pytest.raises(NothingSaid, match="reached its length limit while it was still reasoning"):
        pieces.extend(model_at(server).stream(QUESTION))
    assert (reasoning_of(pieces), text_of(pieces)) == ("hm</thi", "")


def test_reading_a_long_conversation_shows_how_far_it_is(ask):
    progress = [{"total": 120, "cache": 20, "processed": done, "time_ms": 1} for done in (20, 70, 120)]
    pieces = ask(sends(*({"choices": [], "prompt_progress": step} for step in progress), "Lisbon", ended(), DONE))
    assert events_of(pieces, "status") == [
        Event("status", "Reading the conversation", progress=share) for share in (0.0, 0.5, 1.0)
    ]


def test_half_a_code_point_does_not_spoil_the_answer(ask):
    text = text_of(ask(sends(b'data: {"choices":[{"delta":{"content":"a\\ud83db"}}]}\n\n', DONE)))
    assert text == "a\ufffdb"


def test_a_finish_reason_is_an_end_also_without_done(ask):
    assert text_of(ask(sends("Lisbon", ended(), ends="cut"))) == "Lisbon"


def test_done_is_an_end_also_without_a_finish_reason(ask):
    assert ask(sends("Lisbon", DONE, SILENCE)) == ["Lisbon"]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("chunked", [True, False])
def test_the_last_event_counts_without_an_empty_line(ask, size, chunked):
    first, last = b'{"choices":[{"delta":{"content":"Lis"}}]}', b'{"choices":[{"delta":{"content":"bon"}}]}'
    stream = b"data: %s\n\ndata: %s" % (first, last.replace(b"}]", b',"finish_reason":"stop"}]'))
    parts = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert ask(sends(*parts, chunked=chunked)) == ["Lis", "bon", Event("finish", "stop")]


@pytest.mark.parametrize("error", [b'data: {"error": {"message": "GPU lost"}}', b'{"error": {"message": "GPU lost"}}'])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_an_error_counts_as_the_last_bytes_of_an_answer(complaint, error, end):
    assert "“GPU lost”" in complaint(sends("Lis", error + end))


@pytest.mark.parametrize(
    "end", [{"error": {"message": "GPU lost"}}, {"choices": 7}, b"data: %s\n\n" % (b"x" * (MAX_EVENT + 1))]
)
def test_what_was_held_back_is_kept_whatever_ends_the_answer(server, end):
    server.script(sends("It is\n", "<think>", "perhaps Lisbon", end))
    with reading(model_at(server).stream(QUESTION)) as seen:
        assert seen.finished.wait(20)
    assert isinstance(seen.error, BackendUnavailable)
    assert text_of(seen.pieces) == "It is\n<think>perhaps Lisbon"


def test_a_question_that_is_not_taken_in_time_has_a_sentence_without_a_limit_for_reading():
    request = httpx.Request("POST", "http://a/v1", extensions={"timeout": {"read": None, "write": 5.0}})
    late = httpx.WriteTimeout("late", request=request)
    said = str(problems.of_exception(late, endpoint.parse("http://a/v1", "", 1, 1), begun=False))
    assert said.startswith("The model at a does not accept the data sent to it.")


def test_a_part_of_an_event_at_the_end_is_a_broken_answer(complaint):
    assert "broke off in the middle" in complaint(sends("Lis", b'data: {"choices": [{"delta"'))


def test_a_server_that_does_not_stream_answers_too(ask):
    message = {"role": "assistant", "content": "Lisbon", "reasoning_content": "Easy"}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {"total_tokens": 5}}
    assert ask(refuses(200, whole)) == [
        Event("reasoning", "Easy"),
        "Lisbon",
        Event("usage", data={"total_tokens": 5}),
        Event("finish", "stop"),
    ]


# Failures


def test_nobody_at_the_address(server):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(BackendUnavailable) as caught:
        list(OpenAIModel(f"http://127.0.0.1:{port}/v1", "m").stream(QUESTION))
    assert (
        str(caught.value) == f"Nothing answers at 127.0.0.1:{port}. Start the model server there, or check the address."
    )
    assert caught.value.__cause__ is not None


def test_no_such_computer(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(BackendUnavailable, match=r"There is no host called api\.example\.invalid"):
        list(OpenAIModel("https://api.example.invalid/v1", "m").stream(QUESTION))


def test_a_server_that_does_not_speak_tls(server):
    with pytest.raises(BackendUnavailable, match="does not use TLS correctly"):
        list(OpenAIModel(server.url.replace("http:", "https:"), "m").stream(QUESTION))


@contextmanager
def unreachable():
    """An address that accepts no connection: its backlog is full, so another attempt is never answered."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@needs_full_queues
def test_a_server_that_cannot_be_reached_in_time():
    with unreachable() as url, pytest.raises(BackendUnavailable, match=r"could not be reached within 0\.1 seconds"):
        list(OpenAIModel(url, "m", connect_timeout=0.1).stream(QUESTION))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(before=[SILENCE]),
        sends("Lis", SILENCE),
        *(Answer([SILENCE], headers=kind) for kind in ({"Content-Type": "text/plain"}, {})),
        Answer([b"da", SILENCE], headers={}),
    ],
)
def test_a_server_that_falls_silent(complaint, answer):
    assert "has been silent for 0.2 seconds" in complaint(answer, read_timeout=0.2)


def test_what_came_before_a_failure_was_given_out(server):
    server.script(sends("Lis", "bon <", ends="cut"))
    pieces = (piece for piece in model_at(server).stream(QUESTION) if isinstance(piece, str))
    text = ""
    while text != "Lisbon <":
        text += next(pieces)
    with pytest.raises(BackendUnavailable):
        next(pieces)


@pytest.mark.parametrize("held", ["<thi", "<think>hm</th"])
def test_text_that_was_held_back_is_not_lost_when_the_stream_breaks_off(server, held):
    server.script(sends(held, ends="cut"))
    pieces = []
    with pytest.raises(BackendUnavailable):
        pieces.extend(model_at(server).stream(QUESTION))
    assert reasoning_of(pieces) + text_of(pieces) == held.removeprefix("<think>")


@pytest.mark.parametrize("ends", ["whole", "cut", "reset"])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_that_is_cut(complaint, ends, chunked):
    text = complaint(sends("Lis", ends=ends, chunked=chunked))
    assert text == "The connection to the model broke off in the middle of the answer. Try again."


def test_a_server_that_hangs_up_before_it_answers():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        with pytest.raises(BackendUnavailable, match="closed the connection without an answer"):
            list(OpenAIModel(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "m").stream(QUESTION))


TOO_LONG = "longer than the model's context"
ERRORS = [
    (400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": "the request exceeds"}}, TOO_LONG),
    (400, {"error": {"code": "context_length_exceeded", "message": "too many"}}, TOO_LONG),
    (400, {"error": {"message": "This model's maximum context length is 8192 tokens"}}, TOO_LONG),
    (413, "<html>nginx</html>", TOO_LONG),
    (401, {"error": {"message": "Incorrect API key provided: sk-se…789"}}, "did not accept the key"),
    (403, {"error": {"message": "Country not supported"}}, "It says: “Country not supported”"),
    (404, {"error": "model not found"}, "does not have the model 'scripted-model', or its address is wrong"),
    (422, {"detail": "top_p is out of range"}, "It says: “top_p is out of range”"),
    (429, {"error": {"message": "You exceeded your quota"}}, "Try again later. It says: “You exceeded your quota”"),
    (500, "<html><h1>nginx</h1></html>", "has an internal problem (HTTP 500)"),
    (402, {"error": {"message": "Payment required"}}, "quota or credit at"),
    (429, {"error": {"code": "insufficient_quota", "message": "You exceeded it"}}, "It says: “You exceeded it”"),
    (403, {"error": {"message": "Insufficient balance"}}, "is used up. Add some there"),
    (400, {"error": {"type": "no_db_connection", "message": "No connected db."}}, "did not accept the key"),
    (503, [{"error": {"message": "Overloaded"}}], "It says: “Overloaded”"),
]


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS)
def test_an_error_status_becomes_a_sentence(complaint, status, body, expected):
    text = complaint(refuses(status, body))
    assert expected in text
    assert "<" not in text
    assert "sk-se" not in text


@pytest.mark.parametrize(("header", "expected"), [("700", "in 700 seconds."), ("soon", "later.")])
def test_a_busy_server_says_when_to_come_back(complaint, header, expected):
    assert complaint(refuses(429, {}, {"Retry-After": header})).endswith(f"Try again {expected}")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refuses(401), "requires a key, and none is set. Set it in the settings."),
        (
            refuses(403, {"error": {"message": "no"}}),
            "If it requires one, set it in the settings. It says: “no”",
        ),
        (refuses(500, "Internal Server Error"), "in a moment. No key is set; it may require one."),
        (refuses(500, {"error": {"message": "out of memory"}}), "in a moment. It says: “out of memory”"),
    ],
)
def test_without_a_key_that_may_be_the_cause(complaint, answer, expected):
    assert complaint(answer, api_key="").endswith(expected)


# Retries


@pytest.fixture
def waits(monkeypatch):
    """The waiting times in seconds, which are skipped."""
    passed = []
    monkeypatch.setattr(Wire, "pause", lambda wire, seconds: passed.append(seconds))
    return passed


BUSY = refuses(429, {"error": {"message": "busy"}}, {"Retry-After": "1"})
LOADING = refuses(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


def test_a_busy_server_is_asked_a_few_times_with_growing_waits(server, complaint, waits):
    assert "is limiting requests" in complaint(*[BUSY] * 100)
    assert len(server.questions) == 5
    assert sum(waits) == 1 + 2 + 4 + 8


def test_a_busy_server_may_say_how_long(server, ask, waits):
    pieces = ask(refuses(503, {}, {"Retry-After": "20"}), BUSY, says("Lisbon"))
    assert text_of(pieces) == "Lisbon"
    assert sum(waits) == 20 + 2
    assert events_of(pieces, "status")[0].text == f"{server.address} is limiting requests; trying again in 20 s"


def test_all_waits_together_have_an_end(server, complaint, waits):
    complaint(*[refuses(429, {}, {"Retry-After": "25"})] * 10)
    assert sum(waits) == 50


def test_a_server_may_give_a_date(server, ask, waits):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert text_of(ask(refuses(429, {}, {"Retry-After": soon}), says("Lisbon"))) == "Lisbon"
    assert 1 < sum(waits) <= 20


@pytest.mark.parametrize(
    "refusal",
    [
        refuses(429, {"error": {"code": "insufficient_quota"}}, {"Retry-After": "1"}),
        refuses(402, {"error": {"message": "Payment required"}}, {"Retry-After": "1"}),
        refuses(429, {}, {"Retry-After": "1", "x-should-retry": "false"}),
        refuses(429, {}),
        refuses(429, {}, {"Retry-After": "3600"}),
        refuses(500, {}, {"Retry-After": "1"}),
    ],
)
def test_nobody_is_asked_again_if_waiting_is_of_no_use(server, complaint, waits, refusal):
    complaint(refusal)
    assert (len(server.questions), waits) == (1, [])


def test_a_model_that_is_being_loaded_is_waited_for(server, ask, waits):
    pieces = ask(*[LOADING] * 8, says("Lisbon"))
    assert text_of(pieces) == "Lisbon"
    assert events_of(pieces, "status")[0].text == f"{server.address} is loading its model; trying again in 1 s"
    assert sum(waits) == 1 + 2 + 4 + 8 + 4 * 15


def test_a_model_that_is_loaded_for_ever_is_given_up(server, complaint, waits):
    server.default = LOADING
    assert complaint().endswith("is still loading its model. Try again in a few minutes.")
    assert 300 < sum(waits) <= 600


@pytest.mark.parametrize("location", ["https://elsewhere.example/v1?secret", "/somewhere", "http://[", ""])
def test_a_redirect_is_told_and_not_followed(server, complaint, location):
    text = complaint(refuses(307, "", {"Location": location}))
    assert f"{server.address} has moved" in text
    assert ("to https://elsewhere.example." in text) == ("elsewhere" in location)
    assert "secret" not in text
    assert len(server.requests) == 1


def test_a_server_never_gets_the_key_by_a_redirect(server, complaint):
    with ScriptedServer() as other:
        complaint(refuses(307, "", {"Location": f"{other.url}/chat/completions"}))
        assert other.requests == []


def test_what_a_server_says_is_quoted_short_clean_and_without_the_key(complaint):
    said = complaint(refuses(500, {"error": {"message": f"\x1b[31mno\u202e {KEY}\n" + "x" * 300}}))
    quoted = said.partition("It says: ")[2]
    assert quoted.startswith("“ [31mno [key] xxx".replace("“ ", "“"))
    assert quoted.endswith("x…”")
    assert len(quoted) == 203
    assert said.isprintable()


def test_a_key_that_would_be_cut_in_half_is_not_quoted(complaint):
    text = complaint(refuses(500, {"error": {"message": "x" * 190 + KEY}}))
    assert "sk-" not in text


@pytest.mark.parametrize(
    "report",
    [
        {"error": {"message": "out of memory", "code": 500}},
        {"error": "out of memory"},
        {"detail": "out of memory"},
        {"detail": {"message": "out of memory"}},
    ],
)
def test_an_error_in_the_middle_of_the_answer(server, complaint, report):
    text = complaint(sends("Lis", report))
    assert text == f"The model at {server.address} failed to answer. Try again. It says: “out of memory”"


def test_a_context_error_in_the_middle_of_the_answer(complaint):
    assert TOO_LONG in complaint(sends({"error": {"type": "exceed_context_size_error", "message": "…"}}))


@pytest.mark.parametrize(
    "event",
    [
        b"data: {oops\n\n",
        b"data: []\n\n",
        b"data: null\n\n",
        b'data: {"choices": 3}\n\n',
        b'data: {"choices": [7]}\n\n',
        b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
        b'data: {"prompt_progress": {"total": "x"}}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_an_event_that_makes_no_sense(complaint, event):
    assert "sent an invalid response" in complaint(sends("Lis", event, DONE))


@pytest.mark.parametrize("page", ["<html>Log in</html>", "", "Lisbon"])
def test_a_page_instead_of_an_answer(complaint, page):
    text = complaint(refuses(200, page))
    assert "does not respond like a model server" in text
    assert "Log in" not in text


@pytest.mark.parametrize("part", [b"x" * 65536, b"data: x\n" * 8192])
def test_an_endless_event_is_given_up(server, complaint, part):
    assert "more data at once than an answer can have" in complaint(sends(b"data: ", *[part] * 100, SILENCE))


def test_many_small_events_are_no_endless_one(ask):
    pieces = ask(says(*["word " * 20_000] * 15))
    assert len(text_of(pieces)) == 1_500_000


def test_an_error_in_json_with_a_good_status(complaint):
    assert "It says: “no”" in complaint(refuses(200, {"error": {"message": "no"}}))


# Stop


@pytest.mark.parametrize("silent", [Answer(before=[SILENCE]), sends(SILENCE), sends("Lis", SILENCE)])
def test_cancel_frees_a_reader_of_a_silent_server_and_the_server_sees_it(server, silent):
    server.script(silent)
    stream = model_at(server).stream(QUESTION)
    with reading(stream) as seen:
        request = server.next_request()
        if silent.steps[:1] == ("Lis",):
            assert seen.first.wait(PROMPTLY)
        stream.cancel()
        assert seen.finished.wait(PROMPTLY)
        assert seen.error is None
        assert request.wait_until_gone()


def test_cancel_ends_the_wait_for_the_list_of_models_too(server):
    server.models_answer = Answer(before=[SILENCE])
    stream = model_at(server, model="auto").stream(QUESTION)
    with reading(stream) as seen:
        request = server.next_request()
        stream.cancel()
        assert seen.finished.wait(PROMPTLY)
        assert seen.error is None
        assert request.wait_until_gone()
    assert server.questions == []


def test_cancel_before_the_first_piece_calls_nobody(server, monkeypatch):
    stream = model_at(server).stream(QUESTION)
    stream.cancel()
    connections = connections_made(monkeypatch)
    assert list(stream) == []
    assert connections == []


@needs_full_queues
def test_cancel_while_connecting_ends_without_an_error(monkeypatch):
    connecting = threading.Event()
    connect = socket.create_connection

    def noticed(*given, **options):
        connecting.set()
        return connect(*given, **options)

    monkeypatch.setattr(socket, "create_connection", noticed)
    with unreachable() as url:
        stream = OpenAIModel(url, "m", connect_timeout=0.2).stream(QUESTION)
        with reading(stream) as seen:
            assert connecting.wait(PROMPTLY)
            stream.cancel()
            assert seen.finished.wait(PROMPTLY)
            assert (seen.pieces, seen.error) == ([], None)


def test_a_connection_that_comes_after_cancel_is_closed_at_once(server, monkeypatch):
    server.script(Answer(before=[SILENCE]))
    stream = model_at(server).stream(QUESTION)
    connect = socket.create_connection
    made = []

    def cancelled_meanwhile(*given, **options):
        made.append(connect(*given, **options))
        stream.cancel()
        return made[0]

    monkeypatch.setattr(socket, "create_connection", cancelled_meanwhile)
    began = time.monotonic()
    assert list(stream) == []
    assert time.monotonic() - began < PROMPTLY
    assert made[0].fileno() == -1


def test_cancel_drops_what_has_come_but_was_not_read(server):
    server.script(sends(event(delta(content="Lis")) + event(ended()) + event(delta(reasoning="!")), SILENCE))
    stream = model_at(server).stream(QUESTION)
    pieces = iter(stream)
    assert next(pieces) == "Lis"
    stream.cancel()
    assert list(pieces) == []


def test_cancel_twice_or_after_the_end_does_nothing(server):
    stream = model_at(server).stream(QUESTION)
    assert text_of(stream) == "Hello there."
    stream.cancel()
    stream.cancel()


def test_an_abandoned_answer_ends_at_the_server(server):
    server.script(sends("Lis", SILENCE))
    stream = model_at(server).stream(QUESTION)
    for _piece in stream:
        break
    assert server.next_request().wait_until_gone()


def test_one_model_answers_many_at_once(server):
    gate = threading.Event()
    server.script(*[sends("one", gate, "two", ended(), DONE)] * 8)
    model = model_at(server)
    with ExitStack() as stack:
        readers = [stack.enter_context(reading(model.stream(QUESTION))) for _ in range(8)]
        assert all(reader.first.wait(PROMPTLY) for reader in readers)
        gate.set()
        assert all(reader.finished.wait(PROMPTLY) for reader in readers)
        assert [text_of(reader.pieces) for reader in readers] == ["onetwo"] * 8


def test_cancelling_one_answer_leaves_the_others(server):
    gate = threading.Event()
    server.script(*[sends("one", gate, "two", ended(), DONE)] * 2)
    model = model_at(server)
    doomed, lucky = model.stream(QUESTION), model.stream(QUESTION)
    with reading(doomed) as first, reading(lucky) as second:
        assert first.first.wait(PROMPTLY)
        assert second.first.wait(PROMPTLY)
        doomed.cancel()
        assert first.finished.wait(PROMPTLY)
        gate.set()
        assert second.finished.wait(PROMPTLY)
        assert (text_of(first.pieces), text_of(second.pieces)) == ("one", "onetwo")


def test_no_socket_stays_open(server, monkeypatch):
    server.script(says("a"), sends("b", ends="cut"), refuses(500), sends("c", SILENCE))
    model, connections = model_at(server), connections_made(monkeypatch)
    for _ in range(4):
        with suppress(BackendUnavailable):
            for piece in model.stream(QUESTION):
                if piece == "c":
                    break
    assert [connected.fileno() for connected in connections] == [-1] * 4


def connections_made(monkeypatch):
    """The sockets connected from now on."""
    connect, made = socket.create_connection, []

    def noted(*given, **options):
        made.append(connect(*given, **options))
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", noted)
    return made


# Where


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.com/v1",
        "http://",
        "http://[::1",
        "http://a:99999/v1",
        "http://a b/v1",
        "no address",
        "ada:pw@example.com/v1",
        "http://a/v1?k=\x00",
        "http:///v1",
        "htp://a/v1",
        "unix:/tmp/socket",
        "http:",
        "?",
        "/v1",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address):
    with pytest.raises(InvalidInput, match="begins with http:// or https://"):
        OpenAIModel(address)


ADDRESSES = {
    "http://a:1/v1": "http://a:1/v1/models",
    "http://a:1/v1/": "http://a:1/v1/models",
    "http://a:1/v1//": "http://a:1/v1/models",
    "http://a:1/v1/models": "http://a:1/v1/models",
    "http://a:1/v1/models/": "http://a:1/v1/models",
    "http://a:1/v1/models/gpt-x": "http://a:1/v1/models",
    "http://a:1/v1/chat/completions": "http://a:1/v1/models",
    "http://a:1/v1/chat/completions/": "http://a:1/v1/models",
    "http://a:1/v1/completions": "http://a:1/v1/models",
    "http://a:1/v1/responses": "http://a:1/v1/models",
    "http://a:1/v1/embeddings": "http://a:1/v1/models",
    "HTTP://a:1/v1": "http://a:1/v1/models",
    "  http://a:1/v1 \n": "http://a:1/v1/models",
    "<http://a:1/v1>": "http://a:1/v1/models",
    '"http://a:1/v1"': "http://a:1/v1/models",
    "http://a:1/v1#top": "http://a:1/v1/models",
    "http://a:1": "http://a:1/v1/models",
    "http://a:1/": "http://a:1/v1/models",
    "localhost:11434": "http://localhost:11434/v1/models",
    "localhost:11434/v1": "http://localhost:11434/v1/models",
    "localhost": "http://localhost/v1/models",
    "127.0.0.1:8080/v1/": "http://127.0.0.1:8080/v1/models",
    "192.168.1.5:1234": "http://192.168.1.5:1234/v1/models",
    "[::1]:8080": "http://[::1]:8080/v1/models",
    "//nas.local/v1": "http://nas.local/v1/models",
    "gpu.example.com:8000/v1": "http://gpu.example.com:8000/v1/models",
    "api.example.com": "https://api.example.com/v1/models",
    "api.example.com/openai/v1/models": "https://api.example.com/openai/v1/models",
    "https://api.example.com/chat/completions": "https://api.example.com/v1/models",
    "https://api.example.com/v1beta/openai/": "https://api.example.com/v1beta/openai/models",
    "http://a/v1?api-version=2026-01": "http://a/v1/models?api-version=2026-01",
    "http://a/v1/chat/completions?api-version=2026-01&x=%20": "http://a/v1/models?api-version=2026-01&x=%20",
    "http://a/v1?": "http://a/v1/models",
    "http://a:1/v1/models/org/name": "http://a:1/v1/models",
    "http://a:1/v1/chat": "http://a:1/v1/models",
    "http://a:1/v1/messages": "http://a:1/v1/models",
    "http://a:1/v1/audio/transcriptions": "http://a:1/v1/models",
    "http://a:1/v1/images/generations": "http://a:1/v1/models",
    "http://a:1/v1/rerank": "http://a:1/v1/models",
    "https://proxy.example/https://a:1/v1": "https://proxy.example/https://a:1/v1/models",
    "https://gateway.example/v1/account/openai": "https://gateway.example/v1/account/openai/models",
    "http://a:1/models/x/v1": "http://a:1/models/x/v1/models",
    "http://a:1/api": "http://a:1/api/models",
    "http://a:1/api/chat/completions": "http://a:1/api/models",
    "http://a:1/api/chat": "http://a:1/v1/models",
    "http://a:1/api/generate": "http://a:1/v1/models",
    "http://a:1/api/tags": "http://a:1/v1/models",
    "“http://a:1/v1”": "http://a:1/v1/models",
    "http://a:1/v1,": "http://a:1/v1/models",
    "http://a:1/v1.": "http://a:1/v1/models",
    "\u200bhttp://a:1/v1\u200b": "http://a:1/v1/models",
    'base_url="http://a:1/v1",': "http://a:1/v1/models",
    "OPENAI_BASE_URL=http://a:1/v1": "http://a:1/v1/models",
    "export OPENAI_API_BASE='http://[::1]:1/v1'": "http://[::1]:1/v1/models",
    "curl http://a:1/v1/models": "http://a:1/v1/models",
    "[http://a:1/v1](http://a:1/v1)": "http://a:1/v1/models",
    "http://[::1]": "http://[::1]/v1/models",
    "https://[2001:db8::1]": "https://[2001:db8::1]/v1/models",
    "“http://[::1]:1”": "http://[::1]:1/v1/models",
    "[http://[::1]](http://[::1])": "http://[::1]/v1/models",
    "[Ollama](http://a:1/v1)": "http://a:1/v1/models",
    "[Ollama](http://[::1]:1/v1 'here').": "http://[::1]:1/v1/models",
    "[http://a:1/v1/](http://a:1/v1)": "http://a:1/v1/models",
    "curl -X POST https://a:1/v1": "https://a:1/v1/models",
    "curl https://a:1/v1/chat/completions \\": "https://a:1/v1/models",
    "  https://a:1/v1/chat/completions \\\n  -d @question.json": "https://a:1/v1/models",
    f"$ curl -H 'Authorization: Bearer {KEY}' \"https://a:1/v1/models\"": "https://a:1/v1/models",
    "curl http://ada:pw@a:1/v1/models | jq": "http://a:1/v1/models",
    "OPENAI_BASE_URL=http://a:1/v1 python x.py": "http://a:1/v1/models",
    '$env:OPENAI_BASE_URL = "http://a:1/v1"': "http://a:1/v1/models",
    "The server is at http://a:1/v1, as before.": "http://a:1/v1/models",
    "http://ada:p(w@a:1/v1": "http://a:1/v1/models",
    "http://ada:80 w@a:1/v1": "http://a:1/v1/models",
    "http:/a:1/v1": "http://a:1/v1/models",
    "http//a:1/v1": "http://a:1/v1/models",
    "https:a.example/v1": "https://a.example/v1/models",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_may_be_pasted_in_any_form(address):
    assert endpoint.parse(f" {address}\n", "", 1, 1).address("/models") == ADDRESSES[address]
    assert endpoint.parse(address, "", 1, 1).address("/models") == ADDRESSES[address]


PASTED_SECRETS = [
    f"curl -H 'Authorization: Bearer {KEY}' http://a:1/v1",
    f"curl -H 'Authorization: Bearer {KEY}' http://a:1/v1 http://b:1/v1",
    f"http://a:1/v1 -H 'Authorization: Bearer {KEY}' http://b:1/v1",
    f"curl -H 'Authorization: Bearer {KEY}' a:1/v1",
    f"curl http://ada:80 {KEY}@a:1/v1",
    f"curl 'http://ada:80\"{KEY}@a:1/v1'",
    f"[{KEY}](http://ada:{KEY}@a:1/v1)",
    f"http://ada:{KEY}/w@a:1/v1",
    f"curl http://ada:{KEY}/w@a:1/v1",
    f"API_KEY={KEY} OPENAI_BASE_URL=http://a:1/v1?key={KEY}",
]


@pytest.mark.parametrize("address", PASTED_SECRETS)
def test_a_secret_that_was_pasted_with_an_address_is_never_shown(address):
    assert KEY not in endpoint.without_password(address)
    assert KEY not in endpoint.without_password(endpoint.bare(address))


@pytest.mark.parametrize(
    "address",
    [
        "http://a:1/v1 http://b:1/v1",
        "[http://a:1/v1](http://b:1/v1)",
        "curl -x http://proxy:3128 https://a:1/v1",
        "http://a:1/v1\nhttp://b:1/v1",
        "http://a:1/v1http://b:1/v1",  # two lines pasted into a field that drops the line's end
        "curl http://ada:80 w@a:1/v1",
        "curl 'http://ada:80\"w@a:1/v1'",
        "curl ftp+http://a:1/v1",
        "curl a:1/v1",
        f"curl http://a:1/v1 {'x' * endpoint.LONGEST}",
    ],
)
def test_what_has_several_addresses_or_an_uncertain_one_is_refused(address):
    with pytest.raises(InvalidInput, match="begins with http:// or https://"):
        endpoint.parse(address, "", 1, 1)


def test_the_query_of_an_address_goes_with_each_request_and_its_keys_are_never_shown(server):
    server.script(refuses(500, {"error": {"message": f"bad {KEY}"}}))
    model = OpenAIModel(f"{server.url}/chat/completions?api-version=7&api_key={KEY}", "m")
    with pytest.raises(BackendUnavailable) as caught:
        list(model.stream(QUESTION))
    assert server.requests[0].path == f"/v1/chat/completions?api-version=7&api_key={KEY}"
    assert KEY not in f"{caught.value} {model.label} {vars(model)}"
    assert (
        endpoint.without_password(f"http://a/v1?api-version=7&api_key={KEY}") == "http://a/v1?api-version=7&api_key=…"
    )


@pytest.mark.parametrize(
    ("name", "is_key"),
    [
        *((name, True) for name in ("key", "api_key", "apiKey", "X-Api-Key", "x-portkey-api-key", "sig", "code")),
        *((name, True) for name in ("access_token", "Authorization", "Ocp-Apim-Subscription-Key", "client_secret")),
        *((name, True) for name in ("pwd", "credential")),
        *((name, False) for name in ("x-portkey-provider", "keyboard", "region", "api-version", "encode", "design")),
    ],
)
def test_what_is_a_key_is_told_by_its_name(server, complaint, name, is_key):
    said = complaint(refuses(500, {"error": {"message": "value9 is wrong"}}), headers=((name, "value9"),))
    assert ("“[key] is wrong”" in said) == is_key
    shown = endpoint.without_password(f"http://a/v1?{name}=value9")
    assert shown == f"http://a/v1?{name}={'…' if is_key else 'value9'}"


def test_a_key_behind_a_hash_is_never_shown():
    address = f"http://a/v1?region=eu#key={KEY}"
    assert endpoint.without_password(address) == "http://a/v1?region=eu#key=…"
    assert KEY in endpoint.parse(address, "", 1, 1).secrets


HEADERS = (("X-Provider", "openai"), ("X-Api-Key", KEY), ("Authorization", "Bearer other-0123456789"))


def test_headers_of_ones_own_go_with_each_request(server):
    model = model_at(server, headers=HEADERS)
    model.list_models()
    assert model.check() is None
    list(model.stream(QUESTION))
    assert len(server.requests) == 3
    for request in server.requests:
        assert request.headers["x-provider"] == "openai"
        assert request.headers["x-api-key"] == KEY
        assert request.headers["authorization"] == "Bearer other-0123456789"


def test_the_values_of_headers_are_never_shown(server):
    server.script(refuses(500, {"error": {"message": f"openai does not know {KEY}, nor other-0123456789"}}))
    model = model_at(server, headers=HEADERS, api_key="")
    with pytest.raises(BackendUnavailable) as caught:
        list(model.stream(QUESTION))
    assert "“openai does not know [key], nor [key]”" in str(caught.value)
    assert KEY not in f"{model.label} {vars(model)}"


@pytest.mark.parametrize("key", ["sk-\nX: y", "sk-clé"])
def test_a_key_that_is_none_is_refused_and_not_shown(key):
    with pytest.raises(InvalidInput) as caught:
        OpenAIModel("http://127.0.0.1/v1", api_key=key)
    assert "sk-" not in str(caught.value)


def test_credentials_in_the_address_are_used_and_never_shown(server):
    server.script(refuses(500, {"error": {"message": "user ada, password hunter2"}}))
    model = OpenAIModel(server.url.replace("://", "://ada:hunter2@"), "m")
    with pytest.raises(BackendUnavailable) as caught:
        list(model.stream(QUESTION))
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert "hunter2" not in f"{caught.value} {model.label} {vars(model)}"


def test_the_label_names_model_and_host():
    model = OpenAIModel("https://user:pw@api.example.com:8443/v1", "gpt-x", KEY)
    assert model.label == "gpt-x at api.example.com"
    assert model.notice is None
    assert OpenAIModel("https://api.example.com/v1", label="The model").label == "The model"


def test_without_a_server_the_notice_says_what_to_do():
    model = OpenAIModel("", "gpt-x")
    assert model.notice == (
        "No model server is set. Give its address in the settings or with --base-url, "
        "for example http://127.0.0.1:11434/v1 for Ollama."
    )
    with pytest.raises(BackendUnavailable, match="No model server is set"):
        list(model.stream(QUESTION))


def test_a_loopback_server_is_not_asked_through_a_proxy(ask, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "nonsense://")
    assert text_of(ask(says("Lisbon"))) == "Lisbon"


def test_a_server_elsewhere_is_asked_through_the_proxy_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.address}")
    server.script(says("Lisbon"))
    assert text_of(OpenAIModel("http://model.example/v1", "m").stream(QUESTION)) == "Lisbon"
    assert server.requests[0].path == "http://model.example/v1/chat/completions"


def test_cancel_works_through_a_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.address}")
    server.script(Answer(before=[SILENCE]))
    stream = OpenAIModel("http://model.example/v1", "m").stream(QUESTION)
    with reading(stream) as seen:
        server.next_request()
        stream.cancel()
        assert seen.finished.wait(PROMPTLY)


def test_a_proxy_setting_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "nonsense://somewhere")
    with pytest.raises(BackendUnavailable, match="Check ALL_PROXY"):
        list(OpenAIModel("https://api.example.com/v1", "m").stream(QUESTION))


def test_a_closed_model_can_be_asked_again(server):
    model = model_at(server)
    list(model.stream(QUESTION))
    model.close()
    assert text_of(model.stream(QUESTION)) == "Hello there."


def test_the_settings_make_a_backend(server):
    settings = Settings(base_url=server.url, model="ada", api_key=KEY, system_prompt="Be brief.")
    backend = from_settings(settings)
    session = backend.create_session("~", "")
    assert text_of(backend.send_message(session.session_id, "Hi")) == "Hello there."
    assert backend.label == "ada at 127.0.0.1"
    assert server.questions[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_no_http_client_is_loaded_before_a_question():
    program = """
import sys
from webchat.backends.openai import OpenAIModel
OpenAIModel("http://127.0.0.1/v1").label
print("httpx" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("backend", "is_loaded"),
    [
        ("ChatModelBackend(OpenAIModel('http://127.0.0.1/v1'))", True),
        ("ChatModelBackend(OpenAIModel(''))", False),
        ("MockBackend()", False),
    ],
)
def test_the_http_client_is_loaded_in_the_background_once_the_server_has_started(backend, is_loaded):
    program = f"""
import sys, tempfile, threading
from pathlib import Path
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.mock import MockBackend
from webchat.backends.openai import OpenAIModel
from webchat.manager import WebChatSessionManager
manager = WebChatSessionManager({backend}, Path(tempfile.mkdtemp()) / "registry.json")
manager.start(print)
for thread in [each for each in threading.enumerate() if each.name == "http-client"]:
    thread.join()
print({{"httpx", "webchat.backends.openai.stream"}} <= set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(is_loaded)


def test_a_backend_that_is_closed_at_once_loads_nothing():
    program = """
import sys, threading
from webchat.backends.openai import OpenAIModel
model = OpenAIModel("http://127.0.0.1/v1")
model.start(print)
model.close()
for thread in [each for each in threading.enumerate() if each.name == "http-client"]:
    thread.join()
print("httpx" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_backend_that_is_closed_while_its_client_is_loaded_closes_it():
    program = """
import sys, threading
from webchat.backends.openai import OpenAIModel
from webchat.backends.openai.server import Server
model, closed = OpenAIModel("http://127.0.0.1/v1"), []
class Closing:
    def find_spec(self, name, *rest):
        if name == "webchat.backends.openai.stream":
            model.close()
close = Server.close
Server.close = lambda self: (closed.append(self), close(self))
sys.meta_path.insert(0, Closing())
model.start(print)
for thread in [each for each in threading.enumerate() if each.name == "http-client"]:
    thread.join()
print(len(closed))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_keep_alive_comments_keep_a_slow_answer_alive(ask):
    answer = sends(*[0.5, b": ping\n\n"] * 6, "Lisbon", ended(), DONE)
    assert text_of(ask(answer, read_timeout=2.5)) == "Lisbon"


def test_the_event_stream_may_name_its_charset(ask):
    headers = {"Content-Type": f"{EVENT_STREAM['Content-Type']}; charset=utf-8"}
    assert text_of(ask(Answer(says("é").steps, headers=headers))) == "é"


def test_what_is_learned_in_the_background_ends_with_the_backend(server, monkeypatch):
    held, start = [], threading.Thread.start

    def begin(thread):
        held.append(thread) if thread.name == "model-facts" else start(thread)

    monkeypatch.setattr(threading.Thread, "start", begin)
    server.script(says("Hello.", usage={"prompt_tokens": 1, "completion_tokens": 2}))
    model = OpenAIModel(server.url, "m")
    list(model.stream([{"role": "user", "content": "hi"}]))
    model.close()
    [learning] = held
    learning.run()
    assert [request.path for request in server.requests] == ["/v1/chat/completions"]
