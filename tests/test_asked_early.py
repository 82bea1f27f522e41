"""A model may be asked while the question is being saved; its answer waits for that."""

from __future__ import annotations

import errno
import threading

import pytest

from tests.reading import until
from tests.tab import PATIENCE, OpenTab
from webchat.errors import StorageError


@pytest.fixture
def session_id(manager):
    """A session with a message, so that its folder exists."""
    session_id = manager.create_session().session_id
    manager.send_message("zero", session_id)
    return session_id


def said(manager, session_id):
    """The messages since."""
    return [message.content for message in manager.reader.conversation(session_id).messages[2:]]


@pytest.fixture
def at_save(monkeypatch, manager):
    """Calls the given function before the next message is saved."""
    transcripts = getattr(manager.storage, "main", manager.storage).transcripts
    append = transcripts.append

    def call(what):
        def first(*given: object) -> None:
            monkeypatch.setattr(transcripts, "append", append)
            what()
            append(*given)

        monkeypatch.setattr(transcripts, "append", first)

    return call


def fail():
    raise OSError(errno.EIO, "no")


def test_a_backend_that_only_speaks_is_asked_while_the_question_is_saved(manager, backend, session_id, at_save):
    backend.only_speaks = True
    seen = []

    def look():
        until(lambda: len(backend.asked) == 2)
        seen.append([*manager.storage.replies.sessions()])

    at_save(look)
    manager.post_message(session_id, "one").wait(PATIENCE)
    assert seen == [[]]
    assert said(manager, session_id) == ["one", "You said: one"]


def test_nothing_of_an_answer_remains_where_its_question_is_not_saved(manager, backend, session_id, at_save):
    backend.only_speaks = True
    backend.plays("text", threading.Event())

    def break_off():
        until(lambda: len(backend.asked) == 2)
        fail()

    at_save(break_off)
    with pytest.raises(StorageError, match="could not be saved"):
        manager.post_message(session_id, "one", key="k")
    assert backend.cancelled.is_set()
    assert not manager.storage.replies.sessions()
    assert said(manager, session_id) == []
    again = manager.post_message(session_id, "one", key="k")
    assert again.wait(PATIENCE)
    assert said(manager, session_id) == ["one", "You said: one"]
    assert [text for _, text in backend.asked] == ["zero", "one", "one"]
    assert len(backend.histories[-1]) == 2  # it is unknown what the backend remembers of the first


def test_a_backend_that_may_do_more_is_not_asked_what_is_not_saved(manager, backend, session_id, at_save):
    at_save(fail)
    with pytest.raises(StorageError):
        manager.post_message(session_id, "one")
    assert [text for _, text in backend.asked] == ["zero"]
    assert manager.send_message("two", session_id) == "You said: two"


def test_a_page_is_sent_a_message_and_the_beginning_of_its_answer_together(client, manager, session_id):
    client.application.extensions["webchat.chats"]["webchat"].times.beginning = PATIENCE
    tab = OpenTab(client, f"/sessions/{session_id}")
    tab.connect()
    manager.post_message(session_id, "one")
    tab.read(lambda tab: tab.last_status == "complete")
    assert not [event for event in tab.events if 'data-status="waiting"' in event.data]
    tab.close()
