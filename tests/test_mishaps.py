"""Failures that must not spread: misbehaving backends, failing disks, concurrent requests."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.stored import engine_of, place_of
from tests.tab import PATIENCE
from webchat.backends import Event
from webchat.errors import BackendUnavailable, NoThreads, SessionBusy, SessionEnded, StaleView, StorageError
from webchat.manager import WebChatSessionManager
from webchat.observer import NoObserver, ReplyReport

JSON = {"Accept": "application/json"}


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


@pytest.fixture
def other(home):
    """The same chat in another process."""
    manager = WebChatSessionManager(ScriptedBackend(), place_of(home))
    yield manager
    manager.close()


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(1), KeyboardInterrupt()])
def test_an_answer_ends_also_with_what_is_no_ordinary_exception(manager, backend, session_id, error):
    backend.plays("so far", error)
    with pytest.raises(Exception, match="reference"):
        manager.send_message("one")
    assert manager.send_message("two") == "You said: two"


def test_a_session_is_free_again_when_who_counts_fails(backend):
    class Broken(NoObserver):
        def reply_ended(self, report: ReplyReport) -> None:
            raise KeyError(report.status)

    manager = WebChatSessionManager(backend, observer=Broken())
    session_id = manager.create_session().session_id
    assert manager.send_message("one", session_id) == "You said: one"
    assert manager.send_message("two", session_id) == "You said: two"


def test_a_session_is_free_again_when_no_thread_could_be_had(manager, session_id, monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no thread")))
    with pytest.raises(NoThreads):
        manager.post_message(session_id, "one")
    monkeypatch.undo()
    assert manager.send_message("two") == "You said: two"


def test_a_resume_that_crosses_a_message_costs_no_context(manager, backend, session_id):
    manager.send_message("one")
    begun, resumed, answered = threading.Event(), threading.Event(), threading.Event()
    resume = backend.resume_session

    def resume_late(session_id, history):
        begun.set()
        resumed.wait(PATIENCE)
        return resume(session_id, history)

    backend.resume_session = resume_late
    resuming = threading.Thread(target=manager.resume_session, args=(session_id,))
    resuming.start()
    assert begun.wait(PATIENCE)
    backend.plays(answered, "answer two")
    posted = manager.post_message(session_id, "two")
    while not backend.asked or backend.asked[-1][1] != "two":
        pass
    # The backend gets an older history while an answer is in flight.
    resumed.set()
    resuming.join(PATIENCE)
    assert [item["content"] for item in backend.histories[-1]] == ["one", "You said: one"]
    answered.set()
    posted.run.wait()
    manager.send_message("three")
    assert [item["content"] for item in backend.histories[-1]] == ["one", "You said: one", "two", "answer two"]


def test_a_stop_is_no_failure_whatever_the_backend_makes_of_it(manager, backend, session_id):
    gate = threading.Event()
    backend.plays("so far", gate, ValueError("closed"))
    posted = manager.post_message(session_id, "one")
    for text, _ in manager.pieces(session_id, posted.reply.id):
        if text:
            break
    posted.run.stop()
    gate.set()
    posted.run.wait()
    assert (posted.run.error, posted.run.message.status) == (None, "stopped")
    assert manager.active_session_id == session_id


def test_half_a_character_in_an_answer_breaks_nothing(manager, backend, session_id):
    backend.plays("a\ud83d", "b")
    assert manager.send_message("one") == "a?b"
    assert manager.conversation(session_id).last.content == "a?b"


def test_only_the_last_answer_can_be_tried_again(manager, session_id):
    manager.send_message("one")
    first = manager.conversation(session_id).last
    manager.send_message("two")
    with pytest.raises(StaleView):
        manager.retry(session_id, first.id)
    assert len(manager.conversation(session_id).messages) == 4


def test_an_unanswered_question_can_be_asked_again(manager, session_id, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(manager.storage.replies, "begin", _no_room)
        with pytest.raises(StorageError, match="Your message is saved"):
            manager.post_message(session_id, "one")
    question = manager.conversation(session_id).last
    assert question.content == "one"
    manager.retry(session_id, question.id).run.wait()
    assert [message.content for message in manager.conversation(session_id).messages] == ["one", "You said: one"]


def test_a_question_that_could_not_be_saved_leaves_all_as_it_was(manager, session_id, monkeypatch):
    other = manager.create_session().session_id
    monkeypatch.setattr(manager.storage.transcripts, "append", _no_room)
    with pytest.raises(StorageError):
        manager.post_message(session_id, "one")
    assert manager.active_session_id == other
    assert not manager.get_session(session_id).begun


@pytest.mark.files
def test_the_order_of_the_list_stops_no_message(manager, session_id, home):
    log = home / "server" / "web-chat-activity.jsonl"
    log.unlink(missing_ok=True)
    log.mkdir()
    assert manager.send_message("one") == "You said: one"
    assert [session.session_id for session in manager.list_sessions()] == [session_id]


def test_nothing_is_remembered_while_the_page_says_to_wait(client, manager, backend, session_id, home):
    gate = threading.Event()
    backend.plays(gate, "done")
    posted = manager.post_message(session_id, "one")
    answer = client.post(f"/sessions/{session_id}/messages", data={"message": "remember this: the key is blue"})
    gate.set()
    posted.run.wait()
    assert answer.status_code == 409
    assert not (home / "memory-store.yaml").exists()


def test_an_end_that_the_backend_has_seen_already_is_an_end(manager, backend, session_id):
    backend.fail["end_session"] = SessionEnded()
    assert manager.end_session(session_id)
    assert manager.active_session_id is None


def test_a_stop_reaches_the_process_that_answers(manager, other, backend, session_id):
    backend.plays("so far", threading.Event())
    posted = manager.post_message(session_id, "one")
    while not posted.run.message.content:
        pass
    assert other.stop(session_id)
    assert posted.run.wait(30)
    assert [message.status for message in other.conversation(session_id).messages] == ["complete", "stopped"]
    assert backend.cancelled.is_set()


def test_a_second_process_cannot_start_a_second_answer(manager, other, backend, session_id):
    gate = threading.Event()
    backend.plays(gate, "done")
    posted = manager.post_message(session_id, "one")
    with pytest.raises(SessionBusy):
        other.post_message(session_id, "two")
    gate.set()
    posted.run.wait()
    assert other.send_message("two", session_id) == "You said: two"


@pytest.mark.files
def test_who_only_reads_does_not_wait_for_who_writes(manager, session_id):
    release = manager.storage.main.folder.lock("web-chat-sessions.json", 1)
    try:
        assert manager.active_session_id == session_id
        assert len(manager.list_sessions()) == 1
    finally:
        release()


def test_an_answer_that_lies_in_a_reused_file_is_not_taken_for_the_one_before(manager, other, session_id, backend):
    """Two answers of the same length, one after the other: a file system may reuse the inode."""
    for text in ("first!", "second"):
        gate = threading.Event()
        backend.plays(text, gate)
        posted = manager.post_message(session_id, "one")
        until(lambda text=text: other.conversation(session_id).last.content == text)
        gate.set()
        posted.run.wait()


def _no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_the_log_could_not_take_comes_once_and_leaves_nothing_behind(manager, backend, session_id, monkeypatch):
    begin = manager.storage.replies.begin

    def begin_full(session_id, header):
        log = begin(session_id, header)
        log.write = _no_room
        return log

    with monkeypatch.context() as patch:
        patch.setattr(manager.storage.replies, "begin", begin_full)
        backend.plays("all of it")
        posted = manager.post_message(session_id, "one")
        posted.wait()
    posted.run.recorder.flush()  # as the check after all answers does, which may be late
    assert [message.content for message in manager.conversation(session_id).messages] == ["one", "all of it"]
    assert manager.storage.replies.view(session_id) is None


def test_an_answer_that_a_failed_write_has_ended_is_interrupted_once_it_is_saved(
    client, manager, backend, session_id, page, monkeypatch
):
    begin, gate = manager.storage.replies.begin, threading.Event()

    def begin_with_a_gap(session_id, header):
        log = begin(session_id, header)
        write, room = log.write, iter([log.write, _no_room])

        def writes(*records):
            next(room, write)(*records)

        log.write = writes
        return log

    monkeypatch.setattr(manager.storage.replies, "begin", begin_with_a_gap)
    manager.reply_times.own_write = 0
    backend.plays("so ", gate, "far ", "and on")
    with ThreadPoolExecutor(1) as pool:
        form = {"message": "one", "key": "k"}
        asked = pool.submit(client.post, f"/sessions/{session_id}/messages", data=form, headers=JSON)
        until(lambda: manager.conversation(session_id).messages[1:])
        until(lambda: manager.conversation(session_id).last.content == "so ")
        gate.set()
        answered = asked.result(30)
    assert (answered.status_code, answered.json["response"], answered.json["status"]) == (200, "so far ", "interrupted")
    again = client.post(f"/sessions/{session_id}/messages", data=form, headers=JSON)
    assert (again.status_code, again.json) == (200, answered.json)
    shown = page(f"/sessions/{session_id}").messages[-1]
    assert "it could not be saved: No space left on device." in shown.article.get_text()
    assert "Continue" in shown.article.get_text()
    assert "while the server runs" not in shown.article.get_text()


def test_a_slow_end_of_an_answer_costs_the_next_message_time_and_nothing_else(manager, session_id, monkeypatch):
    # On a busy machine, seconds may pass between an answer's last word and its thread's last step.
    touch, ending = manager.store.touch, threading.Event()

    def slowly(session_id, what):
        if what == "reply":
            ending.set()
            threading.Event().wait(1.0)
        touch(session_id, what)

    monkeypatch.setattr(manager.store, "touch", slowly)
    engine_of(manager).leases.patience = 0.2
    manager.post_message(session_id, "one")
    assert ending.wait(30)
    assert manager.send_message("two", session_id) == "You said: two"


def test_an_answer_that_is_too_long_is_kept_to_its_limit_and_ended_at_the_backend(manager, backend, session_id):
    backend.plays("ä" * 2**20, "ä" * 2**21, "and on", threading.Event())
    with pytest.raises(BackendUnavailable, match="longer than the 4 MiB"):
        manager.send_message("one")
    assert backend.cancelled.is_set()
    assert manager.conversation(session_id).last.content == "ä" * 2**21
    assert manager.send_message("two") == "You said: two"


@pytest.mark.files
def test_of_many_statuses_in_a_row_only_the_last_is_written_down(manager, backend, session_id, home):
    shown = threading.Event()
    backend.plays(*[Event("status", f"step {number}") for number in range(10_000)], "text", shown)
    posted = manager.post_message(session_id, "one")
    until(lambda: manager.conversation(session_id).last.content == "text")
    log = (home / "server" / "web-chat-transcripts" / "replies" / f"{session_id}.reply").read_text()
    assert log.count("step") < 1000
    shown.set()
    assert posted.wait(10)
