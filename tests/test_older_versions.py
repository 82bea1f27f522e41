"""Folders of earlier versions open unchanged, and data without new features is written in their format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import corpus_scenario
from tests.reading import snapshot
from tests.scripted import ScriptedBackend
from webchat.manager import WebChatSessionManager

CORPUS = Path(__file__).parent / "corpus"
HOMES = sorted(path.parent.name for path in CORPUS.glob("*/expected.json"))


@pytest.fixture(params=HOMES)
def version(request):
    return request.param


@pytest.fixture
def expected(version):
    return json.loads((CORPUS / version / "expected.json").read_text("utf-8"))


@pytest.fixture
def home(version, tmp_path):
    return Path(shutil.copytree(CORPUS / version / "home", tmp_path / "home"))


@pytest.fixture
def manager(home):
    manager = WebChatSessionManager(ScriptedBackend(), home / "server" / "web-chat-sessions.json")
    yield manager
    manager.close()


def shown(message) -> dict[str, object]:
    fields = {"id": message.id, "role": message.role, "content": message.content, "status": message.status}
    more = {name: getattr(message, name) for name in ("reasoning", "error", "kind", "model")}
    fields |= {name: value for name, value in more.items() if value}
    fields |= {"siblings": list(message.siblings)} if message.siblings else {}
    fields |= {"files": [[file.name, file.content] for file in message.files]} if message.files else {}
    return fields | {"notes": list(message.notes)}


def test_there_are_two_earlier_versions():
    assert len(HOMES) >= 2


def test_every_session_reads_as_that_version_read_it(manager, expected):
    manager.housekeeping.take_in()
    sessions = {session.session_id: session for owner in (None, "ada") for session in manager.list_sessions(owner)}
    assert list(sessions) == list(expected), "in the same order"
    for session_id, was in expected.items():
        assert (sessions[session_id].description, sessions[session_id].owner) == (was["title"], was["owner"])
        messages = manager.conversation(session_id, was["owner"]).messages
        pairs = zip(messages, was["messages"], strict=True)
        assert [{name: shown(message)[name] for name in before} for message, before in pairs] == was["messages"]


def test_what_asked_an_earlier_version_to_stop_goes(manager, home):
    left = home / "server" / "web-chat-transcripts" / "replies" / "session-1.stop"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    manager.housekeeping.take_in()
    assert not left.exists()


def test_reading_changes_nothing(manager, home, expected):
    before = snapshot(home)
    for session_id, was in expected.items():
        manager.conversation(session_id, was["owner"])
        manager.reader.is_aside(session_id, "nothing")
    assert snapshot(home) == before


def test_writing_only_adds(manager, home, expected):
    manager.housekeeping.take_in()
    for session_id, was in expected.items():
        path = home / "server" / "web-chat-transcripts" / f"{session_id}.jsonl"
        before = path.read_bytes()
        manager.post_message(session_id, "and now?", was["owner"]).wait()
        assert path.read_bytes().startswith(before)
        added = [json.loads(line) for line in path.read_bytes()[len(before) :].splitlines()]
        assert [(record["role"], "parts" in record) for record in added] == [("user", False), ("assistant", False)]


def test_what_needs_nothing_new_is_written_byte_for_byte_as_before(tmp_path):
    corpus_scenario.write(tmp_path)
    written = {name: data for name, data in snapshot(CORPUS / "written").items() if data is not None}
    assert {name: (tmp_path / name).read_bytes() for name in written} == written
    assert {path.name for path in (tmp_path / "web-chat-transcripts").glob("*.jsonl")} == {
        Path(name).name for name in written if name.startswith("web-chat-transcripts")
    }
