"""The embedded model fails, through the whole chat: a sentence, a way out, and everything else keeps working."""

from __future__ import annotations

import pytest

from tests.reading import until
from tests.stored import documents_of
from webchat import config, create_app
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.local.child import NEVER_LOADED, NO_MEMORY, STOPPED
from webchat.backends.local.history import SHORTENED
from webchat.backends.refusals import TOO_LONG
from webchat.errors import InvalidInput


@pytest.fixture
def mode():
    return "works"


@pytest.fixture
def model(stand_in, mode):
    return stand_in(mode)


@pytest.fixture
def backend(model):
    return ChatModelBackend(model)


@pytest.fixture
def chat(client, page):
    return Chat(client, page)


class Chat:
    """One person's session, without JavaScript."""

    def __init__(self, client, page):
        self._client, self._page = client, page
        self.url = ""

    def post(self, path, **fields):
        answer = self._client.post(path, data=fields)
        assert answer.status_code == 303, answer.text
        self.url = self.url or answer.location.partition("#")[0]

    def ask(self, message):
        self.post(f"{self.url}/messages" if self.url else "/messages", message=message)

    def say(self, message):
        """Ask and wait for the end; returns the answer as shown."""
        self.ask(message)
        return self.ended()

    def ended(self):
        until(lambda: self.last().status not in ("waiting", "streaming"), 20)
        return self.last()

    def last(self):
        return self._page(self.url).messages[-1]

    def try_again(self):
        form = next(form for form in self.last().article.select("form") if "Try again" in form.get_text())
        self.post(form["action"])
        return self.ended()


def problem_of(message):
    assert message.status == "failed"
    assert message.article.select_one('.problem a[href="/apps/settings/"]')
    return message.article.select_one(".problem p").get_text()


def test_a_file_that_is_missing_is_told_and_can_be_put_back(chat, tmp_path):
    weights = tmp_path / "weights.gguf"
    weights.rename(tmp_path / "elsewhere")
    assert problem_of(chat.say("hello")).startswith("The model file weights.gguf cannot be read. Put it back")
    (tmp_path / "elsewhere").rename(weights)
    assert chat.try_again().text == "You said: hello"


def test_a_file_that_is_damaged_is_told_and_can_be_put_back(chat, tmp_path):
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"\0" * 100)
    assert problem_of(chat.say("hello")).startswith("The model file weights.gguf is damaged. Put it back")
    weights.write_bytes(b"GGUF")
    assert chat.try_again().text == "You said: hello"


FAILS = {"killed": NO_MEMORY, "hungry": NEVER_LOADED, "dies": NEVER_LOADED, "full": TOO_LONG}


@pytest.mark.parametrize("mode", FAILS)
def test_a_model_that_cannot_be_loaded_or_asked_is_told_and_tried_again(chat, mode, tmp_path):
    assert problem_of(chat.say("hello")) == FAILS[mode]
    (tmp_path / "mended").touch()
    if mode == "full":  # it is running, and continues unchanged
        return
    assert chat.try_again().text == "You said: hello"


def test_a_model_that_dies_while_it_answers_leaves_what_it_said(chat):
    answer = chat.say("die")
    assert (problem_of(answer), answer.text) == (STOPPED, "You")
    assert chat.say("hello").text.endswith("hello")


def test_a_message_beyond_the_context_is_cut_and_the_page_says_so(chat):
    answer = chat.say("word " * 1000)
    assert (answer.status, answer.article.select_one(".note").get_text()) == ("complete", SHORTENED)


@pytest.mark.parametrize("mode", ["stuck"])
def test_while_the_model_does_not_load_everything_else_works(chat, client, page, mode):
    chat.ask("hello")
    other = client.post("/api/session").json["session_id"]
    for path in ("/", "/sessions", "/sessions?q=hello", f"/sessions/{other}", chat.url, "/apps/settings/"):
        assert client.get(path).status_code == 200
    assert [row.title for row in page("/sessions").rows] == ["Web chat session", "hello"]
    said = client.post(f"/sessions/{other}/messages", data={"message": "remember this: blue"})
    assert said.status_code == 303
    assert client.post(f"{chat.url}/rename", data={"title": "Renamed"}).status_code == 303
    assert client.get(f"{chat.url}/export?format=md").status_code == 200
    assert chat.last().status == "waiting"
    chat.post(f"{chat.url}/stop")
    assert chat.last().status == "stopped"
    assert client.post("/sessions/delete", data={"id": other}).status_code == 303


def test_a_saved_model_file_that_has_gone_does_not_keep_the_chat_from_starting(home, tmp_path):
    weights = tmp_path / "mine.gguf"
    config.save(documents_of(home), {"model": str(weights)})
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True})
    manager, client = app.extensions["webchat"], app.test_client()
    assert "mine.gguf' cannot be read" in manager.notice
    assert "settings" in client.get("/").text
    reason = client.get("/readyz").json["checks"]["backend"]["reason"]
    assert (reason, str(tmp_path) in reason) == ("The model in the settings cannot be used.", False)
    answer = client.post("/messages", data={"message": "hello"}, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["error"]) == (503, manager.notice)
    refused = client.post("/apps/settings/", data={"model": str(weights)})
    assert (refused.status_code, "cannot be read" in refused.text) == (422, True)
    weights.write_bytes(b"GGUF")
    # Saved unchanged, now that the file is back.
    assert client.post("/apps/settings/", data={"model": str(weights)}).status_code == 303
    assert manager.label.startswith("mine.gguf")
    manager.close()


def test_a_model_file_that_a_flag_names_and_that_is_not_there_is_told_at_the_start(home, tmp_path):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_MODEL": str(tmp_path / "mine.gguf")}
    with pytest.raises(InvalidInput, match="cannot be read"):
        create_app(values)
