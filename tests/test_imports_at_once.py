"""Parallel and interrupted imports: everybody gets their own sessions, and nothing is left behind."""

from __future__ import annotations

import io
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.database import as_if_silent
from tests.processes import another_process
from tests.scripted import ScriptedBackend
from tests.stored import engine_of, place_of
from webchat.errors import LimitReached
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.observer import NoObserver
from webchat.storage import is_database
from webchat.storage.protocols import CLAIMED

IMPORT = """
import os, signal, sys
from webchat.backends.mock import MockBackend
from webchat.errors import LimitReached
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.observer import NoObserver

class EndsAt(NoObserver):
    left = int(sys.argv[3])
    def wrote(self, how, seconds):
        self.left -= how == "replace"
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

manager = WebChatSessionManager(MockBackend(), sys.argv[1], observer=EndsAt())
with open(sys.argv[2], "rb") as file:
    manager.archive.bring_in(file, "ada")
"""
"""An import that dies right after the write with that number.

1 is the claims, 2 starts the order of the list, then come three transcripts: in a database all with one write.
"""
WRITES = [1, 2, 3, *(pytest.param(write, marks=pytest.mark.files) for write in (4, 5))]


@pytest.fixture
def start(home):
    """Starts the chat of this test, as one of its processes."""
    started = []

    def begin(**options):
        started.append(WebChatSessionManager(ScriptedBackend(), place_of(home), **options))
        engine = engine_of(started[-1])
        if not engine.is_for_several:
            engine.adoption.settled = 0.0
        return started[-1]

    yield begin
    for manager in started:
        manager.close()


@pytest.fixture
def is_killed(home, tmp_path):
    """Has another process import a file, which is killed right after its write with that number."""

    def import_until(data, write):
        file = tmp_path / "killed.jsonl"
        file.write_bytes(data)
        with another_process(IMPORT, place_of(home), file, write) as process:
            assert process.wait(60) == -signal.SIGKILL
        if is_database(place_of(home)):
            as_if_silent(place_of(home))  # its locks are kept for a few seconds

    return import_until


def export(who, ids):
    """Our own export with these sessions, whose only message names their owner."""
    lines = []
    for name in ids:
        row = {"session_id": name, "description": f"{name} of {who}", "begun": True}
        row |= {"created_at": "2026-01-01T00:00:00", "last_active": "2026-01-02T00:00:00"}
        lines.append({"type": "session", "format": 1, "session": row, "lines": 1})
        lines.append({"type": "message", "id": "m", "parent": None, "role": "user", "content": f"I am {who}"})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def said(manager, who):
    """The texts of a person's sessions, by title."""
    sessions = manager.list_sessions(who)
    return {
        session.description: [m.content for m in manager.conversation(session.session_id, who).messages]
        for session in sessions
    }


@pytest.fixture
def stored(home):
    """The names under which anything of conversations is stored."""

    def read(manager):
        files = (home / "server" / "web-chat-transcripts").glob("*")
        names = {path.name.removesuffix(".jsonl") for path in files if path.suffix != ".lock"}
        return {*manager.storage.transcripts.sessions(), *names}

    return read


IDS = [f"s{number}" for number in range(40)]
PEOPLE = ["ada", "bob", "cem", "dan", "eve", "fay"]


def test_people_who_import_one_file_at_once_have_all_of_it(start, stored):
    manager, file = start(), export("nobody", IDS)
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        reports = [*pool.map(lambda who: manager.archive.bring_in(io.BytesIO(file), who), PEOPLE)]
    assert [len(report.imported) for report in reports] == [40] * 6
    assert [(report.known, report.problems) for report in reports] == [(0, [])] * 6
    for who in PEOPLE:
        assert said(manager, who) == {f"{name} of nobody": ["I am nobody"] for name in IDS}
    assert len(stored(manager)) == 240


def test_the_same_ids_from_many_processes_are_never_mixed_up(preloaded, start, home, tmp_path):
    """Two people import files with the same ids and their own texts, each from several processes."""
    jobs = []
    for number in range(3):
        ids = [f"f{number}-{name}" for name in IDS[:20]]
        for who in ("ada", "bob"):
            file = tmp_path / f"{who}-{number}.jsonl"
            file.write_bytes(export(who, ids))
            jobs.append(["import", "--home", str(home), "--owner", who, str(file)])
    processes = [preloaded.start(job, os.environ) for job in jobs]
    told = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(jobs)
    assert [lines for lines in told if "20 imported, 0 here already" not in lines] == []
    manager = start()
    for who in ("ada", "bob"):
        expected = {f"f{number}-{name} of {who}": [f"I am {who}"] for number in range(3) for name in IDS[:20]}
        assert said(manager, who) == expected


def test_a_claim_of_somebody_else_may_become_a_session_at_any_time(start, monkeypatch):
    """A database reads each record anew: here the other's import ends between two looks at it."""
    manager = start()
    manager.archive.bring_in(io.BytesIO(export("bob", ["s"])), "bob")
    lookup, claims = manager.storage.sessions.lookup, [{"session_id": "s", "owner": CLAIMED}]
    monkeypatch.setattr(
        manager.storage.sessions, "lookup", lambda: lambda name: claims.pop() if claims else lookup()(name)
    )
    report = manager.archive.bring_in(io.BytesIO(export("ada", ["s"])), "ada")
    assert (len(report.imported), report.known) == (1, 0)
    for who in ("ada", "bob"):
        assert said(manager, who) == {f"s of {who}": [f"I am {who}"]}


def test_the_same_file_twice_at_once_is_imported_once(start):
    manager, file = start(), export("ada", IDS)
    with ThreadPoolExecutor(4) as pool:
        reports = [*pool.map(lambda _: manager.archive.bring_in(io.BytesIO(file), "ada"), range(4))]
    assert sum(len(report.imported) for report in reports) == 40
    assert [len(report.imported) + report.known for report in reports] == [40] * 4
    assert len(said(manager, "ada")) == 40


@pytest.mark.parametrize("write", WRITES)
def test_an_import_killed_at_any_step_leaves_nothing_behind(write, start, is_killed, stored):
    file = export("ada", ["a", "b", "c"])
    is_killed(file, write)
    manager = start()
    assert manager.housekeeping.adopt() == []
    assert manager.list_sessions() == manager.list_sessions("ada") == []
    manager.housekeeping.empty_expired()
    assert not stored(manager)
    assert not manager.storage.sessions.claimed()
    assert len(manager.archive.bring_in(io.BytesIO(file), "ada").imported) == 3


@pytest.mark.parametrize("write", [1, 3])
def test_after_a_kill_anybody_can_import_the_same_and_it_can_be_removed(write, start, is_killed, stored):
    file = export("ada", ["a", "b", "c"])
    is_killed(file, write)
    manager = start()
    for who in ("bob", "ada"):
        assert len(manager.archive.bring_in(io.BytesIO(export(who, ["a", "b", "c"])), who).imported) == 3
    for who in ("bob", "ada"):
        assert said(manager, who) == {f"{name} of {who}": [f"I am {who}"] for name in "abc"}
        ids = [session.session_id for session in manager.list_sessions(who)]
        manager.housekeeping.delete(ids, who)
        manager.housekeeping.purge(ids, who)
    assert not stored(manager)


@pytest.mark.files
def test_a_claim_that_cannot_be_removed_holds_up_nobody_else(start, is_killed, home):
    file = export("ada", ["a", "b", "c"])
    is_killed(file, 1)
    (home / "server" / "web-chat-transcripts" / "b.jsonl").mkdir(parents=True)
    manager = start()
    assert manager.archive.bring_in(io.BytesIO(export("bob", ["d"])), "bob").imported == ["d"]
    again = manager.archive.bring_in(io.BytesIO(file), "ada")
    assert (again.imported, again.known) == (["a", "c"], 0)
    assert again.problems == ["session b was left out: files with its name already exist."]
    (home / "server" / "web-chat-transcripts" / "b.jsonl").rmdir()
    assert manager.archive.bring_in(io.BytesIO(file), "ada").imported == ["b"]


def test_what_is_being_imported_is_seen_by_nobody_and_adopted_by_nobody(start):
    other = start()
    before_last = 3 if engine_of(other).is_for_several else 5  # the last write turns them into sessions
    seen = []

    class Looks(NoObserver):
        def wrote(self, how, seconds):
            if how == "replace" and len(seen) < before_last:
                seen.append((other.housekeeping.adopt(), other.list_sessions(), other.list_sessions("ada")))
                other.housekeeping.empty_expired()

    manager = start(observer=Looks())
    assert len(manager.archive.bring_in(io.BytesIO(export("ada", ["a", "b", "c"])), "ada").imported) == 3
    assert seen == [([], [], [])] * before_last
    assert len(said(other, "ada")) == 3


@pytest.mark.files
def test_a_session_whose_name_is_taken_by_files_is_named_in_the_report(start, home):
    (home / "server" / "web-chat-transcripts" / "b.jsonl").mkdir(parents=True)
    report = start().archive.bring_in(io.BytesIO(export("nobody", "abc")))
    assert (report.imported, report.known) == (["a", "c"], 0)
    assert report.problems == ["session b was left out: files with its name already exist."]


def test_an_import_that_meets_the_limit_says_how_far_it_came(start, stored):
    manager = start(limits=Limits(sessions=120))
    with pytest.raises(LimitReached, match="100 sessions were imported before that"):
        manager.archive.bring_in(io.BytesIO(export("ada", [f"s{number}" for number in range(130)])), "ada")
    assert len(said(manager, "ada")) == 100
    assert len(stored(manager)) == 100


@pytest.mark.files
def test_words_that_lie_there_without_a_record_are_shown_to_nobody_who_imports_their_id(start, home):
    """They are adopted for the single user of a chat without sign-in, not for whoever imports a record."""
    folder = home / "server" / "web-chat-transcripts"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(b'{"role": "user", "content": "somebody else"}\n')
    manager = start()
    (imported,) = manager.archive.bring_in(io.BytesIO(export("ada", ["a"])), "ada").imported
    assert imported != "a"
    assert said(manager, "ada") == {"a of ada": ["I am ada"]}
    assert (folder / "a.jsonl").read_bytes() == b'{"role": "user", "content": "somebody else"}\n'


def test_no_person_can_have_the_name_that_claims_belong_to():
    assert "\0" in CLAIMED
