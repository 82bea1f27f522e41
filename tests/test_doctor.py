"""`webchat doctor`: what it finds, what it repairs, and what it leaves alone."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest
import yaml
from click.testing import CliRunner

from tests import damage
from tests.pictures import png
from tests.reading import snapshot
from tests.scripted import ScriptedBackend
from webchat import cli
from webchat.fileutil import DiskFolder
from webchat.manager import WebChatSessionManager
from webchat.models import SMOLLM
from webchat.storage.protocols import CLAIMED


@pytest.fixture
def healthy(home, monkeypatch, tmp_path):
    """A home without problems."""
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("WEBCHAT_BACKEND", "mock")
    monkeypatch.setenv("WEBCHAT_MIN_FREE", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WEBCHAT_PORT", str(free.getsockname()[1]))
    damage.make(home)
    (home / damage.REPLY).unlink()
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (time.time() - 60,) * 2)
    return home


@pytest.fixture
def outside(tmp_path):
    path = tmp_path / "outside" / "file"
    path.parent.mkdir()
    path.write_text(damage.SECRET)
    return path


def doctor(home, *options):
    """What it prints except what is fine, and its exit code."""
    result = CliRunner().invoke(cli.main, ["doctor", "--home", str(home), *options], catch_exceptions=False)
    lines = [line for line in result.output.splitlines() if not line.startswith("fine")]
    return lines, result.exit_code


def backup(home):
    """The copies made by a repair: each file's bytes."""
    folders = list((home / "server").glob("backup-*"))
    assert len(folders) == 1
    modes = {path.stat().st_mode & 0o777 for path in (folders[0], *folders[0].rglob("*")) if path.is_dir()}
    assert modes == {0o700}
    return {name: data for name, data in snapshot(folders[0]).items() if data is not None}


def test_where_all_is_well_it_says_so_and_changes_nothing(healthy):
    before = snapshot(healthy)
    assert doctor(healthy) == ([], 0)
    assert doctor(healthy, "--repair") == ([], 0)
    assert snapshot(healthy) == before


def test_a_home_that_is_not_there_is_no_mistake(healthy, tmp_path):
    lines, code = doctor(tmp_path / "other")
    assert code == 0
    assert lines == [f"note     folder: {tmp_path / 'other'} does not exist yet; the first message creates it."]
    assert not (tmp_path / "other").exists()


def test_a_home_below_a_file_cannot_be_made(healthy, tmp_path):
    (tmp_path / "file").write_text("mine")
    lines, code = doctor(tmp_path / "file" / "home")
    assert code == 1
    where = f"{tmp_path / 'file' / 'home'} cannot be created: {tmp_path / 'file'} is not a folder"
    assert f"WRONG    folder: {where}; name another with --home." in lines


MENDED = [
    ("list of sessions: part of it cannot be read", damage.REGISTRY, damage.replaced(b"[\n", b"[\n5,\n")),
    (
        "unfinished answers: the server died during an answer in session second",
        damage.REPLY,
        damage.content(b'{"id": "a2"}\n'),
    ),
    ("order of the list: some lines cannot be read", damage.ACTIVITY, damage.added(b"no record\n")),
    ("search index: it is damaged", damage.SEARCH, damage.content(b"no database at all" * 1000)),
    ("memories: some of them cannot be read", damage.MEMORIES, damage.content(b"memories: [{id: []}]\n")),
    ("settings file: some of them cannot be used", damage.SETTINGS, damage.content(b'{"theme": "pink", "later": 1}')),
    ("leftovers: a crash has left", "server/.web-chat-sessions.json.a1b2c3d4", damage.content(b"[")),
]


@pytest.mark.parametrize(("says", "file", "harm"), MENDED, ids=[says.partition(":")[0] for says, _, _ in MENDED])
def test_what_is_safe_is_mended_after_a_copy(healthy, outside, says, file, harm):
    path = healthy / file
    harm(path, outside)
    path.chmod(0o600)
    os.utime(path, (time.time() - 3600,) * 2)
    before = snapshot(healthy)
    lines, code = doctor(healthy)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"WRONG    {says}")
    assert "“webchat doctor --repair” repairs it." in lines[0]
    assert snapshot(healthy) == before

    lines, code = doctor(healthy, "--repair")
    assert code == 0, lines
    assert any(f"repaired: {says.partition(': ')[2]}" in line for line in lines)
    assert backup(healthy)[file] == before[file]
    assert doctor(healthy) == ([], 0)


def test_mending_memories_leaves_those_that_may_still_be_restored(healthy):
    """Only the server knows how long that is possible."""
    path = healthy / damage.MEMORIES
    long_ago = "{id: mem-002, content: A tea, deleted_at: '2020-01-01T00:00:00+00:00'}"
    path.write_text(f"memories: [{{id: []}}]\ntrash: [{long_ago}]\n")
    doctor(healthy, "--repair")
    assert [row["content"] for row in yaml.safe_load(path.read_text())["trash"]] == ["A tea"]


def test_damaged_memories_of_amplifier_are_told_and_left(healthy):
    path = healthy / "memory" / "memory-store.yaml"
    path.parent.mkdir(mode=0o700)
    path.write_text("memories: [{id: 1, content: x}, 7]\n")
    lines, code = doctor(healthy, "--repair")
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"WRONG    Amplifier's memories: part of {path} cannot be read; ")
    assert path.read_text() == "memories: [{id: 1, content: x}, 7]\n"


def test_a_mended_list_has_all_sessions_again(healthy):
    (healthy / damage.REGISTRY).write_text("nothing of it is left")
    (healthy / damage.REGISTRY).chmod(0o600)
    lines, _ = doctor(healthy, "--repair")
    assert len(lines) == 2
    assert "it lacks first, second, whose transcripts exist" in lines[1]
    rows = json.loads((healthy / damage.REGISTRY).read_text())
    assert {row["session_id"]: row["description"] for row in rows} == {
        "first": "What is an apple?",
        "second": "And a pear?",
    }
    assert backup(healthy)[damage.REGISTRY] == b"nothing of it is left"


def test_what_an_import_has_left_is_removed(healthy):
    """An import claims its sessions, writes their transcripts and completes the records; this one was interrupted."""
    path = healthy / "server" / "web-chat-sessions.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), {"session_id": "left", "owner": CLAIMED}]))
    transcript = healthy / "server" / "web-chat-transcripts" / "left.jsonl"
    transcript.write_text('{"role": "user", "content": "left"}\n')
    transcript.chmod(0o600)
    told = "list of sessions: an interrupted import has left left; “webchat doctor --repair” repairs it."
    assert doctor(healthy) == ([f"WRONG    {told}"], True)
    doctor(healthy, "--repair")
    assert not transcript.exists()
    assert doctor(healthy) == ([], 0)


def test_an_answer_left_behind_comes_into_its_transcript(healthy):
    damage.lines(healthy / damage.REPLY, *damage.LEFT_BEHIND)
    (healthy / damage.REPLY).chmod(0o600)
    doctor(healthy, "--repair")
    assert not (healthy / damage.REPLY).exists()
    last = json.loads((healthy / damage.FOLDER / "second.jsonl").read_text().splitlines()[-1])
    assert (last["content"], last["status"]) == ("A pear is a", "interrupted")
    assert set(backup(healthy)) == {damage.REPLY, f"{damage.FOLDER}/second.jsonl"}


def test_an_answer_that_is_being_written_is_left_alone(healthy):
    damage.lines(healthy / damage.REPLY, *damage.LEFT_BEHIND)
    (healthy / damage.REPLY).chmod(0o600)
    release = DiskFolder(healthy / damage.FOLDER).lock("second", 1)
    try:
        assert doctor(healthy, "--repair") == ([], 0)
        assert (healthy / damage.REPLY).exists()
    finally:
        release()


def test_what_is_just_being_written_is_no_leftover(healthy):
    file = healthy / "server" / ".web-chat-sessions.json.a1b2c3d4"
    file.write_text("[")
    assert doctor(healthy, "--repair") == ([], 0)
    assert file.exists()


def test_what_others_may_read_is_closed_to_them(healthy):
    (healthy / damage.TRANSCRIPT).chmod(0o644)
    (healthy / "server").chmod(0o755)
    (healthy / "not-ours.txt").write_text("for everybody")
    (healthy / "not-ours.txt").chmod(0o644)
    lines, code = doctor(healthy)
    assert code == 1
    assert lines[0].startswith(
        f"WRONG    permissions: other users may read {healthy / 'server'}, {healthy / damage.TRANSCRIPT};"
    )
    doctor(healthy, "--repair")
    modes = [(healthy / name).stat().st_mode & 0o777 for name in ("server", damage.TRANSCRIPT, "not-ours.txt")]
    assert modes == [0o700, 0o600, 0o644]
    assert doctor(healthy) == ([], 0)


@pytest.mark.parametrize(
    "harm", [damage.link, damage.folder, damage.pipe, damage.dangling_link], ids=lambda harm: harm.__name__
)
@pytest.mark.parametrize(
    "file", [damage.REGISTRY, damage.TRANSCRIPT, damage.ACTIVITY, damage.SEARCH, damage.SETTINGS, damage.MEMORIES]
)
def test_what_lies_in_a_files_place_is_named_and_left(healthy, outside, file, harm):
    harm(healthy / file, outside)
    beyond = snapshot(outside.parent)
    for options in ((), ("--repair",)):
        lines, code = doctor(healthy, *options)
        assert code == 1
        assert any(line.startswith(f"WRONG    places: {healthy / file} is ") for line in lines)
        assert damage.SECRET not in "".join(lines)
    assert os.path.lexists(healthy / file)
    assert snapshot(outside.parent) == beyond


@pytest.mark.parametrize("folder", [damage.FOLDER, "server"])
@pytest.mark.parametrize(
    "harm", [damage.link_to_folder, damage.file_in_a_folders_place], ids=lambda harm: harm.__name__
)
def test_a_folder_that_leads_out_is_named_and_nothing_beyond_is_changed(healthy, outside, folder, harm):
    harm(healthy / folder, outside)
    beyond = snapshot(outside.parent)
    lines, code = doctor(healthy, "--repair")
    assert code == 1
    assert any(f"places: {healthy / folder} is not a real folder" in line for line in lines)
    assert snapshot(outside.parent) == beyond


@pytest.mark.parametrize(
    ("file", "harm", "says"),
    [
        (damage.REGISTRY, damage.content(b'{"format": 2, "sessions": []}'), "list of sessions: a later version"),
        (damage.TRANSCRIPT, damage.added(b'{"type": "format", "version": 2}\n'), "transcripts: a later version"),
        (damage.TRANSCRIPT, damage.added(b"no record\n"), "transcripts: some lines of first.jsonl cannot be read"),
        (
            damage.TRANSCRIPT,
            lambda path, _: path.unlink(),
            "list of sessions: it has first, whose transcripts are missing",
        ),
    ],
)
def test_what_is_a_persons_to_decide_is_told_and_left(healthy, outside, file, harm, says):
    harm(healthy / file, outside)
    before = snapshot(healthy)
    lines, code = doctor(healthy, "--repair")
    assert code == 1
    assert [line for line in lines if line.startswith(f"WRONG    {says}")] == lines
    assert snapshot(healthy) == before


def test_a_files_name_gives_the_terminal_no_orders(healthy):
    damage.lines(healthy / damage.FOLDER / "\x1b[2Jx.jsonl", {"type": "format", "version": 2})
    lines, _ = doctor(healthy)
    assert "\x1b" not in "".join(lines)
    assert any("?[2Jx" in line for line in lines)


def test_who_cannot_answer_is_told(healthy, monkeypatch):
    monkeypatch.setenv("WEBCHAT_BACKEND", "nobody")
    assert "who answers: There is no backend 'nobody'. Choose one of:" in doctor(healthy)[0][0]
    monkeypatch.setenv("WEBCHAT_BACKEND", "openai")
    assert "WRONG    who answers: " in doctor(healthy)[0][0]
    monkeypatch.setenv("WEBCHAT_BASE_URL", "http://127.0.0.1:9/v1")
    assert "WRONG    who answers: The model server does not accept connections" in doctor(healthy)[0][0]


def test_a_model_that_is_not_as_it_was_checked_is_told(healthy, tmp_path):
    model = tmp_path / "models" / SMOLLM.file_name
    model.parent.mkdir()
    model.write_bytes(b"GGUF")
    says = f"model files: {model} has 4 bytes instead of 98,362,432; “webchat models get {SMOLLM.name}” verifies it"
    assert says in doctor(healthy)[0][0]
    with model.open("r+b") as file:
        file.truncate(SMOLLM.bytes)
    assert "has changed since its sha256 was verified, or was never verified" in doctor(healthy)[0][0]


def test_a_taken_port_is_only_worth_knowing(healthy, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("WEBCHAT_PORT", str(taken.getsockname()[1]))
        lines, code = doctor(healthy)
    assert code == 0
    assert lines == [
        f"note     server: port {os.environ['WEBCHAT_PORT']} is taken, perhaps by a running chat; "
        "the next server to start takes the next free one."
    ]


def test_an_address_that_others_reach_is_told(healthy, monkeypatch):
    monkeypatch.setenv("WEBCHAT_HOST", "0.0.0.0")
    assert "server: at 0.0.0.0 others could reach the chat; set --token" in doctor(healthy)[0][0]
    monkeypatch.setenv("WEBCHAT_TOKEN", "a-token-that-is-long-enough")
    assert "server: there is no TLS" in doctor(healthy)[0][0]
    monkeypatch.setenv("WEBCHAT_HOST", "192.0.2.1")
    assert "192.0.2.1 port" in doctor(healthy)[0][0]


def test_a_setting_that_cannot_be_used_is_told(healthy, monkeypatch):
    monkeypatch.setenv("WEBCHAT_PORT", "many")
    lines, code = doctor(healthy)
    assert code == 1
    assert "WEBCHAT_PORT cannot be 'many'" in lines[0]


def test_without_room_for_a_copy_nothing_is_mended(healthy, monkeypatch):
    path = healthy / damage.SETTINGS
    path.write_text('{"theme": "pink"}')
    path.chmod(0o600)
    before = snapshot(healthy)

    def fail(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    lines, code = doctor(healthy, "--repair")
    assert code == 1
    assert "The files to repair could not be backed up: No space left on device" in lines[-1]
    assert {name: data for name, data in snapshot(healthy).items() if "backup" not in name} == before


@pytest.fixture
def pictured(healthy):
    """The folder of a picture that was sent."""
    manager = WebChatSessionManager(ScriptedBackend(), healthy / "server" / "web-chat-sessions.json")
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "Look", files=[("cat.png", png())]).wait()
    manager.close()
    return healthy / "server" / "web-chat-pictures" / session_id


def test_a_picture_in_its_place_is_fine(healthy, pictured):
    assert doctor(healthy) == ([], 0)


def test_a_picture_that_others_may_read_is_closed_to_them(healthy, pictured):
    (path,) = pictured.iterdir()
    path.chmod(0o644)
    lines, _ = doctor(healthy, "--repair")
    assert any("other users may read" in line for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_picture_that_is_gone_is_told(healthy, pictured):
    (path,) = pictured.iterdir()
    path.unlink()
    lines, code = doctor(healthy)
    assert (len(lines), code) == (1, 1)
    assert f"pictures are missing that were sent in {pictured.name}" in lines[0]


def test_what_a_crash_has_left_beside_a_picture_is_removed(healthy, pictured):
    left = pictured / f".{'0' * 64}.png.a1b2c3d4"
    left.write_bytes(b"half")
    left.chmod(0o600)
    os.utime(left, (0, 0))
    lines, _ = doctor(healthy, "--repair")
    assert any("a crash has left" in line for line in lines)
    assert not left.exists()


def test_a_link_in_a_pictures_place_is_named(healthy, pictured, outside):
    (path,) = pictured.iterdir()
    path.unlink()
    path.symlink_to(outside)
    lines, code = doctor(healthy)
    assert code == 1
    assert any(f"{path} is a link" in line for line in lines)
