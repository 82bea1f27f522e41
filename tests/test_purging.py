"""Sessions purged together: all of them are removed or none, whatever fails and wherever the process ends."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from tests.processes import another_process, says, tell
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.stored import place_of
from webchat.errors import SessionBusy, StorageError
from webchat.manager import WebChatSessionManager


@pytest.fixture
def folder(home):
    return home / "server" / "web-chat-transcripts"


def with_sessions(home, texts=("one", "two", "three")):
    """A manager, and the ids of sessions with a message each; the first has a copy of a damaged answer as well."""
    manager = WebChatSessionManager(ScriptedBackend(), place_of(home))
    ids = []
    for text in texts:
        ids.append(manager.create_session().session_id)
        manager.send_message(text)
    until(lambda: not manager.answers_in_flight)
    replies = home / "server" / "web-chat-transcripts" / "replies"
    if replies.is_dir():
        (replies / f"{ids[0]}.reply.corrupt-20260101T000000").write_text("words")
    return manager, ids


def texts_of(manager, session_id):
    return [message.content for message in manager.conversation(session_id).messages]


def require_whole(manager, ids):
    """All of them are in the trash, and can be restored with all messages."""
    house = manager.housekeeping
    assert {session.session_id for session in house.trash()} == {*ids}
    house.restore(ids)
    assert [texts_of(manager, name)[0] for name in ids] == ["one", "two", "three"]


def test_one_that_is_still_written_to_keeps_them_all(home):
    manager, ids = with_sessions(home)
    manager.housekeeping.delete(ids)
    release = manager.storage.leases.acquire(ids[2])
    with pytest.raises(SessionBusy):
        manager.housekeeping.purge(ids)
    release()
    require_whole(manager, ids)


@pytest.mark.files
@pytest.mark.parametrize("name", ["replace", "unlink"])
def test_a_file_that_cannot_be_moved_keeps_them_all(home, folder, monkeypatch, name):
    """A failing unlink comes after the commit: the sessions are gone, and the next check removes their files."""
    manager, ids = with_sessions(home)
    manager.housekeeping.delete(ids)
    real, broken = getattr(os, name), [ids[2]]

    def fails(path, *more, **options):
        if broken and broken[0] in str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *more, **options)

    monkeypatch.setattr(os, name, fails)
    if name == "replace":
        with pytest.raises(StorageError):
            manager.housekeeping.purge(ids)
        broken.clear()
        require_whole(manager, ids)
    else:
        manager.housekeeping.purge(ids)
        assert manager.housekeeping.trash() == []
        broken.clear()
        manager.housekeeping.empty_expired()
        assert not [path for path in folder.rglob("*.*") if path.suffix != ".lock"]


@pytest.mark.files
def test_a_list_that_cannot_be_written_keeps_them_all(home, monkeypatch):
    manager, ids = with_sessions(home)
    manager.housekeeping.delete(ids)
    real = os.replace

    def fails(path, to):
        if str(to).endswith("web-chat-sessions.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fails)
        with pytest.raises(StorageError):
            manager.housekeeping.purge(ids)
    require_whole(manager, ids)


PURGE_AND_DIE = """
    import os, sys
    from pathlib import Path
    from tests.scripted import ScriptedBackend
    from webchat.manager import WebChatSessionManager

    def purge(home, left):
        manager = WebChatSessionManager(ScriptedBackend(), Path(home) / "server" / "web-chat-sessions.json")
        ids = [session.session_id for session in manager.housekeeping.trash()]

        def ends(event, arguments):
            nonlocal left
            if event in ("os.rename", "os.remove"):
                if not left:
                    os._exit(9)
                left -= 1

        sys.addaudithook(ends)
        manager.housekeeping.purge(ids)

    for step, home in enumerate(map(str.strip, sys.stdin)):
        child = os.fork()
        if not child:
            purge(home, step)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.files
def test_a_crash_at_any_step_leaves_all_or_nothing(tmp_path):
    outcomes = []
    with another_process(PURGE_AND_DIE) as process:
        for step in range(40):
            home = tmp_path / str(step)
            manager, ids = with_sessions(home)
            manager.housekeeping.delete(ids)
            tell(process, str(home))
            died = says(process) != "0"
            after = WebChatSessionManager(ScriptedBackend(), home / "server" / "web-chat-sessions.json")
            after.housekeeping.take_in()
            gone = not after.housekeeping.trash()
            if gone:
                assert after.housekeeping.adopt() == []
                folder = home / "server" / "web-chat-transcripts"
                assert not [path for path in folder.rglob("*.*") if path.suffix != ".lock"]
            else:
                require_whole(after, ids)
            outcomes.append(gone)
            if not died:
                break
    assert not died
    assert outcomes == sorted(outcomes)
    assert {*outcomes} == {False, True}


def test_a_purge_that_runs_is_not_settled_by_another_process(home, folder, monkeypatch):
    manager, ids = with_sessions(home)
    manager.housekeeping.delete(ids)
    other = WebChatSessionManager(ScriptedBackend(), place_of(home))
    reached, go_on = threading.Event(), threading.Event()
    real = manager.store.remove

    def waits(session_ids):
        reached.set()
        assert go_on.wait(30)
        real(session_ids)

    monkeypatch.setattr(manager.store, "remove", waits)
    thread = threading.Thread(target=manager.housekeeping.purge, args=(ids,))
    thread.start()
    assert reached.wait(30)
    other.housekeeping.empty_expired()
    other.housekeeping.take_in()
    assert other.housekeeping.adopt() == []
    go_on.set()
    thread.join()
    assert not manager.housekeeping.trash()
    assert not [session_id for session_id in ids if manager.storage.has(session_id)]
    assert not [path for path in folder.rglob("*.*") if path.suffix != ".lock"]
