"""The chat in an application whose Jinja environment is set up for quite different templates."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from flask import Flask
from jinja2 import Environment, StrictUndefined, meta

from tests.conftest import HTMX
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.stored import documents_in
from webchat import WebChatSessionManager, create_app, create_blueprint
from webchat.fileutil import DiskFolder
from webchat.memory import MemoryStore
from webchat.web import resources

HOST = "the host's own"
FACES = {"page": {"Accept": "text/html"}, "fragment": HTMX}
TOKEN = "a-token-of-sixteen"
FIELDS = {"message": "recall tea", "title": "A title", "server": "1"}
REFUSED: dict[str, tuple[str, str, dict[str, str]]] = {
    "an empty message": ("POST", "/messages", {"message": " "}),
    "an unknown session": ("POST", "/sessions/no-such/messages", {"message": "kept"}),
    "a page that is out of date": ("POST", "/sessions/SESSION/messages", {"message": "hi", "seen": "start"}),
    "an address that is not there": ("GET", "/sessions/no-such", {}),
    "a method that is not taken": ("DELETE", "/sessions", {}),
    "a message too large": ("POST", "/messages", {"message": "x" * 2**21}),
}


def names_in_templates() -> set[str]:
    """All names that our templates take from their context, including those of Flask's own context processors."""
    sources = (path.read_text("utf-8") for path in resources("templates").glob("*.html"))
    found = set().union(*(meta.find_undeclared_variables(Environment().parse(source)) for source in sources))
    return found | {"config", "session", "request", "g"}


def take_over(app: Flask) -> None:
    """Set the application's Jinja environment up so that it breaks templates that were not made for it."""
    names = names_in_templates()
    assert {"messages", "draft", "note", "count", "webchat_link"} <= names
    app.jinja_options = {"undefined": StrictUndefined, "autoescape": False, "trim_blocks": True}
    app.context_processor(lambda: dict.fromkeys(names, HOST))
    app.jinja_env.globals |= dict.fromkeys(names, HOST)
    app.jinja_env.filters |= dict.fromkeys(app.jinja_env.filters, lambda *given, **named: HOST)


def embedded(home) -> tuple[Flask, WebChatSessionManager]:
    app, manager = Flask("host", template_folder=None), WebChatSessionManager(ScriptedBackend())
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    app.register_blueprint(create_blueprint(manager, memory=MemoryStore(documents_in(DiskFolder(home)))))
    return app, manager


def complete(home) -> tuple[Flask, WebChatSessionManager]:
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    return app, app.extensions["webchat"]


def with_models(home) -> tuple[Flask, WebChatSessionManager]:
    values = {"WEBCHAT_BACKEND": "mock", "WEBCHAT_MOCK_DELAY": "0", "WEBCHAT_TOKEN": TOKEN}
    app = create_app({"AMPLIFIER_HOME": str(home), **values})
    return app, app.extensions["webchat"]


def furnish(app: Flask, manager: WebChatSessionManager) -> tuple[str, str]:
    """Create something for each template to show; returns the ids of a session and of its first message."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    gone = manager.create_session().session_id
    manager.send_message("hello <b>", gone)
    client.post(f"/sessions/{gone}/delete")
    session_id = manager.create_session().session_id
    client.post(
        f"/sessions/{session_id}/messages", data={"message": "hello <b>", "file": (io.BytesIO(b"text"), "a.txt")}
    )
    until(lambda: not manager.answers_in_flight)
    client.post(f"/sessions/{session_id}/messages", data={"message": "remember this: tea <b>"})
    return session_id, manager.conversation(session_id).messages[0].id


def answers(app: Flask, manager: WebChatSessionManager) -> dict[str, tuple[int, str]]:
    """The response of each route and each refusal, as a page and as a fragment: its status and its text."""
    session_id, message_id = furnish(app, manager)
    values = {"session_id": session_id, "message_id": message_id, "memory_id": "no-such", "filename": "app.css"}
    requests = {
        name: (method, path.replace("SESSION", session_id), more) for name, (method, path, more) in REFUSED.items()
    }
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values.get(match[1], "0"), path)
        if rule.endpoint.rpartition(".")[2] not in ("static", "servers", "events", "follow"):
            requests |= {f"{method} {rule.rule}": (method, path, {}) for method in rule.methods & {"GET", "POST"}}
    requests |= {
        f"the {shelf}": ("GET", f"/sessions?show={shelf}&count=1&done=delete", {}) for shelf in ("trash", "archived")
    }
    requests["a search"] = ("GET", "/sessions?q=hello", {})
    # Routes that read come first, because much is deleted later.
    in_order = sorted(requests.items(), key=lambda item: item[1][0] == "POST")
    return {
        f"{name} as a {face}": read(app, manager, method, path, data=fields or FIELDS, headers=headers)
        for name, (method, path, fields) in in_order
        for face, headers in FACES.items()
    }


def read(app: Flask, manager: WebChatSessionManager, method: str, path: str, **request: dict) -> tuple[int, str]:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    if method == "GET":
        del request["data"]
    with client.open(path, method=method, **request) as answer:
        told = answer.status_code, answer.text
    until(lambda: not manager.answers_in_flight)
    return told


@pytest.mark.parametrize("make", [embedded, complete, with_models])
def test_a_host_s_templating_changes_nothing_of_ours(make: Callable, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path / "models"))
    found = {}
    for kind in ("plain", "taken over"):
        app, manager = make(tmp_path / kind)
        if kind == "taken over":
            take_over(app)
        found[kind] = answers(app, manager)
        manager.close()
    assert len(found["plain"]) > 80
    assert not {name: text for name, (_, text) in found["taken over"].items() if HOST in text}
    statuses = {kind: {name: status for name, (status, _) in told.items()} for kind, told in found.items()}
    assert statuses["taken over"] == statuses["plain"]
    assert 500 not in statuses["plain"].values()
    unescaped = {name for name, (_, text) in found["taken over"].items() if "tea <b>" in text or "hello <b>" in text}
    assert unescaped == {name for name, (_, text) in found["plain"].items() if "tea <b>" in text or "hello <b>" in text}
