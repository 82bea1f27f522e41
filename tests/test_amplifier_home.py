"""webchat and Amplifier on one machine: homes, memories, project ids, transcripts in its format."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from tests.conftest import Page
from tests.stored import documents_in
from webchat import create_app
from webchat.backends import project_id_of
from webchat.chat.parts import Reasoning, Text, ToolCall
from webchat.config.home import default_home, move_out
from webchat.conventions import AMPLIFIER_HOME, DATA_HOME
from webchat.errors import StorageError
from webchat.fileutil import DiskFolder
from webchat.memory import MemoryStore
from webchat.memory.file import MemoryFile
from webchat.memory.shared import SharedMemories
from webchat.storage import storage_at

REGISTRY = Path("server") / "web-chat-sessions.json"


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user's home folder for this test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def in_amplifiers(user, backend):
    """A chat whose files are in Amplifier's home, beside Amplifier's own."""
    home = user / ".amplifier"
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=backend)
    app.extensions["webchat"].create_session()
    app.extensions["webchat"].send_message("Hello")
    app.extensions["webchat"].close()
    (home / "memory-store.yaml").write_text("memories: []\n")
    (home / "server" / "distro.pid").write_text("7")
    (home / "projects").mkdir()
    return home


def said_in(home):
    storage = storage_at(home / REGISTRY)
    sessions = storage.sessions.page(None, "list")
    said = [message.content for item in sessions for message in storage.transcripts.read(item.session_id).messages]
    storage.close()
    return said


def test_a_new_chat_lies_outside(user):
    assert default_home() == DATA_HOME


def test_everything_moves_out_of_amplifiers_home_and_nothing_else(in_amplifiers, user):
    said, new = said_in(in_amplifiers), user / ".local" / "share" / "webchat"
    assert default_home() == AMPLIFIER_HOME, "it counts until it is moved"
    assert str(new) in move_out()
    assert default_home() == DATA_HOME
    assert said_in(new) == said == ["Hello", "You said: Hello"]
    assert (new / "memory-store.yaml").exists()
    assert sorted(path.name for path in in_amplifiers.rglob("*")) == ["distro.pid", "projects", "server"]
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    assert move_out() == ""


def test_a_move_that_broke_off_goes_on(in_amplifiers, user, monkeypatch):
    rename, moved = Path.rename, []

    def fail_late(path, target):
        if len(moved) == 2:
            raise OSError("the power is gone")
        moved.append(path)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_late)
        with pytest.raises(OSError, match="power"):
            move_out()
    assert default_home() == AMPLIFIER_HOME
    assert move_out()
    assert said_in(user / ".local" / "share" / "webchat") == ["Hello", "You said: Hello"]


def test_a_chat_that_is_there_is_not_overwritten(in_amplifiers, user):
    new = user / ".local" / "share" / "webchat"
    (new / "server").mkdir(parents=True)
    (new / REGISTRY).write_text("[]")
    assert "are not shown, because" in move_out()
    assert default_home() == DATA_HOME
    assert (new / REGISTRY).read_text() == "[]"
    assert (in_amplifiers / REGISTRY).exists()


def test_a_move_overwrites_nothing(in_amplifiers, user):
    new = user / ".local" / "share" / "webchat"
    new.mkdir(parents=True)
    (new / "memory-store.yaml").write_text("memories: [{id: mem-001, content: precious}]")
    assert "stay in" in move_out()
    assert "precious" in (new / "memory-store.yaml").read_text()
    assert said_in(in_amplifiers) == ["Hello", "You said: Hello"]


@pytest.mark.parametrize("chosen", [False, True])
def test_serve_moves_what_nobody_has_chosen(in_amplifiers, user, chosen):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("WEBCHAT_", "XDG_", "AMPLIF"))}
    environ |= {"HOME": str(user)} | ({"AMPLIFIER_HOME": str(in_amplifiers)} if chosen else {})
    command = [sys.executable, "-m", "webchat", "serve", "--backend", "mock", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        printed = ""
        for line in process.stdout:
            printed += line
            if "Sessions are kept in" in line:
                break
        process.terminate()
    assert ("have moved" in printed) is not chosen
    assert (in_amplifiers / REGISTRY).exists() is chosen


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/srv/my_app.v2/a b", "-srv-my_app.v2-a b"), ("/srv/x:y", "-srv-xy"), ("/", "-"), ("/srv/Ünï-x", "-srv-Ünï-x")],
)
def test_a_project_id_is_amplifiers(folder, expected):
    assert project_id_of(folder) == expected


def test_a_link_counts_as_the_folder_behind_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert project_id_of(str(tmp_path / "link")) == project_id_of(str(tmp_path / "real"))


def test_a_transcript_of_blocks_can_be_put_into_the_folder(home, client, manager):
    rows = [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "text", "text": "here"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_call", "id": "t", "name": "read_file", "input": {"path": "a.py"}},
                {"type": "later", "x": 1},
                7,
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Done **now**."}]},
    ]
    folder = home / "server" / "web-chat-transcripts"
    folder.mkdir(parents=True)
    data = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "from-amplifier.jsonl").write_text(data)
    os.utime(folder / "from-amplifier.jsonl", (1_790_000_000,) * 2)  # a recent file may be incomplete
    manager.housekeeping.adopt()
    conversation = manager.conversation("from-amplifier")
    asked, answer, last = conversation.messages
    assert not conversation.damaged
    assert (asked.content, asked.parts) == ("Look\n\nhere", ())
    assert (answer.content, answer.reasoning) == ("I look.", "Hm.")
    assert answer.parts[:2] == (Reasoning("Hm."), Text("I look."))
    assert isinstance(answer.parts[2], ToolCall)
    assert (answer.parts[2].title, json.loads(answer.parts[2].input)) == ("read_file", {"path": "a.py"})
    assert last.content == "Done **now**."
    assert len(Page(client.get("/sessions/from-amplifier")).messages) == 3
    assert (folder / "from-amplifier.jsonl").read_text() == data


class TestSharedMemories:
    @pytest.fixture
    def theirs(self, home):
        path = home / "memory" / "memory-store.yaml"
        path.parent.mkdir(parents=True)
        row = {"id": "mem-001", "timestamp": "2026-01-01T10:00:00", "category": "general", "content": "Tea", "tags": []}
        path.write_text(yaml.safe_dump({"version": 1, "memories": [{**row, "source": "theirs"}]}))
        path.chmod(0o640)
        return path

    def remembered(self, client, text):
        return client.post("/api/chat", json={"message": text}).json

    def test_both_programs_see_both(self, theirs, client):
        assert "Tea" in str(self.remembered(client, "recall tea"))
        self.remembered(client, "remember that my cat is grey")
        kept = yaml.safe_load(theirs.read_text())
        assert kept["memories"][0]["content"] == "Tea"
        assert "cat" in kept["memories"][1]["content"]
        assert kept["memories"][1].keys() == {"id", "timestamp", "category", "content", "tags"}
        assert kept["memories"][1]["id"] == "mem-002"
        assert (kept.keys(), kept["memories"][0]["source"]) == ({"version", "memories"}, "theirs")
        assert stat.S_IMODE(theirs.stat().st_mode) == 0o640
        assert [path.name for path in theirs.parent.iterdir()] == ["memory-store.yaml"]

    def test_what_its_writer_drops_is_kept_by_ours(self, theirs, home, client):
        self.remembered(client, "remember that my cat is grey")
        self.remembered(client, "remember that my dog is brown")
        memories = client.get("/apps/settings/", headers={"Accept": "application/json"})
        assert memories.status_code == 200
        client.post("/apps/settings/memories/mem-002/delete")
        kept = yaml.safe_load(theirs.read_text())
        assert [row["id"] for row in kept["memories"]] == ["mem-001", "mem-003"]
        ours = yaml.safe_load((home / "memory-store.yaml").read_text())
        assert [row["id"] for row in ours["trash"]] == ["mem-002"]
        client.post("/apps/settings/memories/mem-002/restore")
        assert [row["id"] for row in yaml.safe_load(theirs.read_text())["memories"]] == [
            "mem-001",
            "mem-002",
            "mem-003",
        ]

    def test_memories_from_before_come_along_once(self, home, client, theirs):
        theirs.rename(theirs.with_name("away"))
        self.remembered(client, "remember that my cat is grey")
        theirs.with_name("away").rename(theirs)
        assert "cat" in str(self.remembered(client, "recall cat"))
        self.remembered(client, "remember that my dog is brown")
        kept = yaml.safe_load(theirs.read_text())["memories"]
        assert [row["id"] for row in kept] == ["mem-001", "mem-002", "mem-003"]
        assert yaml.safe_load((home / "memory-store.yaml").read_text())["memories"] == []

    def test_a_damaged_file_is_not_written(self, theirs, client):
        theirs.write_text("memories: [{id: 1, content: x}, 7]\n")
        answer = client.post("/api/chat", json={"message": "remember that my cat is grey"})
        assert answer.status_code >= 500
        assert theirs.read_text() == "memories: [{id: 1, content: x}, 7]\n"


def test_doctor_does_not_call_amplifiers_home_wrong(home, client, manager):
    manager.create_session()
    (home / "projects").mkdir()
    home.chmod(0o755)
    command = [sys.executable, "-m", "webchat", "doctor", "--home", str(home)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "may read" not in told.stdout + told.stderr
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


class TestMemoriesOfBothAtOnce:
    """What a crash, a full disk or the other program's writes can do between two steps."""

    ROW: ClassVar = {"timestamp": "2026-01-01", "category": "general", "tags": []}

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "theirs.yaml"
        self.write(path, {"mem-001": "A", "mem-002": "B"})
        return path

    def write(self, path, contents):
        rows = [{"id": key, "content": text, **self.ROW} for key, text in contents.items()]
        path.write_text(yaml.safe_dump({"memories": rows}))

    def store(self, tmp_path, path, **more):
        return MemoryStore(documents_in(DiskFolder(tmp_path / "ours")), shared=SharedMemories(path), **more)

    def contents(self, path):
        return {row["id"]: row["content"] for row in yaml.safe_load(path.read_text())["memories"]}

    def test_a_delete_that_fails_loses_nothing(self, tmp_path, path, monkeypatch):
        store = self.store(tmp_path, path)
        store.remember("C")
        with monkeypatch.context() as patch:
            patch.setattr(DiskFolder, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
            with pytest.raises(StorageError):
                store.delete("mem-002")
        assert [row["content"] for row in store.list()] == ["A", "B", "C"]

    def test_ids_that_the_other_program_uses_again_stay_apart(self, tmp_path, path):
        store = self.store(tmp_path, path)
        store.delete("mem-002")
        self.write(path, {"mem-001": "A", "mem-002": "C"})
        [gone] = store.trash()
        assert (gone["content"], gone["id"] != "mem-002") == ("B", True)
        store.restore(gone["id"])
        assert sorted(row["content"] for row in store.list()) == ["A", "B", "C"]
        store.delete("mem-002")
        assert sorted(row["content"] for row in store.list()) == ["A", "B"]
        assert [row["content"] for row in store.trash()] == ["C"]

    def test_what_is_added_meanwhile_stays(self, tmp_path, path):
        shared = SharedMemories(path)
        joined = shared.joined(MemoryFile({}, [], 1))
        joined.new_row("2026-02-01", "ours", None)
        self.write(path, {"mem-001": "A", "mem-002": "B", "mem-003": "theirs"})
        shared.replace(joined, removes=True)
        assert sorted(self.contents(path).values()) == ["A", "B", "ours", "theirs"]
        assert len(self.contents(path)) == 4

    def written_meanwhile(self, path, contents):
        """A clock: the first time it is read, the other program writes these memories."""
        left = [contents]

        def clock() -> str:
            if left:
                self.write(path, left.pop())
            return "2026-02-01T00:00:00+00:00"

        return clock

    def test_a_memory_whose_id_the_other_program_takes_meanwhile_is_kept_once_under_the_id_that_was_told(
        self, tmp_path, path
    ):
        meanwhile = {"mem-001": "A", "mem-002": "B", "mem-003": "theirs"}
        store = self.store(tmp_path, path, clock=self.written_meanwhile(path, meanwhile))
        told = store.remember("ours")
        assert self.contents(path) == {**meanwhile, told["id"]: "ours"}
        assert [row["id"] for row in store.recall("ours")] == [told["id"]]
        store.delete(told["id"])
        assert store.remember("later")["id"] not in (told["id"], *meanwhile)

    def test_a_retry_finds_a_memory_whose_id_the_other_program_took_meanwhile(self, tmp_path, path):
        meanwhile = {"mem-001": "A", "mem-002": "B", "mem-003": "theirs"}
        store = self.store(tmp_path, path, clock=self.written_meanwhile(path, meanwhile))
        told = store.remember("ours", key="k1")
        assert store.remember("ours", key="k1") == told
        assert self.contents(path) == {**meanwhile, told["id"]: "ours"}

    def test_a_retry_finds_a_memory_whose_id_the_other_program_used_before(self, tmp_path, path):
        away = path.with_name("away")
        path.rename(away)
        store = self.store(tmp_path, path)
        told = store.remember("ours", key="k1")
        away.rename(path)
        again = store.remember("ours", key="k1")
        assert (told["id"], again["content"], again["id"] != told["id"]) == ("mem-001", "ours", True)
        store.remember("later", key="k2")
        assert store.remember("ours", key="k1") == again
        assert sorted(self.contents(path).values()) == ["A", "B", "later", "ours"]

    def test_what_the_other_program_removes_meanwhile_does_not_come_back(self, tmp_path, path):
        store = self.store(tmp_path, path, clock=self.written_meanwhile(path, {"mem-001": "A"}))
        store.remember("ours")
        assert sorted(self.contents(path).values()) == ["A", "ours"]

    def test_the_emptied_trash_takes_no_memory_along(self, tmp_path, path):
        away = path.with_name("away")
        path.rename(away)
        now = ["2026-01-01T00:00:00+00:00"]
        store = self.store(tmp_path, path, clock=lambda: now[0], trash_days=1)
        store.remember("from before")
        store.remember("thrown away")
        store.delete("mem-002")
        away.rename(path)
        now[0] = "2026-03-01T00:00:00+00:00"
        store.empty_expired()
        assert sorted(row["content"] for row in store.list()) == ["A", "B", "from before"]
