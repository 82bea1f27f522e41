"""The chat inside another Flask application, beside templates and routes of the same names."""

from __future__ import annotations

import re
import uuid

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from flask import Blueprint, Flask, abort, redirect, render_template, request
from werkzeug.exceptions import TooManyRequests
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tests.conftest import HTMX, Page
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.tab import OpenTab
from webchat import ChatModelBackend, WebChatSessionManager, create_app, create_blueprint
from webchat.backends.acp import AcpBackend
from webchat.cli import main
from webchat.frameworks import langgraph
from webchat.web import security

PREFIX = "/apps/web-chat"
ADDRESSES = ("href", "src", "action", "hx-get", "hx-post", "hx-sse:connect", "data-url", "data-source")


@pytest.fixture
def manager() -> WebChatSessionManager:
    return WebChatSessionManager(ScriptedBackend())


@pytest.fixture
def host(tmp_path) -> Flask:
    """An application with pages, templates, static files and error pages of its own."""
    templates, static = tmp_path / "templates", tmp_path / "static"
    templates.mkdir()
    static.mkdir()
    (static / "app.css").write_text("host's own style")
    for name in ("base.html", "chat.html", "error.html", "_message.html", "settings.html"):
        (templates / name).write_text("the host's own " + name)
    app = Flask("host", template_folder=str(templates), static_folder=str(static))
    app.config["TESTING"] = True

    @app.get("/")
    def index() -> str:
        return render_template("base.html")

    @app.get("/sessions")
    def sessions() -> str:
        return render_template("chat.html")

    @app.get("/api/session")
    def session() -> dict[str, str]:
        return {"whose": "host"}

    @app.post("/messages")
    def messages() -> str:
        return "the host's own messages"

    @app.get("/broken")
    def broken() -> str:
        raise LookupError("the host's own error")

    @app.errorhandler(404)
    def not_found(error: Exception) -> tuple[str, int]:
        return "the host's own 404", 404

    @app.errorhandler(LookupError)
    def lookup(error: Exception) -> tuple[str, int]:
        return f"handled: {error}", 418

    return app


@pytest.fixture
def app(host, manager) -> Flask:
    host.register_blueprint(create_blueprint(manager), url_prefix=PREFIX)
    yield host
    manager.close()


def addresses(html: str) -> set[str]:
    soup = BeautifulSoup(html, "html.parser")
    found = {str(tag[name]) for name in ADDRESSES for tag in soup.select(f"[{name.replace(':', chr(92) + ':')}]")}
    return {address for address in found if not address.startswith("#")}


def shown_of(app: Flask, manager: WebChatSessionManager, base: str = PREFIX) -> list[str]:
    """Everything that contains addresses: pages and fragments of a chat with messages and errors."""
    client = app.test_client()
    session_id = manager.create_session().session_id
    manager.send_message("hello", session_id)
    client.post(f"{base}/sessions/{session_id}/messages", data={"message": "recall nothing"})
    here = f"{base}/sessions/{session_id}"
    shown = [client.get(f"{base}{path}", headers=headers) for path in ("/", "/sessions") for headers in ({}, HTMX)]
    shown += [client.get(here), client.get(f"{here}/reply"), client.get(f"{base}/sessions/no-such")]
    shown += [client.post(f"{here}{action}", headers=HTMX) for action in ("/resume", "/stop", "/end")]
    shown += [client.post(f"{base}/messages", data={"message": text}, headers=HTMX) for text in ("hi", " ")]
    shown += [client.post(f"{base}/sessions/no-such/messages", data={"message": "kept"})]
    return [answer.text for answer in shown]


def test_every_address_stays_under_the_prefix(app, manager):
    found = set().union(*map(addresses, shown_of(app, manager)))
    assert len(found) > 10
    assert {address for address in found if not address.startswith(f"{PREFIX}/")} == {"/apps/settings/"}


def test_redirects_and_pushed_addresses_stay_under_the_prefix(app):
    client = app.test_client()
    answer = client.post(f"{PREFIX}/messages", data={"message": "hello"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{PREFIX}/sessions/")
    answer = client.post(f"{PREFIX}/sessions", headers=HTMX)
    assert answer.headers["HX-Push-Url"].startswith(f"{PREFIX}/sessions/")


def test_the_pages_are_the_chat_s_own(app, manager):
    for html in shown_of(app, manager):
        assert "the host's own" not in html
    assert Page(app.test_client().get(f"{PREFIX}/")).soup.select_one("#chatArea")


def test_static_files_come_from_the_chat(app):
    client = app.test_client()
    page = client.get(f"{PREFIX}/")
    files = {address for address in addresses(page.text) if "/static/" in address}
    assert len(files) >= 4
    for address in files:
        answer = client.get(address)
        assert answer.status_code == 200
        assert "host's own" not in answer.text


def test_a_conversation_works_there(app, manager):
    tab = OpenTab(app.test_client(), f"{PREFIX}/")
    form = tab.soup.select_one("form:has(#messageInput)")
    answer = tab.post(form["hx-post"], message="hello")
    tab = OpenTab(app.test_client(), answer.headers["HX-Push-Url"]).connect()
    tab.read(lambda tab: tab.last_status == "complete" and len(tab.shown()) == 2)
    tab.post(tab.soup.select_one("form:has(#messageInput)")["hx-post"], message="again")
    tab.read(lambda tab: tab.last_status == "complete" and len(tab.shown()) == 4)
    assert [message.text for message in Page(app.test_client().get(f"{PREFIX}/")).messages][-1] == "You said: again"
    tab.close()


def test_the_json_routes_are_there_as_well(app):
    client = app.test_client()
    session_id = client.post(f"{PREFIX}/api/session").json["session_id"]
    assert client.get(f"{PREFIX}/api/session").json["session_id"] == session_id
    assert client.post(f"{PREFIX}/api/chat", json={"message": "hello"}).json["response"] == "You said: hello"
    assert client.post(f"{PREFIX}/api/chat", json={}).json == {"error": "message is required"}


def test_the_host_s_own_pages_are_as_before(app):
    client = app.test_client()
    assert client.get("/").text == "the host's own base.html"
    assert client.get("/sessions").text == "the host's own chat.html"
    assert client.get("/api/session").json == {"whose": "host"}
    assert client.get("/static/app.css").text == "host's own style"


def test_the_host_s_errors_and_headers_are_its_own(app):
    client = app.test_client()
    assert client.get("/no-such").text == "the host's own 404"
    answer = client.get("/broken")
    assert (answer.status_code, answer.text) == (418, "handled: the host's own error")
    for path in ("/", "/broken", "/no-such", "/static/app.css"):
        headers = client.get(path).headers
        assert not {"Content-Security-Policy", "Referrer-Policy", "Permissions-Policy"} & set(headers.keys())
        assert "HX-Request" not in headers.get("Vary", "")


def test_the_host_s_forms_are_not_checked_by_the_chat(app):
    answer = app.test_client().post("/messages", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.text == "the host's own messages"


def test_the_chat_s_own_answers_are_guarded_and_told_in_its_faces(app):
    client = app.test_client()
    assert "default-src 'none'" in client.get(f"{PREFIX}/").headers["Content-Security-Policy"]
    foreign = client.post(f"{PREFIX}/messages", data={"message": "hi"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    missing = client.get(f"{PREFIX}/sessions/no-such")
    assert missing.status_code == 404
    assert "not found" in Page(missing).problem


def test_an_error_that_the_host_handles_by_type_is_the_chat_s_inside_it(app, manager):
    manager.backend.fail["create_session"] = LookupError("secret")
    answer = app.test_client().post(f"{PREFIX}/messages", data={"message": "hi"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "reference" in Page(answer).problem


@pytest.mark.parametrize("name", ["chat.example", "10.0.0.7:8443"])
def test_host_names_are_the_host_s_to_check(app, name):
    assert app.test_client().get(f"{PREFIX}/", headers={"Host": name}).status_code == 200


def test_without_a_memory_its_commands_go_to_the_model(app):
    client = app.test_client()
    client.post(f"{PREFIX}/api/session")
    answer = client.post(f"{PREFIX}/api/chat", json={"message": "remember this: tea"})
    assert answer.json["response"] == "You said: remember this: tea"


def test_in_memory_nothing_touches_the_disk(app, manager, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    shown_of(app, manager)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("url", ["", "/account/preferences"])
def test_the_settings_are_where_the_host_says_or_nowhere(host, manager, url):
    host.register_blueprint(create_blueprint(manager, settings_url=url), url_prefix=PREFIX)
    links = Page(host.test_client().get(f"{PREFIX}/")).soup.select("nav a")
    assert [link["href"] for link in links if "Settings" in link.get_text()] == ([url] if url else [])


def test_two_chats_in_one_application_know_nothing_of_each_other(host):
    managers = {name: WebChatSessionManager(ScriptedBackend()) for name in ("first", "second")}
    for name, manager in managers.items():
        chat = create_blueprint(manager, name=name, title=f"The {name}")
        host.register_blueprint(chat, url_prefix=f"/{name}")
    client = host.test_client()
    for name, manager in managers.items():
        client.post(f"/{name}/messages", data={"message": f"to the {name}"})
        [session] = manager.list_sessions()
        assert session.description == f"to the {name}"
    for name, manager in managers.items():
        found = set().union(*map(addresses, shown_of(host, manager, f"/{name}")))
        assert all(address.startswith((f"/{name}/", "/apps/settings/")) for address in found)
        assert Page(client.get(f"/{name}/sessions")).soup.select_one(".home").get_text() == f"The {name}"
        assert f"to the {name}" in client.get(f"/{name}/sessions").text
    assert "to the second" not in client.get("/first/sessions").text
    foreign = managers["second"].active_session_id
    assert client.get(f"/first/sessions/{foreign}").status_code == 404


def test_a_blueprint_within_a_blueprint_keeps_its_addresses(host, manager):
    outer = Blueprint("outer", "outer", url_prefix="/outer")
    outer.register_blueprint(create_blueprint(manager), url_prefix="/inner")
    host.register_blueprint(outer)
    found = set().union(*map(addresses, shown_of(host, manager, "/outer/inner")))
    assert all(address.startswith(("/outer/inner/", "/apps/settings/")) for address in found)


@pytest.mark.parametrize("is_inside", [False, True])
def test_a_blueprint_can_be_registered_under_names_of_the_applications_choice(host, is_inside):
    outer = Blueprint("outer", "outer", url_prefix="/outer") if is_inside else host
    managers = {name: WebChatSessionManager(ScriptedBackend()) for name in ("first", "second")}
    for name, manager in managers.items():
        outer.register_blueprint(create_blueprint(manager, title=f"The {name}"), name=name, url_prefix=f"/{name}")
    if is_inside:
        host.register_blueprint(outer)
    for name, manager in managers.items():
        prefix = f"/outer/{name}" if is_inside else f"/{name}"
        found = set().union(*map(addresses, shown_of(host, manager, prefix)))
        assert all(address.startswith((f"{prefix}/", "/apps/settings/")) for address in found)
        assert Page(host.test_client().get(f"{prefix}/sessions")).soup.select_one(".home").get_text() == f"The {name}"


def test_the_whole_application_can_be_mounted_below_a_path(home):
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    client = Client(DispatcherMiddleware(Flask("front"), {"/below": app.wsgi_app}))
    for path in ("/", "/sessions", "/apps/settings/", "/sessions/no-such", "/no-such"):
        for headers in ({}, HTMX):
            found = addresses(client.get(f"/below{path}", headers=headers).text)
            assert {address for address in found if not address.startswith("/below/")} <= {"/apps/settings/"}, path
    answer = client.post("/below/messages", data={"message": "hello"})
    assert re.fullmatch(r"/below/sessions/\w+#end", answer.headers["Location"])


def test_any_function_from_messages_to_text_is_a_model(host):
    def shout(messages):
        yield from messages[-1]["content"].upper()

    chat = create_blueprint(WebChatSessionManager(ChatModelBackend(shout)))
    host.register_blueprint(chat, url_prefix=PREFIX)
    client = host.test_client()
    client.post(f"{PREFIX}/api/session")
    assert client.post(f"{PREFIX}/api/chat", json={"message": "hello"}).json["response"] == "HELLO"


def test_each_person_of_the_application_has_their_own_sessions(manager):
    app = Flask("host")
    chat = create_blueprint(manager, settings_url="", owner=lambda: request.headers.get("X-Person"))
    app.register_blueprint(chat, url_prefix=PREFIX)
    client, ada, bob = app.test_client(), {"X-Person": "ada"}, {"X-Person": "bob"}
    sent = client.post(f"{PREFIX}/messages", data={"message": "I am Ada"}, headers=ada)
    assert client.get(sent.location, headers=ada).status_code == 200
    assert client.get(sent.location, headers=bob).status_code == 404
    assert client.get(sent.location).status_code == 404
    assert "I am Ada" not in client.get(f"{PREFIX}/sessions", headers=bob).text


@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_an_agent_is_told_whose_question_it_answers(storage, is_asynchronous):
    def agent(messages, owner):
        yield f"You are {owner}"

    async def asynchronous(messages, *, owner):
        return f"You are {owner}"

    backend = ChatModelBackend(asynchronous if is_asynchronous else agent, session_options=["owner"], titles=True)
    manager = WebChatSessionManager(backend, storage)
    app = Flask("host")
    chat = create_blueprint(manager, settings_url="", owner=lambda: request.headers.get("X-Person"))
    app.register_blueprint(chat, url_prefix=PREFIX)
    client, json = app.test_client(), {"Accept": "application/json"}
    for person in ("ada", "bob", None):
        headers = json | ({"X-Person": person} if person else {})
        said = client.post(f"{PREFIX}/messages", data={"message": "Who am I?"}, headers=headers).json
        assert said["response"] == f"You are {person}"
        until(lambda: manager.list_sessions(person)[0].description == f"You are {person}")  # noqa: B023
        other = f"{PREFIX}/sessions/{said['session_id']}/options"
        assert client.post(other, data={"owner": "eve"}, headers=headers).status_code < 500
        again = f"{PREFIX}/sessions/{said['session_id']}/messages"
        said = client.post(again, data={"message": "And now?", "owner": "eve"}, headers=headers).json
        assert said["response"] == f"You are {person}"
    manager.close()


def test_the_command_finds_what_an_application_stores_as_documented(tmp_path):
    manager = WebChatSessionManager(ScriptedBackend(), tmp_path / "chat" / "server" / "web-chat-sessions.json")
    manager.create_session(owner="ada")
    listed = CliRunner().invoke(main, ["people", "--home", str(tmp_path / "chat")])
    assert (listed.exit_code, listed.output.split()[:2]) == (0, ["ada", "1"])
    manager.close()


SIGN_INS = {
    "a redirect": lambda: redirect("/"),
    "a page": lambda: "the host's own sign-in",
    "a page with a status": lambda: ("the host's own sign-in", 401),
}


@pytest.mark.parametrize("way", SIGN_INS)
@pytest.mark.parametrize("where", ["application", "blueprint"])
def test_what_the_host_answers_in_a_view_s_place_is_not_marked_as_ours(host, manager, way, where):
    chat = create_blueprint(manager)
    (host if where == "application" else chat).before_request(SIGN_INS[way])
    host.register_blueprint(chat, url_prefix=PREFIX)
    for headers in ({}, HTMX):
        answer = host.test_client().post(f"{PREFIX}/messages", data={"message": "hi"}, headers=headers)
        assert "the host's own" in answer.text or answer.status_code == 302
        assert security.ANSWER_HEADER not in answer.headers


@pytest.mark.parametrize("outer", ["", "outer."])
def test_ours_are_marked_inside_another_application(host, manager, outer):
    chat = create_blueprint(manager)
    if outer:
        around = Blueprint("outer", "outer", url_prefix="/outer")
        around.register_blueprint(chat, url_prefix="/inner")
        host.register_blueprint(around)
    else:
        host.register_blueprint(chat, url_prefix="/outer/inner")
    client = host.test_client()
    for path in ("/", "/sessions", "/sessions/no-such", "/static/app.css"):
        assert client.get(f"/outer/inner{path}").headers[security.ANSWER_HEADER] == "yes", path
    assert security.ANSWER_HEADER not in client.get("/").headers


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
def test_a_text_that_the_host_refuses_is_on_the_page_again(host, app, status):
    host.before_request(lambda: abort(status))
    client, text = app.test_client(), {"message": "still mine", "key": "k"}
    refused = client.post(f"{PREFIX}/messages", data=text)
    assert Page(refused).field == "still mine"
    assert Page(refused).soup.select_one('[name="key"]')["value"] == "k"
    foreign = client.post(f"{PREFIX}/messages", data=text, headers={"Sec-Fetch-Site": "cross-site"})
    assert "still mine" not in foreign.text


def test_when_to_come_back_is_passed_on(host, app):
    @host.before_request
    def refuse() -> None:
        raise TooManyRequests(retry_after=7)

    answer = app.test_client().post(f"{PREFIX}/messages", data={"message": "hi"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert "Wait a moment" in Page(answer).problem


def test_requests_within_one_application_context_have_their_own_fields(home):
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())
    with app.app_context():
        client = app.test_client()
        session_id = client.post("/api/session").json["session_id"]
        url, text = f"/sessions/{session_id}/messages", {"Accept": "text/plain"}
        answers = [client.post(url, data={"message": message}, headers=text).text for message in ("one", "another")]
    app.extensions["webchat"].close()
    assert answers == ["You said: one", "You said: another"]


def test_what_is_no_backend_is_refused_at_once():
    with pytest.raises(TypeError, match="function is not a backend: wrap a function in ChatModelBackend"):
        WebChatSessionManager(lambda messages: "hello")


class Mute:
    """A model, and something that looks like a graph of a framework."""

    def stream(self, messages, owner):
        return ()

    astream = stream


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("model", "must be a list, not a string"),
        (("modle",), "may contain model, system_prompt, context, owner, but not modle"),
        (("model", "temperature"), "may contain model, system_prompt, context, owner, but not temperature"),
        (("owner",), 'contain "owner", so the model must take messages and owner'),
    ],
)
def test_options_that_no_session_has_are_refused_at_once(given, why):
    with pytest.raises(ValueError, match=f"session_options {why}"):
        ChatModelBackend(lambda messages: "hello", session_options=given)


@pytest.mark.parametrize("model", [Mute(), lambda messages, **more: "hello", dict])
def test_a_model_that_may_take_the_owner_is_accepted(model):
    assert ChatModelBackend(model, session_options=["owner"]).session_options == {"owner"}


def test_a_model_object_that_does_not_take_the_owner_is_refused_at_once():
    with pytest.raises(ValueError, match="must take messages and owner"):
        ChatModelBackend(langgraph(Mute()), session_options=["owner"])


@pytest.mark.parametrize("given", [7, uuid.UUID(int=7), "", b"ada"])
def test_an_owner_without_a_name_is_refused_in_every_engine(storage, caplog, given):
    app = Flask("host")
    manager = WebChatSessionManager(ScriptedBackend(), storage)
    app.register_blueprint(create_blueprint(manager, owner=lambda: given), url_prefix=PREFIX)
    client = app.test_client()
    answers = client.post(f"{PREFIX}/messages", data={"message": "hello"}), client.get(f"{PREFIX}/")
    assert [answer.status_code for answer in answers] == [500, 500]
    assert caplog.text.count(f"TypeError: owner must return a name or None, not {given!r}") == len(answers)
    assert manager.storage.people() == []
    manager.close()


def test_a_single_folder_is_that_folder_and_not_its_letters(host, tmp_path):
    """The first letter of a whole path is "/", below which is everything."""
    manager = WebChatSessionManager(AcpBackend("agent acp"))
    host.register_blueprint(create_blueprint(manager, folders=str(tmp_path / "in")), url_prefix=PREFIX)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for name, status in (("in", 200), ("out", 400)):
        fields = {"working_dir": str(tmp_path / name)}
        answer = host.test_client().post(f"{PREFIX}/sessions", json=fields, headers={"Accept": "application/json"})
        assert answer.status_code == status, answer.text
    assert AcpBackend("agent acp").agents == AcpBackend(["agent acp"]).agents


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"max_streams": 0}, ValueError, "max_streams must be at least 1, not 0"),
        ({"max_streams": "100"}, TypeError, "max_streams must be a whole number, not '100'"),
        ({"max_streams_per_client": -1}, ValueError, "max_streams_per_client must be at least 0, not -1"),
        ({"max_streams_per_client": None}, TypeError, "max_streams_per_client must be a whole number, not None"),
        ({"title": None}, ValueError, "title must be a text, not None"),
        ({"title": ""}, ValueError, "title must be a text, not ''"),
        ({"theme": "dark"}, TypeError, "theme must be a function, not 'dark'"),
        ({"owner": "ada"}, TypeError, "owner must be a function, not 'ada'"),
    ],
)
def test_what_no_page_could_be_shown_with_is_refused_when_the_chat_is_made(manager, given, error, why):
    with pytest.raises(error, match=why):
        create_blueprint(manager, **given)


def test_a_relative_path_stays_where_it_was_although_the_host_changes_its_folder(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)
    manager = WebChatSessionManager(ScriptedBackend(), "chat/sessions.json")
    session_id = manager.create_session().session_id
    monkeypatch.chdir(second)
    manager.send_message("hello", session_id)
    manager.close()
    assert not [*second.iterdir()]
    assert manager.conversation(session_id).messages[0].content == "hello"
