"""Exports with arbitrary values anywhere: readable parts are imported, nothing breaks, and nothing takes long."""

from __future__ import annotations

import copy
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.foreign import chatgpt, claude, open_webui, others
from webchat.archive.beside import Together
from webchat.archive.bounds import Watch
from webchat.archive.brought import Report
from webchat.archive.reading import conversations
from webchat.chat.tree import Tree
from webchat.fileutil import jsonlines

EXPORTS = {
    "chatgpt": chatgpt.EXPORT,
    "claude": claude.EXPORT,
    "open_webui": [*open_webui.EXPORT, open_webui.BARE],
    **others.JSON,
}
JUNK = [
    None,
    True,
    7,
    -1,
    1e308,
    10**400,
    "",
    "x",
    "\0\r\n",
    "\ud800",
    [],
    {},
    [None],
    [[]],
    {"a": None},
    [{"type": 1}],
]


def places(value, path=()):
    """The paths of all values in one."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*path, key))


def replaced(value, path, by):
    """The value with another one at this path, if the path still exists."""
    if not path:
        return by
    inner = value
    for key in path[:-1]:
        inner = inner[key] if isinstance(inner, dict | list) and key_is_in(inner, key) else None
    if isinstance(inner, dict | list) and key_is_in(inner, path[-1]):
        inner[path[-1]] = by
    return value


def key_is_in(inner, key):
    return key in inner if isinstance(inner, dict) else isinstance(key, int) and key < len(inner)


def texts(value):
    """All texts in a value."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def read(data):
    """The messages of each session that an import of this file adds."""
    report = Report()
    found = []
    for session in conversations(io.BytesIO(data), report, Watch(), Together()):
        tree = Tree()
        for _, record in jsonlines.parse(session.transcript):
            tree.add(record)
            assert not any("\0" in text for text in texts(record)), "which no database can hold"
        assert not tree.damaged
        found.append(tree.branch().messages)
    return found, report


@pytest.mark.parametrize("source", EXPORTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_anything_in_the_place_of_anything(source, data):
    export = copy.deepcopy(EXPORTS[source])
    found = [*places(export)]
    for _ in range(data.draw(st.integers(1, 4))):
        export = replaced(export, data.draw(st.sampled_from(found)), copy.deepcopy(data.draw(st.sampled_from(JUNK))))
    read(json.dumps(export, ensure_ascii=True).encode())


@pytest.mark.parametrize("source", EXPORTS)
def test_each_place_once_with_each_junk(source):
    whole = json.dumps(EXPORTS[source])
    for path in places(EXPORTS[source]):
        for junk in ([], 7, "x", None):
            read(json.dumps(replaced(json.loads(whole), path, junk)).encode())


LONG = 200_000
HUGE = {
    "details that do not end": {
        "chat": {"messages": [{"role": "assistant", "content": '<details type="reasoning"' * LONG}]}
    },
    "details without an end": {
        "chat": {"messages": [{"role": "assistant", "content": '<details type="reasoning">' * LONG}]}
    },
    "marks that do not end": {
        "mapping": {"a": chatgpt.node("a", None, "assistant", chatgpt.said("\ue200cite" * LONG))},
    },
    "fences that do not end": {
        "mapping": {"a": chatgpt.node("a", None, "assistant", chatgpt.said(":::writing{" * LONG))},
    },
    "artifacts that do not end": {
        "conversation": {"id": "g"},
        "responses": [{"response": {"sender": "assistant", "message": "<xaiArtifact><grok:render " * LONG}}],
    },
    "an artifact with a long word": {
        "conversation": {"id": "g"},
        "responses": [{"response": {"sender": "assistant", "message": f"<xaiArtifact {'x' * LONG}>.</xaiArtifact>."}}],
    },
    "details with a long word": {
        "chat": {
            "messages": [
                {"role": "assistant", "content": f'<details type="reasoning" {"x" * LONG}>Thought</details>Said'}
            ]
        }
    },
    "details with many blanks": {
        "chat": {
            "messages": [{"role": "assistant", "content": f'<details type="reasoning">.{" " * LONG}x</details>Said'}]
        }
    },
    "a mark with a long word": {
        "mapping": {"a": chatgpt.node("a", None, "assistant", chatgpt.said(f"\ue200{'x' * LONG}"))},
    },
    "a word of underscores": others.activity("Asked", "2026-10-01T10:00:00Z", f"a{'_' * LONG}b"),
    "cards without what they name": {
        "conversation": {"id": "g"},
        "responses": [{"response": {"sender": "assistant", "message": "<grok:render></grok:render>" * LONG + "."}}],
    },
    "artifacts in a row": {
        "conversationId": "l",
        "messages": [{"messageId": "a", "text": ':::artifact{title="a"}\n```\n:::\n' * LONG + "\ue202turn" * LONG}],
    },
    "an artifact with a long attribute": {
        "conversationId": "l",
        "messages": [{"messageId": "a", "text": f":::artifact{{{'x' * LONG}}}\nDeep\n:::\nSaid"}],
    },
    "an artifact with many braces": {
        "conversationId": "l",
        "messages": [{"messageId": "a", "text": f":::artifact{{{'} ' * LONG}x\nDeep\n:::\nSaid"}],
    },
    "tools in a row": {
        "mapping": {
            f"n{number}": chatgpt.node(f"n{number}", f"n{number - 1}", "tool", chatgpt.said("x"), name="web")
            for number in range(20_000)
        }
    },
    "pictures in one message": {
        "mapping": {
            "q": chatgpt.node(
                "q",
                None,
                "user",
                {"content_type": "multimodal_text", "parts": [chatgpt.picture(f"file_{n}") for n in range(30_000)]},
            )
        }
    },
    "marks in each part of one message": {
        "mapping": {
            "a": chatgpt.node(
                "a",
                None,
                "assistant",
                {"content_type": "text", "parts": ["\ue200【"] * 10_000},
                metadata={
                    "content_references": [{"matched_text": "\ue200cite\ue201"}] * 500 + [{}] * 50_000,
                    "citations": [{"metadata": {"title": "Kites", "url": "https://kites.example/"}}] * 500,
                },
            )
        }
    },
    "artifacts": {
        "chat_messages": [
            claude.message(
                "m", claude.ROOT, "assistant", [claude.artifact("update", old_str=f"{number}", new_str="x" * 99)] * 9
            )
            | {"uuid": f"m{number}"}
            for number in range(2_000)
        ]
    },
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_huge_takes_time_that_grows_with_its_size(name):
    """If each part were searched for in the whole, it would take minutes, and the suite's own limit would end it."""
    found, report = read(json.dumps([HUGE[name]]).encode())
    assert len(found) == 1
    assert report.problems == []
