"""What an agent did is readable in exports, and comes back whole from our own."""

from __future__ import annotations

import io
import re
import threading

import pytest
from bs4 import BeautifulSoup

from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat.archive.export import refuse
from webchat.backends import Event
from webchat.chat.parts import Diff, Option, Output, Permission, Picture, Plan, PlanEntry, Terminal, ToolCall, Usage
from webchat.errors import BackendUnavailable
from webchat.manager import WebChatSessionManager

LISTED = ToolCall(
    "c",
    "ls `here`",
    "execute",
    "done",
    "ls -l",
    (
        Terminal("10 %\r\x1b[32m100 %\x1b[0m\n"),
        Output("```\nfence"),
        Diff("a.py", "x\n", "y\n"),
        Picture("image/png", "aGk="),
    ),
    2.5,
)
PLAN = Plan((PlanEntry("look", "done"), PlanEntry("leap")))
ASKED = Permission("p", "Run it?", (Option("yes", "Allow <once>"),), "c")
MARKDOWN = """Let me *look*.

- [x] look
- [ ] leap

`` ls `here` `` (execute, done, 2.5 s)

```
ls -l
```

```
100 %
```

````
```
fence
````

```diff
a.py
-x
+y
```

```
(image/png)
```

`Run it?` Answered: `Allow <once>`

It is empty."""


def call(status, name="c", **fields) -> ToolCall:
    return ToolCall(name, "ls", "execute", status, **fields)


@pytest.fixture
def session_id(manager, backend):
    session_id = manager.create_session().session_id
    backend.plays(
        Event("reasoning", "hm"), "Let me *look*.", PLAN, LISTED, ASKED, backend.has_chosen, "It is empty.", Usage(1, 9)
    )
    posted = manager.post_message(session_id, "look")
    until(lambda: manager.conversation(session_id).last.questions)
    manager.answer_permission(session_id, "p", "yes")
    posted.wait()
    return session_id


def test_markdown_has_all_steps(client, session_id):
    text = client.get(f"/sessions/{session_id}/export?format=md").text
    assert MARKDOWN in text


def test_html_has_all_steps_and_nothing_that_acts(client, session_id):
    soup = BeautifulSoup(client.get(f"/sessions/{session_id}/export?format=html").text, "html.parser")
    step = soup.select_one("details")
    assert step.summary.get_text().strip() == "ls `here` (execute, done, 2.5 s)"
    assert [pre.get_text() for pre in step.select("pre")][:2] == ["ls -l", "100 %\n"]
    assert "Allow <once>" in soup.get_text()
    assert soup.select_one("em").get_text() == "look"
    assert "\x1b" not in str(soup)


@pytest.mark.parametrize(
    ("pieces", "ending"),
    [
        ([Event("note", "It was *cut* off."), "x"], r"*It was \*cut\* off.*"),
        ([call("running"), BackendUnavailable("It says: “<b>no</b>”")], r"*It says: “\<b\>no\</b\>”*"),
        (["x", BackendUnavailable("No luck")], "*No luck*"),
    ],
)
def test_notes_and_failures_are_readable(client, manager, backend, pieces, ending):
    session_id = manager.create_session().session_id
    backend.plays(*pieces)
    manager.post_message(session_id, "look").wait()
    assert ending in client.get(f"/sessions/{session_id}/export?format=md").text.split("\n\n")
    html = BeautifulSoup(client.get(f"/sessions/{session_id}/export?format=html").text, "html.parser")
    assert html.select(".answer em")[-1].get_text() == re.sub(r"\\(.)", r"\1", ending).strip("*")


def test_what_was_stopped_is_not_told_as_failed(client, manager, backend):
    session_id = manager.create_session().session_id
    backend.plays(call("done", seconds=0.00002), call("running", "d"), threading.Event())
    manager.post_message(session_id, "look")
    until(lambda: len(manager.conversation(session_id).last.parts) == 2)
    manager.stop(session_id)
    text = client.get(f"/sessions/{session_id}/export?format=md").text
    assert "`ls` (execute, done)\n\n`ls` (execute, not finished)\n\n*Answer stopped.*" in text


def test_our_own_export_keeps_every_part(manager, session_id, tmp_path):
    before = manager.conversation(session_id).last.parts
    data = b"".join(manager.archive.export(manager.list_sessions(), refuse))
    other = WebChatSessionManager(ScriptedBackend(), tmp_path / "other" / "web-chat-sessions.json")
    other.archive.bring_in(io.BytesIO(data))
    assert other.conversation(session_id).last.parts == before
    assert len(before) == 7
    other.close()
