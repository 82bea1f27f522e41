"""A script watches a session: all shown messages, then every change, whoever makes it."""

from __future__ import annotations

import json
import threading
from contextlib import suppress

import httpx
import pytest
from httpx_sse import EventSource

from tests.reading import until
from tests.scripted_server import delta
from tests.terminals import beside as beside
from tests.terminals import gate as gate
from tests.terminals import model as model
from tests.terminals import model_server as model_server
from tests.terminals import whole


class Watching:
    """What a script has received so far of a session's stream."""

    def __init__(self, url, session_id):
        self.events = []
        self._client = httpx.Client(base_url=url)
        self._thread = threading.Thread(target=self._read, args=(f"/sessions/{session_id}/events",), daemon=True)
        self._thread.start()
        until(lambda: self.named("messages"))

    def _read(self, path):
        with (
            suppress(httpx.RemoteProtocolError),
            self._client.stream("GET", path, headers={"Accept": "text/event-stream"}) as response,
        ):
            for event in EventSource(response).iter_sse():
                self.events.append((event.event, json.loads(event.data or "{}")))

    def named(self, name):
        return [fields for given, fields in list(self.events) if given == name]

    @property
    def messages(self):
        """The role, text and status of each message."""
        return [(message["role"], message["content"], message["status"]) for message in self.shown]

    @property
    def shown(self):
        """The messages, as a client puts them together."""
        shown = []
        for name, fields in list(self.events):
            if name == "messages":
                shown = list(fields["messages"])
            elif name == "message":
                shown = [*(each for each in shown if each["id"] != fields["id"]), fields]
            elif name == "delta":
                assert shown[-1]["id"] == fields["message_id"]
                shown[-1] = {**shown[-1], "content": shown[-1]["content"] + fields["text"]}
        return shown


@pytest.fixture
def session_id(beside):
    return beside.post("/messages", data={"message": "hello"}).json()["session_id"]


def test_it_sees_messages_and_the_answer_as_it_grows(model_server, beside, model, gate, session_id):
    watching = Watching(model_server.url, session_id)
    begun = [("user", "hello", "complete"), ("assistant", "Hello there.", "complete")]
    assert watching.messages == begun
    assert watching.named("session")[0]["description"] == "hello"
    model.script(whole("one", gate, *(f" {number}" for number in range(200))))
    beside.post(f"/sessions/{session_id}/messages", data={"message": "count"}, headers={"Accept": "text/html"})
    until(lambda: watching.messages[-1] == ("assistant", "one", "streaming"))
    gate.set()
    count = f"one {' '.join(map(str, range(200)))}"
    until(lambda: watching.messages == [*begun, ("user", "count", "complete"), ("assistant", count, "complete")])
    assert len(watching.named("messages")) == 1


def test_it_sees_reasoning_branches_and_a_new_title(model_server, beside, model, session_id):
    watching = Watching(model_server.url, session_id)
    answer = beside.get(f"/sessions/{session_id}").json()["messages"][-1]["id"]
    model.script(whole(delta(reasoning_content="hm"), "Hello again."))
    beside.post(f"/sessions/{session_id}/messages/{answer}/retry")
    until(lambda: watching.messages[-1] == ("assistant", "Hello again.", "complete"))
    assert watching.shown[-1]["parts"][0] == {"type": "reasoning", "text": "hm"}
    beside.post(f"/sessions/{session_id}/messages/{answer}/select")
    until(lambda: watching.messages[-1] == ("assistant", "Hello there.", "complete"))
    beside.post(f"/sessions/{session_id}/rename", data={"title": "Greetings"})
    until(lambda: watching.named("session")[-1]["description"] == "Greetings")


def test_a_session_that_is_not_there_is_not_watched(beside):
    answer = beside.get("/sessions/nowhere/events", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.text) == (
        404,
        "Session 'nowhere' not found. It may have been deleted, or have been a temporary chat.\n",
    )
