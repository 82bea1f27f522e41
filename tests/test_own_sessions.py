"""An agent's own sessions: offered to a single user, and opened here once."""

from __future__ import annotations

import json
import threading

import pytest

from tests.acp import agents_in, chats_in
from tests.conftest import HTMX, Page
from webchat.conventions import WEB_CHAT_AGENT_SESSIONS_FILENAME

JSON = {"Accept": "application/json"}


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


@pytest.fixture
def start(home, agents):
    with chats_in(home, agents) as start:
        yield start


@pytest.fixture
def elsewhere(agents, tmp_path):
    """A session that the agent started elsewhere, in a folder; returns both."""
    folder = tmp_path / "work"
    folder.mkdir()
    known = {"cwd": str(folder), "prompts": ["hello", "and on"], "said": ["One <b>", "Two"]}
    (agents.folder / "s-elsewhere.session").write_text(json.dumps(known))
    return "s-elsewhere", str(folder)


@pytest.fixture
def app(start, elsewhere):
    return start()


def listed(client, **headers):
    return client.get("/sessions/own", headers=JSON | headers).json["sessions"]


def test_they_are_listed_when_somebody_asks_and_not_before(client, agents, elsewhere):
    page = Page(client.get("/sessions"))
    assert page.soup.select_one('a[href="/sessions/own"]')
    assert Page(client.get("/")).soup.select_one("#sessionsPanel #ownSessions")["hx-get"] == "/sessions/own"
    assert agents.received("initialize") == [], "nothing has been started"
    [own] = listed(client)
    assert (own["title"], own["working_dir"]) == elsewhere
    page = Page(client.get("/sessions/own"))
    assert page.soup.select_one('link[href*="pages.css"]')
    assert page.soup.select_one("#ownSessions .title").get_text() == "s-elsewhere"
    assert agents.received("session/load") == []
    assert json.loads((agents.folder / "s-elsewhere.session").read_text())["prompts"] == ["hello", "and on"]


def test_what_was_begun_on_another_server_is_not_offered(start, home, elsewhere):
    manager = start().extensions["webchat"]
    session_id = manager.create_session("~").session_id
    manager.send_message("hello", session_id)
    manager.send_message("and on", session_id)
    other = manager.create_session("~").session_id
    manager.send_message("away with it", other)
    manager.housekeeping.delete([other])
    (home / "server" / WEB_CHAT_AGENT_SESSIONS_FILENAME).unlink()  # which another server has in its own folder
    assert [own["title"] for own in listed(start().test_client())] == [elsewhere[0]]


def test_one_is_opened_with_what_was_said_and_goes_on(client, manager, agents, elsewhere):
    own_id = listed(client)[0]["id"]
    opened = client.post(f"/sessions/own/{own_id}", headers=JSON).json
    assert opened["working_dir"] == elsewhere[1]
    session = manager.active_session()
    assert session.session_id == opened["session_id"]
    assert (session.description, session.title_by) == ("s-elsewhere", "model")
    assert session.extra["from_agent"] == session.extra["agent"] == own_id.partition("/")[0]
    messages = manager.conversation(session.session_id).messages
    assert [(item.role, item.content) for item in messages] == [
        ("user", "hello"),
        ("assistant", "Hm.\n\nOne <b>"),
        ("user", "and on"),
        ("assistant", "Hm.\n\nTwo"),
    ]
    told = json.loads(manager.send_message("told", session.session_id))
    assert told["prompts"] == ["hello", "and on", "told"]
    assert (len(agents.received("session/load")), agents.received("session/new")) == (1, [])
    assert "from " in Page(client.get("/sessions")).soup.select_one("li .meta").get_text()


def test_the_page_opens_one_with_and_without_a_script(client, manager):
    form = Page(client.get("/sessions/own")).soup.select_one("#ownSessions form")
    answer = client.post(form["action"])
    session = manager.active_session()
    assert (answer.status_code, answer.location) == (303, f"/sessions/{session.session_id}#end")
    again = client.post(form["hx-post"], headers=HTMX)
    assert again.headers["HX-Push-Url"] == f"/sessions/{session.session_id}"
    assert len(Page(again).messages) == 4
    assert Page(client.get("/sessions/own")).soup.select("#ownSessions li") == []


def test_opened_twice_it_is_one_session(client, manager, agents):
    own_id = listed(client)[0]["id"]
    answers = []
    clients = [client.application.test_client() for _ in range(4)]
    threads = [
        threading.Thread(target=lambda each=each: answers.append(each.post(f"/sessions/own/{own_id}", headers=JSON)))
        for each in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.json["session_id"] for answer in answers}) == 1
    client.post("/messages", data={"message": "something else"}, headers=JSON)
    again = client.post(f"/sessions/own/{own_id}", headers=JSON).json["session_id"]
    assert manager.active_session_id == again == answers[0].json["session_id"], "it is the current one again"
    assert len(agents.received("session/load")) == 1
    assert len(manager.list_sessions()) == 2


def test_one_that_is_not_there_is_refused(client, manager):
    for name in ("no-such", "a/b", "0" * 32, "acp_agent.py/../x"):
        answer = client.post(f"/sessions/own/{name}", headers=JSON)
        assert (answer.status_code, "no such session" in answer.json["error"]) == (400, True)
    assert manager.list_sessions() == []


@pytest.mark.parametrize("switches", ["--dies", "--refuses-to-start"])
def test_an_agent_that_cannot_be_started_is_told(start, switches):
    client = start(switches).test_client()
    for answer in (client.get("/sessions/own", headers=JSON), client.post("/sessions/own/x", headers=JSON)):
        assert answer.status_code == 503
        assert answer.json["error"].endswith(".") or "“" in answer.json["error"]
    assert client.get("/sessions/own", headers=HTMX).status_code == 503


@pytest.mark.parametrize(
    "values", [{"WEBCHAT_AUTH_HEADER": "X-Remote-User"}, {"WEBCHAT_TOKEN": "a-token-of-many-characters"}]
)
def test_others_are_not_offered_them(start, agents, elsewhere, values):
    client = start(**values).test_client()
    headers = {"X-Remote-User": "ada", "Authorization": "Bearer a-token-of-many-characters"}
    for path in ("/", "/sessions"):
        assert "/sessions/own" not in client.get(path, headers=headers).text
    for method in ("GET", "POST"):
        path = "/sessions/own" if method == "GET" else "/sessions/own/s-elsewhere"
        assert client.open(path, method=method, headers=headers).status_code == 403
    assert agents.received("initialize") == []


def test_those_in_folders_that_are_not_allowed_are_left_out(start, elsewhere, tmp_path):
    client = start(WEBCHAT_FOLDERS=str(tmp_path / "other")).test_client()
    assert listed(client) == []
    name = "acp_agent.py/s-elsewhere"
    assert client.post(f"/sessions/own/{name}", headers=JSON).status_code == 400
    assert len(listed(start(WEBCHAT_FOLDERS=elsewhere[1]).test_client())) == 1


def test_a_backend_without_sessions_of_its_own_offers_none(start):
    app = start(WEBCHAT_BACKEND="mock")
    assert "/sessions/own" not in app.test_client().get("/sessions").text
    assert listed(app.test_client()) == []
