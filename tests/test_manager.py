"""The rules of the chat: what create, resume, end, send, stop and retry do, whatever the backend does."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted import ScriptedBackend
from webchat.backends import Event, MockBackend, SessionInfo
from webchat.chat.plain import JOINERS
from webchat.chat.texts import title_of
from webchat.errors import (
    BackendUnavailable,
    InvalidInput,
    NothingSaid,
    SessionBusy,
    SessionEnded,
    SessionExists,
    SessionNotFound,
    SessionUnknown,
    StaleView,
    StorageError,
    Unforeseen,
    WebChatError,
)
from webchat.manager import WebChatSessionManager
from webchat.replies.runner import ReplyRunner

BELOW = "secret detail of the backend"
PATIENCE = 30


@pytest.fixture
def path(home):
    return home / "server" / "sessions.json"


@pytest.fixture(params=["disk", "memory"])
def manager(request, path, backend):
    manager = WebChatSessionManager(backend, path if request.param == "disk" else None)
    yield manager
    manager.close()


@pytest.fixture
def on_disk(path, backend):
    manager = WebChatSessionManager(backend, path)
    yield manager
    manager.close()


@pytest.fixture
def current(manager):
    """The id of a session that is current and has no message."""
    return manager.create_session().session_id


@pytest.fixture
def gate():
    """Holds an answer until the test opens it; opened at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


def shown(manager, session_id):
    messages = manager.conversation(session_id).messages
    return [(message.role, message.content, message.status) for message in messages]


def told(backend, number=-1):
    """What a resume passed to the backend."""
    return [(item["role"], item["content"]) for item in backend.histories[number]]


def ended(run: ReplyRunner) -> ReplyRunner:
    assert run.wait(PATIENCE)
    return run


def began(manager, posted, text):
    """Wait until that text has arrived."""
    for _, message in manager.pieces(posted.session.session_id, posted.reply.id):
        if message.content == text:
            return
    raise AssertionError(f"{text!r} never came")


class TestCreate:
    def test_a_new_session_is_current(self, manager):
        info = manager.create_session("~", "About birds")
        session = manager.get_session(info.session_id)
        assert manager.active_session_id == info.session_id
        assert session == manager.active_session()
        assert (session.description, session.project_id, session.working_dir) == (
            "About birds",
            "scripted-project",
            "~",
        )
        assert [listed.session_id for listed in manager.list_sessions()] == [info.session_id]

    def test_without_a_session_there_is_no_current_one(self, manager):
        assert manager.active_session_id is None
        assert manager.active_session() is None
        assert manager.list_sessions() == []

    def test_the_old_session_stays_current_until_the_new_one_exists(self, manager, backend, current):
        seen = []
        create = backend.create_session
        backend.create_session = lambda *how: seen.append(manager.active_session_id) or create(*how)
        new = manager.create_session().session_id
        assert seen == [current]
        assert manager.active_session_id == new

    @pytest.mark.parametrize("error", [RuntimeError(BELOW), OSError(BELOW), BackendUnavailable("Its key is wrong.")])
    def test_where_the_backend_refuses_nothing_has_changed(self, manager, backend, current, error):
        before = manager.list_sessions()
        backend.fail["create_session"] = error
        with pytest.raises(BackendUnavailable) as problem:
            manager.create_session()
        assert BELOW not in str(problem.value)
        assert str(problem.value) == (
            str(error) if isinstance(error, BackendUnavailable) else str(BackendUnavailable())
        )
        assert manager.list_sessions() == before

    @pytest.mark.parametrize(
        "name", ["", "../up", "a/b", ".hidden", "a b", "-a", "a\n", "<b>", "a" * 129, "é", None, 5]
    )
    def test_an_unsafe_id_from_the_backend_is_refused(self, manager, backend, current, name):
        backend.create_session = lambda *how: SessionInfo(name)
        with pytest.raises(BackendUnavailable):
            manager.create_session()
        assert [session.session_id for session in manager.list_sessions()] == [current]
        assert manager.active_session_id == current

    def test_what_the_list_cannot_take_is_ended_at_the_backend(self, manager, backend, monkeypatch):
        def full(*_args, **_fields):
            raise StorageError("The list could not be saved", OSError(28, "full"))

        monkeypatch.setattr(manager.store.sessions, "insert", full)
        with pytest.raises(StorageError, match="could not be saved"):
            manager.create_session()
        assert backend.calls[-2:] == ["create_session", "end_session"]

    def test_an_id_that_the_backend_gives_twice_is_refused(self, manager, backend):
        backend.create_session = lambda *how: SessionInfo("same")
        manager.create_session(description="First")
        with pytest.raises(SessionExists, match="already exists"):
            manager.create_session(description="Second")
        assert manager.get_session("same").description == "First"

    @pytest.mark.parametrize("folder", ["/not/there", "~nobody-of-this-name/x", "", "a\0b", "x" * 5000])
    def test_a_folder_that_is_not_there_is_told(self, manager, backend, folder):
        with pytest.raises(InvalidInput):
            manager.create_session(folder)
        assert backend.calls == []

    def test_new_gives_the_current_session_back_while_it_has_no_message(self, manager, backend):
        first = manager.new_session()
        assert manager.new_session() == first
        assert backend.calls == ["create_session"]
        manager.send_message("hello")
        second = manager.new_session()
        assert second.session_id != first.session_id
        assert manager.active_session_id == second.session_id

    def test_new_gives_also_a_described_session_back(self, manager):
        described = manager.create_session(description="About birds").session_id
        assert manager.new_session().session_id == described

    def test_a_first_message_makes_a_session_of_its_own(self, manager, current):
        posted = manager.start_conversation("hello")
        assert posted.session.session_id != current
        assert manager.active_session_id == posted.session.session_id
        assert ended(posted.run).message.content == "You said: hello"

    def test_a_message_that_cannot_be_sent_makes_no_session(self, manager, backend):
        with pytest.raises(InvalidInput):
            manager.start_conversation("  \n")
        assert backend.calls == []


class TestResume:
    @pytest.fixture
    def past(self, manager):
        """The id of a session with one exchange that is not current."""
        past = manager.create_session().session_id
        manager.send_message("my name is Ada")
        manager.create_session()
        return past

    def test_it_is_current_again_and_the_newest(self, manager, past):
        session = manager.resume_session(past)
        assert session == manager.active_session()
        assert manager.active_session_id == past == manager.list_sessions()[0].session_id

    def test_the_backend_gets_the_history_before_the_store_is_written(self, manager, backend, past):
        other, seen = manager.active_session_id, []
        resume = backend.resume_session
        backend.resume_session = lambda *how: seen.append(manager.active_session_id) or resume(*how)
        manager.resume_session(past)
        assert seen == [other]
        assert told(backend) == [("user", "my name is Ada"), ("assistant", "You said: my name is Ada")]

    @pytest.mark.parametrize("error", [RuntimeError(BELOW), OSError(BELOW), ValueError(BELOW), SessionEnded()])
    def test_where_the_backend_refuses_nothing_has_changed(self, manager, backend, past, error):
        before = manager.list_sessions(), manager.active_session_id
        backend.fail["resume_session"] = error
        with pytest.raises(SessionEnded if isinstance(error, ValueError) else BackendUnavailable) as problem:
            manager.resume_session(past)
        assert BELOW not in str(problem.value)
        assert (manager.list_sessions(), manager.active_session_id) == before

    @pytest.mark.parametrize("name", ["gone", "", "../x", "a" * 500])
    def test_what_is_not_there_is_told(self, manager, backend, past, name):
        before = len(backend.calls)
        with pytest.raises(ValueError, match="not found"):
            manager.resume_session(name)
        assert len(backend.calls) == before

    def test_after_an_end_the_conversation_goes_on(self, manager, backend, past):
        manager.end_session(past)
        manager.resume_session(past)
        assert manager.send_message("and now?") == "You said: and now?"
        assert len(manager.conversation(past).messages) == 4

    def test_after_a_restart_the_backend_gets_the_history(self, on_disk, path):
        session_id = on_disk.create_session().session_id
        on_disk.send_message("my name is Ada")
        fresh = ScriptedBackend()
        WebChatSessionManager(fresh, path).resume_session(session_id)
        assert told(fresh) == [("user", "my name is Ada"), ("assistant", "You said: my name is Ada")]

    def test_while_an_answer_is_written_the_backend_is_left_alone(self, manager, backend, past, gate):
        backend.plays("so far", gate, " and on")
        posted = manager.post_message(past, "tell me")
        began(manager, posted, "so far")
        manager.create_session()
        asked = backend.calls.count("resume_session")
        assert manager.resume_session(past).is_active
        assert backend.calls.count("resume_session") == asked
        gate.set()
        assert ended(posted.run).message.content == "so far and on"

    def test_after_it_the_next_message_needs_no_further_resume(self, manager, backend, past):
        manager.resume_session(past)
        backend.histories.clear()
        manager.send_message("hello")
        assert backend.histories == []


class TestEnd:
    def test_the_current_session_is_ended(self, manager, backend, current):
        assert manager.end_session() is True
        assert manager.active_session_id is None
        assert backend.calls[-1] == "end_session"
        assert manager.end_session() is False
        assert [session.session_id for session in manager.list_sessions()] == [current]

    def test_another_session_is_ended_and_the_current_one_stays(self, manager, current):
        other = manager.create_session().session_id
        assert manager.end_session(current) is True
        assert manager.active_session_id == other

    def test_what_is_not_there_is_told(self, manager, current):
        with pytest.raises(ValueError, match="not found"):
            manager.end_session("gone")
        assert manager.active_session_id == current

    def test_its_answer_stops(self, manager, backend, current, gate):
        backend.plays("half an", gate, " answer")
        posted = manager.post_message(current, "hello")
        began(manager, posted, "half an")
        manager.end_session()
        assert backend.cancelled.is_set()
        assert shown(manager, current)[-1] == ("assistant", "half an", "stopped")

    def test_where_the_backend_cannot_be_asked_it_stays_current(self, manager, backend, current):
        backend.fail["end_session"] = ConnectionError(BELOW)
        with pytest.raises(BackendUnavailable) as problem:
            manager.end_session()
        assert BELOW not in str(problem.value)
        assert manager.active_session_id == current

    @pytest.mark.parametrize("error", [SessionUnknown("x"), SessionEnded(), ValueError("it is over")])
    def test_where_the_backend_has_ended_it_already_it_is_ended(self, manager, backend, current, error):
        backend.fail["end_session"] = error
        assert manager.end_session() is True
        assert manager.active_session_id is None

    def test_a_message_to_an_ended_session_resumes_it(self, manager, backend, current):
        manager.send_message("my name is Ada")
        manager.end_session()
        assert manager.send_message("and now?") is None
        assert manager.send_message("and now?", current) == "You said: and now?"
        assert manager.active_session_id == current
        assert told(backend) == [("user", "my name is Ada"), ("assistant", "You said: my name is Ada")]


class TestSend:
    def test_the_whole_answer_comes_back_and_stays(self, manager, backend, current):
        backend.plays("Once", Event("status", "thinking"), " upon", "", " a time")
        assert manager.send_message("tell me") == "Once upon a time"
        assert shown(manager, current) == [
            ("user", "tell me", "complete"),
            ("assistant", "Once upon a time", "complete"),
        ]
        assert backend.asked == [(current, "tell me")]

    def test_without_a_session_there_is_no_answer(self, manager, backend):
        assert manager.send_message("hello") is None
        assert backend.calls == []

    @pytest.mark.parametrize("name", ["gone", "../x", "a b"])
    def test_what_is_not_there_is_told(self, manager, current, name):
        with pytest.raises(SessionNotFound, match="not found"):
            manager.send_message("hello", name)
        assert manager.active_session_id == current

    @pytest.mark.parametrize("message", ["", "  \n\t", "a\0b"])
    def test_what_cannot_be_sent_is_told_and_leaves_nothing(self, manager, backend, current, message):
        with pytest.raises(InvalidInput):
            manager.send_message(message)
        assert shown(manager, current) == []
        assert not manager.get_session(current).begun

    def test_line_ends_of_all_kinds_are_one(self, manager, backend, current):
        manager.send_message("a\r\nb\rc\nd")
        assert backend.asked[-1][1] == "a\nb\nc\nd" == shown(manager, current)[0][1]

    def test_half_an_emoji_reaches_the_backend_as_text_that_can_be_sent(self, manager, backend, current):
        manager.send_message("cut \ud83d")
        assert backend.asked[-1][1].encode("utf-8") == b"cut ?"

    def test_the_question_is_on_the_disk_before_the_backend_is_asked(self, on_disk, path, backend):
        seen = []
        send = backend.send_message

        def look(session_id, message):
            seen.append(shown(WebChatSessionManager(ScriptedBackend(), path), session_id))
            return send(session_id, message)

        backend.send_message = look
        on_disk.create_session()
        on_disk.send_message("hello")
        assert seen == [[("user", "hello", "complete"), ("assistant", "", "waiting")]]

    def test_sending_to_another_session_makes_it_current(self, manager, current):
        other = manager.create_session().session_id
        manager.send_message("hello", current)
        assert manager.active_session_id == current
        assert shown(manager, other) == []

    def test_an_answer_with_all_that_was_said_beside_it(self, manager, backend, current):
        backend.plays(
            Event("note", "Earlier messages were left out."),
            Event("reasoning", "Let me "),
            Event("reasoning", "see."),
            "Yes",
            Event("tool", "read a file"),
            Event("usage", data={"tokens": 5}),
            Event("finish", "stop"),
        )
        assert manager.send_message("hello") == "Yes"
        answer = manager.conversation(current).last
        assert (answer.reasoning, answer.model) == ("Let me see.", "Scripted")
        assert answer.notes[:2] == ("Earlier messages were left out.", "read a file")

    @pytest.mark.parametrize(
        "pieces", [[], [" \n"], ["\u200b", "\ufeff"], [Event("reasoning", "Hm.")], [Event("usage"), Event("finish")]]
    )
    def test_an_answer_with_nothing_in_it_is_not_complete(self, manager, backend, current, pieces):
        backend.plays(*pieces)
        with pytest.raises(NothingSaid, match="ended without an answer"):
            manager.send_message("hello")
        assert shown(manager, current)[-1][2] == "failed"

    @pytest.mark.parametrize("piece", [Event("note", "Done."), Event("tool", "read a file")])
    def test_an_answer_of_a_note_alone_is_complete(self, manager, backend, current, piece):
        backend.plays(piece)
        assert manager.send_message("hello") == ""
        assert shown(manager, current)[-1] == ("assistant", "", "complete")

    def test_text_that_turns_out_to_be_reasoning_is_reasoning(self, manager, backend, current):
        backend.plays("Hm, ", "yes.", Event("reasoned"), "Lisbon", " it is")
        assert manager.send_message("hello") == "Lisbon it is"
        answer = manager.conversation(current).last
        assert (answer.reasoning, answer.content, answer.status) == ("Hm, yes.", "Lisbon it is", "complete")

    def test_only_the_text_since_the_last_reasoning_turns_out_to_be_some(self, manager, backend, current):
        backend.plays("One. ", Event("reasoning", "a "), "b", Event("reasoned"), "Two.")
        assert manager.send_message("hello") == "One. Two."
        assert manager.conversation(current).last.reasoning == "a b"

    @pytest.mark.parametrize("place", [0, 1])
    def test_the_model_that_the_backend_names_has_written_the_answer(self, manager, backend, current, place):
        pieces = ["Lisbon"]
        pieces.insert(place, Event("model", "x-2026 at example.com"))
        backend.plays(*pieces)
        manager.send_message("hello")
        assert manager.conversation(current).last.model == "x-2026 at example.com"

    def test_a_plain_generator_will_do(self, manager, backend, current):
        backend.send_message = lambda session_id, message: (letter for letter in message)
        assert manager.send_message("hello") == "hello"

    def test_pieces_come_from_the_beginning_to_every_reader(self, manager, backend, current, gate):
        backend.plays("one", gate, " two")
        posted = manager.post_message(current, "hello")
        began(manager, posted, "one")
        readers = [manager.pieces(current, posted.reply.id) for _ in range(2)]
        assert [next(reader)[0] for reader in readers] == ["one", "one"]
        gate.set()
        assert ["".join(text for text, _ in reader) for reader in readers] == [" two", " two"]


class Forgetful(ScriptedBackend):
    """Does not know a session until it is resumed, and reports that when it is called or only when it is read."""

    def __init__(self, *, late):
        super().__init__()
        self.late, self.knows = late, set()

    def resume_session(self, session_id, history):
        self.knows.add(session_id)
        return super().resume_session(session_id, history)

    def send_message(self, session_id, message):
        if session_id in self.knows:
            return super().send_message(session_id, message)
        if not self.late:
            raise SessionUnknown(session_id)
        return self._says_so(session_id)

    def _says_so(self, session_id):
        raise SessionUnknown(session_id)
        yield


class TestWhatABackendRaises:
    @pytest.mark.parametrize("late", [False, True])
    def test_a_session_that_it_does_not_know_is_healed_unseen(self, path, late):
        backend = Forgetful(late=late)
        manager = WebChatSessionManager(backend)
        session_id = manager.create_session().session_id
        assert manager.send_message("one") == "You said: one"
        backend.knows.clear()
        backend.histories.clear()
        assert manager.send_message("two") == "You said: two"
        assert backend.histories == [[*backend.histories[0]]]
        assert told(backend) == [("user", "one"), ("assistant", "You said: one")]
        assert [text for _, text, _ in shown(manager, session_id)] == ["one", "You said: one", "two", "You said: two"]
        assert {status for *_, status in shown(manager, session_id)} == {"complete"}

    def test_a_session_that_it_will_not_know_is_told_in_plain_words(self, manager, backend, current):
        backend.plays(SessionUnknown(BELOW))
        backend.plays(SessionUnknown(BELOW))
        with pytest.raises(WebChatError) as problem:
            manager.send_message("hello")
        assert BELOW not in str(problem.value)
        assert len(str(problem.value)) > 20
        assert manager.send_message("again") == "You said: again"

    @pytest.mark.parametrize("error", [SessionEnded(), ValueError(BELOW)])
    @pytest.mark.parametrize("when", ["asked", "read"])
    def test_an_ended_session_is_no_longer_current_and_can_be_resumed(self, manager, backend, current, error, when):
        manager.send_message("one")
        if when == "asked":
            backend.fail["send_message"] = error
        else:
            backend.plays(error)
        with pytest.raises(SessionEnded) as problem:
            manager.send_message("two")
        assert BELOW not in str(problem.value)
        assert manager.active_session_id is None
        last = manager.conversation(current).last
        assert (last.role, last.status, last.code, last.error) == ("assistant", "failed", "ended", str(SessionEnded()))
        backend.fail.clear()
        manager.resume_session(current)
        assert manager.send_message("three") == "You said: three"
        assert manager.active_session_id == current

    @pytest.mark.parametrize(
        "error",
        [
            UnicodeDecodeError("utf-8", BELOW.encode(), 0, 1, BELOW),
            json.JSONDecodeError(BELOW, BELOW, 0),
            KeyError(BELOW),
            TypeError(BELOW),
            MemoryError(BELOW),
        ],
    )
    def test_what_nobody_foresaw_ends_no_session_and_shows_nothing_from_below(self, manager, backend, current, error):
        backend.plays("half an", error)
        with pytest.raises(Unforeseen) as problem:
            manager.send_message("hello")
        assert BELOW not in str(problem.value)
        assert manager.active_session_id == current
        last = manager.conversation(current).last
        told = (last.content, last.status, last.error, last.code)
        assert told == ("half an", "failed", str(problem.value), "unforeseen")

    @pytest.mark.parametrize("error", [RuntimeError, OSError, ConnectionResetError, TimeoutError, NotImplementedError])
    @pytest.mark.parametrize("when", ["asked", "read"])
    def test_a_backend_that_fails_is_unavailable_and_shows_nothing_from_below(
        self, manager, backend, current, error, when
    ):
        if when == "asked":
            backend.fail["send_message"] = error(BELOW)
        else:
            backend.plays("half an", error(BELOW))
        with pytest.raises(BackendUnavailable) as problem:
            manager.send_message("hello")
        assert BELOW not in str(problem.value)
        assert isinstance(problem.value.__cause__, error)
        assert manager.active_session_id == current
        assert shown(manager, current)[-1][2] == "failed"

    def test_what_a_backend_says_for_people_is_shown(self, manager, backend, current):
        backend.plays(BackendUnavailable("The key is wrong."))
        with pytest.raises(BackendUnavailable, match=r"The key is wrong\."):
            manager.send_message("hello")
        assert manager.conversation(current).last.error == "The key is wrong."

    @pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit])
    def test_a_backend_that_would_end_its_thread_locks_nobody_out(self, manager, backend, current, error):
        def gives_up():
            yield "half an"
            raise error

        backend.send_message = lambda session_id, message: gives_up()
        posted = manager.post_message(current, "hello")
        assert isinstance(ended(posted.run).error, Unforeseen)
        assert shown(manager, current)[-1] == ("assistant", "half an", "failed")
        del backend.send_message
        assert manager.send_message("again") == "You said: again"

    @pytest.mark.parametrize("answer", [None, 5, [5], [b"bytes"], [None]])
    def test_what_is_no_answer_is_unforeseen(self, manager, backend, current, answer):
        backend.send_message = lambda session_id, message: answer
        with pytest.raises(Unforeseen):
            manager.send_message("hello")
        del backend.send_message
        assert manager.send_message("again") == "You said: again"


class TestOneAnswerAtATime:
    def test_a_second_message_is_told_that_the_session_is_busy(self, manager, backend, current, gate):
        done = []
        backend.plays("so far", gate)
        posted = manager.post_message(current, "one")
        began(manager, posted, "so far")
        with pytest.raises(SessionBusy):
            manager.send_message("two")
        with pytest.raises(SessionBusy):
            manager.add_exchange(current, "remember", lambda: done.append(True), "memory")
        with pytest.raises(SessionBusy):
            manager.retry(current, posted.reply.id)
        assert [text for _, text, _ in shown(manager, current)] == ["one", "so far"]
        assert done == []
        gate.set()
        ended(posted.run)
        assert manager.send_message("two") == "You said: two"

    def test_a_busy_session_does_not_become_current(self, manager, backend, current, gate):
        backend.plays("so far", gate)
        began(manager, manager.post_message(current, "one"), "so far")
        other = manager.create_session().session_id
        with pytest.raises(SessionBusy):
            manager.send_message("two", current)
        assert manager.active_session_id == other

    def test_other_sessions_answer_meanwhile(self, manager, backend, current, gate):
        backend.plays("so far", gate)
        began(manager, manager.post_message(current, "one"), "so far")
        manager.create_session()
        assert manager.send_message("two") == "You said: two"

    @pytest.mark.parametrize("error", [None, RuntimeError("x"), SessionEnded(), KeyError("x")])
    def test_as_soon_as_a_send_has_returned_the_next_is_accepted(self, manager, backend, current, error):
        for number in range(25):
            if error is not None and number % 2:
                backend.plays("a", error)
                with pytest.raises(WebChatError):
                    manager.send_message("fails", current)
            else:
                assert manager.send_message(f"{number}", current) == f"You said: {number}"
        assert len(manager.conversation(current).messages) == 50

    def test_of_many_that_send_at_once_each_is_answered_or_told(self, manager, current):
        together, results = threading.Barrier(8), []

        def send(number):
            together.wait(PATIENCE)
            try:
                results.append(manager.send_message(f"{number}", current))
            except SessionBusy:
                results.append(None)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        answers = [result for result in results if result]
        assert answers
        assert len(results) == 8
        messages = shown(manager, current)
        assert [f"You said: {text}" for _, text, _ in messages[::2]] == [text for _, text, _ in messages[1::2]]
        assert sorted(text for _, text, _ in messages[1::2]) == sorted(answers)

    def test_a_reply_goes_on_when_its_session_is_no_longer_current(self, manager, backend, current, gate):
        backend.plays("so far", gate, " and on")
        posted = manager.post_message(current, "one")
        began(manager, posted, "so far")
        manager.create_session()
        gate.set()
        assert ended(posted.run).message.content == "so far and on"
        assert shown(manager, current)[-1] == ("assistant", "so far and on", "complete")
        assert not backend.cancelled.is_set()
        assert manager.active_session_id != current


class TestStop:
    def test_what_came_is_kept_and_the_backend_is_told(self, manager, backend, current, gate):
        backend.plays("half an", gate, " answer")
        posted = manager.post_message(current, "hello")
        began(manager, posted, "half an")
        assert manager.stop(current) is True
        assert backend.cancelled.is_set()
        assert shown(manager, current)[-1] == ("assistant", "half an", "stopped")
        assert manager.send_message("again") == "You said: again"

    def test_before_the_first_piece_nothing_is_kept_but_the_question(self, manager, backend, current, gate):
        backend.plays(gate, "never")
        posted = manager.post_message(current, "hello")
        assert manager.stop(current) is True
        ended(posted.run)
        assert shown(manager, current) == [("user", "hello", "complete"), ("assistant", "", "stopped")]

    def test_who_waits_for_the_answer_gets_what_came(self, manager, backend, current, gate):
        backend.plays("half an", gate)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(manager.send_message("hello")))
        with manager.storage.bus.listen(current) as waiter:
            waiting.start()
            while ("assistant", "half an", "streaming") not in shown(manager, current):
                waiter.wait(PATIENCE)
                waiter.clear()
        manager.stop(current)
        waiting.join(PATIENCE)
        assert answers == ["half an"]

    def test_a_message_wakes_nobody_who_reads_elsewhere(self, manager, current):
        elsewhere = manager.create_session().session_id
        with manager.storage.bus.listen(current) as here, manager.storage.bus.listen(elsewhere) as there:
            ended(manager.post_message(current, "hello").run)
            assert here.wait(PATIENCE, urgent=True)
            assert not there.wait(0)

    def test_a_plain_generator_stops_at_its_next_piece(self, manager, backend, current, gate):
        came = []

        def endless(session_id, message):
            while True:
                came.append("and on ")
                yield "and on "
                gate.wait(PATIENCE)

        backend.send_message = endless
        posted = manager.post_message(current, "hello")
        began(manager, posted, "and on ")
        stopping = threading.Thread(target=manager.stop, args=(current,))
        stopping.start()
        gate.set()
        stopping.join(PATIENCE)
        ended(posted.run)
        last = manager.conversation(current).last
        assert (last.status, set(last.content.split("and on "))) == ("stopped", {""})

    def test_a_backend_that_raises_because_it_was_cancelled_was_stopped(self, manager, backend, current):
        class Cut:
            def __init__(self):
                self.cut = threading.Event()

            def __iter__(self):
                yield "half an"
                self.cut.wait(PATIENCE)
                raise ConnectionError(BELOW)

            def cancel(self):
                self.cut.set()

        backend.send_message = lambda session_id, message: Cut()
        posted = manager.post_message(current, "hello")
        began(manager, posted, "half an")
        manager.stop(current)
        assert ended(posted.run).error is None
        last = manager.conversation(current).last
        assert (last.content, last.status, last.error) == ("half an", "stopped", None)

    def test_a_cancel_that_fails_stops_all_the_same(self, manager, backend, current):
        go_on = threading.Event()

        class Stubborn:
            def __iter__(self):
                yield "half an"
                go_on.wait(PATIENCE)
                yield " answer"

            def cancel(self):
                go_on.set()
                raise RuntimeError(BELOW)

        backend.send_message = lambda session_id, message: Stubborn()
        posted = manager.post_message(current, "hello")
        began(manager, posted, "half an")
        assert manager.stop(current) is True
        assert shown(manager, current)[-1][2] == "stopped"

    def test_without_an_answer_there_is_nothing_to_stop(self, manager, current):
        assert manager.stop(current) is False
        with pytest.raises(SessionNotFound):
            manager.stop("gone")

    def test_an_answer_of_another_process_is_stopped_too(self, on_disk, path, backend, gate):
        session_id = on_disk.create_session().session_id
        backend.plays("half an", gate)
        posted = on_disk.post_message(session_id, "hello")
        began(on_disk, posted, "half an")
        elsewhere = WebChatSessionManager(ScriptedBackend(), path)
        assert elsewhere.stop(session_id) is True
        assert backend.cancelled.is_set()
        assert shown(elsewhere, session_id)[-1] == ("assistant", "half an", "stopped")
        assert elsewhere.stop(session_id) is False
        ended(posted.run)
        assert elsewhere.send_message("again", session_id) == "You said: again"
        assert on_disk.send_message("and here", session_id) == "You said: and here"

    def test_other_answers_go_on(self, manager, backend, current, gate):
        backend.plays("one", gate)
        first = manager.post_message(current, "hello")
        began(manager, first, "one")
        other = manager.create_session().session_id
        backend.plays("two", gate)
        second = manager.post_message(other, "hello")
        began(manager, second, "two")
        manager.stop(current)
        assert manager.conversation(other).last.in_flight
        gate.set()
        assert ended(second.run).message.status == "complete"


class TestWhatTheBackendKnows:
    def test_while_it_is_in_step_it_is_not_told_anew(self, manager, backend, current):
        for number in range(3):
            manager.send_message(f"{number}")
        assert backend.histories == []

    def test_a_memory_exchange_changes_nothing_for_it(self, manager, backend, current):
        manager.send_message("one")
        manager.add_exchange(current, "remember this", lambda: "I will", "memory")
        manager.send_message("two")
        assert backend.histories == []
        manager.resume_session(current)
        assert [text for _, text in told(backend)] == ["one", "You said: one", "two", "You said: two"]

    def test_after_a_stop_it_is_told_what_is_shown(self, manager, backend, current, gate):
        backend.plays("half an", gate)
        posted = manager.post_message(current, "one")
        began(manager, posted, "half an")
        manager.stop(current)
        manager.send_message("two")
        assert told(backend) == [("user", "one"), ("assistant", "half an")]
        backend.histories.clear()
        manager.send_message("three")
        assert backend.histories == []

    def test_after_a_failure_it_is_told_without_the_failed_answer(self, manager, backend, current):
        manager.send_message("one")
        backend.plays("half an", RuntimeError("x"))
        with pytest.raises(BackendUnavailable):
            manager.send_message("two")
        manager.send_message("three")
        assert told(backend) == [("user", "one"), ("assistant", "You said: one"), ("user", "two")]

    def test_the_message_that_is_sent_is_no_history(self, manager, backend, current):
        backend.plays(RuntimeError("x"))
        with pytest.raises(BackendUnavailable):
            manager.send_message("one")
        backend.plays(SessionUnknown("x"))
        manager.send_message("two")
        assert told(backend) == [("user", "one")]

    def test_what_another_process_added_is_told(self, on_disk, backend, path):
        session_id = on_disk.create_session().session_id
        on_disk.send_message("one")
        other = ScriptedBackend()
        WebChatSessionManager(other, path).send_message("two", session_id)
        assert told(other) == [("user", "one"), ("assistant", "You said: one")]
        on_disk.send_message("three")
        assert [text for _, text in told(backend)] == ["one", "You said: one", "two", "You said: two"]

    def test_no_lock_that_others_wait_for_is_held_while_it_answers(self, manager, backend, current, gate):
        backend.plays("so far", gate)
        posted = manager.post_message(current, "one")
        began(manager, posted, "so far")
        done = threading.Event()

        def use_the_chat():
            other = manager.create_session().session_id
            manager.list_sessions(), manager.conversation(current), manager.resume_session(current)
            manager.send_message("two", other)
            manager.end_session(other)
            done.set()

        threading.Thread(target=use_the_chat, daemon=True).start()
        assert done.wait(PATIENCE)
        assert manager.conversation(current).last.in_flight


class TestExchanges:
    def test_an_exchange_that_no_model_saw_is_shown(self, manager, backend, current):
        asked, answered = manager.add_exchange(current, "remember this", lambda: "I will", "memory")
        assert shown(manager, current) == [("user", "remember this", "complete"), ("assistant", "I will", "complete")]
        assert [message.id for message in manager.conversation(current).messages] == [asked.id, answered.id]
        assert {message.kind for message in manager.conversation(current).messages} == {"memory"}
        assert "send_message" not in backend.calls
        assert manager.get_session(current).description == "remember this"


class TestRetry:
    @pytest.fixture
    def answered(self, manager, backend, current):
        manager.send_message("one")
        backend.plays("first try")
        manager.send_message("two")
        return manager.conversation(current).last

    def test_the_question_is_asked_anew_on_a_branch_of_its_own(self, manager, backend, current, answered):
        backend.plays("second try")
        posted = manager.retry(current, answered.id)
        assert ended(posted.run).message.content == "second try"
        assert [text for _, text, _ in shown(manager, current)] == ["one", "You said: one", "two", "second try"]
        assert manager.conversation(current).last.parent == answered.parent == posted.question.id
        assert backend.asked[-1][1] == "two"
        assert told(backend) == [("user", "one"), ("assistant", "You said: one")]
        manager.send_message("three")
        assert told(backend) == [("user", "one"), ("assistant", "You said: one")]

    def test_an_answer_that_never_began_can_be_tried_again(self, on_disk, backend, path):
        """The server was killed between the question and its answer."""
        session_id = on_disk.create_session().session_id
        on_disk.send_message("one")
        transcript = path.parent / "web-chat-transcripts" / f"{session_id}.jsonl"
        transcript.write_bytes(transcript.read_bytes().splitlines(keepends=True)[0])
        (question,) = on_disk.conversation(session_id).messages
        ended(on_disk.retry(session_id, question.id).run)
        assert shown(on_disk, session_id) == [("user", "one", "complete"), ("assistant", "You said: one", "complete")]
        assert told(backend) == []

    def test_a_failed_answer_can_be_tried_again(self, manager, backend, current):
        backend.plays("half an", RuntimeError("x"))
        with pytest.raises(BackendUnavailable):
            manager.send_message("one")
        ended(manager.retry(current, manager.conversation(current).last.id).run)
        assert shown(manager, current) == [("user", "one", "complete"), ("assistant", "You said: one", "complete")]

    def test_nothing_but_the_last_message_can_be_tried_again(self, manager, current, answered):
        messages = manager.conversation(current).messages
        for name in (*(message.id for message in messages[:-1]), "gone", ""):
            with pytest.raises((InvalidInput, StaleView)):
                manager.retry(current, name)
        _, memory = manager.add_exchange(current, "remember this", lambda: "I will", "memory")
        with pytest.raises(StaleView):
            manager.retry(current, answered.id)
        with pytest.raises(InvalidInput):
            manager.retry(current, memory.id)
        assert manager.send_message("three") == "You said: three"


class TestOwners:
    def test_nobody_sees_or_moves_what_is_somebody_elses(self, manager, backend):
        adas = manager.create_session(owner="ada").session_id
        manager.send_message("hello", owner="ada")
        bobs = manager.create_session(owner="bob").session_id
        mine = manager.create_session().session_id
        asked = len(backend.calls)
        for owner in ("bob", None):
            for call in (
                manager.get_session,
                manager.resume_session,
                manager.end_session,
                manager.conversation,
                manager.stop,
                lambda name, owner: manager.send_message("hi", name, owner),
                lambda name, owner: manager.post_message(name, "hi", owner),
                lambda name, owner: manager.add_exchange(name, "hi", lambda: "ho", "memory", owner),
                lambda name, owner: manager.retry(name, "x", owner),
            ):
                with pytest.raises(SessionNotFound):
                    call(adas, owner)
        assert len(backend.calls) == asked
        assert [manager.active_session(owner).session_id for owner in ("ada", "bob", None)] == [adas, bobs, mine]
        assert [[s.session_id for s in manager.list_sessions(owner)] for owner in ("ada", "bob", None)] == [
            [adas],
            [bobs],
            [mine],
        ]

    def test_each_has_a_current_session(self, manager):
        for owner in ("ada", "bob", None):
            assert manager.send_message("hello", owner=owner) is None
            manager.new_session(owner)
            assert manager.send_message("hello", owner=owner) == "You said: hello"
        assert manager.end_session(owner="ada") is True
        assert [manager.active_session(owner) is None for owner in ("ada", "bob", None)] == [True, False, False]
        assert manager.end_session(owner="ada") is False

    def test_a_session_that_the_backend_ended_is_cleared_for_its_owner(self, manager, backend):
        manager.create_session()
        manager.create_session(owner="ada")
        backend.plays(SessionEnded())
        with pytest.raises(SessionEnded):
            manager.send_message("hello", owner="ada")
        assert manager.active_session("ada") is None
        assert manager.active_session() is not None


class TestStorage:
    def test_where_the_question_cannot_be_saved_nobody_is_asked(self, on_disk, path, backend):
        session_id = on_disk.create_session().session_id
        blocked = path.parent / "web-chat-transcripts" / f"{session_id}.jsonl"
        blocked.mkdir(parents=True)
        with pytest.raises(StorageError):
            on_disk.send_message("hello")
        assert "send_message" not in backend.calls
        blocked.rmdir()
        assert on_disk.send_message("hello") == "You said: hello"
        assert [text for _, text, _ in shown(on_disk, session_id)] == ["hello", "You said: hello"]

    def test_where_the_log_cannot_be_removed_the_answer_is_saved_and_the_session_free(
        self, on_disk, path, backend, gate
    ):
        session_id = on_disk.create_session().session_id
        backend.plays("half an", gate, " answer", " of many", " pieces")
        posted = on_disk.post_message(session_id, "hello")
        began(on_disk, posted, "half an")
        log = path.parent / "web-chat-transcripts" / "replies" / f"{session_id}.reply"
        log.rename(log.with_suffix(".aside"))
        log.mkdir()
        gate.set()
        assert (ended(posted.run).error, posted.run.is_saved) == (None, True)
        assert posted.answer.content == "half an answer of many pieces"
        log.rmdir()
        assert on_disk.send_message("again") == "You said: again"
        assert [text for _, text, _ in shown(on_disk, session_id)][-2:] == ["again", "You said: again"]

    def test_where_the_answers_end_cannot_be_noted_the_session_is_free(self, on_disk, path, backend, gate):
        session_id = on_disk.create_session().session_id
        backend.plays("half an", gate, " answer")
        posted = on_disk.post_message(session_id, "hello")
        began(on_disk, posted, "half an")
        activity = path.parent / "web-chat-activity.jsonl"
        activity.unlink()
        activity.mkdir()
        gate.set()
        assert ended(posted.run).message.content == "half an answer"
        activity.rmdir()
        assert on_disk.send_message("again") == "You said: again"

    def test_what_cannot_be_read_is_told(self, on_disk, path):
        session_id = on_disk.create_session().session_id
        (path.parent / "web-chat-transcripts" / f"{session_id}.jsonl").mkdir(parents=True)
        with pytest.raises(StorageError):
            on_disk.conversation(session_id)

    def test_in_memory_nothing_touches_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        manager = WebChatSessionManager(MockBackend())
        manager.create_session()
        assert manager.send_message("hello") == "Mock response to: hello"
        manager.end_session()
        manager.close()
        assert list(tmp_path.iterdir()) == []


class TestClose:
    def test_answers_in_flight_are_kept_as_interrupted(self, path, backend, gate):
        manager = WebChatSessionManager(backend, path)
        ids = []
        for number in range(3):
            backend.plays(f"half {number}", gate)
            posted = manager.post_message(manager.create_session().session_id, "hello")
            began(manager, posted, f"half {number}")
            ids.append(posted.session.session_id)
        manager.close()
        again = WebChatSessionManager(backend, path)
        assert [shown(again, name)[-1] for name in ids] == [
            ("assistant", f"half {number}", "interrupted") for number in range(3)
        ]
        assert not list(path.parent.rglob("*.reply"))

    def test_streams_end_and_the_backend_is_closed(self, path, backend, gate):
        closed = []
        backend.close = lambda: closed.append(True)
        manager = WebChatSessionManager(backend, path)
        backend.plays("half an", gate)
        posted = manager.post_message(manager.create_session().session_id, "hello")
        began(manager, posted, "half an")
        pieces = manager.pieces(posted.session.session_id, posted.reply.id)
        next(pieces)
        manager.close()
        assert manager.stopping.is_set()
        assert len(list(pieces)) <= 1  # the end itself may still arrive
        assert closed == [True]

    def test_an_answer_that_does_not_end_in_time_is_left_to_the_next_start(self, path, backend, gate):
        def deaf(session_id, message):
            yield "half an"
            gate.wait(60)

        backend.send_message = deaf
        manager = WebChatSessionManager(backend, path)
        posted = manager.post_message(manager.create_session().session_id, "hello")
        began(manager, posted, "half an")
        manager.close(patience=0.05)
        assert not posted.run.wait(0)


class TestTitles:
    @pytest.mark.parametrize(
        ("message", "title"),
        [
            ("Hello there", "Hello there"),
            ("\n\n  First line  \nsecond", "First line"),
            ("a\tb  c\u00a0d\u2003e", "a b c d e"),
            ("\x1b[31mred\x07 \x00end", "[31mred end"),
            ("safe \u202egnp.exe\u2066 name\u200e", "safe gnp.exe name"),
            ("\u202e\u200b", "Web chat session"),
            ("x" * 80, "x" * 80),
            ("x" * 81, "x" * 79 + "…"),
            ("word " * 16 + "w", ("word " * 16).strip() + "…"),
            ("a " + "x" * 100, "a…"),
            ("👩\u200d👧 خانه\u200cها", "👩\u200d👧 خانه\u200cها"),
            ("\u200d\u00ad", "Web chat session"),
            ("世" * 100, "世" * 79 + "…"),
        ],
    )
    def test_a_title_is_the_first_lines_whole_words(self, message, title):
        assert title_of(message) == title

    @settings(max_examples=50)
    @given(st.text() | st.text(alphabet="ab \u202e\n\x07…", min_size=60, max_size=200))
    def test_any_message_has_a_title_that_fits_and_does_no_harm(self, message):
        title = title_of(message)
        assert 0 < len(title) <= 80
        assert title == title.strip()
        assert not any(
            unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in title if char not in JOINERS
        )
        assert not re.search(r"\s\s", title)

    def test_the_first_message_titles_the_session(self, manager, current):
        manager.send_message("What is the tallest\nmountain?")
        manager.send_message("And the second?")
        assert manager.get_session(current).description == "What is the tallest"

    def test_a_description_that_was_chosen_stays(self, manager):
        named = manager.create_session(description="About birds").session_id
        manager.send_message("hello")
        assert manager.get_session(named).description == "About birds"
