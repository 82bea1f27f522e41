"""`webchat people`: everybody who has something here listed, exported, disabled and removed, while a server runs."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from click.testing import CliRunner

from tests.reading import snapshot, until
from tests.scripted import ScriptedBackend
from tests.stored import documents_of
from webchat import create_app
from webchat.cli import main
from webchat.errors import NoSuchPerson, NotAllowed, StorageError
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import DisabledPeople, People
from webchat.storage.protocols.documents import PEOPLE

HEADER = "X-Remote-User"
ADA, BOB = {HEADER: "ada"}, {HEADER: "bob"}
JSON, HTMX = {"Accept": "application/json"}, {"HX-Request": "true"}
WORD = "quinquereme"
"""It stands in all that is Ada's, and nowhere else."""
NOT_ALLOWED = "You may not use this chat any more. Ask whoever runs it."


@pytest.fixture
def people(home):
    """Runs `webchat people …`; gives its result, or with `fails` what it said then."""

    def run(*arguments: str, fails: bool = False, **more):
        result = CliRunner().invoke(main, ["people", *arguments, "--home", str(home)], **more)
        assert (result.exit_code != 0) is fails, result.output
        return result

    return run


@pytest.fixture
def chat(serve):
    """A real server whose people sign in at a proxy, and which answers slowly."""
    options = ("--backend", "mock", "--mock-delay", "0.2", "--auth-header", HEADER)
    with httpx.Client(base_url=serve(*options).url, timeout=20) as client:
        yield client


def says(chat, person, message, session_id=None, **form):
    """Send a message as this person; gives its session."""
    path = f"/sessions/{session_id}/messages" if session_id else "/messages"
    answer = chat.post(path, data={"message": message, **form}, headers=person | JSON)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()["session_id"]


def furnish(chat, person, word):
    """Give a person an old session, one in the trash, a memory, an answer in flight and a message that waits."""
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
    """Send a message whose answer takes long; gives its session."""
    answer = chat.post("/messages", data={"message": message}, headers=person)
    assert answer.status_code == 303
    return answer.headers["Location"].partition("/sessions/")[2].partition("#")[0].partition("?")[0]


def counts(people, name):
    found = {person["name"]: person for person in json.loads(people("list", "--json").output)}
    return found.get(name)


def test_everybody_who_has_something_is_listed_with_how_much(chat, people):
    furnish(chat, ADA, WORD)
    chat.post("/api/chat", json={"message": "remember: tea"}, headers=BOB)
    ada = counts(people, "ada")
    assert (ada["sessions"], ada["in_trash"], ada["memories"], ada["disabled_since"]) == (3, 1, 1, None)
    assert ada["bytes"] > 2000
    assert datetime.now(UTC) - datetime.fromisoformat(ada["last_active"]) < timedelta(minutes=5)
    people("disable", "eve")
    assert counts(people, "eve")["sessions"] == 0
    lines = people().output.splitlines()
    assert [line.split()[0] for line in lines] == ["ada", "bob", "eve"]
    assert "3 sessions, 1 in the trash, 1 memories" in lines[0]
    assert "disabled" in lines[2]


def test_a_person_is_removed_with_all_that_is_theirs_while_they_are_answered(chat, people, home):
    kept = says(chat, BOB, "Bob stays")
    running = furnish(chat, ADA, WORD)
    assert WORD in chat.get("/sessions?q=quinq", headers=ADA).text  # which makes the index of words
    assert any(WORD.encode() in (data or b"") for name, data in snapshot(home).items() if "search" in name)
    with chat.stream("GET", f"/events?session={running}", headers=ADA) as stream:
        lines = stream.iter_lines()
        next(lines)
        said = json.loads(people("remove", "ada", "--yes", "--json").output)
        list(lines)  # it ends, for who is out
    assert said == {"removed": "ada", "sessions": 4, "memories": 1}
    left = [name for name, data in snapshot(home).items() if data and (WORD.encode() in data or b"ada" in data)]
    assert left == ["server/web-chat-people.json"]
    for face in ({}, HTMX, JSON):
        for answer in (
            chat.get("/", headers=ADA | face),
            chat.post("/messages", data={"message": "hi"}, headers=ADA | face),
        ):
            assert answer.status_code == 403
            assert NOT_ALLOWED in answer.text
    assert "Bob stays" in chat.get(f"/sessions/{kept}", headers=BOB).text
    assert (counts(people, "ada")["removed"], counts(people, "bob")["sessions"]) == (True, 1)
    assert json.loads(people("remove", "ada", "--yes", "--json").output)["sessions"] == 0, "again is no error"
    people("enable", "ada")
    assert counts(people, "ada") is None
    assert WORD not in chat.get("/", headers=ADA).text
    assert chat.get("/", headers=ADA).status_code == 200


def test_who_is_disabled_is_answered_no_further_and_finds_all_when_they_are_back(chat, people):
    running = furnish(chat, ADA, WORD)
    assert people("disable", "ada").output == "Nobody called ada is let in any more.\n"
    assert chat.get(f"/sessions/{running}", headers=ADA).status_code == 403
    assert chat.get("/api/sessions", headers=ADA).json() == {"error": NOT_ALLOWED}
    assert counts(people, "ada")["sessions"] == 3
    assert "let in again" in people("enable", "ada").output
    assert people("enable", "ada").output == "ada was let in already.\n"
    page = chat.get(f"/sessions/{running}", headers=ADA).text
    assert 'data-status="stopped"' in page
    assert f"later {WORD}</textarea>" in page, "what waited stands in the field"


def test_all_that_is_a_persons_is_exported_and_can_be_imported(chat, people, home, tmp_path):
    furnish(chat, ADA, WORD)
    says(chat, BOB, "Bob's own")
    people("export", "ada", "-o", str(tmp_path / "ada.zip"))
    with zipfile.ZipFile(tmp_path / "ada.zip") as file:
        parts = {name: file.read(name).decode() for name in file.namelist()}
    assert [name for name in parts if WORD not in parts[name]] == []
    assert "Bob" not in "".join(parts.values())
    heads = {name: [json.loads(line) for line in parts[name].splitlines()] for name in parts if name.endswith("l")}
    sessions = {
        name: [line["session"] for line in lines if line.get("type") == "session"] for name, lines in heads.items()
    }
    assert (len(sessions["sessions.jsonl"]), len(sessions["trash.jsonl"])) == (2, 1)
    assert [line["text"] for line in heads["waiting.jsonl"]] == [f"later {WORD}"]
    assert [memory["content"] for memory in json.loads(parts["memories.json"])["memories"]] == [f"the {WORD}"]
    into = ["--home", str(tmp_path / "new"), "--owner", "ada"]
    taken = CliRunner().invoke(main, ["import", *into, str(tmp_path / "ada.zip")])
    assert "2 imported" in taken.output
    raw = people("export", "ada", "-o", "-").stdout_bytes
    assert zipfile.ZipFile(io.BytesIO(raw)).testzip() is None


def test_what_cannot_be_done_is_said_and_nothing_has_changed(chat, people, home, tmp_path):
    says(chat, ADA, WORD)
    for arguments in (["remove", "eve", "--yes"], ["export", "eve", "-o", str(tmp_path / "eve.zip")]):
        result = people(*arguments, fails=True)
        assert (result.exit_code, "There is nobody called “eve” here." in result.output) == (1, True)
    assert not (tmp_path / "eve.zip").exists()
    before = snapshot(home)
    asked = people("remove", "ada", input="n\n", fails=True)
    assert "1 sessions" in asked.output
    assert "Remove all of this for good?" in asked.output
    assert people("remove", fails=True).exit_code == 2
    assert snapshot(home) == before
    assert "1 sessions and 0 memories are gone" in people("remove", "ada", input="y\n").output


def test_nobodys_trash_is_emptied_by_the_way(home, people):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TRASH_DAYS": "900"}, backend=ScriptedBackend())
    manager = app.extensions["webchat"]
    old = "2025-01-01T00:00:00+00:00"
    for owner in ("ada", "bob"):
        manager.post_message(made := manager.create_session(owner=owner).session_id, "hello", owner).wait()
        manager.store.mark([made], {"deleted_at": old}, owner)
    memory = MemoryStore(documents_of(home), trash_days=900, clock=lambda: old)
    memory.delete(memory.remember("tea", "bob")["id"], "bob")
    manager.close()
    people("remove", "ada", "--yes")
    assert (counts(people, "bob")["in_trash"], counts(people, "bob")["memories"]) == (1, 1)
    assert counts(people, "ada")["in_trash"] == 0


def test_while_nobody_can_tell_who_is_disabled_nobody_is_let_in(home, people):
    path = home / "server" / "web-chat-people.json"
    people("disable", "eve")
    sound = path.read_bytes()
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER}, backend=ScriptedBackend())
    client = app.test_client()
    path.write_text("{")
    answer = client.get("/", headers=ADA)
    assert (answer.status_code, "Nobody can tell who may use this chat" in answer.text) == (507, True)
    assert "could not be saved" in people("disable", "bob", fails=True).output
    doctor = CliRunner().invoke(main, ["doctor", "--home", str(home)])
    assert "WRONG    people: who may not come in cannot be read" in doctor.output
    path.write_bytes(sound)
    assert client.get("/", headers=ADA).status_code == 200
    path.write_text("{")
    assert client.get("/", headers=ADA).status_code == 200, "it was known before"
    assert client.get("/", headers={HEADER: "eve"}).status_code == 403


# Over any engine


def test_a_person_is_removed_in_any_engine(storage):
    backend = ScriptedBackend()
    manager, memory = WebChatSessionManager(backend, storage), MemoryStore(storage.documents)
    disabled = DisabledPeople(storage.documents)
    everybody = People(manager, memory, disabled)
    for owner in ("ada", "bob", None):
        manager.post_message(manager.create_session(owner=owner).session_id, "hello", owner).wait()
        memory.remember("tea", owner)
    forever = threading.Event()
    backend.plays("half", forever)
    running = manager.create_session(owner="ada").session_id
    posted = manager.post_message(running, "hello", "ada")
    until(lambda: posted.answer.content == "half" or manager.read_conversation(running).last.content == "half")
    assert [(each.name, each.kept.sessions, each.memories) for each in everybody.all()] == [
        (None, 1, 1), ("ada", 2, 1), ("bob", 1, 1),
    ]  # fmt: skip
    removed = everybody.remove("ada")
    assert (removed.sessions, removed.memories) == (2, 1)
    assert [(each.name, each.kept.sessions, each.memories) for each in everybody.all()] == [
        (None, 1, 1), ("ada", 0, 0), ("bob", 1, 1),
    ]  # fmt: skip
    with pytest.raises(NotAllowed):
        disabled.require_enabled("ada")
    disabled.require_enabled("bob")
    with pytest.raises(NoSuchPerson):
        everybody.get("eve")
    manager.close()


def test_what_a_later_version_notes_of_people_survives(storage):
    disabled = DisabledPeople(storage.documents, lambda: "2026-01-01")
    with storage.documents.changing(PEOPLE) as draft:
        draft.data = b'{"later": [1], "disabled": {"ada": {"since": "x", "why": "left"}}}'
    disabled.disable("bob")
    disabled.disable("ada", removed=True)
    kept = json.loads(storage.documents.read(PEOPLE))
    assert kept == {
        "later": [1],
        "disabled": {"ada": {"since": "x", "why": "left", "removed": True}, "bob": {"since": "2026-01-01"}},
    }
    assert disabled.enable("ada")
    assert {*disabled.all()} == {"bob"}


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"disabled": []}', b'{"disabled": {"ada": true}}', b"\xff"])
def test_a_document_that_is_not_understood_is_not_written_over(storage, text):
    with storage.documents.changing(PEOPLE) as draft:
        draft.data = text
    disabled = DisabledPeople(storage.documents)
    assert not disabled.is_understood()
    for call in (lambda: disabled.disable("bob"), lambda: disabled.is_disabled("bob")):
        with pytest.raises(StorageError):
            call()
    assert storage.documents.read(PEOPLE) == text
