"""The contract of every backend. Subclass BackendContract or ModelContract and give it a fixture `case`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from webchat.backends import Event, SessionBackend, SessionInfo
from webchat.errors import SessionEnded, SessionUnknown

PATIENCE = 60.0


@dataclass(frozen=True)
class Case:
    """A backend under test.

    `endless` is the same kind of backend whose answers have a first piece and no end. `seen` returns the messages that
    the model was sent last, or is None if there is no model.
    """

    backend: SessionBackend
    endless: SessionBackend
    seen: Callable[[], list[dict[str, str]]] | None = None


def answer(backend: SessionBackend, session_id: str, message: str) -> str:
    """The whole text; every piece must be text or an Event."""
    pieces = list(backend.send_message(session_id, message))
    assert all(isinstance(piece, (str, Event)) for piece in pieces)
    return "".join(piece for piece in pieces if isinstance(piece, str))


class BackendContract:
    @pytest.fixture
    def backend(self, case):
        return case.backend

    @pytest.fixture
    def session_id(self, backend):
        return backend.create_session("~/work", "A test").session_id

    def test_a_new_session_is_known_and_active(self, backend):
        info = backend.create_session("~/work", "A test")
        assert isinstance(info, SessionInfo)
        assert (info.working_dir, info.is_active) == ("~/work", True)
        assert info.project_id.endswith("-work")
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", info.session_id)
        assert backend.get_session_info(info.session_id) == info

    def test_each_session_has_an_id_of_its_own(self, backend):
        assert len({backend.create_session("~", "").session_id for _ in range(20)}) == 20

    def test_a_message_is_answered_in_pieces(self, backend, session_id):
        assert answer(backend, session_id, "Hello, who are you?").strip()

    def test_one_message_after_another_is_answered(self, backend, session_id):
        assert answer(backend, session_id, "Hello!").strip()
        assert answer(backend, session_id, "And again!").strip()

    def test_an_unknown_session_is_told(self, backend):
        assert backend.get_session_info("nobody") is None
        with pytest.raises(SessionUnknown):
            answer(backend, "nobody", "Hello!")

    def test_ending_an_unknown_session_does_nothing(self, backend):
        backend.end_session("nobody")
        with pytest.raises(SessionUnknown):
            answer(backend, "nobody", "Hello!")

    def test_an_ended_session_is_told(self, backend, session_id):
        backend.end_session(session_id)
        backend.end_session(session_id)
        assert backend.get_session_info(session_id) is None
        with pytest.raises(SessionEnded):
            answer(backend, session_id, "Hello!")

    def test_ending_one_session_leaves_the_others(self, backend, session_id):
        other = backend.create_session("~", "").session_id
        backend.end_session(session_id)
        assert answer(backend, other, "Hello!").strip()

    def test_resume_revives_an_ended_session(self, backend, session_id):
        backend.end_session(session_id)
        info = backend.resume_session(session_id, [])
        assert (info.session_id, info.is_active) == (session_id, True)
        assert backend.get_session_info(session_id) == info
        assert answer(backend, session_id, "Hello!").strip()

    def test_resume_takes_up_a_session_that_the_backend_never_knew(self, backend):
        assert backend.resume_session("from-long-ago", []).session_id == "from-long-ago"
        assert answer(backend, "from-long-ago", "Hello!").strip()

    def test_cancel_ends_the_answer(self, case):
        session_id = case.endless.create_session("~", "").session_id
        pieces = case.endless.send_message(session_id, "Tell me a very long story.")
        begun, ended = threading.Event(), threading.Event()

        def read():
            for piece in pieces:
                if isinstance(piece, str):
                    begun.set()
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        assert begun.wait(PATIENCE)
        pieces.cancel()
        assert ended.wait(PATIENCE)

    def test_after_a_cancelled_answer_the_session_goes_on(self, case):
        session_id = case.endless.create_session("~", "").session_id
        for message in ("Tell me a very long story.", "Another one."):
            pieces = case.endless.send_message(session_id, message)
            for _piece in pieces:
                pieces.cancel()
        assert case.endless.get_session_info(session_id) is not None

    def test_an_answer_cancelled_before_it_is_read_has_no_pieces(self, case):
        session_id = case.endless.create_session("~", "").session_id
        pieces = case.endless.send_message(session_id, "Tell me a very long story.")
        pieces.cancel()
        assert list(pieces) == []

    def test_an_answer_that_nobody_reads_to_its_end_does_no_harm(self, case):
        session_id = case.endless.create_session("~", "").session_id
        for _ in range(2):
            for _piece in case.endless.send_message(session_id, "Tell me a very long story."):
                break

    def test_the_page_can_show_what_answers(self, backend):
        assert backend.label
        assert backend.notice is None


class ModelContract(BackendContract):
    """Of a backend that sends the conversation to a model."""

    def test_the_model_sees_the_conversation_so_far(self, case, backend, session_id):
        said = answer(backend, session_id, "My name is Ada.")
        answer(backend, session_id, "What is my name?")
        assert turns(case) == [("user", "My name is Ada."), ("assistant", said), ("user", "What is my name?")]

    def test_the_model_sees_the_history_that_resume_gave_and_no_other(self, case, backend, session_id):
        answer(backend, session_id, "My name is Ada.")
        history = [{"role": "user", "content": "My name is Bob."}, {"role": "assistant", "content": "Hello Bob."}]
        backend.resume_session(session_id, history)
        answer(backend, session_id, "What is my name?")
        expected = [("user", "My name is Bob."), ("assistant", "Hello Bob."), ("user", "What is my name?")]
        assert turns(case) == expected

    def test_sessions_do_not_hear_each_other(self, case, backend, session_id):
        other = backend.create_session("~", "").session_id
        answer(backend, session_id, "My name is Ada.")
        answer(backend, other, "What is my name?")
        assert turns(case) == [("user", "What is my name?")]


def turns(case: Case) -> list[tuple[str, str]]:
    """The messages that the model was sent last, as (role, content)."""
    assert case.seen
    return [(message["role"], message["content"]) for message in case.seen()]
