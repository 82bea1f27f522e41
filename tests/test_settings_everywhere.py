"""Settings saved on one server apply to the next message on every server of the same storage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server
from tests.reading import until
from tests.scripted_server import ScriptedServer, says
from tests.stored import documents_of, put_settings, settings_path
from tests.two_servers import JSON, begin, messages, send
from webchat import config, create_app
from webchat.errors import BackendUnavailable
from webchat.live_settings import LiveSettings
from webchat.manager import WebChatSessionManager
from webchat.storage.memory.documents import MemoryDocuments

SETTINGS = "/apps/settings/"


@pytest.fixture
def old() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.default = says("I am the old one.")
        yield server


@pytest.fixture
def new() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.default = says("I am the new one.")
        yield server


def asks(model: ScriptedServer) -> dict[str, str]:
    return {"backend": "openai", "base_url": model.url, "model": "m"}


@pytest.fixture(params=[pytest.param("files", marks=pytest.mark.files), "postgres"])
def _place(request, monkeypatch) -> None:
    """The home's files for everything, or a database."""
    if request.param == "postgres":
        monkeypatch.setenv("WEBCHAT_DATABASE", request.getfixturevalue("database"))


@pytest.fixture
def two(_place, home, preloaded, old) -> Iterator[tuple[Server, Server]]:
    """Two servers where the old model was chosen on the settings page."""
    saved_at(home, asks(old))
    started = [Server(preloaded.start(["serve", "--home", str(home), "--port", "0"], os.environ)) for _ in range(2)]
    yield started[0], started[1]
    for server in started:
        server.kill()


def answer_of(url: str, session: str) -> str:
    """The last message's text, when it has been answered."""
    until(lambda: messages(url, session)[-1]["status"] == "complete")
    return str(messages(url, session)[-1]["content"])


def save(server: Server, fields: dict[str, str]) -> None:
    assert httpx.post(f"{server.url}{SETTINGS}", data=fields, headers=JSON).status_code == 200


def test_the_next_message_on_each_server_is_answered_by_the_model_that_was_saved(two, new):
    here, there = two
    session = begin(there.url)
    assert answer_of(there.url, session) == "I am the old one."
    save(here, asks(new) | {"model": "newer", "temperature": "0.5"})

    def is_told() -> bool:
        return httpx.get(f"{there.url}{SETTINGS}", headers=JSON).json()["answers"].startswith("newer ")

    until(is_told)  # on PostgreSQL by a notification
    send(there.url, session, "And now?")
    assert answer_of(there.url, session) == "I am the new one."
    assert new.questions[-1]["temperature"] == 0.5
    assert [message["content"] for message in new.questions[-1]["messages"]][:2] == ["hello", "I am the old one."]


@pytest.fixture
def start(home) -> Iterator[Callable[..., WebChatSessionManager]]:
    """Starts a chat in this process on the folder whose settings are saved."""
    apps = []

    def begin(**values: str):
        apps.append(create_app({"AMPLIFIER_HOME": str(home), **values}))
        return apps[-1]

    yield begin
    for app in apps:
        app.extensions["webchat"].close()


def saved_at(home: Path, changes: dict[str, object]) -> None:
    config.save(documents_of(home), changes)


def said(manager: WebChatSessionManager, session_id: str, text: str) -> str | None:
    return manager.send_message(text, session_id)


def new_one_answers(manager: WebChatSessionManager) -> bool:
    """Other servers on a database learn of saved settings a moment later."""
    with suppress(BackendUnavailable):
        return said(manager, manager.create_session().session_id, "Who?") == "I am the new one."
    return False


def test_a_message_that_no_request_sends_goes_to_the_new_model_too(home, start, old, new):
    saved_at(home, asks(old))
    manager = start().extensions["webchat"]
    session_id = manager.create_session().session_id
    assert said(manager, session_id, "Who?") == "I am the old one."
    saved_at(home, asks(new))
    until(lambda: said(manager, session_id, "And now?") == "I am the new one.")


def test_what_a_flag_fixes_stays(home, start, old, new):
    saved_at(home, {"theme": "dark"})
    manager = start(WEBCHAT_BACKEND="openai", WEBCHAT_BASE_URL=old.url, WEBCHAT_MODEL="m").extensions["webchat"]
    backend = manager.backend
    saved_at(home, asks(new))
    assert said(manager, manager.create_session().session_id, "Who?") == "I am the old one."
    assert manager.backend is backend


def test_what_is_no_backend_s_concern_replaces_none(home, start, old):
    saved_at(home, asks(old))
    app = start()
    client, backend = app.test_client(), app.extensions["webchat"].backend
    saved_at(home, {"theme": "dark", "memory_context": "on"})
    until(lambda: 'data-theme="dark"' in client.get("/").text)
    assert app.extensions["webchat"].backend is backend


def test_if_the_saved_settings_cannot_be_used_nobody_answers_until_they_can(home, start, old, new):
    saved_at(home, asks(old))
    app = start()
    client, manager = app.test_client(), app.extensions["webchat"]
    saved_at(home, {"backend": "local", "model": "/nowhere/is-no-model.gguf"})
    until(lambda: "/nowhere/is-no-model.gguf" in client.get("/").text)
    saved_at(home, asks(new))
    until(lambda: new_one_answers(manager))


def test_a_file_that_is_being_edited_replaces_nobody(home, start, old):
    saved_at(home, asks(old))
    app = start()
    client, backend = app.test_client(), app.extensions["webchat"].backend
    put_settings(home, '{"backend": "op')
    client.get("/")
    assert app.extensions["webchat"].backend is backend


def test_one_message_reads_no_file_of_settings_again(home, start, old, monkeypatch):
    saved_at(home, asks(old))
    manager = start().extensions["webchat"]
    session_id = manager.create_session().session_id
    said(manager, session_id, "Who?")
    opened, read = os.open, []
    monkeypatch.setattr(os, "open", lambda path, *more, **kept: read.append(str(path)) or opened(path, *more, **kept))
    said(manager, session_id, "And now?")
    assert not [path for path in read if path.endswith(settings_path(home).name)]


class Edited(MemoryDocuments):
    """A file open in an editor: it is truncated and rewritten whenever it has been read."""

    is_open = False

    def read(self, name: str) -> bytes | None:
        data = super().read(name)
        if self.is_open:
            with self.changing(name) as draft:
                draft.data = b'{"backend": "op'
        return data


def test_a_file_that_an_editor_cuts_off_while_it_is_followed_replaces_nobody(home, start, old, new):
    documents = Edited()
    config.save(documents, asks(old))
    live = LiveSettings({}, {}, documents)
    manager = start().extensions["webchat"]
    manager.use_backend(live.first_backend())
    backend = manager.backend
    config.save(documents, asks(new))
    documents.is_open = True
    live.follow(manager)
    assert manager.backend is backend


class Failing(MemoryDocuments):
    """A database that returns the version, and then is away."""

    is_away = False

    def read(self, name: str) -> bytes | None:
        if self.is_away:
            raise OSError("away")
        return super().read(name)


def test_settings_that_cannot_be_read_just_now_stay_and_are_read_later():
    documents = Failing()
    config.save(documents, {"theme": "dark"})
    live = LiveSettings({"WEBCHAT_BACKEND": "mock"}, {}, documents)
    config.save(documents, {"theme": "light"})
    documents.is_away = True
    assert live.theme() == "dark"
    documents.is_away = False
    assert live.theme() == "light"
