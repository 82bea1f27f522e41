"""An agent's choices and commands: on the page, for scripts, and in every tab."""

from __future__ import annotations

import json
import shlex
import sys

import pytest
from bs4 import BeautifulSoup

from tests.acp import agents_in, chats_in
from tests.conftest import HTMX, Page
from tests.tab import OpenTab
from webchat.backends import MockBackend
from webchat.backends.abilities import Controls, Select
from webchat.chat.chosen import LONGEST, MOST, Chosen, chosen_of, with_chosen
from webchat.errors import BackendUnavailable, NotYetChosen, StorageError

JSON = {"Accept": "application/json"}


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


@pytest.fixture
def start(home, agents):
    with chats_in(home, agents) as start:
        yield start


@pytest.fixture(params=["--modes", "--options"])
def app(start, request):
    return start(request.param)


@pytest.fixture
def session_id(manager):
    session_id = manager.create_session("~").session_id
    manager.send_message("hello", session_id)
    return session_id


def told(manager, session_id):
    return json.loads(manager.send_message("told", session_id))["choices"]


def chosen(page: Page) -> dict[str, str]:
    """The value of each select on the page, by name."""
    found = page.soup.select("#controls select")
    return {str(select["name"]): select.select_one("[selected]").get_text() for select in found}


def test_selects_stand_below_the_field_with_a_button_for_whoever_has_no_script(client, session_id):
    page = Page(client.get(f"/sessions/{session_id}"))
    assert chosen(page) == {"mode": "Ask", "model": "Small"}
    assert page.soup.select_one("#controls button.unscripted[form=controlsForm]").get_text() == "Apply"
    assert [option["value"] for option in page.soup.select("select[name=model] option")] == ["small", "large"]


def test_the_form_chooses_what_has_changed(client, manager, session_id):
    address = f"/sessions/{session_id}/controls"
    answer = client.post(address, data={"mode": "plan", "model": "small"})
    assert (answer.status_code, answer.location) == (303, f"/sessions/{session_id}#end")
    assert chosen(Page(client.get(f"/sessions/{session_id}"))) == {"mode": "Plan only", "model": "Small"}
    assert told(manager, session_id) == {"mode": "plan", "model": "small"}


def test_a_page_with_a_script_is_told_what_was_saved(client, session_id):
    answer = client.post(f"/sessions/{session_id}/controls", data={"model": "large"}, headers=HTMX)
    soup = BeautifulSoup(answer.text, "html.parser")
    assert soup.select_one('[hx-target="#controlsSaved"]').get_text() == "Saved. Model: Large"
    assert soup.select_one('[hx-target="#controls"] select[name=model] [selected]')["value"] == "large"


def test_a_script_reads_and_chooses(client, session_id):
    address = f"/sessions/{session_id}/controls"
    now = client.get(address).json
    modes = [{"value": "ask", "name": "Ask"}, {"value": "plan", "name": "Plan only"}]
    assert now["controls"][0] == {"id": "mode", "name": "Mode", "value": "ask", "options": modes}
    assert now["commands"] == [{"name": "compact", "description": "Make it short"}]
    then = client.post(address, json={"control": "mode", "value": "plan"}, headers=JSON).json
    assert then["controls"][0]["value"] == "plan"
    assert client.post(address, json={"mode": "ask"}, headers=JSON).json == now


@pytest.mark.parametrize(
    "given",
    [{"mode": "fly"}, {"control": "mode", "value": "fly"}, {"control": "odd", "value": "ask"}, {"odd": "x"}, {}],
)
def test_what_is_not_offered_is_refused(client, session_id, given):
    address = f"/sessions/{session_id}/controls"
    before = client.get(address).json
    assert client.post(address, data=given).status_code == 422
    assert client.post(address, data=given, headers=JSON).status_code == 400
    assert client.get(address).json == before


def test_before_the_first_message_there_is_nothing_to_choose(client, manager, app):
    session_id = manager.create_session("~").session_id
    assert client.get(f"/sessions/{session_id}/controls").json == {
        "session_id": session_id,
        "controls": [],
        "commands": [],
    }
    answer = client.post(f"/sessions/{session_id}/controls", data={"mode": "plan"}, headers=JSON)
    assert answer.status_code == 400
    assert "once the agent is running" in answer.json["error"]


@pytest.fixture
def stubborn(start):
    """A client, and a session whose agent refuses every choice."""
    app = start("--modes --stubborn")
    manager, client = app.extensions["webchat"], app.test_client()
    session_id = manager.create_session("~").session_id
    manager.send_message("hello", session_id)
    return client, session_id


def test_what_the_agent_refuses_is_its_fault(stubborn):
    client, session_id = stubborn
    answer = client.post(f"/sessions/{session_id}/controls", data={"mode": "plan"}, headers=JSON)
    assert answer.status_code == 503
    assert "Not now" in answer.json["error"]
    assert client.get(f"/sessions/{session_id}/controls").json["controls"][0]["value"] == "ask"


def test_a_page_shows_again_what_holds_after_a_refusal(stubborn):
    client, session_id = stubborn
    answer = client.post(f"/sessions/{session_id}/controls", data={"mode": "plan"}, headers=HTMX)
    soup = BeautifulSoup(answer.text, "html.parser")
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (503, "#problem")
    assert "Not now" in soup.select_one(".problem").get_text()
    assert soup.select_one('[hx-target="#controls"] select[name=mode] [selected]')["value"] == "ask"


class Late(MockBackend):
    """A backend that confirms no choice in time."""

    def controls(self, session_id):
        modes, models = (("ask", "Ask"), ("plan", "Plan only")), (("a", "A"), ("b", "B"))
        return Controls((Select("mode", "Mode", "ask", modes), Select("model", "Model", "a", models)))

    def pending_choices(self, session_id, chosen):
        return chosen.values

    def set_control(self, session_id, select_id, value):
        raise NotYetChosen("Not confirmed.")


def test_a_choice_that_is_not_confirmed_in_time_is_noted_for_the_next_message(start):
    app = start()
    manager, client = app.extensions["webchat"], app.test_client()
    manager.use_backend(Late(delay=0))
    session_id = manager.create_session("~").session_id
    for fields, headers in (({"mode": "plan"}, JSON), ({"control": "mode", "value": "plan"}, HTMX)):
        answer = client.post(f"/sessions/{session_id}/controls", data=fields, headers=headers)
        assert (answer.status_code, "Not confirmed." in answer.text) == (503, True)
    assert client.get(f"/sessions/{session_id}/controls").json["controls"][0]["value"] == "plan"
    assert BeautifulSoup(answer.text, "html.parser").select_one("select[name=mode] [selected]")["value"] == "plan"
    assert manager.store.require(session_id).extra["choices"]["values"] == {"mode": "plan"}


def test_all_choices_of_a_form_are_noted_if_they_are_not_confirmed_in_time(start):
    app = start()
    manager, client = app.extensions["webchat"], app.test_client()
    manager.use_backend(Late(delay=0))
    session_id = manager.create_session("~").session_id
    answer = client.post(f"/sessions/{session_id}/controls", data={"mode": "plan", "model": "b"}, headers=HTMX)
    assert (answer.status_code, "Not confirmed." in answer.text) == (503, True)
    shown = BeautifulSoup(answer.text, "html.parser").select("#controls [selected], [hx-target='#controls'] [selected]")
    assert [option["value"] for option in shown] == ["plan", "b"]
    assert manager.store.require(session_id).extra["choices"]["values"] == {"mode": "plan", "model": "b"}


class Choosy(MockBackend):
    """A backend that refuses another mode, knows no model "c", and accepts the rest."""

    def __init__(self):
        super().__init__(delay=0)
        self.chosen = {"mode": "ask", "model": "a", "effort": "low"}

    def controls(self, session_id):
        offered = {"mode": ("ask", "plan"), "model": ("a", "b"), "effort": ("low", "high")}
        selects = (
            Select(name, name.title(), self.chosen[name], tuple((value, value) for value in values))
            for name, values in offered.items()
        )
        return Controls(tuple(selects))

    def set_control(self, session_id, select_id, value):
        if select_id == "mode":
            raise BackendUnavailable("The agent refused: not <now>.")
        self.chosen[select_id] = value


@pytest.mark.parametrize(
    ("given", "status", "why"),
    [
        ({"mode": "plan", "model": "b"}, 503, ["Mode: The agent refused: not <now>."]),
        ({"mode": "plan", "model": "c"}, 503, ["Mode: The agent refused: not <now>.", "Model: This is not offered"]),
        ({"model": "c"}, 422, ["Model: This is not offered here now."]),
    ],
)
def test_all_choices_of_a_form_are_made_but_those_that_are_refused_which_are_named(start, given, status, why):
    app, backend = start(), Choosy()
    manager, client = app.extensions["webchat"], app.test_client()
    manager.use_backend(backend)
    session_id = manager.create_session("~").session_id
    answer = client.post(f"/sessions/{session_id}/controls", data={**given, "effort": "high"}, headers=HTMX)
    soup = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == status
    assert all(each in soup.select_one(".problem").get_text() for each in why)
    now = {"mode": "ask", "model": "b" if given["model"] == "b" else "a", "effort": "high"}
    assert backend.chosen == now
    shown = soup.select('[hx-target="#controls"] [selected]')
    assert [option["value"] for option in shown] == [*now.values()]
    noted = {name: value for name, value in now.items() if given.get(name, "high") == value}
    assert manager.store.require(session_id).extra["choices"]["values"] == noted


def test_a_choice_counts_also_if_only_another_server_knew_of_a_change(client, manager, session_id):
    manager.store.note_choice(session_id, "mode", "plan")
    client.post(f"/sessions/{session_id}/controls", data={"mode": "ask"})
    assert told(manager, session_id)["mode"] == "ask"


def test_a_choice_made_on_another_server_is_shown_before_the_next_message(client, manager, session_id):
    tab = OpenTab(client.application.test_client(), f"/sessions/{session_id}").connect()
    try:
        manager.store.note_choice(session_id, "mode", "plan")
        manager.storage.bus.publish(session_id, urgent=True)
        tab.read(lambda tab: tab.soup.select_one("select[name=mode] [selected]")["value"] == "plan")
    finally:
        tab.close()
    assert chosen(Page(client.get(f"/sessions/{session_id}"))) == {"mode": "Plan only", "model": "Small"}
    assert client.get(f"/sessions/{session_id}/controls").json["controls"][0]["value"] == "plan"
    assert told(manager, session_id)["mode"] == "plan"


@pytest.mark.parametrize(("name", "value"), [("mode", "fly"), ("odd", "plan")])
def test_a_noted_choice_that_is_not_offered_here_is_not_shown(client, manager, session_id, name, value):
    manager.store.note_choice(session_id, name, value)
    assert chosen(Page(client.get(f"/sessions/{session_id}"))) == {"mode": "Ask", "model": "Small"}


def test_a_choice_that_cannot_be_noted_is_made_anyway(client, manager, session_id, monkeypatch, caplog):
    def full(*_given):
        raise StorageError("The list could not be saved", OSError(28, "full"))

    monkeypatch.setattr(manager.store.sessions, "update", full)
    assert client.post(f"/sessions/{session_id}/controls", data={"mode": "plan"}, headers=JSON).status_code == 200
    monkeypatch.undo()
    assert "could not be noted" in caplog.text
    assert told(manager, session_id)["mode"] == "plan"


def test_a_fork_with_another_agent_begins_in_that_agents_mode(client, manager, session_id):
    client.post(f"/sessions/{session_id}/controls", data={"mode": "plan"})
    manager.store.annotate(session_id, {"agent": "gone"})
    fork = manager.fork(session_id, manager.conversation(session_id).last.id).session_id
    assert told(manager, fork)["mode"] == "ask"


def test_what_is_noted_is_bounded_and_what_does_not_fit_is_forgotten():
    extra = {"model": "m"}
    for number in range(2 * MOST):
        extra = with_chosen(extra, str(number), "x")
    extra = with_chosen(extra, "39", "x" * LONGEST)
    assert extra["model"] == "m"
    assert chosen_of(extra) == Chosen({str(number): "x" for number in range(MOST, 2 * MOST - 1)}, 2 * MOST + 1)


@pytest.mark.parametrize("damaged", [[], {"values": []}, {"values": {"a": 1}, "revision": 1}, {"values": {}}])
def test_damaged_choices_are_none(damaged):
    assert chosen_of({"choices": damaged}) == Chosen()


def test_the_commands_stand_in_a_list(client, session_id):
    page = Page(client.get(f"/sessions/{session_id}"))
    commands = page.soup.select_one("details#commands")
    assert commands.select_one("summary").get_text() == "Commands"
    assert commands.select_one("dt").get_text() == "/compact"
    assert commands.select_one("dd").get_text() == "Make it short"


def test_another_tab_sees_the_change(client, session_id):
    tab = OpenTab(client.application.test_client(), f"/sessions/{session_id}").connect()
    try:
        client.post(f"/sessions/{session_id}/controls", data={"mode": "plan"})
        tab.read(lambda tab: tab.soup.select_one("select[name=mode] [selected]")["value"] == "plan")
    finally:
        tab.close()


def test_an_open_page_learns_what_the_agent_calls_itself(client, manager):
    session_id = manager.create_session("~").session_id
    tab = OpenTab(client.application.test_client(), f"/sessions/{session_id}").connect()
    try:
        assert "Scripted" not in tab.soup.select_one("#hint").get_text()
        manager.post_message(session_id, "hello")
        tab.read(lambda tab: "Scripted" in tab.soup.select_one("#hint").get_text())
    finally:
        tab.close()


class Hostile(MockBackend):
    """A backend whose names would do harm on a page that used them unescaped."""

    NAME = '"><script>alert(1)</script>'

    def __init__(self):
        super().__init__(delay=0)
        self.value = self.NAME

    def controls(self, session_id):
        options = ((self.NAME, self.NAME), ("x' onfocus=alert(1) y='", "{{ 7 * 7 }}"))
        return Controls((Select(self.NAME, self.NAME, self.value, options),), ((self.NAME, self.NAME),))

    def set_control(self, session_id, select_id, value):
        self.value = value


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_hostile_names_are_shown_as_they_are(start, headers):
    app = start()
    manager, client = app.extensions["webchat"], app.test_client()
    manager.use_backend(Hostile())
    session_id = manager.create_session("~").session_id
    manager.send_message("hello", session_id)
    page = Page(client.get(f"/sessions/{session_id}", headers=headers))
    select = page.soup.select_one("#controls select")
    assert select["name"] == Hostile.NAME
    assert [option.get_text() for option in select.select("option")] == [Hostile.NAME, "{{ 7 * 7 }}"]
    assert page.soup.select_one("dt").get_text() == f"/{Hostile.NAME}"
    assert page.soup.select("#controls script, [onfocus]") == []
    saved = client.post(
        f"/sessions/{session_id}/controls", data={Hostile.NAME: "x' onfocus=alert(1) y='"}, headers=HTMX
    )
    assert "<script>alert" not in saved.text
    assert "{{ 7 * 7 }}" in BeautifulSoup(saved.text, "html.parser").select_one('[hx-target="#controlsSaved"]').text


# Which agent answers


@pytest.fixture
def several(start):
    """A chat with two agents, and their names."""
    app = start("--modes", "--nameless")
    return app, app.extensions["webchat"].agents.names


def test_a_new_session_chooses_its_agent(several, manager_of):
    app, (first, second) = several
    manager, client = manager_of(app), app.test_client()
    page = Page(client.get("/"))
    assert [option.get_text() for option in page.soup.select("select[name=agent] option")] == [first, second]
    client.post("/messages", data={"message": "hello", "agent": second}, headers=JSON)
    session = manager.active_session()
    assert session.extra["agent"] == second
    assert manager.label_of(session) == second, "which has no other name"
    assert second in Page(client.get("/")).soup.select_one("#hint").get_text()
    assert Page(client.get("/")).soup.select_one("select[name=agent]") is None


def test_the_agent_can_be_chosen_until_the_first_message(several, manager_of):
    app, (first, second) = several
    manager, client = manager_of(app), app.test_client()
    session_id = client.post("/sessions", data={"agent": second}, headers=JSON).json["session_id"]
    assert manager.get_session(session_id).extra["agent"] == second
    assert client.post("/sessions", headers=JSON).json["session_id"] == session_id
    assert Page(client.get("/")).soup.select_one("select[name=agent] [selected]").get_text() == second
    client.post(f"/sessions/{session_id}/messages", data={"message": "hello", "agent": first}, headers=JSON)
    assert manager.get_session(session_id).extra["agent"] == first
    for path, more in (("options", {}), ("messages", {"message": "again"})):
        answer = client.post(f"/sessions/{session_id}/{path}", data={"agent": second, **more}, headers=JSON)
        assert (answer.status_code, "Start a new session" in answer.json["error"]) == (409, True)
    assert client.post(f"/sessions/{session_id}/options", data={"agent": first}, headers=JSON).status_code == 200
    assert len(manager.conversation(session_id).messages) == 2


def test_an_agent_that_is_not_there_is_refused(several, manager_of):
    app, names = several
    for path in ("/sessions", "/messages", "/api/session"):
        answer = app.test_client().post(path, data={"message": "hello", "agent": "clippy"}, headers=JSON)
        assert answer.status_code == 400
        assert names[1] in answer.json["error"]
    assert manager_of(app).list_sessions() == []


def test_the_first_agent_stays_the_sessions_agent_if_their_order_changes(start, agents, manager_of, tmp_path):
    program = tmp_path / "other-agent"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    program.chmod(0o755)
    commands = [shlex.join(agents.command("--modes")), shlex.join([str(program), *agents.command("--nameless")[1:]])]
    app = start(WEBCHAT_AGENT="\n".join(commands))
    first, second = manager_of(app).agents.names
    manager_of(app).start_conversation("hello").wait()
    session_id = manager_of(app).active_session_id
    manager_of(app).close()
    again = start(WEBCHAT_AGENT="\n".join(reversed(commands)))
    assert manager_of(again).agents.names == [second, first]
    session = manager_of(again).get_session(session_id)
    assert (manager_of(again).label, manager_of(again).label_of(session)) == (second, first)


@pytest.fixture
def manager_of():
    return lambda app: app.extensions["webchat"]


# Titles


def test_the_agent_names_its_session_until_a_person_does(manager, session_id):
    manager.send_message("title Of the agent", session_id)
    session = manager.get_session(session_id)
    assert (session.description, session.title_by) == ("Of the agent", "model")
    manager.send_message("title Another one", session_id)
    assert manager.get_session(session_id).description == "Another one"
    manager.housekeeping.rename(session_id, "Mine")
    manager.send_message("title A third", session_id)
    assert manager.get_session(session_id).description == "Mine"


def test_no_turn_is_spent_on_a_title(start, monkeypatch, manager_of):
    manager = manager_of(start(WEBCHAT_TITLES="on"))
    session_id = manager.create_session("~").session_id
    manager.send_message("hello", session_id)
    assert json.loads(manager.send_message("told", session_id))["prompts"] == ["hello", "told"]
