"""Parallel and interrupted imports: everybody gets their own sessions, and nothing is left behind."""

from __future__ import annotations

import io
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import another_process
from tests.scripted import ScriptedBackend
from webchat.errors import LimitReached
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.observer import NoObserver
from webchat.storage.protocols import CLAIMED

IMPORT = """
import os, signal, sys
from pathlib import Path
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

manager = WebChatSessionManager(MockBackend(), Path(sys.argv[1]) / "web-chat-sessions.json", observer=EndsAt())
with open(sys.argv[2], "rb") as file:
    manager.archive.bring_in(file, "ada")
"""
"""An import that dies right after the write with that number.

1 is the claims, 2 starts the order of the list, then come three transcripts.
"""


def start(home, observer=None):
    return WebChatSessionManager(ScriptedBackend(), home / "web-chat-sessions.json", observer=observer or NoObserver())


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


def files_in(home):
    return sorted(path.name for path in (home / "web-chat-transcripts").glob("*") if path.suffix != ".lock")


IDS = [f"s{number}" for number in range(40)]
PEOPLE = ["ada", "bob", "cem", "dan", "eve", "fay"]


def test_people_who_import_one_file_at_once_have_all_of_it(home):
    manager, file = start(home), export("nobody", IDS)
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        reports = [*pool.map(lambda who: manager.archive.bring_in(io.BytesIO(file), who), PEOPLE)]
    assert [len(report.imported) for report in reports] == [40] * 6
    assert [(report.known, report.problems) for report in reports] == [(0, [])] * 6
    for who in PEOPLE:
        assert said(manager, who) == {f"{name} of nobody": ["I am nobody"] for name in IDS}
    assert len(files_in(home)) == 240


def test_the_same_ids_from_many_processes_are_never_mixed_up(home, tmp_path, preloaded):
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
    assert all("20 imported, 0 here already" in line for line in told)
    manager = start(home / "server")
    for who in ("ada", "bob"):
        expected = {f"f{number}-{name} of {who}": [f"I am {who}"] for number in range(3) for name in IDS[:20]}
        assert said(manager, who) == expected


def test_the_same_file_twice_at_once_is_imported_once(home):
    manager, file = start(home), export("ada", IDS)
    with ThreadPoolExecutor(4) as pool:
        reports = [*pool.map(lambda _: manager.archive.bring_in(io.BytesIO(file), "ada"), range(4))]
    assert sum(len(report.imported) for report in reports) == 40
    assert [len(report.imported) + report.known for report in reports] == [40] * 4
    assert len(said(manager, "ada")) == 40


@pytest.mark.parametrize("write", [1, 2, 3, 4, 5])
def test_an_import_killed_at_any_step_leaves_nothing_behind(home, tmp_path, write):
    file = tmp_path / "three.jsonl"
    file.write_bytes(export("ada", ["a", "b", "c"]))
    with another_process(IMPORT, home, file, write) as process:
        assert process.wait(60) == -signal.SIGKILL
    manager = start(home)
    manager.storage.main.adoption.settled = 0.0
    assert manager.housekeeping.adopt() == []
    assert manager.list_sessions() == manager.list_sessions("ada") == []
    manager.housekeeping.empty_expired()
    assert files_in(home) == []
    assert not manager.storage.sessions.claimed()
    assert len(manager.archive.bring_in(io.BytesIO(file.read_bytes()), "ada").imported) == 3


@pytest.mark.parametrize("write", [1, 4])
def test_after_a_kill_anybody_can_import_the_same_and_it_can_be_removed(home, tmp_path, write):
    file = tmp_path / "three.jsonl"
    file.write_bytes(export("ada", ["a", "b", "c"]))
    with another_process(IMPORT, home, file, write) as process:
        assert process.wait(60) == -signal.SIGKILL
    manager = start(home)
    for who in ("bob", "ada"):
        assert len(manager.archive.bring_in(io.BytesIO(export(who, ["a", "b", "c"])), who).imported) == 3
    for who in ("bob", "ada"):
        assert said(manager, who) == {f"{name} of {who}": [f"I am {who}"] for name in "abc"}
        ids = [session.session_id for session in manager.list_sessions(who)]
        manager.housekeeping.delete(ids, who)
        manager.housekeeping.purge(ids, who)
    assert files_in(home) == []


def test_a_claim_that_cannot_be_removed_holds_up_nobody_else(home, tmp_path):
    file = tmp_path / "three.jsonl"
    file.write_bytes(export("ada", ["a", "b", "c"]))
    with another_process(IMPORT, home, file, 1) as process:
        assert process.wait(60) == -signal.SIGKILL
    (home / "web-chat-transcripts" / "b.jsonl").mkdir(parents=True)
    manager = start(home)
    assert manager.archive.bring_in(io.BytesIO(export("bob", ["d"])), "bob").imported == ["d"]
    again = manager.archive.bring_in(io.BytesIO(file.read_bytes()), "ada")
    assert (again.imported, again.known) == (["a", "c"], 0)
    assert again.problems == ["session b was left out: files with its name already exist."]
    (home / "web-chat-transcripts" / "b.jsonl").rmdir()
    assert manager.archive.bring_in(io.BytesIO(file.read_bytes()), "ada").imported == ["b"]


def test_what_is_being_imported_is_seen_by_nobody_and_adopted_by_nobody(home):
    other = start(home)
    other.storage.main.adoption.settled = 0.0
    seen = []

    class Looks(NoObserver):
        def wrote(self, how, seconds):
            if how == "replace" and len(seen) < 5:  # before the last write, which turns them into sessions
                seen.append((other.housekeeping.adopt(), other.list_sessions(), other.list_sessions("ada")))
                other.housekeeping.empty_expired()

    manager = start(home, Looks())
    assert len(manager.archive.bring_in(io.BytesIO(export("ada", ["a", "b", "c"])), "ada").imported) == 3
    assert seen == [([], [], [])] * 5
    assert len(said(other, "ada")) == 3


def test_a_session_whose_name_is_taken_by_files_is_named_in_the_report(home):
    (home / "web-chat-transcripts" / "b.jsonl").mkdir(parents=True)
    report = start(home).archive.bring_in(io.BytesIO(export("nobody", "abc")))
    assert (report.imported, report.known) == (["a", "c"], 0)
    assert report.problems == ["session b was left out: files with its name already exist."]


def test_an_import_that_meets_the_limit_says_how_far_it_came(home):
    manager = WebChatSessionManager(ScriptedBackend(), home / "web-chat-sessions.json", limits=Limits(sessions=120))
    with pytest.raises(LimitReached, match="100 sessions were imported before that"):
        manager.archive.bring_in(io.BytesIO(export("ada", [f"s{number}" for number in range(130)])), "ada")
    assert len(said(manager, "ada")) == 100
    assert len(files_in(home)) == 100


def test_words_that_lie_there_without_a_record_are_shown_to_nobody_who_imports_their_id(home):
    """They are adopted for the single user of a chat without sign-in, not for whoever imports a record."""
    folder = home / "web-chat-transcripts"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(b'{"role": "user", "content": "somebody else"}\n')
    manager = start(home)
    (imported,) = manager.archive.bring_in(io.BytesIO(export("ada", ["a"])), "ada").imported
    assert imported != "a"
    assert said(manager, "ada") == {"a of ada": ["I am ada"]}
    assert (folder / "a.jsonl").read_bytes() == b'{"role": "user", "content": "somebody else"}\n'


def test_no_person_can_have_the_name_that_claims_belong_to():
    assert "\0" in CLAIMED
