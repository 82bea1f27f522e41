"""`webchat people`: everybody with data here is listed, exported, disabled and removed while a server runs."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.reading import snapshot, until
from tests.scripted import ScriptedBackend
from tests.stored import documents_of
from webchat import create_app
from webchat.backends.mock import MockBackend
from webchat.cli import main
from webchat.errors import NoSuchPerson, NotAllowed, StorageError
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import DisabledPeople
from webchat.people.register import People
from webchat.storage.protocols.documents import MEMORIES, PEOPLE

DOCS = (Path(__file__).parent.parent / "docs" / "deploy.md").read_text("utf-8")
HEADER = "X-Remote-User"
ADA, BOB = {HEADER: "adalove"}, {HEADER: "bob"}
"""This name cannot be part of an id, as "ada" may be."""
JSON, HTMX = {"Accept": "application/json"}, {"HX-Request": "true"}
WORD = "quinquereme"
"""Occurs in all of Ada's data, and nowhere else."""
NOT_ALLOWED = "You no longer have access to this chat. Ask whoever runs it."


@pytest.fixture
def people(home):
    """Runs `webchat people …`; returns its result, or with `fails` its error."""

    def run(*arguments: str, fails: bool = False, **more):
        result = CliRunner().invoke(main, ["people", *arguments, "--home", str(home)], **more)
        assert (result.exit_code != 0) is fails, result.output
        return result

    return run


@pytest.fixture
def chat(serve):
    """A real server whose people sign in at a proxy, and which answers slowly."""
    options = ("--backend", "mock", "--mock-delay", "0.2", "--auth-header", HEADER)
    with httpx.Client(base_url=serve(*options).url) as client:
        yield client


def says(chat, person, message, session_id=None, **form):
    """Send a message as this person; returns its session."""
    path = f"/sessions/{session_id}/messages" if session_id else "/messages"
    answer = chat.post(path, data={"message": message, **form}, headers=person | JSON)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()["session_id"]


def furnish(chat, person, word):
    """Give a person an old session, one in the trash, a memory, an answer in flight and a queued message."""
    says(chat, person, f"old {word}")
    gone = says(chat, person, f"gone {word}")
    assert chat.post(f"/sessions/{gone}/delete", headers=person | JSON).status_code == 200
    chat.post("/api/session", json={}, headers=person)
    chat.post("/api/chat", json={"message": f"remember: the {word}"}, headers=person)
    running = begin(chat, person, f"{'many words ' * 200}{word}")
    waits = chat.post(f"/sessions/{running}/messages", data={"message": f"later {word}"}, headers=person | HTMX)
    assert waits.status_code == 200
    return running


def begin(chat, person, message):
    """Send a message whose answer takes long; returns its session."""
    answer = chat.post("/messages", data={"message": message}, headers=person)
    assert answer.status_code == 303
    return answer.headers["Location"].partition("/sessions/")[2].partition("#")[0].partition("?")[0]


def counts(people, name):
    found = {person["name"]: person for person in json.loads(people("list", "--json").output)}
    return found.get(name)


def test_everybody_who_has_something_is_listed_with_how_much(chat, people):
    furnish(chat, ADA, WORD)
    chat.post("/api/chat", json={"message": "remember: tea"}, headers=BOB)
    ada = counts(people, "adalove")
    assert (ada["sessions"], ada["in_trash"], ada["memories"], ada["disabled_since"]) == (3, 1, 1, None)
    assert ada["bytes"] > 2000
    assert datetime.now(UTC) - datetime.fromisoformat(ada["last_active"]) < timedelta(minutes=5)
    people("disable", "eve")
    assert counts(people, "eve")["sessions"] == 0
    lines = people().output.splitlines()
    assert [line.split()[0] for line in lines] == ["adalove", "bob", "eve"]
    assert "3 sessions, 1 in the trash, 1 memory" in lines[0]
    assert "disabled" in lines[2]


def test_a_person_is_removed_with_all_that_is_theirs_while_they_are_answered(chat, people, home):
    kept = says(chat, BOB, "Bob stays")
    running = furnish(chat, ADA, WORD)
    # This creates the search index.
    until(lambda: chat.get("/sessions?q=quinq", headers=ADA | JSON).json()["complete"])
    assert WORD in chat.get("/sessions?q=quinq", headers=ADA).text
    assert any(WORD.encode() in (data or b"") for name, data in snapshot(home).items() if "search" in name)
    with chat.stream("GET", f"/events?session={running}", headers=ADA) as stream:
        lines = stream.iter_lines()
        next(lines)
        said = json.loads(people("remove", "adalove", "--yes", "--json").output)
        list(lines)  # it ends for disabled people
    assert said == {"removed": "adalove", "sessions": 4, "memories": 1}
    left = [name for name, data in snapshot(home).items() if data and (WORD.encode() in data or b"adalove" in data)]
    assert left == ["server/web-chat-people.json"]
    for face in ({}, HTMX, JSON):
        for answer in (
            chat.get("/", headers=ADA | face),
            chat.post("/messages", data={"message": "hi"}, headers=ADA | face),
        ):
            assert answer.status_code == 403
            assert NOT_ALLOWED in answer.text
    assert "Bob stays" in chat.get(f"/sessions/{kept}", headers=BOB).text
    assert (counts(people, "adalove")["removed"], counts(people, "bob")["sessions"]) == (True, 1)
    assert json.loads(people("remove", "adalove", "--yes", "--json").output)["sessions"] == 0, "again is no error"
    people("enable", "adalove")
    assert counts(people, "adalove") is None
    assert WORD not in chat.get("/", headers=ADA).text
    assert chat.get("/", headers=ADA).status_code == 200


def test_who_is_disabled_is_answered_no_further_and_finds_all_when_they_are_back(chat, people):
    running = furnish(chat, ADA, WORD)
    assert people("disable", "adalove").output == "adalove is disabled.\n"
    assert chat.get(f"/sessions/{running}", headers=ADA).status_code == 403
    assert chat.get("/api/sessions", headers=ADA).json() == {"error": NOT_ALLOWED}
    assert counts(people, "adalove")["sessions"] == 3
    assert "no longer disabled" in people("enable", "adalove").output
    assert people("enable", "adalove").output == "adalove was not disabled.\n"
    page = chat.get(f"/sessions/{running}", headers=ADA).text
    assert 'data-status="stopped"' in page
    assert f"later {WORD}</textarea>" in page, "what waited stands in the field"


@pytest.mark.parametrize("command", [("disable",), ("remove", "--yes")])
def test_a_server_ends_the_temporary_chats_of_who_is_disabled_and_their_answers(home, people, command):
    backend = ScriptedBackend()
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER}, backend=backend)
    manager, chat = app.extensions["webchat"], app.test_client()
    manager.keep_house()
    manager.post_message(manager.create_session(owner="adalove").session_id, "an ordinary message", "adalove").wait()
    idle, running, kept = (
        manager.create_session(owner=name, temporary=True).session_id for name in ("adalove", "adalove", "bob")
    )
    for session_id, name in ((idle, "adalove"), (kept, "bob")):
        manager.post_message(session_id, "hello", name).wait()
    backend.plays("half", threading.Event())
    manager.post_message(running, "hello", "adalove")
    people(command[0], "adalove", *command[1:])
    until(lambda: not manager.answers_in_flight)
    until(lambda: [session.session_id for session in manager.temporary.all()] == [kept])
    people("enable", "adalove")
    for session_id in (idle, running):
        assert chat.get(f"/sessions/{session_id}", headers=ADA).status_code == 404
    assert len(manager.conversation(kept, "bob").messages) == 2
    manager.close()


@pytest.mark.parametrize("storage", ["files", "memory", "with temporary"], indirect=True)
def test_a_temporary_chat_of_this_process_ends_with_its_person(storage):
    manager = WebChatSessionManager(ScriptedBackend(), storage)
    mine, others = (manager.create_session(owner=name, temporary=True).session_id for name in ("adalove", "bob"))
    people = People(manager, MemoryStore(storage.documents), DisabledPeople(storage.documents))
    people.disable("adalove")
    people.enable("adalove")
    assert manager.reader.find(mine, "adalove") is None
    assert manager.reader.find(others, "bob")
    manager.close()


@pytest.mark.parametrize("has_session", [True, False])
def test_an_open_page_of_who_is_disabled_says_so_and_its_stream_ends(chat, people, has_session):
    session = {"session": says(chat, ADA, "hello")} if has_session else {}
    with chat.stream("GET", "/events", params=session, headers=ADA) as page:
        parts = page.iter_text()
        next(parts)
        people("disable", "adalove")
        rest = "".join(parts)
    assert '<hx-partial hx-target="#reconnecting"' in rest
    assert rest.count(NOT_ALLOWED) == 1


@pytest.mark.parametrize("has_session", [True, False])
def test_a_page_that_asks_again_after_it_is_told_so_once_and_then_refused(chat, people, has_session):
    """So does a page that polls, or that was asleep when its person was disabled."""
    session = {"session": says(chat, ADA, "hello")} if has_session else {}
    with chat.stream("GET", "/events", params=session, headers=ADA) as page:
        told = next(part for part in page.iter_text() if "id: " in part)

    def again(told):
        number = re.findall(r"^id: (.+)$", told, re.MULTILINE)[-1]
        return chat.get("/events", params=session, headers={**ADA, "Last-Event-ID": number, **HTMX})

    people("disable", "adalove")
    lost = again(told)
    assert (lost.status_code, lost.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert '<hx-partial hx-target="#reconnecting"' in lost.text
    assert (lost.text.count(NOT_ALLOWED), lost.text.count("data:")) == (1, 2)
    assert [again(lost.text).status_code for _ in range(2)] == [403, 403]
    assert chat.get("/events", params=session, headers=ADA).status_code == 403
    people("enable", "adalove")
    number = re.findall(r"^id: (.+)$", lost.text, re.MULTILINE)[-1]
    if has_session:
        said = "and this since"
        says(chat, ADA, said, session["session"])
        with chat.stream("GET", "/events", params=session, headers={**ADA, "Last-Event-ID": number}) as page:
            assert any(said in part for part in page.iter_text())


def test_all_that_is_a_persons_is_exported_and_can_be_imported(chat, people, home, tmp_path):
    furnish(chat, ADA, WORD)
    says(chat, BOB, "Bob's own")
    people("export", "adalove", "-o", str(tmp_path / "ada.zip"))
    with zipfile.ZipFile(tmp_path / "ada.zip") as file:
        parts = {name: file.read(name).decode() for name in file.namelist()}
    assert [name for name in parts if WORD not in parts[name]] == ["deleted.json"]
    assert "Bob" not in "".join(parts.values())
    heads = {name: [json.loads(line) for line in parts[name].splitlines()] for name in parts if name.endswith("l")}
    sessions = {
        name: [line["session"] for line in lines if line.get("type") == "session"] for name, lines in heads.items()
    }
    assert (len(sessions["sessions.jsonl"]), len(sessions["trash.jsonl"])) == (2, 1)
    assert [line["text"] for line in heads["waiting.jsonl"]] == [f"later {WORD}"]
    assert [memory["content"] for memory in json.loads(parts["memories.json"])["memories"]] == [f"the {WORD}"]
    into = ["--home", str(tmp_path / "new"), "--owner", "adalove"]
    taken = CliRunner().invoke(main, ["import", *into, str(tmp_path / "ada.zip")])
    assert "2 imported" in taken.output
    raw = people("export", "adalove", "-o", "-").stdout_bytes
    assert zipfile.ZipFile(io.BytesIO(raw)).testzip() is None


def test_who_has_never_been_here_is_disabled_with_a_warning_on_standard_error(people):
    disabled = people("disable", "eve", "--json")
    assert json.loads(disabled.stdout) == {"disabled": "eve"}
    assert disabled.stderr == "Nobody called “eve” has anything here: check the name. The name is disabled anyway.\n"


def test_a_person_is_disabled_although_memories_cannot_be_read(people, monkeypatch):
    def broken(self, owner):
        raise StorageError("The memories could not be read", OSError("bad sector"))

    monkeypatch.setattr(MemoryStore, "list", broken)
    disabled = people("disable", "eve", "--json")
    assert (json.loads(disabled.stdout), disabled.stderr) == ({"disabled": "eve"}, "")


def test_what_cannot_be_done_is_said_and_nothing_has_changed(chat, people, home, tmp_path):
    says(chat, ADA, WORD)
    for arguments in (["remove", "eve", "--yes"], ["export", "eve", "-o", str(tmp_path / "eve.zip")]):
        result = people(*arguments, fails=True)
        assert (result.exit_code, "There is no person called “eve”." in result.output) == (1, True)
    assert not (tmp_path / "eve.zip").exists()
    before = snapshot(home)
    asked = people("remove", "adalove", input="n\n", fails=True)
    assert "1 session" in asked.output
    assert "Remove all of this permanently?" in asked.output
    assert people("remove", fails=True).exit_code == 2
    assert snapshot(home) == before
    assert "removed 1 session and 0 memories" in people("remove", "adalove", input="y\n").output


def test_an_import_for_somebody_disabled_says_that_they_cannot_see_it(people, home):
    people("disable", "bob")
    people("disable", "Bob Ray")
    for name, says in (
        ("bob", "bob is disabled; `webchat people enable bob` lets them in again."),
        ("Bob Ray", "Bob Ray is disabled; `webchat people enable 'Bob Ray'` lets them in again."),
        ("ada", ""),
    ):
        imported = CliRunner().invoke(main, ["import", "--home", str(home), "--owner", name, os.devnull])
        assert says in imported.stderr
        assert ("disabled" in imported.stderr) is bool(says)


def test_nobodys_trash_is_emptied_by_the_way(home, people):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TRASH_DAYS": "900"}, backend=ScriptedBackend())
    manager = app.extensions["webchat"]
    old = "2025-01-01T00:00:00+00:00"
    for owner in ("adalove", "bob"):
        manager.post_message(made := manager.create_session(owner=owner).session_id, "hello", owner).wait()
        manager.store.mark([made], {"deleted_at": old}, owner)
    memory = MemoryStore(documents_of(home), trash_days=900, clock=lambda: old)
    memory.delete(memory.remember("tea", "bob")["id"], "bob")
    manager.close()
    people("remove", "adalove", "--yes")
    assert (counts(people, "bob")["in_trash"], counts(people, "bob")["memories"]) == (1, 1)
    assert counts(people, "adalove")["in_trash"] == 0


def test_while_nobody_can_tell_who_is_disabled_nobody_is_let_in(home, people):
    path = home / "server" / "web-chat-people.json"
    people("disable", "eve")
    sound = path.read_bytes()
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER}, backend=ScriptedBackend())
    client = app.test_client()
    path.write_text("{")
    answer = client.get("/", headers=ADA)
    assert (answer.status_code, "It is unknown who may use this chat" in answer.text) == (507, True)
    assert "could not be saved" in people("disable", "bob", fails=True).output
    doctor = CliRunner().invoke(main, ["doctor", "--home", str(home)])
    assert "WRONG    people: the list of disabled people cannot be read" in doctor.output
    path.write_bytes(sound)
    assert client.get("/", headers=ADA).status_code == 200
    path.write_text("{")
    assert client.get("/", headers=ADA).status_code == 200, "it was known before"
    assert client.get("/", headers={HEADER: "eve"}).status_code == 403


class Upload(io.RawIOBase):
    """A body being uploaded; `half_way` is called each time some of it is read."""

    def __init__(self, data, half_way):
        self.data, self.half_way = io.BytesIO(data), half_way

    def readable(self):
        return True

    def readinto(self, buffer):
        self.half_way()
        return self.data.readinto(memoryview(buffer)[:10_000])


def test_an_import_ends_when_its_person_is_disabled(home, people):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER}, backend=ScriptedBackend())
    client, manager = app.test_client(), app.extensions["webchat"]
    for _ in range(3):
        manager.post_message(manager.create_session(owner="bob").session_id, "x" * 30_000, "bob").wait()
    data = client.get("/sessions/export", headers=BOB).data

    def send(half_way):
        environ = {"wsgi.input": Upload(data, half_way), "CONTENT_LENGTH": str(len(data))}
        more = {"content_type": "application/jsonl", "headers": ADA | JSON}
        return client.post("/sessions/import", environ_overrides=environ, **more)

    assert send(lambda: people("disable", "adalove")).json["imported"] == []
    assert manager.list_sessions("adalove") == []
    people("enable", "adalove")
    assert len(send(lambda: None).json["imported"]) == 3
    manager.close()


# With a database

PLACES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"


def stored_in(database):
    """Everything in the chat's tables, by table, as a reader of the database would find it."""
    import psycopg

    with psycopg.connect(database) as connection:
        places = [place for place in connection.execute(PLACES) if place[0] == "webchat"]
        rows = {name: connection.execute(f'SELECT * FROM webchat."{name}"').fetchall() for _, name in places}
    return {name: b"\n".join(map(as_bytes, sum(found, ()))) for name, found in rows.items()}


def as_bytes(value):
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def test_a_person_is_removed_from_a_database_and_from_all_its_servers(serve, database):
    options = ("--backend", "mock", "--mock-delay", "0.2", "--auth-header", HEADER, "--database", database)
    one, other = (httpx.Client(base_url=serve(*options).url) for _ in range(2))
    kept = says(one, BOB, "Bob stays")
    running = furnish(one, ADA, WORD)
    until(lambda: WORD in other.get("/sessions?q=quinq", headers=ADA).text)
    assert [name for name, data in stored_in(database).items() if WORD.encode() in data] != []
    arguments = ["people", "remove", "adalove", "--yes", "--json", "--database", database]
    result = CliRunner().invoke(main, arguments)
    assert json.loads(result.output) == {"removed": "adalove", "sessions": 4, "memories": 1}, result.output
    assert [name for name, data in stored_in(database).items() if WORD.encode() in data] == []
    assert [name for name, data in stored_in(database).items() if b"adalove" in data] == ["documents"]
    digest = sha256(b"adalove").hexdigest().encode()
    assert [name for name, data in stored_in(database).items() if digest in data] == []
    for server in (one, other):
        answer = server.get(f"/sessions/{running}", headers=ADA)
        assert (answer.status_code, NOT_ALLOWED in answer.text) == (403, True)
        assert "Bob stays" in server.get(f"/sessions/{kept}", headers=BOB).text


# Over any engine


def test_a_person_is_removed_in_any_engine(storage):
    backend = ScriptedBackend()
    manager, memory = WebChatSessionManager(backend, storage), MemoryStore(storage.documents)
    disabled = DisabledPeople(storage.documents)
    everybody = People(manager, memory, disabled)
    for owner in ("adalove", "bob", None):
        manager.post_message(manager.create_session(owner=owner).session_id, "hello", owner).wait()
        memory.remember("tea", owner)
    forever = threading.Event()
    backend.plays("half", forever)
    running = manager.create_session(owner="adalove").session_id
    posted = manager.post_message(running, "hello", "adalove")
    until(lambda: posted.answer.content == "half" or manager.reader.conversation(running).last.content == "half")
    assert [(each.name, each.kept.sessions, each.memories) for each in everybody.all()] == [
        (None, 1, 1), ("adalove", 2, 1), ("bob", 1, 1),
    ]  # fmt: skip
    documents = storage.documents
    shared = documents.of(MEMORIES, "adalove") == documents.of(MEMORIES, None)
    removed = everybody.remove("adalove")
    assert shared or documents.of(MEMORIES, "adalove") not in documents.names(MEMORIES)
    assert (removed.sessions, removed.memories) == (2, 1)
    assert [(each.name, each.kept.sessions, each.memories) for each in everybody.all()] == [
        (None, 1, 1), ("adalove", 0, 0), ("bob", 1, 1),
    ]  # fmt: skip
    with pytest.raises(NotAllowed):
        disabled.require_enabled("adalove")
    disabled.require_enabled("bob")
    with pytest.raises(NoSuchPerson):
        everybody.get("eve")
    manager.close()


def test_what_a_later_version_notes_of_people_survives(storage):
    disabled = DisabledPeople(storage.documents, lambda: "2026-01-01")
    with storage.documents.changing(PEOPLE) as draft:
        draft.data = b'{"later": [1], "disabled": {"adalove": {"since": "x", "why": "left"}}}'
    disabled.disable("bob")
    disabled.disable("adalove", removed=True)
    kept = json.loads(storage.documents.read(PEOPLE))
    assert kept == {
        "later": [1],
        "disabled": {"adalove": {"since": "x", "why": "left", "removed": True}, "bob": {"since": "2026-01-01"}},
    }
    assert disabled.enable("adalove")
    assert {*disabled.all()} == {"bob"}


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"disabled": []}', b'{"disabled": {"adalove": true}}', b"\xff"])
def test_a_document_that_is_not_understood_is_not_written_over(storage, text):
    with storage.documents.changing(PEOPLE) as draft:
        draft.data = text
    disabled = DisabledPeople(storage.documents)
    assert not disabled.is_understood()
    for call in (lambda: disabled.disable("bob"), lambda: disabled.is_disabled("bob")):
        with pytest.raises(StorageError):
            call()
    assert storage.documents.read(PEOPLE) == text


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_everybody_is_moved_as_documented_and_who_is_disabled_stays_disabled(home, people, database, tmp_path):
    with closing(WebChatSessionManager(MockBackend(), home / "server" / "web-chat-sessions.json")) as manager:
        for name in ("Ada L", "bob", "eve"):
            session_id = manager.create_session(owner=name).session_id
            manager.post_message(session_id, "hello", owner=name).wait()
    people("disable", "bob")
    people("remove", "--yes", "eve")
    documented = DOCS.partition("disables the same people there:\n\n")[2].partition("\n\n- ")[0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "AMPLIFIER_HOME": str(home), "NEW_DATABASE": database}
    said = subprocess.run(["sh", "-ec", documented], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert "not all of" not in said.stdout
    listed = CliRunner().invoke(main, ["people", "--json", "--database", database]).output
    moved = {person["name"]: (person["sessions"], bool(person["disabled_since"])) for person in json.loads(listed)}
    assert moved == {"Ada L": (1, False), "bob": (1, True), "eve": (0, True)}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize(
    "command", [("people", "disable", "bob"), ("import", os.devnull), ("doctor",), ("sessions",), ("ask", "hello")]
)
def test_root_writes_nothing_that_the_server_of_another_user_could_not_read(people, home, command, is_new):
    if is_new:
        home.mkdir(exist_ok=True)
    else:
        people("disable", "ada")
    places = [home, *home.rglob("*")]
    for path in places:
        os.chown(path, 12345, 12345)
    said = CliRunner().invoke(main, [*command, "--home", str(home)])
    assert said.exit_code == 1
    assert f"the files in {home} belong to #12345" in said.output
    assert f"sudo -u '#12345' … --home {home}" in said.output
    assert sorted(places) == sorted([home, *home.rglob("*")])
