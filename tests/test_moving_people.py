"""One person, or everybody, moved to another folder or database with all that is theirs."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager

import pytest
from click.testing import CliRunner

from tests.scripted import ScriptedBackend
from webchat.chat.queued import QueuedMessage
from webchat.cli import main
from webchat.cli.output import written
from webchat.config import Settings
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.storage import storage_at

LONG_AGO = "2026-01-02T03:04:05+00:00"


def webchat(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@contextmanager
def kept(place):
    """The chat that is kept there, with its memories."""
    with closing(storage_at(place)) as storage:
        manager = WebChatSessionManager(ScriptedBackend(), storage, clock=lambda: LONG_AGO)
        yield manager, MemoryStore(storage.documents, trash_days=1e6)


@pytest.fixture
def exported(home, tmp_path):
    """Ada's whole export: two sessions, one with a message that waits, one in the trash, memories."""
    with kept(Settings(home=home).storage) as (manager, memory):
        for text in ("about kettles", "about teapots", "thrown away"):
            session_id = manager.create_session(owner="ada").session_id
            manager.send_message(text, session_id, "ada")
            if text == "about teapots":
                with manager.storage.queue.changing(session_id) as items:
                    items.append(QueuedMessage("k1", "and cups?", created_at=LONG_AGO))
        manager.housekeeping.delete([session_id], "ada")
        memory.remember("the key is blue", "ada")
        memory.delete(memory.remember("forget me", "ada")["id"], "ada")
    path = tmp_path / "ada.zip"
    webchat("people", "export", "ada", "-o", path, "--home", home)
    return path


@pytest.fixture(params=["files", "postgres"])
def there(request, tmp_path):
    """The other place: its options, and where its storage is."""
    if request.param == "postgres":
        address = request.getfixturevalue("database")
        return ["--database", address], address
    return ["--home", tmp_path / "there"], Settings(home=tmp_path / "there").storage


@pytest.mark.parametrize("owner", ["ada", "ada.lovelace"])
def test_a_person_is_moved_with_all_that_is_theirs_and_once(exported, there, owner):
    options, place = there
    told = webchat("import", *options, "--owner", owner, exported).output
    assert "2 imported" in told
    assert "1 into the trash, 2 memories, 1 unsent messages" in told
    with kept(place) as (manager, memory):
        assert {session.description for session in manager.list_sessions(owner)} == {"about kettles", "about teapots"}
        [gone] = manager.store.trash(owner)
        assert (gone.description, gone.deleted_at) == ("thrown away", LONG_AGO)
        [teapots] = [item for item in manager.list_sessions(owner) if item.description == "about teapots"]
        assert [item.text for item in manager.queue.returned(teapots.session_id)] == ["and cups?"]
        assert manager.queue.items(teapots.session_id) == ()
        assert [row["content"] for row in memory.list(owner)] == ["the key is blue"]
        assert [row["content"] for row in memory.trash(owner)] == ["forget me"]
        memory.remember("since then", owner)
    told = webchat("import", *options, "--owner", owner, exported).output
    assert "2 here already" in told
    assert "0 into the trash, 0 memories, 0 unsent messages" in told
    with kept(place) as (manager, memory):
        assert len(manager.list_sessions(owner)) == 2
        assert len(manager.store.trash(owner)) == 1
        assert len(manager.queue.returned(teapots.session_id)) == 1
        assert sorted(row["content"] for row in memory.list(owner)) == ["since then", "the key is blue"]
        assert len({row["id"] for row in (*memory.list(owner), *memory.trash(owner))}) == 3


def test_an_export_of_nobody_s_sessions_says_whose_are_left_out(exported, home, tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    result = webchat("export", "--home", home, "-o", path, code=1)
    assert result.stderr.startswith("1 person has sessions that are not in this export.")
    assert "webchat people export NAME" in result.stderr
    assert path.read_bytes() == b""
    with kept(Settings(home=home).storage) as (manager, _):
        manager.send_message("my own", manager.create_session().session_id)
    result = webchat("export", "--home", home, "-o", path)
    assert "1 person has sessions" in result.stderr
    assert json.loads(path.read_text().splitlines()[0])["session"]["description"] == "my own"
    assert webchat("export", "--home", home, "--owner", "ada", "-o", path).stderr == ""


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")

    def break_off():
        with written(str(path)) as file:
            file.write(b"half")
            raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        break_off()
    assert (path.read_text(), [*tmp_path.iterdir()]) == ("old", [path])


def test_an_export_of_nothing_replaces_the_file(home, tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    assert webchat("export", "--home", home, "-o", path).stderr == ""
    assert path.read_bytes() == b""
    webchat("export", "--home", home, "-o", tmp_path / "no" / "such", code=1)
