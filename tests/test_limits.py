"""The limits of a chat: each is a setting, and whoever reaches it is told so and loses nothing."""

from __future__ import annotations

import errno
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import HTMX, Page
from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat import WebChatSessionManager, create_app
from webchat.errors import LimitReached, SessionBusy, TooBusy
from webchat.limits import Limits, Places, Turnstile
from webchat.storage.files.reply_logs import FileReplyLog

JSON = {"Accept": "application/json"}


@pytest.fixture
def limited(home, backend):
    """Creates an application with these limits."""
    apps = []

    def make(**values):
        apps.append(create_app({"AMPLIFIER_HOME": str(home), **values}, backend=backend))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions["webchat"].close()


@pytest.fixture
def gate(backend):
    """Answers that do not end before this is set."""
    gate = threading.Event()
    for _ in range(10):
        backend.plays("well", gate, " done")
    yield gate
    gate.set()


def test_a_message_may_have_so_many_characters(limited, manager):
    client = limited(WEBCHAT_MAX_MESSAGE="10")
    assert client.post("/api/session").status_code == 200
    assert client.post("/api/chat", json={"message": "x" * 10}).status_code == 200
    refused = client.post("/api/chat", json={"message": "x" * 11})
    assert (refused.status_code, refused.json["error"][:48]) == (
        413,
        "This message is too long: 10 characters at most.",
    )
    page = Page(client.post("/messages", data={"message": "y" * 11}))
    assert (page.response.status_code, page.field) == (413, "y" * 11)


def test_a_request_may_have_so_many_bytes(limited):
    client = limited(WEBCHAT_MAX_BODY="0.5")
    assert client.post("/messages", data={"message": "x" * 400_000}).status_code == 303
    refused = client.post("/messages", data={"message": "x" * 600_000}, headers=HTMX)
    assert refused.status_code == 413
    assert "0.5 MiB" in refused.text


def test_a_title_may_have_so_many_characters(limited):
    client = limited(WEBCHAT_MAX_TITLE="5")
    session_id = client.post("/api/session").json["session_id"]
    assert client.post(f"/sessions/{session_id}/rename", json={"title": "12345"}, headers=JSON).status_code == 200
    refused = client.post(f"/sessions/{session_id}/rename", json={"title": "123456"}, headers=JSON)
    assert (refused.status_code, refused.json["error"]) == (400, "This title is too long: 5 characters at most.")


def test_a_person_may_have_so_many_sessions_and_delete_some(limited):
    client = limited(WEBCHAT_MAX_SESSIONS="2")
    ids = [client.post("/messages", json={"message": "hello"}, headers=JSON).json["session_id"] for _ in range(2)]
    refused = client.post("/api/session")
    assert (refused.status_code, "Delete some first" in refused.json["error"]) == (409, True)
    assert Page(client.post("/messages", data={"message": "kept"})).field == "kept"
    client.post(f"/sessions/{ids[0]}/delete")
    assert client.post("/api/session").status_code == 200


def test_so_many_answers_are_written_at_once(limited, gate):
    client = limited(WEBCHAT_MAX_REPLIES="2")
    ids = [client.post("/api/session").json["session_id"] for _ in range(3)]
    for session_id in ids[:2]:
        assert client.post(f"/sessions/{session_id}/messages", data={"message": "hello"}).status_code == 303
    refused = client.post(f"/sessions/{ids[2]}/messages", data={"message": "hello"}, headers=JSON)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert Page(client.post(f"/sessions/{ids[2]}/messages", data={"message": "kept"})).field == "kept"
    assert client.get(f"/sessions/{ids[2]}", headers=JSON).json["messages"] == []
    gate.set()
    until(lambda: client.application.extensions["webchat"].answers_in_flight == 0)
    assert client.post(f"/sessions/{ids[2]}/messages", data={"message": "hello"}).status_code == 303


def test_one_address_leaves_places_for_others(limited, gate):
    client = limited(WEBCHAT_MAX_REPLIES_PER_CLIENT="1")
    assert client.post("/messages", data={"message": "hello"}).status_code == 303
    refused = client.post("/messages", data={"message": "hello", "key": "k"})
    assert refused.status_code == 503
    assert "Too many of your messages" in refused.text
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.9"}}
    assert client.post("/messages", data={"message": "hello"}, **elsewhere).status_code == 303


def test_a_message_sent_twice_is_one_also_where_no_place_is_left(limited, gate):
    client = limited(WEBCHAT_MAX_REPLIES="1")
    session_id = client.post("/api/session").json["session_id"]
    for _ in range(2):
        assert client.post(f"/sessions/{session_id}/messages", data={"message": "hello", "key": "k"}).status_code == 303


@pytest.mark.parametrize("error", [ValueError("over"), RuntimeError("down"), OSError("gone"), KeyError("what")])
def test_a_place_is_given_back_whatever_becomes_of_the_answer(limited, backend, error):
    client = limited(WEBCHAT_MAX_REPLIES="1")
    session_id = client.post("/api/session").json["session_id"]
    backend.plays(error)
    assert client.post("/api/chat", json={"message": "hello", "session_id": session_id}).status_code >= 400
    assert client.post("/api/chat", json={"message": " ", "session_id": session_id}).status_code == 400
    assert client.post("/api/chat", json={"message": "hello", "session_id": session_id}).status_code == 200


def test_places_are_counted_exactly():
    places = Places(3, 2, "Too many of your own.")
    mine = [places.take("me"), places.take("me")]
    with pytest.raises(TooBusy, match="your"):
        places.take("me")
    places.take(None)
    with pytest.raises(TooBusy):
        places.take("you")
    mine[0]()
    places.take("you")


def _pass(turnstile, names):
    """Callers with these names, arriving one after the other; each stays inside until its event is set."""
    inside, leave, threads = [], {name: threading.Event() for name in names}, []

    def call(name):
        with turnstile.passing():
            inside.append(name)
            assert leave[name].wait(10)

    for number, name in enumerate(names):
        threads.append(threading.Thread(target=call, args=(name,), daemon=True))
        threads[-1].start()
        until(lambda: len(inside) + turnstile.waiting == number + 1)  # noqa: B023  (called at once)
    return inside, leave, threads


def test_who_has_time_passes_a_turnstile_after_those_who_have_not():
    turnstile, passed = Turnstile(1, patience=10), []

    def call(name, block):
        with block:
            passed.append(name)

    with turnstile.passing():
        threads = []
        blocks = [turnstile.passing_last(10), turnstile.passing(), turnstile.passing_last(10), turnstile.passing()]
        for number, (name, block) in enumerate(zip("abcd", blocks, strict=True)):
            threads.append(threading.Thread(target=call, args=(name, block), daemon=True))
            threads[-1].start()
            until(lambda: turnstile.waiting == number + 1)  # noqa: B023  (called at once)
        assert not passed
    for thread in threads:
        thread.join(10)
    assert passed == ["b", "d", "a", "c"]


def test_who_has_time_waits_at_a_turnstile_no_longer_than_said_whoever_comes_through():
    turnstile = Turnstile(1, patience=10)
    with turnstile.passing(), turnstile.passing_last(0.05):
        assert turnstile.waiting == 0
    inside, leave, threads = _pass(turnstile, "ab")
    assert (inside, turnstile.waiting) == (["a"], 1)  # the caller that went on has returned no place
    _end(leave, threads)


def _end(leave, threads):
    for event in leave.values():
        event.set()
    for thread in threads:
        thread.join(10)


def test_a_turnstile_lets_a_few_in_and_the_others_in_their_order():
    turnstile = Turnstile(2, patience=10)
    inside, leave, threads = _pass(turnstile, "abcd")
    assert inside == ["a", "b"]
    leave["b"].set()
    until(lambda: len(inside) == 3)
    leave["c"].set()
    until(lambda: len(inside) == 4)
    assert inside == ["a", "b", "c", "d"]
    _end(leave, threads)
    inside, leave, threads = _pass(turnstile, "ef")
    assert inside == ["e", "f"]  # both places were free again
    _end(leave, threads)


def test_a_turnstile_holds_up_nobody_for_long_and_gives_no_place_twice():
    turnstile = Turnstile(1, patience=0.05)
    inside, leave, threads = _pass(turnstile, "a")
    with turnstile.passing():
        assert (inside, threads[0].is_alive(), turnstile.waiting) == (["a"], True, 0)
    turnstile.patience = 10
    leave["a"].set()
    threads[0].join(10)
    inside, leave, threads = _pass(turnstile, "bc")
    assert (inside, turnstile.waiting) == (["b"], 1)  # the caller that went on has returned no place
    _end(leave, threads)


def test_a_turnstile_is_waited_at_as_long_as_others_come_through(monkeypatch):
    inside, leave, threads = _pass(turnstile := Turnstile(1, patience=10), "ab")
    made, looks = threading.Lock, []

    class Turn:
        """What the last caller waits for; each time it checks, another one leaves."""

        def __init__(self):
            self._lock, self.release = (lock := made()), lock.release

        def acquire(self, timeout=-1):
            if timeout >= 0:
                name = "ab"[len(looks)]
                looks.append(name)
                leave[name].set()
                threads["ab".index(name)].join(10)
            return self._lock.acquire(blocking=False)

    monkeypatch.setattr(threading, "Lock", Turn)
    with turnstile.passing():
        monkeypatch.undo()
        assert (looks, inside, turnstile.waiting) == (["a", "b"], ["a", "b"], 0)


def test_messages_that_hang_at_the_disk_do_not_hold_up_the_others_for_long(manager, backend, monkeypatch):
    hanging, gate, hung, append = threading.Event(), threading.Event(), [], manager.storage.transcripts.append
    backend.plays("well ", gate)

    def slow(session_id, *messages):
        if messages[0].content.startswith("hang"):
            hung.append(messages)
            hanging.wait(30)
        return append(session_id, *messages)

    monkeypatch.setattr(manager.storage.transcripts, "append", slow)
    with ThreadPoolExecutor(2) as pool:
        answering = manager.start_conversation("is answered meanwhile")
        stuck = [pool.submit(manager.start_conversation, f"hang {number}") for number in range(2)]
        until(lambda: len(hung) == 2)
        gate.set()
        assert answering.wait(10)
        assert manager.start_conversation("on I go").wait(10)
        assert not any(one.done() for one in stuck)
        hanging.set()
        assert all(one.result().wait(10) for one in stuck)


def test_messages_that_wait_for_a_busy_session_hold_up_no_other(home, backend, monkeypatch):
    manager = WebChatSessionManager(backend, home / "sessions.json", limits=Limits(replies=4))
    busy, free = (manager.create_session("~").session_id for _ in range(2))
    let_go, waiting, acquire = threading.Event(), [], manager.storage.leases.acquire

    def slow(session_id):
        if session_id == busy:
            waiting.append(session_id)
            let_go.wait(30)
            raise SessionBusy
        return acquire(session_id)

    monkeypatch.setattr(manager.storage.leases, "acquire", slow)
    with ThreadPoolExecutor(4) as pool:
        refused = [pool.submit(manager.post_message, busy, f"number {number}") for number in range(4)]
        until(lambda: len(waiting) == 4)
        try:
            assert manager.post_message(free, "on I go").wait(10)
        finally:
            let_go.set()
        assert {type(one.exception()) for one in refused} == {SessionBusy}
    manager.close()


def test_an_answer_may_take_so_long(limited, backend, gate):
    client = limited(WEBCHAT_ANSWER_TIME="0.4")
    session_id = client.post("/api/session").json["session_id"]
    answer = client.post("/api/chat", json={"message": "hello"})
    assert answer.json["response"] == "well"
    assert backend.cancelled.is_set()
    page = Page(client.get(f"/sessions/{session_id}"))
    assert page.messages[-1].status == "stopped"
    assert "Stopped after 0.4 seconds" in page.messages[-1].article.get_text()


def test_an_answer_is_ended_in_time_also_where_it_cannot_be_written(limited, backend, gate, monkeypatch):
    client = limited(WEBCHAT_ANSWER_TIME="0.6")
    backend.scripts.clear()
    backend.plays("well ", "and ", gate)
    room = iter([FileReplyLog.write])

    def write(replies, *rest):
        if not (has_room := next(room, None)):
            raise OSError(errno.ENOSPC, "No space left on device")
        has_room(replies, *rest)

    monkeypatch.setattr(FileReplyLog, "write", write)
    client.post("/api/session")
    client.post("/api/chat", json={"message": "hello"})
    assert backend.cancelled.is_set()
    assert not gate.is_set()


def test_with_too_little_disk_left_nothing_new_is_taken_and_old_things_go(limited, monkeypatch):
    client = limited(WEBCHAT_MIN_FREE="100")
    storage = client.application.extensions["webchat"].storage
    session_id = client.post("/api/session").json["session_id"]
    client.post("/api/chat", json={"message": "hello"})
    free = {"bytes": 99 * 1024 * 1024}
    monkeypatch.setattr(storage, "free", lambda: free["bytes"])
    refused = Page(client.post(f"/sessions/{session_id}/messages", data={"message": "kept"}))
    assert (refused.response.status_code, refused.field) == (507, "kept")
    assert "No space left" in refused.problem
    assert client.post("/api/session").status_code == 507
    assert client.get(f"/sessions/{session_id}").status_code == 200
    assert client.post(f"/sessions/{session_id}/delete").status_code == 303
    free["bytes"] *= 2
    assert client.post("/api/session").status_code == 200


def test_the_disk_is_asked_for_real(tmp_path):
    from webchat.fileutil import DiskFolder

    assert DiskFolder(tmp_path / "not" / "yet").free() > 0


def test_there_is_no_way_around_the_number_of_sessions(limited, manager):
    client = limited(WEBCHAT_MAX_SESSIONS="2")
    for number in range(2):
        client.post("/messages", data={"message": f"hello {number}"})
    taken = client.get("/sessions/export").data
    first = json.loads(taken.splitlines()[0])["session"]["session_id"]
    other = taken.replace(first.encode(), b"another")
    assert client.post("/sessions/import", data=other, headers=JSON).status_code == 409
    assert "another" not in [item["session_id"] for item in client.get("/api/sessions").json["sessions"]]
    assert client.post(f"/sessions/{first}/delete").status_code == 303
    assert client.post("/messages", data={"message": "third"}).status_code == 303
    assert client.post(f"/sessions/{first}/restore", headers=JSON).status_code == 409
    assert client.post("/api/session", json={"description": "x" * 301}).status_code == 400


def test_a_new_session_asks_once_whether_there_is_room(manager, monkeypatch):
    asked, require_room = [], manager.store.require_room
    monkeypatch.setattr(manager.store, "require_room", lambda *given: asked.append(given) or require_room(*given))
    manager.create_session()
    assert len(asked) == 1


def test_empty_sessions_count_and_make_room_after_a_while(storage):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    limits = Limits(sessions=4)
    manager = WebChatSessionManager(ScriptedBackend(), storage, clock=lambda: now[0].isoformat(), limits=limits)
    ids = [manager.create_session(owner="ada").session_id for _ in range(4)]
    manager.send_message("hello", ids[0], "ada")
    with pytest.raises(LimitReached):
        manager.create_session(owner="ada")
    manager.create_session(owner="bob")
    manager.queue.send(ids[0], "hello", "ada")
    now[0] += timedelta(minutes=2)
    begun = manager.start_conversation("hello", "ada", key="k" * 32)
    begun.wait()
    assert manager.start_conversation("hello", "ada", key="k" * 32).session == begun.session
    left = {session.session_id for session in manager.list_sessions("ada")}
    assert left == {ids[0], ids[2], ids[3], begun.session.session_id}, "the oldest empty one has gone"
    manager.fork(ids[0], manager.conversation(ids[0], "ada").messages[0].id, "ada")
    manager.housekeeping.delete([ids[0]], "ada")
    manager.create_session(owner="ada")
    manager.housekeeping.restore([ids[0]], "ada")
    assert len(manager.list_sessions("ada")) == 4
    assert manager.reader.find(ids[3], "ada") is None
    assert [len(manager.conversation(name, "ada").messages) for name in (ids[0], begun.session.session_id)] == [4, 2]
    with pytest.raises(LimitReached):
        manager.create_session(owner="ada")
    manager.close()


def test_who_finds_no_place_leaves_no_empty_session_behind(limited, gate):
    client = limited(WEBCHAT_MAX_REPLIES="1")
    client.post("/messages", data={"message": "hello"})
    before = client.get("/api/sessions").json
    for _ in range(3):
        assert client.post("/messages", data={"message": "more", "key": "k"}).status_code == 503
    assert client.get("/api/sessions").json == before


def test_a_frame_takes_a_place_as_any_stream_does(limited, gate):
    client = limited(WEBCHAT_MAX_STREAMS="1")
    session_id = client.post("/messages", data={"message": "hello"}).location.split("/")[2].partition("#")[0]
    frame = client.get(f"/sessions/{session_id}/reply")
    refused = Page(client.get(f"/sessions/{session_id}/reply"))
    assert refused.response.status_code == 503
    assert [(link.get_text(), link["target"]) for link in refused.soup.select("a:not(.skip)")] == [
        ("Back to the chat", "_top")
    ]
    gate.set()
    frame.close()
    assert client.get(f"/sessions/{session_id}/reply").status_code == 200
