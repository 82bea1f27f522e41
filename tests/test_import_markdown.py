"""Our own Markdown export comes back as text."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from webchat.archive.contained import contained, raised
from webchat.backends import Event
from webchat.chat.parts import Output, Reasoning, ToolCall

TEXTS = [
    "# Head\n\n- one\n- two",
    "```py\n# code\n## more\n</details>\n```",
    "<b>x</b>\n\n## Two",
    "## You, 2026-01-01 10:00",
]


@pytest.fixture
def taken(client, manager, backend):
    """A session with these answers, exported as Markdown and imported again: the messages of both."""

    def take(*answers):
        session_id = manager.create_session().session_id
        for number, answer in enumerate(answers):
            backend.plays(*answer)
            manager.post_message(session_id, f"question {number}\n# of mine").wait()
        data = client.get(f"/sessions/{session_id}/export?format=md").data
        report = manager.archive.bring_in(io.BytesIO(data))
        assert report.problems == []
        (new,) = report.imported
        assert manager.get_session(new).description == manager.get_session(session_id).description
        assert manager.archive.bring_in(io.BytesIO(data)).known == 1
        return manager.conversation(session_id).messages, manager.conversation(new).messages

    return take


def test_texts_come_back_as_they_were(taken):
    before, after = taken(*([text] for text in TEXTS))
    assert [(message.role, message.content) for message in after] == [
        (message.role, message.content) for message in before
    ]
    assert [message.model for message in after] == [message.model for message in before]


def test_reasoning_is_reasoning_and_tools_are_text(taken):
    call = ToolCall("c", "ls `a` <b>", "execute", "done", "ls", (Output("# a\n</details>"),))
    _, (_, answer) = taken([Event("reasoning", "It may\n\n# be\n</details>"), call, "All of it."])
    assert answer.ordered[0] == Reasoning("It may\n\n# be\n</details>")
    assert "ls `a` <b>" in answer.content
    assert "```\n# a\n</details>\n```" in answer.content
    assert answer.content.endswith("All of it.")
    assert "<summary>" not in answer.content


def test_a_file_of_several_sessions(client, manager):
    for text in ("one", "two"):
        manager.create_session()
        manager.send_message(text)
    data = client.get("/sessions/export?format=md").data.replace(b"\n", b"\r\n")
    report = manager.archive.bring_in(io.BytesIO(data))
    found = {manager.get_session(new).description: manager.conversation(new).messages for new in report.imported}
    assert {title: [message.content for message in messages] for title, messages in found.items()} == {
        "one": ["one", "You said: one"],
        "two": ["two", "You said: two"],
    }


LINES = [
    "# a",
    "## b",
    "text",
    "===",
    "---",
    "",
    "```",
    "~~~~",
    "<b>",
    "<!--",
    "<script>",
    "> # q",
    "> ===",
    "- x",
    "  ===",
]
LINES += ["    # c", "`` ` ``", "> - ## d", "  -", "1. ---", "> ```", "    ```", "  ```"]


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_any_text_in_a_document_ends_with_itself_and_has_no_heading_of_the_documents(lines):
    tokens = MarkdownIt("commonmark").parse(contained("\n".join(lines)) + "\n\n# end\n")
    assert [token.tag for token in tokens if token.tag in ("h1", "h2")] == ["h1", "h1"], "where it opens and closes"
    assert (tokens[-2].content, tokens[-2].level) == ("end", 1)


def test_long_headings_take_time_that_grows_with_their_length(manager):
    """Otherwise they would take minutes, and the suite's own limit would end it."""
    heading = "## You" + " (" * 100_000 + ")" * 100_000 + "x"
    report = manager.archive.bring_in(io.BytesIO(f"# Title\n\nan-id\n\n{heading}\n\nSaid\n".encode()))
    (session_id,) = report.imported
    assert [message.content for message in manager.conversation(session_id).messages] == ["Said"]


def test_long_lines_of_marks_take_time_that_grows_with_their_length():
    for line in ("-" * 200_000 + "x", "- " * 100_000 + "x"):
        assert contained(line) == line
        assert raised(line) == line


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_any_text_comes_back_as_it_was_contained_once(lines):
    """Underlined headings become ATX headings, open fences are closed, and everything else is unchanged."""
    once = raised(contained("\n".join(lines)))
    assert raised(contained(once)) == once
    if all(set(line) - set("=-") for line in (line.strip(" >1.") for line in lines) if line):
        left = iter(once.split("\n"))
        assert all(line in left for line in lines)
