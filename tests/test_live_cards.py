"""While an agent works, open pages are sent the changes, and show what a fresh page would show."""

from __future__ import annotations

import re
import threading

import pytest
from bs4 import BeautifulSoup

from tests.reading import until
from tests.tab import OpenTab
from webchat.backends import Event
from webchat.chat.parts import Option, Output, Permission, Plan, PlanEntry, Terminal, ToolCall, Usage

ASKED = Permission("p", "Run it?", (Option("yes", "Allow"), Option("no", "Reject")), "b")


def call(name: str, status="done", **fields) -> ToolCall:
    return ToolCall(name, f"step {name}", "execute", status, **fields)


def written(name: str, text: str, status="running") -> ToolCall:
    return call(name, status, output=(Terminal(text),))


LOG = "".join(f"\x1b[32mline {number}\x1b[0m\n" for number in range(900))
ANSWERS = {
    "text between tools": [
        ["Let me ", "look."],
        [call("a", "running")],
        [call("a")],
        ["It *is", "* empty.\n\nNot", " quite."],
        [call("b")],
        ["Done", "."],
    ],
    "a tool that writes": [[written("a", LOG[:300])], [written("a", LOG[:9000])], [written("a", LOG, "done")], ["end"]],
    "many tools": [[call(name, "running")] for name in "abcdefg"]
    + [[call(name)] for name in "cab"]
    + [[call("g", "failed")], [call("d"), call("e"), call("h", "running")], [call("h"), call("f")], ["All done."]],
    "thoughts between tools": [
        [Event("reasoning", "hm")],
        [Event("reasoning", ", well"), call("a")],
        [Event("reasoning", "so")],
        [Event("reasoning", " it is")],
        [call("b"), Event("note", "cut")],
        [Event("reasoning", "last")],
    ],
    "text that turns out to be reasoning": [
        ["Hm.\n\nLis", "bon"],
        ["?\n\nYes."],
        [Event("reasoned"), "Lis"],
        ["bon.\n\nIt is the capital, and on a river.\n\n"],
        [Event("reasoning", "Is it"), "?\n\nYes.\n\n"],
        [Event("reasoned"), "The Tagus.\n\nReally."],
    ],
    "text that turns out to be reasoning after a tool": [[call("a")], ["Hm."], [Event("reasoned")], ["Lisbon"]],
    "a plan that goes on": [
        [Plan((PlanEntry("look", "running"), PlanEntry("leap")))],
        ["Looking. ", Usage(1, 9)],
        [Plan((PlanEntry("look", "done"), PlanEntry("leap", "running")))],
        ["Leaping."],
    ],
    "a question before its tool": [["Well."], [ASKED], [call("a"), call("b", "pending")], [call("b", "running")]],
    "a question about a tool": [[call("b", "pending")], [ASKED], [written("b", "out")], ["said"]],
    "text before and after": [
        ["one\n\ntwo\n\n"],
        ["three\n\n"],
        [call("a")],
        ["# four\n\n"],
        ["five\n\n"],
        [call("a", "failed")],
    ],
}


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


@pytest.fixture
def told(client, manager, backend, session_id):
    """Has the backend yield these groups of pieces one by one; returns an open page, and a function that releases the
    next group.
    """
    gates: list[threading.Event] = []
    tabs: list[OpenTab] = []

    def tell(groups):
        gates.extend(threading.Event() for _ in range(len(groups) + 1))
        steps = [step for gate, group in zip(gates, groups, strict=False) for step in (*group, gate)]
        backend.plays(*steps)
        manager.post_message(session_id, "do it")
        until(lambda: manager.conversation(session_id).last.ordered)
        tabs.append(OpenTab(client.application.test_client(), f"/sessions/{session_id}").connect())
        return tabs[0], gates

    yield tell
    for gate in gates:
        gate.set()
    for tab in tabs:
        tab.close()


def content_of(soup: BeautifulSoup) -> str:
    """The last answer's content, without blanks between elements."""
    return re.sub(r"\s*\n\s*", "", str(soup.select("article.message .content")[-1]))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_open_page_shows_what_a_fresh_one_shows(client, session_id, told, name):
    tab, gates = told(ANSWERS[name])

    def is_up_to_date(tab):
        fresh = BeautifulSoup(client.get(f"/sessions/{session_id}").text, "html.parser")
        return content_of(tab.soup) == content_of(fresh)

    for gate in gates:
        tab.read(is_up_to_date)
        gate.set()
    tab.read(lambda tab: tab.last_status == "complete")
    assert is_up_to_date(tab)


def test_an_open_page_shows_that_a_stopped_tool_did_not_finish(session_id, told, manager):
    tab, _ = told([[call("a", "running")], ["never"]])
    tab.read(lambda tab: tab.soup.select(".card"))
    manager.stop(session_id)
    tab.read(lambda tab: tab.last_status == "stopped")
    assert tab.soup.select_one(".card .state").get_text() == "Not finished"


def test_only_what_changed_is_sent(session_id, told, manager):
    many = [call(f"done-{number}", output=(Output("x" * 1000),)) for number in range(3)]
    tab, gates = told(
        [["Look.", *many, written("a", "line 1\n")], [written("a", "line 1\nline 2\n")], ["And"], [" on"]]
    )
    tab.read(lambda tab: "line 1" in tab.soup.get_text())
    before, seen = len(tab.events), len(tab.targets)
    gates[0].set()
    tab.read(lambda tab: "line 2" in tab.soup.get_text())
    message_id = manager.conversation(session_id).last.id
    assert f"#p-{message_id}-4" in tab.targets[seen:]
    assert f"#m-{message_id}" not in tab.targets[seen:]
    assert sum(len(event.data) for event in tab.events[before:]) < 4_000
    gates[1].set()
    tab.read(lambda tab: "And" in tab.soup.get_text())
    before = len(tab.events)
    gates[2].set()
    tab.read(lambda tab: "And on" in tab.soup.get_text())
    assert sum(len(event.data) for event in tab.events[before:]) < 1_000


def test_many_tools_fold_while_one_runs(told):
    tab, gates = told([[call(name) for name in "abc"], [call("d"), call("e", "running")], [call("e")]])
    tab.read(lambda tab: len(tab.soup.select(".card")) == 3)
    assert tab.soup.select_one(".fold").has_attr("hidden")
    gates[0].set()
    tab.read(lambda tab: not tab.soup.select_one(".fold").has_attr("hidden"))
    tab.read(lambda tab: len(tab.soup.select(".card:not([data-folds])")) == 1)  # the one that runs may come later
    assert tab.soup.select_one(".fold").get_text() == "4 steps"
    gates[1].set()
    tab.read(lambda tab: tab.soup.select_one(".fold").get_text() == "5 steps")


def test_the_context_used_grows_while_the_agent_works(told):
    tab, gates = told([["Look.", Usage(10, 100)], [Usage(20, 100)], ["Done."], []])
    tab.read(lambda tab: "10 %" in tab.soup.select_one("#contextUsed").get_text())
    gates[0].set()
    tab.read(lambda tab: "20 %" in tab.soup.select_one("#contextUsed").get_text())
    seen = len(tab.targets)
    gates[1].set()
    tab.read(lambda tab: "Done." in tab.soup.get_text())
    assert "#contextUsed" not in tab.targets[seen:]
