"""A failing model server, through the whole chat: the sentence that a person reads, what is kept, and the way out."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
from contextlib import contextmanager, nullcontext, suppress
from itertools import repeat
from pathlib import Path

import pytest

from tests.reading import until
from tests.scripted_server import DONE, SILENCE, Answer, ScriptedServer, calls, delta, ended, refuses, says, sends
from tests.stored import documents_of
from webchat import config, create_app
from webchat.backends.chat_model import UNANSWERED

SELF_SIGNED = Path(__file__).with_name("self_signed.pem")
READ_TIMEOUT = "1"
HTML = {"Content-Type": "text/html"}


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
def app(server, home):
    """The real chat, over the scripted server."""
    config.save(documents_of(home), {"base_url": server.url})
    values = {"WEBCHAT_BACKEND": "openai", "WEBCHAT_MODEL": "m"}
    values |= {"WEBCHAT_READ_TIMEOUT": READ_TIMEOUT, "WEBCHAT_CONNECT_TIMEOUT": "5"}
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True, **values})
    yield app
    app.extensions["webchat"].close()


def held():
    """The threads, open files and sockets of this process."""
    gc.collect()  # `freeze` makes this collection quick
    descriptors = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            descriptors.add(str(descriptor.readlink()))
    return {thread.ident for thread in threading.enumerate()}, descriptors


@pytest.fixture
def chat(client, server, page):
    """A session with a complete answer.

    The resources held then are those held at the end, whatever failed in between.
    """
    gc.freeze()
    chat = Chat(client, page)
    chat.say("first")
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(("reply", "runs"))])
    threads, descriptors = held()
    yield chat

    def nothing_left():
        now = held()
        return now[0] <= threads and now[1] <= descriptors

    try:
        until(nothing_left)
    finally:
        gc.unfreeze()


class Chat:
    """One session of one person, without JavaScript."""

    def __init__(self, client, page):
        self._client, self._page = client, page
        self.url = ""

    def post(self, path, **fields):
        answer = self._client.post(path, data=fields)
        assert answer.status_code == 303, answer.text
        self.url = self.url or answer.location.partition("#")[0]

    def say(self, message):
        """Send a message and wait for the end of its answer."""
        self.post(f"{self.url}/messages" if self.url else "/messages", message=message)
        return self.ended()

    def ended(self):
        until(lambda: self.shown().messages[-1].status not in ("waiting", "streaming"), 30)
        return self.shown()

    def shown(self):
        return self._page(self.url)

    def try_again(self):
        form = next(form for form in self.shown().soup.select("article form") if "Try again" in form.get_text())
        self.post(form["action"])
        return self.ended()


SERVER_FAULTS = {
    "401": (
        refuses(401, {"error": {"message": "bad key"}}),
        "requires a key, and none is set. Set it in the settings.",
    ),
    "404": (refuses(404, {"error": {"message": "no m"}}), "does not have the model 'm', or its address is wrong."),
    "429": (refuses(429, {}, {"Retry-After": "700"}), "is limiting requests. Try again in 700 seconds."),
    "429 without a time": (refuses(429, {}), "is limiting requests. Try again later."),
    "500": (refuses(500, "<html>oops</html>"), "has an internal problem (HTTP 500). Try again in a moment."),
    "no HTTP": (Answer(before=[b"220 mail.example ready\r\n"], chunked=False), "does not respond like a model server."),
    "cut": (sends("So far. ", ends="cut"), "broke off in the middle of the answer. Try again."),
    "reset": (sends("So far. ", ends="reset"), "broke off in the middle of the answer. Try again."),
    "ended without an end": (sends("So far. "), "broke off in the middle of the answer. Try again."),
    "malformed": (sends("So far. ", b"data: {not json\n\n"), "sent an invalid response. Try again."),
    "wrong types": (sends("So far. ", b'data: {"choices": 7}\n\n'), "sent an invalid response."),
    "error event": (sends("So far. ", b'data: {"error": {"message": "GPU lost"}}\n\n'), "“GPU lost”"),
    "an event called error": (
        sends("So far. ", b'event: error\ndata: {"message": "GPU lost", "type": "server_error"}\n\n', DONE),
        "“GPU lost”",
    ),
    "an event called error, in words": (sends("So far. ", b"event: error\ndata: GPU lost\n\n", DONE), "“GPU lost”"),
    "an error without a name": (
        sends("So far. ", {"object": "error", "message": "GPU lost", "type": "Internal", "code": 500}, DONE),
        "“GPU lost”",
    ),
    "a message with a code": (sends("So far. ", {"message": "GPU lost", "code": 500}, ended(), DONE), "“GPU lost”"),
    "a whole answer that is an error": (refuses(200, {"object": "error", "message": "GPU lost"}), "“GPU lost”"),
    "silent": (Answer(before=[SILENCE]), "has been silent for 1 seconds."),
    "silent after headers": (Answer([SILENCE], headers=HTML), "has been silent for 1 seconds."),
    "silent in the middle": (sends("So far. ", SILENCE), "has been silent for 1 seconds."),
    "an endless event": (
        sends("So far. ", *[b"data: x" * 9000] * 40),
        "sent more data at once than an answer can have.",
    ),
    "a page": (Answer([b"<html>Log in</html>"], headers=HTML), "does not respond like a model server."),
    "nothing": (says(), "The model ended without an answer. Try again"),
    "a refusal": (sends(delta(refusal="I can't."), ended(), DONE), "refuses to answer: “I can't.”"),
    "a tool call": (calls("c1", "look", {}), "asked for the tool “look” instead of answering"),
    "reasoning alone": (
        sends(delta(reasoning="Hm."), ended(), DONE),
        "ended after its reasoning, without an answer.",
    ),
    "an unclosed tag": (says("<think>", "Hm."), "ended after its reasoning, without an answer."),
    "an error as the last bytes": (sends("So far. ", b'data: {"error": "GPU lost"}'), "“GPU lost”"),
    "another API": (refuses(200, {"ok": True}), "does not respond like a model server."),
}


@pytest.mark.parametrize("name", SERVER_FAULTS)
def test_a_fault_is_told_what_came_is_kept_and_trying_again_works(chat, server, name):
    answer, sentence = SERVER_FAULTS[name]
    server.script(answer)
    failed = chat.say("second").messages
    assert [message.status for message in failed] == ["complete", "complete", "complete", "failed"]
    assert sentence in failed[-1].article.select_one(".problem").get_text()
    assert failed[-1].text == ("So far." if "So far. " in answer.steps else "")
    assert [message.text for message in failed[:3]] == ["first", "Hello there.", "second"]
    again = chat.try_again().messages
    assert [message.text for message in again] == ["first", "Hello there.", "second", "Hello there."]
    # The failed answer is still there as another version, and the model was not sent it.
    assert "2 / 2" in again[-1].article.get_text(" ")
    told = server.questions[-1]["messages"]
    assert [item["content"] for item in told] == ["first", "Hello there.", "second"]


@contextmanager
def listening(answer):
    """Returns the address of a raw server that does this with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def untrusted(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    with context.wrap_socket(connection, server_side=True) as wrapped:
        wrapped.recv(1)


@contextmanager
def nobody():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    yield address


ADDRESS_FAULTS = {
    "refused": ("http", nobody, "Start the model server there, or check the address."),
    "no such computer": ("http", lambda: nullcontext("no-such-computer.invalid"), "There is no host called no-such-"),
    "no computer's name": ("http", lambda: nullcontext("a..b"), "The address of the model server cannot be used."),
    "certificate": ("https", lambda: listening(untrusted), "is not trusted. Check the address, or set SSL_CERT_FILE."),
    "no TLS": (
        "https",
        lambda: listening(lambda connection: connection.send(b"HTTP/1.1 400 No\r\n\r\n")),
        "use TLS correctly",
    ),
    "hangs up": ("http", lambda: listening(lambda connection: connection.recv(1)), "closed the connection without"),
    "TLS where none is expected": ("http", lambda: listening(untrusted), "closed the connection without"),
}


@pytest.mark.parametrize("name", ADDRESS_FAULTS)
def test_a_server_that_is_not_there_is_told_and_the_settings_are_the_way_out(chat, client, server, name):
    scheme, there, sentence = ADDRESS_FAULTS[name]
    with there() as address:
        client.post("/apps/settings/", data={"base_url": f"{scheme}://{address}/v1"})
        failed = chat.say("second").messages[-1]
        assert failed.status == "failed"
        assert sentence in failed.article.select_one(".problem").get_text()
        assert failed.article.select_one('a[href="/apps/settings/"]')
    client.post("/apps/settings/", data={"base_url": server.url})
    assert chat.try_again().messages[-1].text == "Hello there."


def drips(said, sent):
    """Some text, then a byte now and then, forever: too often for a timeout. Counts the bytes in `sent`."""
    yield said
    for byte in repeat(b":"):
        yield byte
        sent.append(byte)
        yield 0.05


@pytest.mark.parametrize("before", ["the answer", "the end of a refusal"])
def test_a_byte_a_second_is_ended_by_stop_at_once_and_at_the_server(chat, server, before):
    sent = []
    if before == "the answer":
        server.script(Answer(drips("So far. ", sent)))
    else:
        server.script(Answer(drips(b"Internal", sent), 500, HTML))
    server.next_request()
    chat.post(f"{chat.url}/messages", message="second")
    asked = server.next_request()
    until(lambda: len(sent) > 1.5 * float(READ_TIMEOUT) / 0.05)  # longer than the read timeout
    assert chat.shown().messages[-1].status in ("waiting", "streaming")
    chat.post(f"{chat.url}/stop")
    stopped = chat.shown().messages[-1]
    assert (stopped.status, stopped.text) == ("stopped", "So far." if before == "the answer" else "")
    assert asked.wait_until_gone()
    assert chat.try_again().messages[-1].text == "Hello there."


LINE = "0123456789abcde\n"
PART = LINE * 4096


def flood(sent):
    """An answer of 100 MB in a code fence, which renders quickly. Counts the bytes in `sent`."""
    yield "```\n"
    for _ in range(100 * 2**20 // len(PART)):
        yield PART
        sent.append(len(PART))


@pytest.mark.parametrize("kind", ["content", "reasoning"])
def test_an_answer_without_end_is_cut_off_and_no_more_of_it_is_read(chat, client, server, kind):
    sent = []
    steps = flood(sent) if kind == "content" else (delta(reasoning=step) for step in flood(sent))
    server.script(Answer(steps))
    server.next_request()
    failed = chat.say("second").messages[-1]
    assert failed.status == "failed"
    assert "longer than the 4 MiB that one answer may have." in failed.article.select_one(".problem").get_text()
    assert server.next_request().wait_until_gone()
    assert sum(sent) < 32 * 2**20  # the rest was in socket buffers
    text = client.get(chat.url, headers={"Accept": "application/json"}).json["messages"][-1]["content"]
    whole = text if kind == "content" else failed.article.select_one(".reasoning .plain").get_text()
    assert 4 * 2**20 - 4 < len(whole) <= 4 * 2**20
    assert ("```\n" + PART * 65).startswith(whole)
    assert chat.try_again().messages[-1].text == "Hello there."


def test_a_page_of_100_mb_is_no_answer(chat, server):
    sent = []

    def page():
        for _ in range(100):
            yield b"x" * 2**20
            sent.append(2**20)

    server.script(Answer(page(), headers=HTML))
    assert "sent more data at once than an answer can have." in chat.say("second").problem
    assert sum(sent) < 32 * 2**20
    assert chat.try_again().messages[-1].text == "Hello there."


def test_a_server_without_time_is_waited_for_and_the_page_says_how_long(chat, server):
    server.script(refuses(429, {}, {"Retry-After": "30"}))
    chat.post(f"{chat.url}/messages", message="second")
    until(lambda: "trying again in " in chat.shown().messages[-1].article.get_text())
    chat.post(f"{chat.url}/stop")
    assert chat.shown().messages[-1].status == "stopped"
    server.script(refuses(429, {}, {"Retry-After": "1"}), says("Now."))
    assert chat.try_again().messages[-1].text == "Now."


@pytest.mark.parametrize("silent", [says(), sends(delta(reasoning="Hm."), ended(), DONE), refuses(500)])
def test_the_next_question_is_not_made_one_with_an_unanswered_one(chat, server, silent):
    server.script(silent)
    assert chat.say("second").messages[-1].status == "failed"
    assert chat.say("third").messages[-1].text == "Hello there."
    told = [(item["role"], item["content"]) for item in server.questions[-1]["messages"]]
    assert told[2:] == [("user", "second"), ("assistant", UNANSWERED), ("user", "third")]


def test_reasoning_without_an_answer_is_still_to_be_read(chat, server):
    server.script(sends(delta(reasoning="Let me see."), ended(), DONE))
    failed = chat.say("second").messages[-1]
    assert failed.article.select_one(".reasoning .plain").get_text() == "Let me see."


def test_reasoning_that_only_ends_is_shown_as_such_and_not_told_again(chat, server):
    server.script(says("Let me ", "see.\n", "</thi", "nk>\n\nLis", "bon"))
    answer = chat.say("second").messages[-1]
    assert (answer.status, answer.text) == ("complete", "Lisbon")
    assert answer.article.select_one(".reasoning .plain").get_text() == "Let me see.\n"
    chat.say("third")
    assert [item["content"] for item in server.questions[-1]["messages"]][-2:] == ["Lisbon", "third"]


TOKENS = {"prompt_tokens": 1200, "completion_tokens": 56, "total_tokens": 1256}


def test_the_tokens_that_a_server_counts_are_shown_and_no_others(chat, server):
    assert chat.shown().soup.select(".spent, .usage[title]") == []
    server.script(says("Lisbon", usage=TOKENS))
    chat.say("second")
    spent = chat.shown().messages[-1].article.select_one(".spent")
    assert (spent.get_text(), spent["title"]) == ("56 tokens", "1,200 tokens read, 56 written")
    used = chat.shown().soup.select_one(".usage")
    assert (used.get_text(), used["title"]) == ("1,256 tokens", "1,200 tokens read, 56 written")


def test_of_a_context_whose_size_the_server_says_the_used_part_is_shown(chat, server):
    server.models_answer = refuses(200, {"data": [{"id": "other"}, {"id": "m", "max_model_len": 12_560}]})
    server.script(says("Lisbon", usage=TOKENS), says("Porto", usage=TOKENS))
    chat.say("second")
    until(lambda: [request for request in server.requests if request.path == "/v1/models"])
    until(lambda: not any(thread.name == "model-list" for thread in threading.enumerate()))
    chat.say("third")
    used = chat.shown().soup.select_one(".usage")
    assert used["title"] == "1,256 of 12,560 tokens"
    assert used.get_text().startswith("10 % of the context used")
