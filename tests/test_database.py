"""The whole chat on PostgreSQL: commands, pages, and what they say when it is away. Two servers: `test_two_servers`."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from tests.conftest import Page
from tests.database import server
from tests.processes import ROOT
from webchat import create_app
from webchat.chat.queued import QueuedMessage
from webchat.chat.times import time_of
from webchat.cli import main
from webchat.config import load
from webchat.errors import InvalidInput
from webchat.memory import MemoryStore
from webchat.storage import storage_at
from webchat.storage.protocols.documents import MEMORIES, RATES

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (webchat[postgres])")


@pytest.fixture
def command(database, monkeypatch, tmp_path):
    """Runs a command on that database; returns its result."""
    monkeypatch.setenv("WEBCHAT_DATABASE", database)
    monkeypatch.setenv("WEBCHAT_BACKEND", "mock")
    monkeypatch.setenv("AMPLIFIER_HOME", str(tmp_path / "unused"))
    return lambda *arguments, **more: CliRunner().invoke(main, list(arguments), **more)


def chat_on(place: str, backend, **config: object):
    app = create_app(
        {"WEBCHAT_DATABASE": place, "AMPLIFIER_HOME": "/nowhere", "TESTING": True, **config}, backend=backend
    )
    return app, app.extensions["webchat"]


@pytest.fixture
def chat(database, backend):
    app, manager = chat_on(database, backend)
    yield app.test_client(), manager
    manager.close()


def say(client, text: str) -> str:
    """Send a message as a script does; returns the answer."""
    if not client.get("/api/session").get_json().get("session_id"):
        client.post("/api/session", json={})
    answer = client.post("/api/chat", json={"message": text})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["response"]


NOTHING_ELSE = "; 0 into the trash, 0 memories, 0 unsent messages"


class TestMoving:
    def test_all_goes_into_a_database_and_back_byte_for_byte(self, command, chat, tmp_path, home, backend):
        files = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_DATABASE": "", "TESTING": True}, backend=backend)
        client = files.test_client()
        for text in ("Crème brûlée", "second \u2028 and \t more", "third 🎉"):
            client.post("/api/session", json={})
            say(client, text)
        files.extensions["webchat"].close()
        out = CliRunner().invoke(main, ["export", "--format", "jsonl", "--home", str(home), "--database", ""])
        (tmp_path / "all.jsonl").write_bytes(out.stdout_bytes)
        webchat = f"{shlex.quote(sys.executable)} -m webchat"
        moves = f"{webchat} export --home {shlex.quote(str(home))} --database '' | {webchat} import"
        brought = subprocess.run(["sh", "-c", moves], cwd=ROOT, capture_output=True, text=True, check=True)
        assert (brought.stdout, brought.stderr) == (f"<stdin>: 3 imported, 0 here already{NOTHING_ELSE}\n", "")
        back = command("export", "--format", "jsonl")
        assert lines(back.stdout_bytes) == lines(out.stdout_bytes)
        assert command("import", str(tmp_path / "all.jsonl")).output.count("3 here already") == 1
        assert not (tmp_path / "unused").exists(), "nothing is written beside the database"

    def test_a_zip_has_the_trash_what_waits_and_memories_too(self, command, chat, home, tmp_path, backend):
        files = ["--home", str(home), "--database", ""]
        with closing(
            create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_DATABASE": ""}, backend=backend).extensions["webchat"]
        ) as manager:
            kept, gone = (manager.create_session().session_id for _ in range(2))
            for session_id in (kept, gone):
                manager.post_message(session_id, "hello").wait()
            manager.housekeeping.delete([gone])
            with manager.storage.queue.changing(kept) as items:
                items.append(QueuedMessage("k", "later", created_at=manager.now()))
            memories = MemoryStore(manager.storage.documents)
            memories.remember("tea"), memories.delete(memories.remember("coffee")["id"])
        assert CliRunner().invoke(main, ["export", "-o", str(tmp_path / "all.zip"), *files]).exit_code == 0
        told = command("import", str(tmp_path / "all.zip")).output
        assert "1 imported, 0 here already; 1 into the trash, 2 memories, 1 unsent messages" in told
        _, there = chat
        assert [session.session_id for session in there.housekeeping.trash()] == [gone]
        assert [item.text for item in there.storage.queue.items(kept)] == ["later"]
        memories = MemoryStore(there.storage.documents)
        assert [[each["content"] for each in found] for found in (memories.list(), memories.trash())] == [
            ["tea"],
            ["coffee"],
        ]
        back = ["--home", str(tmp_path / "back"), "--database", ""]
        (tmp_path / "back.zip").write_bytes(command("export").stdout_bytes)
        told = CliRunner().invoke(main, ["import", *back, str(tmp_path / "back.zip")]).output
        assert "1 imported, 0 here already; 1 into the trash, 2 memories, 1 unsent messages" in told
        assert command("export", "--format", "zip", kept).exit_code == 2


def lines(data: bytes) -> list[object]:
    """An export's lines: those of transcripts unchanged, records without what may differ."""
    found: list[object] = []
    for line in data.splitlines():
        record = json.loads(line)
        if record["type"] != "session":
            found.append(line)
            continue
        session = {key: value for key, value in record["session"].items() if key not in ("is_active", "last_active")}
        session["extra"] = {key: value for key, value in session.get("extra", {}).items() if key != "imported"}
        found.append({**record, "session": session})
    return found


class TestCommands:
    def test_doctor_names_it_and_its_version(self, command):
        told = command("doctor")
        assert "PostgreSQL 1" in told.output
        assert "WRONG" not in told.output

    def test_doctor_mends_memories_and_leaves_those_that_may_still_be_restored(self, command, database):
        long_ago = b"{id: mem-002, content: A tea, deleted_at: '2020-01-01T00:00:00+00:00'}"
        with closing(storage_at(database)) as storage:
            with storage.documents.changing(MEMORIES) as draft:
                draft.data = b"memories: [{id: []}]\ntrash: [%s]\n" % long_ago
            assert "repaired: some of them cannot be read" in command("doctor", "--repair").output
            kept = storage.documents.read(MEMORIES)
        assert b"A tea" in kept
        assert b"id: []" not in kept

    def test_people_and_sessions_are_those_of_the_database(self, command, database, backend):
        _, manager = chat_on(database, backend)
        manager.create_session(owner="ada")
        manager.close()
        assert "ada" in command("people").output

    @pytest.mark.parametrize("arguments", [["export"], ["import", "pyproject.toml"], ["doctor"], ["people"], ["serve"]])
    def test_a_wrong_address_is_a_sentence_without_the_password(self, command, arguments):
        for address in (
            "postgresql://me:hunter2@127.0.0.1:1/chat",
            "postgresql://me:hunter2@127.0.0.1:x/chat",
            "mysql://hunter2",
        ):
            told = command(*arguments, env={"WEBCHAT_DATABASE": address})
            assert told.exit_code == 1, told.output
            assert "database" in told.output.lower()
            assert "hunter2" not in told.output
            assert "Traceback" not in told.output

    def test_the_address_is_shown_nowhere(self, database):
        settings, _ = load({"WEBCHAT_DATABASE": "postgresql://me:hunter2@db/chat"}, {})
        assert "hunter2" not in repr(settings)
        with pytest.raises(InvalidInput) as caught:
            load({"WEBCHAT_DATABASE": "hunter2"}, {})
        assert "hunter2" not in str(caught.value)


class TestTheClock:
    @pytest.fixture
    def ahead(self, database):
        """The database's address, once its clock is an hour ahead of this machine's."""
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA ahead")
            connection.execute(
                "CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
                "AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$"
            )
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET search_path = ahead, pg_catalog")
        return database

    @pytest.fixture
    def client(self, ahead, backend):
        app, manager = chat_on(ahead, backend)
        yield app.test_client()
        manager.close()

    @pytest.fixture
    def memories(self, client):
        return MemoryStore(client.application.extensions["webchat"].storage.documents)

    def test_a_deletion_can_be_undone(self, client):
        say(client, "hello")
        session_id = client.get("/api/session").get_json()["session_id"]
        deleted = client.post(f"/sessions/{session_id}/delete", follow_redirects=True)
        assert "Session deleted." in Page(deleted).soup.select_one(".undo").get_text()

    def test_a_session_of_now_is_todays(self, client):
        say(client, "hello")
        assert Page(client.get("/sessions")).soup.select_one("section.group h2").get_text() == "Today"

    def test_a_memory_has_its_time_and_its_deletion_can_be_undone(self, client, memories):
        say(client, "remember: the tea is green")
        [memory] = memories.list()
        assert is_an_hour_ahead(memory["timestamp"])
        deleted = client.post(f"/apps/settings/memories/{memory['id']}/delete", follow_redirects=True)
        assert "deleted." in Page(deleted).soup.select_one(".undo").get_text()

    def test_messages_per_minute_are_counted_by_it(self, ahead, backend):
        app, manager = chat_on(ahead, backend, WEBCHAT_MAX_MESSAGES_PER_MINUTE="5")
        say(app.test_client(), "hello")
        documents = manager.storage.documents
        [[time]] = json.loads(documents.read(documents.of(RATES, None)))[""].values()
        assert is_an_hour_ahead(time_of(time))
        manager.close()

    def test_who_is_disabled_by_a_command_is_disabled_since_then(self, ahead, command):
        command("people", "disable", "ada")
        [ada] = json.loads(command("people", "list", "--json").output)
        assert is_an_hour_ahead(ada["disabled_since"])

    def test_an_imported_memory_stays_in_the_trash_for_its_time(self, ahead, command, tmp_path):
        file = str(tmp_path / "ada.zip")
        with closing(storage_at(ahead)) as storage:
            store = MemoryStore(storage.documents, clock=storage.now)
            store.delete(store.remember("the tea is green", "ada")["id"], "ada")
            document = storage.documents.of(MEMORIES, "ada")
            deleted = re.findall(rb"deleted_at: .*", storage.documents.read(document))
            assert command("people", "export", "ada", "-o", file).exit_code == 0
            store.forget_all("ada")
            command("import", "--owner", "ada", file)
            assert re.findall(rb"deleted_at: .*", storage.documents.read(document)) == deleted != []


def is_an_hour_ahead(time: str) -> bool:
    return timedelta(minutes=59) < datetime.fromisoformat(time) - datetime.now(UTC) < timedelta(minutes=61)


class TestSettings:
    def test_the_theme_and_memories_are_the_same_on_every_server(self, database, backend):
        (one, first), (other, second) = (chat_on(database, backend) for _ in range(2))
        assert one.test_client().post("/apps/settings/", data={"theme": "dark"}).status_code < 400
        assert 'data-theme="dark"' in other.test_client().get("/").get_data(as_text=True)
        for manager in (first, second):
            manager.close()

    def test_a_key_is_not_kept_there(self, database):
        app, manager = chat_on(database, None)
        refused = app.test_client().post(
            "/apps/settings/", data={"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-hunter2"}
        )
        assert refused.status_code == 422
        assert "not saved here" in refused.get_data(as_text=True)
        for name in manager.storage.documents.names("settings"):
            assert b"hunter2" not in manager.storage.documents.read(name)
        manager.close()


class TestWhenItIsAway:
    @pytest.fixture
    def away(self, backend):
        """A chat whose database can be stopped and started."""
        with server() as running:
            app, manager = chat_on(running.url(), backend)
            yield running, app.test_client(), manager
            manager.close()

    def test_a_message_is_refused_in_words_and_nothing_is_lost(self, away):
        running, client, manager = away
        assert say(client, "hello")
        session_id = manager.active_session_id
        assert client.get("/readyz").status_code == 200
        running.stop("fast")
        path = f"/sessions/{session_id}/messages"
        refused = client.post("/api/chat", json={"message": "lost?"})
        assert (refused.status_code, "database" in refused.get_json()["error"]) == (503, True)
        page = client.post(path, data={"message": "kept in the field", "key": "k1"})
        assert (page.status_code, "kept in the field" in page.get_data(as_text=True)) == (503, True)
        assert client.get(f"/sessions/{session_id}").status_code == 503
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        running.start()
        for _ in range(150):
            if client.get("/readyz").status_code == 200:
                break
            manager.stopping.wait(0.1)
        assert say(client, "again")
        told = client.get(f"/sessions/{session_id}", headers={"Accept": "application/json"}).get_json()
        assert [item["content"] for item in told["messages"] if item["role"] == "user"] == ["hello", "again"]
