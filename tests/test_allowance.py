"""Limits per person for messages per minute and storage: a person at a limit is told so and loses nothing."""

from __future__ import annotations

import errno
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import HTMX, Page
from tests.processes import another_process, says, tell
from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.errors import NoRoom, TooOften
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import DisabledPeople
from webchat.people.register import People
from webchat.replies.allowance import Allowance
from webchat.storage.protocols.documents import RATES

HEADER = "X-Remote-User"
ADA, BOB = {HEADER: "ada"}, {HEADER: "bob"}
JSON = {"Accept": "application/json"}
MIB = 1024 * 1024


@pytest.fixture
def limited(home, backend):
    """Creates an application with these limits, in which a proxy signs people in."""
    apps = []

    def make(**values):
        apps.append(create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER, **values}, backend=backend))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions["webchat"].close()


def manager_of(client):
    return client.application.extensions["webchat"]


def begun(client, person=ADA, message="hello"):
    """A new session with a message that has been answered."""
    session_id = client.post("/messages", data={"message": message}, headers=person | JSON).json["session_id"]
    until(lambda: manager_of(client).answers_in_flight == 0)
    return session_id


def test_so_many_messages_of_a_person_in_a_minute(limited):
    client = limited(WEBCHAT_MAX_MESSAGES_PER_MINUTE="2")
    session_id = begun(client)
    address = f"/sessions/{session_id}/messages"
    assert client.post(address, data={"message": "again", "key": "k2"}, headers=ADA | JSON).status_code == 200
    before = client.get(f"/sessions/{session_id}", headers=ADA | JSON).json["messages"]
    for path in (address, "/messages"):
        page = Page(client.post(path, data={"message": "kept"}, headers=ADA))
        assert (page.response.status_code, page.field) == (429, "kept")
        assert page.problem.startswith("The limit is 2 messages per minute and person. Try again in ")
        assert 0 < int(page.response.headers["Retry-After"]) <= 60
        fragment = client.post(path, data={"message": "kept"}, headers=ADA | HTMX)
        assert (fragment.status_code, 'role="alert"' in fragment.text, "<html" in fragment.text) == (429, True, False)
        script = client.post(path, data={"message": "kept"}, headers=ADA | JSON)
        assert (script.status_code, "2 messages per minute" in script.json["error"]) == (429, True)
    answer = before[-1]["id"]
    for path in (f"messages/{answer}/retry", f"messages/{before[0]['id']}/edit"):
        assert (
            client.post(f"/sessions/{session_id}/{path}", data={"message": "x"}, headers=ADA | JSON).status_code == 429
        )
    assert client.post("/api/chat", json={"message": "remember: tea"}, headers=ADA).status_code == 429
    assert client.get(f"/sessions/{session_id}", headers=ADA | JSON).json["messages"] == before
    assert len(manager_of(client).list_sessions("ada")) == 1, "no session is made that nobody could use"
    again = client.post(address, data={"message": "again", "key": "k2"}, headers=ADA | JSON)
    assert again.status_code == 200, "a message that was taken is not refused when it is sent again"
    assert client.post("/messages", data={"message": "hello"}, headers=BOB).status_code == 303


def test_what_waits_counts_when_it_is_sent_and_not_again_when_its_turn_comes(limited, backend):
    gate = threading.Event()
    backend.plays("well", gate)
    client = limited(WEBCHAT_MAX_MESSAGES_PER_MINUTE="2")
    session_id = client.post("/messages", data={"message": "one"}, headers=ADA).headers["Location"].split("/")[-1]
    address = f"/sessions/{session_id.partition('#')[0]}/messages"
    assert client.post(address, data={"message": "two"}, headers=ADA | HTMX).status_code == 200
    refused = client.post(address, data={"message": "three"}, headers=ADA | HTMX)
    assert refused.status_code == 429
    gate.set()
    until(lambda: [message for _, message in backend.asked] == ["one", "two"])


def test_what_is_refused_for_another_reason_does_not_count(limited, backend):
    client = limited(WEBCHAT_MAX_MESSAGES_PER_MINUTE="2", WEBCHAT_MAX_MESSAGE="10")
    session_id = begun(client)
    last = client.get(f"/sessions/{session_id}", headers=ADA | JSON).json["messages"][-1]["id"]
    for message in ("x" * 11, " "):
        assert (
            client.post(f"/sessions/{session_id}/messages", data={"message": message}, headers=ADA).status_code >= 400
        )
    assert client.post(f"/sessions/{session_id}/messages/{last}/continue", headers=ADA).status_code == 422
    assert client.post(f"/sessions/{session_id}/messages", data={"message": "two"}, headers=ADA).status_code == 303


def test_so_many_imports_of_a_person_in_a_minute(limited):
    client = limited(WEBCHAT_MAX_IMPORTS_PER_MINUTE="1")
    begun(client, BOB)
    data = client.get("/sessions/export", headers=BOB).data

    def imports(face=JSON, person=ADA):
        file = {"file": (io.BytesIO(data), "sessions.jsonl")}
        return client.post("/sessions/import", data=file, headers=person | face)

    assert client.post("/sessions/import", data={}, headers=ADA | JSON).status_code == 400, "no file is no import"
    assert imports().json["imported"] != []
    for face in ({}, HTMX, JSON):
        refused = imports(face)
        assert (refused.status_code, "1 imports per minute" in refused.text) == (429, True)
        assert refused.headers["Retry-After"]
    assert imports(person=BOB).status_code == 200


def test_so_many_bytes_of_a_person_are_kept_and_what_goes_for_good_makes_room(limited, backend):
    client = limited(WEBCHAT_MAX_KEPT="0.1")
    backend.plays("x" * 60_000)
    first = begun(client, message="y" * 30_000)
    for face, sent in (({}, "messages"), (HTMX, "messages"), (JSON, f"sessions/{first}/messages")):
        refused = client.post(f"/{sent}", data={"message": "z" * 20_000}, headers=ADA | face)
        assert (refused.status_code, "exceed the limit of 0.1 MiB" in refused.text) == (507, True)
    assert Page(client.post("/messages", data={"message": "z" * 20_000}, headers=ADA)).field == "z" * 20_000
    last = client.get(f"/sessions/{first}", headers=ADA | JSON).json["messages"][-1]["id"]
    assert client.post(f"/sessions/{first}/messages/{last}/fork", headers=ADA).status_code == 507
    assert client.post("/messages", data={"message": "z" * 20_000}, headers=BOB).status_code == 303
    assert client.post(f"/sessions/{first}/messages", data={"message": "short"}, headers=ADA).status_code == 303
    until(lambda: manager_of(client).answers_in_flight == 0)
    client.post(f"/sessions/{first}/delete", headers=ADA)
    assert client.post("/messages", data={"message": "z" * 20_000}, headers=ADA).status_code == 507
    client.post(f"/sessions/{first}/purge", headers=ADA)
    assert client.post("/messages", data={"message": "z" * 20_000}, headers=ADA).status_code == 303


def test_an_import_ends_where_there_is_no_room_and_says_how_far_it_came(limited, backend):
    client = limited(WEBCHAT_MAX_KEPT="1")
    for _ in range(110):
        backend.plays("x" * 8000)
    manager = manager_of(client)
    for _ in range(110):
        session = manager.create_session(owner="bob").session_id
        manager.post_message(session, "hello", "bob").wait()
        if manager.storage.kept_by("bob").bytes > MIB - 20_000:
            break
    data = b"".join(manager.archive.export(manager.list_sessions("bob"), lambda left: None))
    more = data.replace(b'"session_id":"', b'"session_id":"0')
    file = {"file": (io.BytesIO(data + more), "sessions.jsonl")}
    refused = client.post("/sessions/import", data=file, headers=ADA | JSON)
    assert refused.status_code == 507
    assert "100 sessions were imported before that" in refused.json["error"]
    assert 0 < manager.storage.kept_by("ada").bytes <= MIB


# Over any engine, and across processes


def taken(allowance, owner, times=1):
    """How many of these are allowed."""

    def take(_number):
        try:
            with allowance.one("messages", owner):
                return 1
        except TooOften:
            return 0

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(take, range(times)))


def test_the_limit_holds_for_many_at_once_and_for_each_person(storage):
    allowance = Allowance(storage, Limits(messages_per_minute=5))
    assert (taken(allowance, "ada", 24), taken(allowance, "bob", 3), taken(allowance, None, 24)) == (5, 3, 5)


def test_a_minute_later_there_is_room_again_one_by_one(storage):
    now = [1000.0]
    allowance = Allowance(storage, Limits(messages_per_minute=2), lambda: now[0])
    for at in (1000.0, 1030.0):
        now[0] = at
        assert taken(allowance, "ada") == 1
    now[0] = 1059.5
    with pytest.raises(TooOften, match="Try again in 1 seconds"), allowance.one("messages", "ada"):
        pass
    now[0] = 1060.0
    assert taken(allowance, "ada", 3) == 1
    assert b"1000" not in storage.documents.read(storage.documents.of(RATES, "ada"))


@pytest.mark.parametrize("wrong", [-7200.0, 7200.0])
def test_a_clock_that_was_wrong_keeps_nobody_out(storage, wrong):
    now = [10_000.0 + wrong]
    allowance = Allowance(storage, Limits(messages_per_minute=1), lambda: now[0])
    assert taken(allowance, "ada") == 1
    now[0] = 10_000.0
    assert taken(allowance, "ada") == 1


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"ada": []}', b'{"ada": {"messages": ["x"]}}', b"\xff"])
def test_what_is_not_understood_of_the_counts_is_begun_anew(storage, text):
    name = storage.documents.of(RATES, "ada")
    with storage.documents.changing(name) as draft:
        draft.data = text
    allowance = Allowance(storage, Limits(messages_per_minute=1))
    assert taken(allowance, "ada", 3) == 1


def test_without_a_limit_nothing_is_counted_or_written(storage):
    manager = WebChatSessionManager(ScriptedBackend(), storage)
    manager.post_message(manager.create_session(owner="ada").session_id, "hello", "ada").wait()
    assert list(storage.documents.names(RATES)) == []
    manager.close()


def test_who_is_removed_leaves_no_count(storage):
    manager = WebChatSessionManager(ScriptedBackend(), storage, limits=Limits(messages_per_minute=5))
    for owner in ("ada", "bob"):
        manager.post_message(manager.create_session(owner=owner).session_id, "hello", owner).wait()
    People(manager, MemoryStore(storage.documents), DisabledPeople(storage.documents)).remove("ada")
    kept = b"".join(storage.documents.read(name) for name in storage.documents.names(RATES))
    assert (b"ada" in kept, b"bob" in kept) == (False, True)
    manager.close()


def test_the_room_counts_what_is_kept_with_the_trash(storage):
    limits = Limits(kept=1000)
    manager = WebChatSessionManager(ScriptedBackend(), storage, limits=limits)
    session = manager.create_session(owner="ada").session_id
    manager.post_message(session, "x" * 300, "ada").wait()
    with pytest.raises(NoRoom):
        manager.post_message(session, "x" * 300, "ada")
    manager.housekeeping.delete([session], "ada")
    with pytest.raises(NoRoom):
        manager.start_conversation("x" * 300, "ada")
    assert manager.list_sessions("ada") == []
    manager.housekeeping.purge([session], "ada")
    manager.start_conversation("x" * 300, "ada").wait()
    manager.close()


def test_the_room_counts_what_waits_and_what_was_taken_back(storage):
    backend, gate = ScriptedBackend(), threading.Event()
    backend.plays("well", gate)
    manager = WebChatSessionManager(backend, storage, limits=Limits(kept=3000))
    session, queue = manager.create_session(owner="ada").session_id, manager.queue
    posted = manager.post_message(session, "hello", "ada")
    queue.send(session, "x" * 1000, "ada", key="k1")
    assert manager.storage.kept_by("ada").bytes > 1000
    with pytest.raises(NoRoom):
        queue.change(session, "k1", "y" * 2500, "ada")
    assert queue.items(session)[0].text == "x" * 1000
    queue.change(session, "k1", "z", "ada")  # a shorter text is always allowed
    queue.take_back(session, "k1", "ada", keep=True)
    queue.send(session, "x" * 800, "ada", key="k2")
    queue.take_back(session, "k2", "ada", keep=True)
    with pytest.raises(NoRoom):
        queue.send(session, "x" * 1300, "ada", key="k3")
    queue.send(session, "x" * 1300, "ada", key="k3", back=["k1", "k2"])  # the text that it replaces makes room
    assert [item.key for item in (*queue.items(session), *queue.returned(session))] == ["k3"]
    gate.set()
    until(lambda: not queue.items(session))
    posted.wait()
    manager.close()


TAKES = """
import sys
from webchat.errors import TooOften
from webchat.limits import Limits
from webchat.replies.allowance import Allowance
from webchat.storage import storage_at

allowance, taken = Allowance(storage_at(sys.argv[1]), Limits(messages_per_minute=10)), 0
print("ready")
sys.stdin.readline()
for _ in range(20):
    try:
        with allowance.one("messages", "ada"):
            taken += 1
    except TooOften:
        pass
print(taken)
"""


@pytest.mark.parametrize("engine", ["files", "postgres"])
def test_the_limit_holds_for_all_processes_together(request, tmp_path, engine):
    path = tmp_path / "sessions.json" if engine == "files" else request.getfixturevalue("database")
    with another_process(TAKES, path) as one, another_process(TAKES, path) as other:
        for process in (one, other):
            assert says(process) == "ready"
        for process in (one, other):
            tell(process)
        assert sum(int(says(process)) for process in (one, other)) == 10


def test_two_servers_count_together(serve):
    options = ("--backend", "mock", "--mock-delay", "0", "--auth-header", HEADER, "--max-messages-per-minute", "3")
    servers = [serve(*options), serve(*options)]
    sent = [
        httpx.post(
            f"{server.url}/messages", data={"message": "hello"}, headers=ADA | {"Origin": server.url}
        ).status_code
        for _ in range(3)
        for server in servers
    ]
    assert (sent.count(303), sent.count(429)) == (3, 3)


def test_what_went_wrong_is_told_also_if_the_count_cannot_be_taken_back(storage, monkeypatch):
    allowance = Allowance(storage, Limits(messages_per_minute=1))

    def fail():
        monkeypatch.setattr(storage.documents, "changing", full)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"), allowance.one("messages", "ada"):
        fail()


def full(name):
    raise OSError(errno.ENOSPC, "full")
