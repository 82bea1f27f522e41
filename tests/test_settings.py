"""The settings page: what people can choose, and its effect on answers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import HTMX, Page
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.scripted_server import ScriptedServer, delta, ended, refuses, sends
from tests.stored import documents_of, load, put_settings, settings_path
from webchat import config, create_app
from webchat.backends.openai import nearby
from webchat.errors import BackendUnavailable, InvalidInput
from webchat.fileutil import DiskFolder, locked
from webchat.live_settings import LiveSettings
from webchat.manager import WebChatSessionManager
from webchat.models import SMOLLM
from webchat.models.shelf import shelf
from webchat.storage.memory.documents import MemoryDocuments
from webchat.storage.protocols.documents import SETTINGS as SAVED

SETTINGS = "/apps/settings/"
JSON = {"Accept": "application/json"}
KEY = "sk-planted-key"


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.models = ["other-model"]
        yield server


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Starts a chat on this test's folder; the values are Flask's config. Without any the mock answers."""
    started: list[Flask] = []

    def begin(**values: str) -> FlaskClient:
        started.append(create_app({"AMPLIFIER_HOME": str(home), **values}))
        return started[-1].test_client()

    config.save(documents_of(home), {"backend": "mock"})
    yield begin
    for app in started:
        app.extensions["webchat"].close()


@pytest.fixture
def client(start) -> FlaskClient:
    return start()


@pytest.fixture
def manager(client: FlaskClient) -> WebChatSessionManager:
    return client.application.extensions["webchat"]


def saved(home: Path) -> dict[str, object]:
    return json.loads(documents_of(home).read(SAVED) or b"")


def shown(client: FlaskClient) -> Page:
    return Page(client.get(SETTINGS))


def save(client: FlaskClient, **fields: str):
    answer = client.post(SETTINGS, data=fields)
    assert answer.status_code == 303, Page(answer).problem
    return answer


def use(client: FlaskClient, server: ScriptedServer, **fields: str) -> None:
    """Have this server answer."""
    save(client, backend="openai", base_url=server.url, **{"model": "m", **fields})


def field(page: Page, name: str):
    return page.soup.select_one(f"#f-{name}")


# Layers


def test_what_is_saved_is_shown_and_there_after_a_restart(client, start):
    save(client, system_prompt="Be brief.\r\nBe kind.", temperature="0.5", theme="dark", model=" m ")
    for page in (shown(client), shown(start())):
        assert field(page, "system_prompt").get_text() == "Be brief.\nBe kind."
        assert field(page, "temperature")["value"] == "0.5"
        assert field(page, "model")["value"] == "m"
        assert page.soup.select_one("html")["data-theme"] == "dark"


def test_a_blank_field_goes_back_to_the_default_which_its_placeholder_shows(client, home):
    save(client, model="m")
    save(client, model="")
    assert "model" not in saved(home)
    assert (field(shown(client), "model")["value"], field(shown(client), "model")["placeholder"]) == ("", "auto")


def test_what_is_not_sent_stays(client, home):
    save(client, model="m", system_prompt="Be brief.")
    save(client, theme="dark")
    assert saved(home) == {"backend": "mock", "model": "m", "system_prompt": "Be brief.", "theme": "dark"}


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(client, start, monkeypatch):
    def model() -> str:
        return start().get(SETTINGS, headers=JSON).json["settings"]["model"]

    assert model() == "auto"
    save(client, model="from-the-page")
    assert model() == "from-the-page"
    monkeypatch.setenv("WEBCHAT_MODEL", "from-a-variable")
    assert model() == "from-a-variable"
    page = start(WEBCHAT_MODEL="from-a-flag").get(SETTINGS, headers=JSON).json
    assert page["settings"]["model"] == "from-a-flag"


def test_what_a_flag_or_a_variable_fixes_is_locked_with_its_name(start, monkeypatch):
    monkeypatch.setenv("WEBCHAT_TEMPERATURE", "0.3")
    page = shown(start(WEBCHAT_MODEL="m"))
    for name, by in (("model", "--model"), ("temperature", "WEBCHAT_TEMPERATURE")):
        assert field(page, name).has_attr("disabled")
        assert by in field(page, name).parent.get_text()
    assert not field(page, "system_prompt").has_attr("disabled")


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "x"), ("api_key", KEY), ("backend", "mock"), ("memory_context", "on"), ("system_prompt", "x")],
)
def test_a_fixed_setting_is_not_changed(start, home, name, value):
    setting = next(setting for setting in config.SETTINGS if setting.name == name)
    client = start(**{setting.key: "off" if name == "memory_context" else "mock"})
    before = saved(home)
    answer = client.post(SETTINGS, data={name: value, "theme": "dark"})
    assert answer.status_code == 422
    assert setting.flag in Page(answer).problem
    assert saved(home) == before


def test_the_application_s_own_backend_stays(home):
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    client = app.test_client()
    assert not shown(client).soup.select("#f-model, #f-backend, #f-api_key")
    assert "Scripted" in shown(client).soup.select_one("main.settings").get_text()
    assert client.post(SETTINGS, data={"backend": "mock"}).status_code == 422
    save(client, theme="dark")
    assert isinstance(app.extensions["webchat"].backend, ScriptedBackend)


@pytest.mark.files
@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"temperature": 9, "theme": "pink", "model": ["x"]}', '{"model": "\\ud800"}'],
)
def test_a_damaged_file_is_kept_aside_before_it_is_written_over(home, start, content):
    path = settings_path(home)
    start()
    path.write_text(content)
    client = start(WEBCHAT_BACKEND="mock")
    assert shown(client).response.status_code == 200
    assert [file.name for file in path.parent.glob("*settings.json.corrupt*")] == []
    save(client, theme="dark")
    save(client, theme="light")
    assert [file.read_text() for file in path.parent.glob("*settings.json.corrupt*")] == [content]
    assert saved(home) == {"theme": "light"}


def test_unknown_keys_survive(home, client):
    put_settings(home, '{"backend": "mock", "from_a_later_version": [1], "port": "no"}')
    save(client, theme="dark")
    assert saved(home)["from_a_later_version"] == [1]
    assert list(home.glob("server/*.corrupt*")) == []


# What cannot be used


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "3"),
        ("temperature", "nan"),
        ("temperature", "warm"),
        ("theme", "pink"),
        ("memory_context", "perhaps"),
        ("backend", "no-such"),
        ("base_url", "ftp://example.org"),
        ("api_key", "ключ"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_form_as_it_was_filled_in(client, home, name, value):
    before = saved(home)
    fields = {"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "system_prompt": "Be <b>brief</b>."}
    answer = client.post(SETTINGS, data={**fields, name: value})
    page = Page(answer)
    assert answer.status_code == 422
    assert page.problem
    assert field(page, "system_prompt").get_text() == "Be <b>brief</b>."
    assert saved(home) == before
    refused = client.post(SETTINGS, data={**fields, name: value}, headers=JSON)
    assert (refused.status_code, list(refused.json)) == (400, ["error"])


@pytest.mark.files
def test_a_disk_that_cannot_be_written_changes_nothing(client, home, manager):
    before, path = manager.backend, settings_path(home)
    path.unlink()
    path.mkdir()
    answer = client.post(SETTINGS, data={"backend": "openai", "base_url": "http://127.0.0.1:9/v1"})
    assert answer.status_code == 507
    assert manager.backend is before


# The key


@pytest.mark.files
def test_the_key_is_in_no_page_log_or_error(client, model, home, caplog):
    use(client, model, api_key=KEY)
    said = refuses(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    model.models_answer = said
    model.default = said
    answers = [
        client.post("/messages", data={"message": "hello"}, follow_redirects=True),
        client.post("/api/chat", json={"message": "hello"}),
        client.get(SETTINGS),
        client.get(SETTINGS, headers=JSON),
        client.post(f"{SETTINGS}test", data={}),
        client.post(f"{SETTINGS}test", data={}, headers=HTMX),
        client.post(f"{SETTINGS}test", data={}, headers=JSON),
        client.post(SETTINGS, data={"api_key": KEY, "temperature": "9"}),
        client.post(SETTINGS, data={"api_key": KEY + "ё"}),
        client.post(SETTINGS, data={"api_key": KEY, "base_url": "no address"}),
        client.get("/"),
    ]
    assert model.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert not [answer.request.path for answer in answers if KEY in answer.text]
    assert KEY not in caplog.text
    settings, _ = load({"AMPLIFIER_HOME": home}, {})
    assert settings.api_key == KEY
    assert KEY not in repr(settings)
    assert settings_path(home).stat().st_mode & 0o777 == 0o600


@pytest.mark.files
def test_the_page_says_whether_there_is_a_key_and_removes_it(client, home):
    assert field(shown(client), "api_key")["placeholder"] == "Not set"
    save(client, api_key=KEY)
    assert field(shown(client), "api_key")["placeholder"].startswith("Set.")
    save(client, api_key="", theme="dark")
    assert saved(home)["api_key"] == KEY
    save(client, api_key="", remove_key="on")
    assert saved(home) == {"backend": "mock", "theme": "dark"}


@pytest.mark.files
def test_another_address_clears_the_key(client, home, model, other):
    use(client, model, api_key=KEY)
    use(client, model, temperature="1")
    assert saved(home)["api_key"] == KEY
    use(client, other)
    assert "api_key" not in saved(home)
    client.post("/messages", data={"message": "hello"}, headers=JSON)
    assert "authorization" not in other.requests[-1].headers


@pytest.mark.files
def test_another_address_with_another_key_has_that(client, home, model, other):
    use(client, model, api_key=KEY)
    use(client, other, api_key="sk-other")
    client.post("/messages", data={"message": "hello"}, headers=JSON)
    assert other.requests[-1].headers["authorization"] == "Bearer sk-other"


@pytest.mark.files
def test_a_saved_key_goes_to_no_server_that_a_flag_names(client, start, model, other):
    use(client, model, api_key=KEY)
    start(WEBCHAT_BASE_URL=other.url).post("/messages", data={"message": "hello"}, headers=JSON)
    assert "authorization" not in other.requests[-1].headers
    start().post("/messages", data={"message": "hello"}, headers=JSON)
    assert model.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_saved_without_its_address_goes_to_no_server_that_a_flag_names(home, start, model, other):
    config.save(documents_of(home), {"backend": "openai", "base_url": model.url, "api_key": KEY})
    start(WEBCHAT_BASE_URL=other.url).post("/messages", data={"message": "hello"}, headers=JSON)
    assert "authorization" not in other.requests[-1].headers
    start().post("/messages", data={"message": "hello"}, headers=JSON)
    assert model.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.files
def test_a_test_of_another_address_is_not_given_the_key(client, model, other):
    use(client, model, api_key=KEY)
    client.post(f"{SETTINGS}test", data={"base_url": other.url})
    assert "authorization" not in other.next_request().headers
    client.post(f"{SETTINGS}test", data={"base_url": model.url})
    assert model.next_request().headers["authorization"] == f"Bearer {KEY}"


HEADERS = f"X-Provider: openai\r\nX-Secret: {KEY}"


@pytest.mark.files
def test_headers_are_saved_used_and_never_shown(client, model, home, caplog):
    use(client, model, header=HEADERS)
    model.default = refuses(401, {"error": {"message": f"bad {KEY}"}})
    answers = [
        client.post("/messages", data={"message": "hello"}, follow_redirects=True),
        client.get(SETTINGS),
        client.get(SETTINGS, headers=JSON),
        client.post(f"{SETTINGS}test", data={}),
        client.post(SETTINGS, data={"header": f"Bad name: {KEY}"}),
        client.post(SETTINGS, data={"header": HEADERS, "temperature": "9"}),
    ]
    assert model.requests[-1].headers["x-secret"] == KEY
    assert not [answer.request.path for answer in answers if KEY in answer.text]
    assert KEY not in caplog.text
    assert answers[2].json["settings"]["header"] == ["X-Provider", "X-Secret"]
    assert field(shown(client), "header")["placeholder"].startswith("Set: X-Provider, X-Secret.")
    assert "cannot be this: it must be a header" in answers[4].text


@pytest.mark.files
def test_headers_stay_until_they_are_removed_or_the_address_is_another(client, model, other, home):
    use(client, model, header=HEADERS)
    save(client, header="", theme="dark")
    client.post("/messages", data={"message": "hello"}, headers=JSON)
    assert model.requests[-1].headers["x-provider"] == "openai"
    client.post(f"{SETTINGS}test", data={"base_url": other.url})
    use(client, other)
    client.post("/messages", data={"message": "hello"}, headers=JSON)
    assert not [request for request in other.requests if "x-provider" in request.headers]
    use(client, model, header=HEADERS)
    save(client, header="", remove_header="on")
    assert "header" not in saved(home)


@pytest.mark.files
def test_saved_headers_go_to_no_server_that_a_flag_names(client, start, model, other):
    use(client, model, header=HEADERS)
    start(WEBCHAT_BASE_URL=other.url).post("/messages", data={"message": "hello"}, headers=JSON)
    assert "x-secret" not in other.requests[-1].headers


@pytest.mark.files
def test_a_key_in_the_query_of_an_address_is_not_shown_and_not_lost(client, model, home):
    client.post(SETTINGS, data={"backend": "openai", "base_url": f"{model.url}?v=1&key={KEY}", "model": "m"})
    page = client.get(SETTINGS)
    assert KEY not in page.text
    shown_address = field(shown(client), "base_url")["value"]
    assert shown_address == f"{model.url}?v=1&key=…"
    save(client, base_url=shown_address, theme="dark")
    assert saved(home)["base_url"].endswith(KEY)


def test_of_a_pasted_command_only_the_address_is_kept(client, model, home):
    line = f"curl -H 'Authorization: Bearer {KEY}' {model.url}/chat/completions"
    save(client, backend="openai", base_url=line, model="m")
    assert saved(home)["base_url"] == f"{model.url}/chat/completions"
    refused = client.post(SETTINGS, data={"base_url": f"{line} http://127.0.0.1:1/v1"})
    assert refused.status_code == 422
    assert KEY not in refused.text


@pytest.mark.parametrize("chosen", ["off", "on"])
def test_who_names_new_conversations_is_set_on_the_page(start, model, home, monkeypatch, chosen):
    monkeypatch.delenv("WEBCHAT_TITLES")
    client = start()
    use(client, model, model="m", titles=chosen, title_model="tiny")
    assert saved(home)["titles"] is (chosen == "on")
    select = field(shown(client), "titles")
    assert select.select_one("[selected]")["value"] == chosen
    assert field(shown(client), "title_model")["value"] == "tiny"
    client.post("/messages", data={"message": "hello"}, headers=JSON)
    until(lambda: not any(thread.name.startswith("title-") for thread in threading.enumerate()))
    assert [question["model"] for question in model.questions] == (["m", "tiny"] if chosen == "on" else ["m"])
    save(client, titles="auto", title_model="")
    assert not saved(home).keys() & {"titles", "title_model"}
    assert field(shown(client), "titles").select_one("[selected]")["value"] == "auto"


@pytest.mark.files
def test_a_password_in_the_address_is_not_shown_and_not_lost(client, home):
    address = "http://ada:s3cret@127.0.0.1:9/v1"
    save(client, backend="openai", base_url=address)
    page = shown(client)
    assert "s3cret" not in page.response.text
    save(client, base_url=field(page, "base_url")["value"], theme="dark")
    assert saved(home)["base_url"] == address
    changed = field(page, "base_url")["value"].replace("9", "10")
    assert client.post(SETTINGS, data={"base_url": changed}).status_code == 422


# From the next message on


def say(client: FlaskClient, message: str, session_id: str | None = None):
    path = f"/sessions/{session_id}/messages" if session_id else "/messages"
    return client.post(path, data={"message": message}, headers=JSON).json


def test_the_next_message_is_answered_by_what_was_chosen_and_told_the_history(client, model):
    session_id = say(client, "hello")["session_id"]
    use(client, model)
    assert say(client, "again", session_id)["response"] == "Hello there."
    assert model.questions[-1]["messages"] == [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Mock response to: hello"},
        {"role": "user", "content": "again"},
    ]


def test_an_answer_in_flight_ends_with_who_began_it_and_the_next_is_another_s(client, manager, model, other):
    go_on = threading.Event()
    model.script(sends(delta(content="from the "), go_on, "old", ended()))
    use(client, model)
    session_id = manager.create_session().session_id
    old, posted = manager.backend, manager.post_message(session_id, "hello")
    model.next_request()
    use(client, other)
    assert manager.backend is not old
    go_on.set()
    posted.run.wait()
    assert manager.conversation(session_id).last.content == "from the old"
    assert say(client, "again", session_id)["response"] == "Hello there."
    assert [item["content"] for item in other.questions[-1]["messages"]] == ["hello", "from the old", "again"]


class Closing(ScriptedBackend):
    def __init__(self) -> None:
        super().__init__()
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_the_old_backend_is_closed_when_its_last_answer_has_ended():
    old, go_on = Closing(), threading.Event()
    old.plays("half", go_on, " whole")
    manager = WebChatSessionManager(old)
    posted = manager.start_conversation("hello")
    manager.use_backend(ScriptedBackend())
    assert not old.closed.is_set()
    go_on.set()
    posted.run.wait()
    assert old.closed.is_set()
    assert posted.run.message.content == "half whole"


def test_an_idle_backend_is_closed_at_once_and_the_new_one_started():
    old, new = Closing(), ScriptedBackend()
    new.start = lambda report: new.calls.append("start")
    WebChatSessionManager(old).use_backend(new)
    assert old.closed.is_set()
    assert new.calls == ["start"]


def test_saving_what_is_no_backend_s_concern_keeps_the_backend(client, manager):
    before = manager.backend
    save(client, theme="dark", memory_context="on")
    assert manager.backend is before


def test_the_temperature_is_told_where_it_is_set(client, model):
    use(client, model, temperature="0.25")
    say(client, "hello")
    assert model.questions[-1]["temperature"] == 0.25
    use(client, model, temperature="")
    say(client, "hello")
    assert "temperature" not in model.questions[-1]


def test_scripts_send_json_and_get_json(client, home):
    answer = client.post(SETTINGS, json={"temperature": 0.5, "memory_context": True}, headers=JSON)
    assert answer.status_code == 200
    assert answer.json["settings"] | {"temperature": 0.5, "memory_context": True} == answer.json["settings"]
    client.post(SETTINGS, json={"temperature": None}, headers=JSON)
    assert saved(home) == {"backend": "mock", "memory_context": True}


@pytest.mark.files
def test_scripts_set_a_key_and_remove_it(client, home):
    answer = client.post(SETTINGS, json={"api_key": KEY}, headers=JSON)
    assert answer.json["settings"]["api_key"] is True
    client.post(SETTINGS, json={"remove_key": True}, headers=JSON)
    assert saved(home) == {"backend": "mock"}


# Test connection


def test_a_test_lists_the_models_as_choices_and_saves_nothing(client, home, model):
    model.models = ["llama3.2", "<mistral>"]
    before = saved(home)
    page = Page(client.post(f"{SETTINGS}test", data={"backend": "openai", "base_url": model.url, "model": "m"}))
    assert [option["value"] for option in page.soup.select("datalist#models option")] == model.models
    assert (field(page, "base_url")["value"], field(page, "model")["value"]) == (model.url, "m")
    assert page.soup.select_one("#f-backend option[selected]")["value"] == "openai"
    assert saved(home) == before


def test_with_htmx_a_test_is_a_fragment_that_leaves_the_form_alone(client, model):
    answer = client.post(f"{SETTINGS}test", data={"base_url": model.url}, headers=HTMX)
    assert Page(answer).soup.find(True)["id"] == "connection"
    assert "scripted-model" in answer.text


def test_a_test_that_fails_says_why_in_a_sentence(client, model):
    model.models_answer = refuses(401, "")
    for headers in ({}, HTMX):
        page = Page(client.post(f"{SETTINGS}test", data={"base_url": model.url}, headers=headers))
        assert "requires a key, and none is set" in page.soup.select_one("#connection .problem").get_text()
    answer = client.post(f"{SETTINGS}test", data={"base_url": model.url}, headers=JSON)
    assert answer.status_code == 503
    assert client.post(f"{SETTINGS}test", data={"base_url": ""}, headers=JSON).status_code == 400


def test_a_server_that_is_silent_is_given_up(model):
    silent = threading.Event()
    model.models_answer = sends(silent)
    with pytest.raises(Exception, match="closed the connection without an answer"):
        nearby.OpenAIModel(model.url).list_models(within=0.1)


# Servers on this machine


def test_servers_that_answer_on_this_machine_fill_in_the_form(client, home, model, monkeypatch):
    port = int(model.address.rpartition(":")[2])
    monkeypatch.setattr(nearby, "PORTS", {port: "Ollama", 9: "Nobody"})
    for headers in ({}, HTMX):
        page = Page(client.get(f"{SETTINGS}servers", headers=headers))
        [button] = page.soup.select("#nearby button")
        assert button.get_text(" ", strip=True) == "Ollama 1 model"
    found = client.get(f"{SETTINGS}servers", headers=JSON).json["servers"]
    assert found == [{"name": "Ollama", "base_url": model.url, "models": ["scripted-model"]}]
    fields = {"system_prompt": "Be brief.", button["name"]: button["value"]}
    page = Page(client.post(button["formaction"], data=fields))
    assert field(page, "base_url")["value"] == model.url
    assert field(page, "system_prompt").get_text() == "Be brief."
    assert page.soup.select_one("datalist#models option")["value"] == "scripted-model"
    assert saved(home) == {"backend": "mock"}


def test_the_chat_s_own_port_is_not_asked(model, monkeypatch):
    port = int(model.address.rpartition(":")[2])
    monkeypatch.setattr(nearby, "PORTS", {port: "vLLM", 9: "Nobody"})
    assert nearby.nearby_servers(port) == []
    assert model.requests == []


@pytest.mark.parametrize("server", ["22", "x", "-1", "11434.0"])
def test_no_other_port_is_filled_in(client, server):
    assert client.post(f"{SETTINGS}test", data={"server": server}).status_code == 422


# Memories


def remember(client: FlaskClient, *texts: str) -> None:
    for text in texts:
        client.post("/api/chat", json={"message": f"remember: {text}"})


def test_memories_are_listed_newest_first_and_deleted_one_by_one(client):
    remember(client, "tea is green", "coffee is black")
    page = shown(client)
    assert [item.get_text() for item in page.soup.select("#memories .plain")] == ["coffee is black", "tea is green"]
    form = page.soup.select_one("#memories form")
    answer = client.post(form["action"])
    assert (answer.status_code, answer.headers["Location"].startswith("/apps/settings/?gone=mem-002")) == (303, True)
    assert [item.get_text() for item in shown(client).soup.select("#memories .plain")] == ["tea is green"]
    assert client.post(form["action"]).status_code == 404


def test_deleting_a_memory_answers_htmx_and_scripts(client):
    remember(client, "tea is green", "coffee is black")
    part = Page(client.post(f"{SETTINGS}memories/mem-001/delete", headers=HTMX))
    assert part.soup.find(True)["id"] == "memories"
    assert [item.get_text() for item in part.soup.select("#memories .plain")] == ["coffee is black"]
    assert client.post(f"{SETTINGS}memories/mem-002/delete", headers=JSON).json == {"deleted": "mem-002"}
    assert client.post(f"{SETTINGS}memories/mem-002/restore", headers=JSON).json == {"restored": "mem-002"}
    back = Page(client.post(f"{SETTINGS}memories/mem-001/restore", headers=HTMX))
    assert [item.get_text() for item in back.soup.select("#memories .plain")] == ["coffee is black", "tea is green"]
    client.post(f"{SETTINGS}memories/mem-001/delete")
    assert client.post(f"{SETTINGS}memories/mem-001/purge", headers=JSON).json == {"purged": "mem-001"}
    assert client.post(f"{SETTINGS}memories/mem-001/restore", headers=JSON).status_code == 404


def system_of(model: ScriptedServer) -> str:
    first = model.questions[-1]["messages"][0]
    return first["content"] if first["role"] == "system" else ""


def test_memories_are_told_to_the_model_only_where_that_is_on(client, model):
    remember(client, "tea is green", "coffee\n is black")
    use(client, model, system_prompt="Be brief.")
    session_id = say(client, "hello")["session_id"]
    assert system_of(model) == "Be brief."
    save(client, memory_context="on")
    say(client, "again", session_id)
    opening, memories = system_of(model).split("\n\n")
    assert (opening, memories.splitlines()[1:]) == ("Be brief.", ["- tea is green", "- coffee is black"])
    save(client, memory_context="off")
    say(client, "again", session_id)
    assert system_of(model) == "Be brief."


def test_the_memories_told_are_bounded(client, model):
    remember(client, *(f"number {number}" for number in range(60)), "x" * 5000, "y" * 300)
    use(client, model, memory_context="on")
    say(client, "hello")
    told = system_of(model).splitlines()
    assert len(system_of(model)) <= 4000
    assert told[1] == "- number 12"
    assert told[-2:] == ["- number 59", f"- {'y' * 300}"]


def test_without_memories_nothing_is_told(client, model):
    use(client, model, memory_context="on")
    say(client, "hello")
    assert system_of(model) == ""


def test_a_backend_that_cannot_be_told_answers_all_the_same(client):
    save(client, memory_context="on")
    remember(client, "tea is green")
    assert say(client, "hello")["response"] == "Mock response to: hello"


# One session's own


def choose(client: FlaskClient, session_id: str, **fields: str):
    return client.post(f"/sessions/{session_id}/options", data=fields, headers=JSON)


def models_shown(client: FlaskClient, session_id: str) -> list[str]:
    page = Page(client.get(f"/sessions/{session_id}"))
    return [item.get_text() for item in page.soup.select(".message .model")]


def test_a_session_has_its_own_model_and_prompt_from_the_next_message_on(client, model):
    use(client, model, system_prompt="Be brief.")
    mine, others = say(client, "hello")["session_id"], say(client, "hello")["session_id"]
    answer = choose(client, mine, model="llama3.2", system_prompt="Be kind.")
    assert answer.json["answers"] == "llama3.2 at 127.0.0.1"
    say(client, "again", mine)
    assert (model.questions[-1]["model"], system_of(model)) == ("llama3.2", "Be kind.")
    say(client, "again", others)
    assert (model.questions[-1]["model"], system_of(model)) == ("m", "Be brief.")
    assert models_shown(client, mine) == ["m at 127.0.0.1", "llama3.2 at 127.0.0.1"]
    choose(client, mine, model="", system_prompt="")
    say(client, "once more", mine)
    assert (model.questions[-1]["model"], system_of(model)) == ("m", "Be brief.")


def test_a_session_s_own_model_outlives_a_restart_and_a_resume(client, start, model):
    use(client, model)
    session_id = say(client, "hello")["session_id"]
    choose(client, session_id, model="llama3.2")
    client.post(f"/sessions/{session_id}/end")
    again = start()
    again.post(f"/sessions/{session_id}/resume")
    say(again, "again", session_id)
    assert model.questions[-1]["model"] == "llama3.2"
    assert "llama3.2 at 127.0.0.1" in Page(again.get("/")).soup.select_one(".hint").get_text()


def test_the_model_that_the_server_chose_is_recorded(client, model):
    use(client, model, model="")
    session_id = say(client, "hello")["session_id"]
    assert models_shown(client, session_id) == ["scripted-model at 127.0.0.1"]


def test_the_form_is_filled_with_what_was_chosen_and_works_without_a_script(client, model):
    use(client, model)
    session_id = say(client, "hello")["session_id"]
    answer = client.post(f"/sessions/{session_id}/options", data={"model": "llama3.2", "system_prompt": "Be\r\nkind."})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sessions/{session_id}#end")
    form = Page(client.get(f"/sessions/{session_id}")).soup.select_one("#optionsPanel form")
    assert form.select_one("[name=model]")["value"] == "llama3.2"
    assert form.select_one("[name=system_prompt]").get_text() == "Be\nkind."
    fragment = client.post(form["action"], data={"model": ""}, headers=HTMX)
    assert 'hx-target="#hint"' in fragment.text
    assert "messageInput" not in fragment.text


def test_the_models_to_choose_from_are_the_server_s(client, model):
    use(client, model)
    session_id = say(client, "hello")["session_id"]
    model.models = ["llama3.2", "<mistral>"]
    assert client.get(f"/sessions/{session_id}/models").json == {"models": model.models}
    part = Page(client.get(f"/sessions/{session_id}/models", headers=HTMX))
    assert [option["value"] for option in part.soup.select("option")] == model.models
    assert client.get("/sessions/no-such/models").status_code == 404


def test_a_backend_without_options_shows_no_form_and_takes_none(client):
    session_id = say(client, "hello")["session_id"]
    assert not Page(client.get(f"/sessions/{session_id}")).soup.select("#optionsPanel")
    assert choose(client, session_id, model="llama3.2").status_code == 400
    assert choose(client, session_id, model="").status_code == 200


@pytest.mark.parametrize("fields", [{"model": "m" * 201}, {"system_prompt": "x" * 10_001}, {"model": "a\0b"}])
def test_options_that_cannot_be_used_are_refused(client, model, fields):
    use(client, model)
    session_id = say(client, "hello")["session_id"]
    assert choose(client, session_id, **fields).status_code == 400
    assert choose(client, "no-such", model="m").status_code == 404


def test_choosing_makes_no_session_current(client, manager, model):
    use(client, model)
    first, second = say(client, "hello")["session_id"], say(client, "hello")["session_id"]
    choose(client, first, model="llama3.2")
    assert manager.active_session_id == second


class TestModelsOnThisMachine:
    """The catalogue's models on the settings page, in a folder of this test; nothing is downloaded."""

    NAME = "smollm2-135m"

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path / "models"))
        (tmp_path / "models").mkdir()
        return tmp_path / "models"

    @pytest.fixture
    def download(self, folder):
        """Stands in for the download: half of it has come, and the rest comes when told, or never."""
        go_on = threading.Event()

        def fetch(model, folder, report, cancelled):
            report("Downloading the model (first time only)", 0.5)
            while not go_on.wait(0.01):
                if cancelled.is_set():
                    raise BackendUnavailable("stopped")
            raise BackendUnavailable("The network is <b>away</b>.")

        shelf(folder).fetch = fetch
        yield go_on
        go_on.set()

    def address(self, action):
        return f"{SETTINGS}models/{self.NAME}/{action}"

    def row(self, client):
        rows = client.get(f"{SETTINGS}models", headers=JSON).json["models"]
        return next(row for row in rows if row["name"] == self.NAME)

    def section(self, client):
        return shown(client).soup.select_one("#onDisk")

    def test_they_are_listed_with_size_and_licence(self, client, folder):
        assert client.get(f"{SETTINGS}models", headers=JSON).json["folder"] == str(folder)
        assert self.row(client) == {
            "name": self.NAME,
            "title": "SmolLM2 135M",
            "licence": "Apache-2.0",
            "bytes": 98_362_432,
            "state": "absent",
            "progress": None,
            "doing": "",
            "path": None,
        }
        section = self.section(client)
        assert "SmolLM2 135M 0.1 GB · Apache-2.0" in section.get_text(" ", strip=True)
        assert not section.get("hx-get")
        assert client.get(f"{SETTINGS}models").location.endswith(f"{SETTINGS}#onDisk")

    def test_one_is_fetched_with_progress_and_cancelled(self, client, download):
        answer = client.post(self.address("get"))
        assert (answer.status_code, answer.location) == (303, f"{SETTINGS}#onDisk")
        until(lambda: self.row(client)["progress"] == 0.5)
        section = self.section(client)
        assert section["hx-trigger"] == "every 1s"
        assert section.progress["value"] == "0.500"
        assert [form["action"] for form in section.select("form")][-1:] == [self.address("cancel")]
        fragment = client.get(f"{SETTINGS}models", headers=HTMX).text
        assert fragment.lstrip().startswith('<section id="onDisk"')
        assert client.post(self.address("cancel"), headers=JSON).json["state"] == "absent"

    def test_a_failure_is_said_in_its_row(self, client, download):
        download.set()
        client.post(self.address("get"), headers=HTMX)
        until(lambda: self.row(client)["doing"] == "The network is <b>away</b>.")
        assert self.section(client).select_one("[role=alert]").get_text() == "The network is <b>away</b>."

    def test_one_is_removed_where_nobody_fetches_it(self, client, folder):
        file = SMOLLM.file_name
        (folder / f"{file}.part").write_bytes(b"x" * 1000)
        assert self.row(client)["state"] == "partly"
        assert self.section(client).select_one("details form")["action"] == self.address("remove")
        with locked(DiskFolder(folder), file):
            answer = client.post(self.address("remove"), headers=JSON)
            assert (answer.status_code, answer.json) == (
                409,
                {"error": "SmolLM2 135M is being downloaded. Cancel that first."},
            )
            assert "Cancel that first" in client.post(self.address("remove"), headers=HTMX).text
        assert client.post(self.address("remove"), headers=JSON).json["state"] == "absent"
        assert not (folder / f"{file}.part").exists()

    @pytest.mark.parametrize("action", ["get", "cancel", "remove"])
    def test_another_name_is_not_found(self, client, action):
        for name in ("smol", "nothing", "..%2f..%2fetc"):
            assert client.post(f"{SETTINGS}models/{name}/{action}", headers=JSON).status_code == 404

    def test_an_application_with_its_own_backend_shows_none(self, home):
        app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
        client = app.test_client()
        assert self.section(client) is None
        assert client.post(self.address("get")).status_code == 404


@pytest.mark.files
def test_settings_are_read_once_for_a_page_and_again_when_they_change(client, home, monkeypatch):
    client.post("/apps/settings/", data={"theme": "dark"})
    client.get("/apps/settings/")
    read, opened = [], os.open
    monkeypatch.setattr(
        os, "open", lambda path, *more, **options: read.append(str(path)) or opened(path, *more, **options)
    )

    def reads():
        count = sum(path.endswith("web-chat-settings.json") for path in read)
        read.clear()
        return count

    assert 'data-theme="dark"' in client.get("/apps/settings/").text
    assert reads() == 0
    path = home / "server" / "web-chat-settings.json"
    path.write_text(path.read_text().replace("dark", "light"))
    assert 'data-theme="light"' in client.get("/apps/settings/").text
    assert reads() == 1


class SharedDocuments(MemoryDocuments):
    """A database, say: others can read it, and it may be away."""

    are_private, is_away = False, False

    def read(self, name: str) -> bytes | None:
        self._require_there()
        return super().read(name)

    def version(self, name: str) -> int | None:
        self._require_there()
        return super().version(name)

    def _require_there(self) -> None:
        if self.is_away:
            raise OSError("away")


@pytest.fixture
def shared() -> SharedDocuments:
    return SharedDocuments()


def test_the_settings_stay_as_they_were_while_the_storage_is_away(shared):
    config.save(shared, {"theme": "dark"})
    live = LiveSettings({"WEBCHAT_BACKEND": "mock"}, {}, shared)
    shared.is_away = True
    assert (live.theme(), live.fixed_by("backend")) == ("dark", "--backend")
    shared.is_away = False
    config.save(shared, {"theme": "light"})
    assert live.theme() == "light"


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"api_key": KEY}, "WEBCHAT_API_KEY"),
        ({"header": HEADERS}, "WEBCHAT_HEADER"),
        ({"base_url": "http://ada:pw@127.0.0.1:1/v1"}, "WEBCHAT_BASE_URL"),
        ({"base_url": "http://127.0.0.1:1/v1?api_key=x"}, "WEBCHAT_BASE_URL"),
    ],
)
def test_where_others_can_read_what_is_saved_no_key_is(shared, given, variable):
    live = LiveSettings({}, {}, shared)
    manager = WebChatSessionManager(ScriptedBackend())
    with pytest.raises(InvalidInput, match=f"not saved here.*Set {variable}"):
        live.save(live.changes({"backend": "openai", **given}), manager)
    assert config.read_saved(shared) == {}
    live.save(live.changes({"backend": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key": ""}), manager)
    assert config.read_saved(shared)["base_url"] == "http://127.0.0.1:1/v1"


def test_where_no_key_is_saved_the_page_says_where_to_set_it(start, database):
    client = start(WEBCHAT_DATABASE=database)
    page = shown(client)
    for name, variable in (("api_key", "WEBCHAT_API_KEY"), ("header", "WEBCHAT_HEADER")):
        assert f"Not saved here: set {variable} where the server is started." in field(page, name).parent.get_text()
    refused = client.post(SETTINGS, data={"api_key": KEY})
    assert (refused.status_code, KEY in refused.text) == (422, False)
    assert "Set WEBCHAT_API_KEY" in Page(refused).problem


# In this browser


def test_keys_and_following_are_chosen_for_one_browser_and_said_on_its_pages(app, page):
    mine, other = app.test_client(), app.test_client()
    chosen = mine.post(f"{SETTINGS}habits", data={"send": "control", "follow": "off"})
    assert chosen.status_code == 303
    shown = mine.get(chosen.location.partition("#")[0]).text
    assert "Saved for this browser." in shown
    assert 'value="control" checked' in shown
    assert 'value="off" checked' in shown
    chat = mine.get("/").text
    assert 'data-send="control" data-follow="off"' in chat
    assert "Ctrl+Enter to send" in chat
    assert "data-send" not in other.get("/").text
    mine.post(f"{SETTINGS}habits", data={"send": "enter"})
    assert 'data-theme="system" data-follow="off">' in mine.get("/").text
    assert mine.post(f"{SETTINGS}habits", data={"send": "never"}).status_code == 422
    assert mine.post(f"{SETTINGS}habits", json={"follow": "on"}, headers=JSON).json == {"follow": "on"}
    mine.set_cookie("webchat-send", "nonsense")
    assert "data-send" not in mine.get("/").text


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "80.5", "", "٣"])
def test_no_number_of_a_server_is_a_fault(client, number):
    answer = client.post("/apps/settings/test", data={"server": number or "x"}, headers={"Accept": "application/json"})
    assert answer.status_code in (400, 403)
