"""An agent's steps are readable in exports, and imported completely from our own."""

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
from webchat.render.markdown import markdown

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
MARKDOWN = """<details><summary>Reasoning</summary>

> hm

</details>

Let me *look*.

- [x] look
- [ ] leap

<details><summary><code>ls `here`</code> (execute, done, 2.5 s)</summary>

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

(image/png)

</details>

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
    thought, step = soup.select("details")
    assert thought.get_text("|") == "Reasoning|hm"
    assert step.img["src"] == "data:image/png;base64,aGk="
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
    assert html.select(".answer .note")[-1].get_text() == re.sub(r"\\(.)", r"\1", ending).strip("*")


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


@pytest.fixture
def answered(manager, backend, client):
    """Sends a message, plays the answer, and exports the session."""

    def answer(text, kind, question="look"):
        session_id = manager.create_session().session_id
        backend.plays(text)
        manager.post_message(session_id, question).wait()
        return client.get(f"/sessions/{session_id}/export?format={kind}").text

    return answer


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("~~~~\n```\n~~~", "~~~~\n```\n~~~\n~~~~"),
        ("# One\n\nTwo\n===\n\nThree\nfour\n---\n\n> ## Five\n\n- ###### Six", None),
        ("```\n# no heading\n```\n\n    # nor this", "```\n# no heading\n```\n\n    # nor this"),
        ("<details>\n<!-- x", "\\<details>\n\\<!-- x"),
        ("<https://a.example>\nx <b>", "<https://a.example>\nx <b>"),
    ],
)
def test_an_answer_ends_with_itself_and_its_headings_rank_below_the_sessions(answered, text, shown):
    exported = answered(text, "md") + answered("the next one", "md")
    headings = "### One\n\n### Two\n\n#### Three four\n\n> #### Five\n\n- ###### Six"
    assert f"\n\n{shown or headings}\n\n# look\n" in exported
    soup = BeautifulSoup(markdown(exported), "html.parser")
    assert len(soup.select("h3")) == 2, "which are the document's h1"
    assert len(soup.select("h4")) == 4, "which are its h2"
    assert "the next one" in soup.select("h4")[-1].find_next("p").get_text()


def test_files_keep_their_language(client, manager, backend):
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "read", files=(("run me.py", "def f(): ...\n"), ("LICENSE", "```\n"))).wait()
    text = client.get(f"/sessions/{session_id}/export?format=md").text
    assert "read\n\n**run me.py**\n\n```py\ndef f(): ...\n```\n\n**LICENSE**\n\n````\n```\n````\n" in text
    html = BeautifulSoup(client.get(f"/sessions/{session_id}/export?format=html").text, "html.parser")
    assert [file.summary.get_text() for file in html.select("details.file")] == ["run me.py", "LICENSE"]
    assert html.select_one("details.file .k").get_text() == "def"


def test_other_versions_are_named(client, manager, backend):
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "look").wait()
    manager.retry(session_id, manager.conversation(session_id).last.id).wait()
    text = client.get(f"/sessions/{session_id}/export?format=md").text
    assert re.search(r"^## You, [-0-9: ]+$", text, re.MULTILINE)
    assert re.search(r"^## .+ · version 2 of 2$", text, re.MULTILINE)
    assert "version 2 of 2" in client.get(f"/sessions/{session_id}/export?format=html").text


def test_what_people_wrote_keeps_its_lines_and_stays_text(answered):
    html = BeautifulSoup(answered("ok", "html", "one\n  two\n# <b>three"), "html.parser")
    assert html.select_one(".user .plain").get_text() == "one\n  two\n# <b>three"


def test_code_that_people_wrote_is_shown_as_code(answered):
    html = BeautifulSoup(answered("ok", "html", "look:\n\n```python\ndef f(): ...\n```\n*done*"), "html.parser")
    assert html.select_one(".user .code .k").get_text() == "def"
    assert [plain.get_text() for plain in html.select(".user .plain")] == ["look:\n", "*done*"]
