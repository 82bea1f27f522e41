"""A disk that is full, read-only, gone, inaccessible or slow: what a person sees, and that the chat recovers."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from bs4 import BeautifulSoup

from tests.conftest import HTMX
from tests.exports import CLAUDE
from tests.reading import snapshot, until
from tests.scripted import ScriptedBackend
from webchat.manager import WebChatSessionManager

NOBODY = 65534
PAGES = ("/", "/sessions", "/api/sessions", "/apps/settings/")


@pytest.fixture(autouse=True)
def _no_reserve(monkeypatch):
    """Here the disk is really filled; another test covers the reserve."""
    monkeypatch.setenv("WEBCHAT_MIN_FREE", "0")


def _mounted(path: Path) -> bool:
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(path)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def disk(tmp_path):
    """A small disk for this test, or a folder if none can be mounted."""
    path = tmp_path / "disk"
    mounted = _mounted(path)
    yield path
    if mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def require_disk(disk: Path) -> None:
    if not disk.is_mount():
        pytest.skip("a disk can be mounted by root only")


class Full:
    """Uses up all space on the disk except that many bytes."""

    says = "No space left on device"

    def __init__(self, disk: Path) -> None:
        require_disk(disk)
        self._filler = disk / "filler"

    def begin(self, leave: int = 0) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - leave))

    def end(self) -> None:
        self._filler.unlink()


class ReadOnly:
    says = "Read-only file system"

    def __init__(self, disk: Path) -> None:
        require_disk(disk)
        self._disk = disk

    def begin(self) -> None:
        # Mounted over it: a remount would fail while a file, such as the search index, is open for writing.
        subprocess.run(["mount", "--bind", str(self._disk), str(self._disk)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(self._disk)], check=True)

    def end(self) -> None:
        subprocess.run(["umount", "--lazy", str(self._disk)], check=True)


class Closed:
    """The folder now belongs to somebody else. Since root may do anything, it becomes nobody meanwhile."""

    says = "Permission denied"

    def __init__(self, disk: Path) -> None:
        self._disk = disk

    def begin(self) -> None:
        if os.geteuid():
            self._disk.chmod(0)
        else:
            os.seteuid(NOBODY)

    def end(self) -> None:
        if os.getuid():
            self._disk.chmod(0o700)
        else:
            os.seteuid(0)


class Failing:
    """The disk accepts writes and then fails to store them."""

    says = "Input/output error"

    def __init__(self, disk: Path) -> None:
        self._patch = pytest.MonkeyPatch()

    def begin(self) -> None:
        def fail(fd: int) -> None:
            raise OSError(errno.EIO, "no")

        self._patch.setattr(os, "fsync", fail)

    def end(self) -> None:
        self._patch.undo()


@pytest.fixture(params=[Full, ReadOnly, Closed, Failing], ids=["full", "read-only", "permission lost", "failing"])
def fault(request, disk):
    fault = request.param(disk)
    yield fault
    if isinstance(fault, Closed | Failing):
        fault.end()


@pytest.fixture
def home(disk):
    return disk / "home"


def text_of(answer):
    return BeautifulSoup(answer.get_data(as_text=True), "html.parser").get_text(" ", strip=True)


@pytest.fixture
def session_id(client, manager):
    """A session with an exchange; everything that the first page needs has been loaded."""
    client.post("/messages", data={"message": "one"}, headers=HTMX)
    until(lambda: not manager.answers_in_flight)
    assert [client.get(url).status_code for url in (*PAGES, "/sessions?q=one")] == [200] * 5
    assert client.get("/sessions/nowhere").status_code == 404
    client.post("/sessions/nowhere/messages", data={"message": "one"})
    return manager.active_session_id


def contents(home):
    """All files but the empty locks."""
    return {name: data for name, data in snapshot(home).items() if not name.endswith(".lock")}


def test_a_message_that_cannot_be_saved_stays_with_its_sender(client, manager, home, session_id, fault):
    before, url = contents(home), f"/sessions/{session_id}/messages"
    message = "two " * 2000
    fault.begin()

    fragment = client.post(url, data={"message": message}, headers=HTMX)
    page = client.post(url, data={"message": message})
    json = client.post("/api/chat", json={"message": message, "session_id": session_id})
    fresh = client.post("/messages", data={"message": message}, headers=HTMX)
    made = client.post("/api/session", json={})
    answers = (fragment, page, json, fresh, made)
    assert [answer.status_code for answer in answers] == [507] * 5
    assert all(fault.says in text for text in map(text_of, (fragment, page, fresh)))
    assert fault.says in json.get_json()["error"]
    # For htmx an error has its own place beside the composer; without a script, the page has the text in its form.
    assert "messageInput" not in fragment.get_data(as_text=True)
    assert BeautifulSoup(page.data, "html.parser").select_one("#messageInput").get_text() == message

    fault.end()
    assert contents(home) == before
    assert client.post(url, data={"message": message}, headers=HTMX).status_code == 200
    until(lambda: not manager.answers_in_flight)
    shown = [item.content.strip() for item in manager.conversation(session_id).messages]
    assert shown == ["one", "You said: one", message.strip(), f"You said: {message}".strip()]


def test_what_else_cannot_be_saved_says_so_and_changes_nothing(client, manager, home, session_id, fault):
    client.post("/api/chat", json={"message": "remember: the key is blue"})
    before = contents(home)
    fault.begin()
    answers = [
        client.post(f"/sessions/{session_id}/rename", data={"title": "x" * 150}, headers=HTMX),
        client.post("/apps/settings/", data={"theme": "dark"}, headers=HTMX),
        client.post("/api/chat", json={"message": "remember: the door is red"}),
        client.post("/api/end", json={}),
        client.post("/sessions/delete", data={"id": session_id}, headers=HTMX),
        client.post("/sessions/import", data=json.dumps(CLAUDE), headers={"Accept": "application/json"}),
        client.post("/sessions/import", data={"file": (io.BytesIO(json.dumps(CLAUDE).encode()), "c.json")}),
    ]
    fault.end()
    assert [answer.status_code for answer in answers] == [507] * 7
    assert contents(home) == before
    assert client.post("/apps/settings/", data={"theme": "dark"}, headers=HTMX).status_code == 200


def test_an_import_that_fills_the_disk_says_how_far_it_came_and_goes_on_with_the_same_file(
    client, manager, home, session_id, disk
):
    manager.archive.at_once = 2
    full = Full(disk)
    file = json.dumps([{**CLAUDE[0], "uuid": str(number), "name": "n" * 6000} for number in range(12)])
    file = file.replace("Plan it", "x" * 12_000)
    full.begin(leave=100_000)
    refused = client.post("/sessions/import", data=file, headers={"Accept": "application/json"})
    assert refused.status_code == 507
    came = len(manager.list_sessions()) - 1
    assert 2 <= came < 12
    assert f"{came} sessions were imported before that" in refused.json["error"]
    full.end()
    assert manager.storage.sessions.claimed() == []
    again = client.post("/sessions/import", data=file, headers={"Accept": "application/json"}).json
    assert (len(again["imported"]), again["known"], again["problems"]) == (12 - came, came, [])
    assert len([name for name in contents(home) if name.endswith(".jsonl") and "transcripts" in name]) == 13


@pytest.mark.parametrize("fault", [Full, ReadOnly], ids=["full", "read-only"], indirect=True)
def test_what_is_there_can_be_read(client, session_id, fault):
    fault.begin()
    for url in (*PAGES, f"/sessions/{session_id}", "/sessions?q=one"):
        assert client.get(url).status_code == 200, url
    assert "You said: one" in text_of(client.get(f"/sessions/{session_id}"))
    fault.end()


def test_what_may_not_be_read_says_so_until_it_may(client, session_id, disk):
    closed = Closed(disk)
    closed.begin()
    try:
        answers = [client.get(url) for url in ("/", "/sessions", f"/sessions/{session_id}", "/api/sessions")]
    finally:
        closed.end()
    assert [answer.status_code for answer in answers] == [507] * 4
    assert all(Closed.says in answer.get_data(as_text=True) for answer in answers)
    assert "You said: one" in text_of(client.get(f"/sessions/{session_id}"))


@pytest.mark.parametrize("room", [0, 4096])
def test_a_question_that_was_saved_without_an_answer_is_answered_when_it_is_sent_again(
    client, manager, home, session_id, disk, room
):
    """There may be room for a short question but not for its answer."""
    full, url = Full(disk), f"/sessions/{session_id}/messages"
    full.begin(leave=room)
    form = {"message": "two", "key": "k1"}
    refused = client.post(url, data=form, headers=HTMX)
    full.end()
    if room == 0:
        assert refused.status_code == 507
    assert client.post(url, data=form, headers=HTMX).status_code == 200
    until(lambda: not manager.answers_in_flight)
    shown = [item.content for item in manager.conversation(session_id).messages]
    assert shown == ["one", "You said: one", "two", "You said: two"]


def test_an_answer_that_fills_the_disk_is_kept_whole_and_says_why_it_ended(
    client, manager, backend, session_id, disk, page
):
    manager.reply_times.own_write = 0
    full, gate = Full(disk), threading.Event()
    backend.plays("so far ", gate, "x" * 20_000, "y" * 20_000)
    posted = manager.post_message(session_id, "two")
    until(lambda: posted.run.message.content)
    full.begin()
    gate.set()
    assert posted.run.wait(10)
    assert Full.says in str(posted.error)
    shown = page(f"/sessions/{session_id}").messages[-1]
    assert shown.status == "interrupted"
    assert shown.text.startswith("so far x")
    notes = shown.article.get_text()
    assert "The answer could not be saved: No space left on device. The text so far is kept" in notes
    full.end()
    assert manager.send_message("three", session_id) == "You said: three"
    notes = page(f"/sessions/{session_id}").messages[-3].article.get_text()
    assert "broke off, because it could not be saved: No space left on device." in notes
    assert "The text so far is kept" not in notes
    kept = manager.conversation(session_id).messages
    assert [item.content[:8] for item in kept[-4:]] == ["two", "so far x", "three", "You said"]
    assert kept[-3].content == shown.text
    # Another process sees it too: it is on disk.
    other = WebChatSessionManager(ScriptedBackend(), disk / "home" / "server" / "web-chat-sessions.json")
    assert other.conversation(session_id).messages[-3].content == kept[-3].content


def test_a_whole_answer_that_cannot_be_saved_is_saved_with_the_next_message(
    manager, backend, session_id, page, monkeypatch
):
    gate = threading.Event()
    backend.plays("all ", gate, "of it")
    posted = manager.post_message(session_id, "two")
    until(lambda: posted.run.message.content)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
        gate.set()
        assert posted.run.wait(10)
    assert "Input/output error" in str(posted.error)
    shown = page(f"/sessions/{session_id}").messages[-1]
    assert (shown.status, shown.text) == ("complete", "all of it")
    assert "The answer could not be saved: Input/output error." in shown.article.select_one(".note").get_text()
    assert manager.send_message("three", session_id) == "You said: three"
    contents = [item.content for item in manager.conversation(session_id).messages]
    assert contents == ["one", "You said: one", "two", "all of it", "three", "You said: three"]
    assert "could not be saved" not in text_of(page(f"/sessions/{session_id}").response)


class TestFolderGone:
    @pytest.fixture
    def home(self, tmp_path):
        return tmp_path / "home"

    def test_a_folder_that_was_removed_is_made_anew_by_the_next_message(self, client, manager, home, session_id):
        shutil.rmtree(home)
        assert [client.get(url).status_code for url in PAGES] == [200] * 4
        lost = client.post(f"/sessions/{session_id}/messages", data={"message": "two"})
        assert lost.status_code == 404
        assert BeautifulSoup(lost.data, "html.parser").select_one("#messageInput").get_text() == "two"
        assert client.post("/messages", data={"message": "two"}, headers=HTMX).status_code == 200
        until(lambda: not manager.answers_in_flight)
        assert manager.conversation(manager.active_session_id).last.content == "You said: two"
        assert {path.stat().st_mode & 0o777 for path in (home, home / "server")} == {0o700}

    def test_an_answer_outlives_its_folder(self, manager, backend, home, session_id):
        gate = threading.Event()
        backend.plays("so far", gate, " and on")
        posted = manager.post_message(session_id, "two")
        until(lambda: posted.run.message.content)
        shutil.rmtree(home)
        gate.set()
        assert posted.run.wait(10)
        assert posted.error is None
        assert manager.reader.conversation(session_id).last.content == "so far and on"

    def test_a_disk_that_was_away_is_all_there_when_it_is_back(self, client, manager, home, session_id):
        away = home.with_name("away")
        home.rename(away)
        home.write_text("no folder: nothing can be made here")
        answers = [client.get("/"), client.post(f"/sessions/{session_id}/messages", data={"message": "two"})]
        home.unlink()
        away.rename(home)
        assert [answer.status_code for answer in answers] == [507, 507]
        assert "You said: one" in text_of(client.get("/"))
        assert manager.send_message("two", session_id) == "You said: two"


def test_a_running_servers_housekeeping_goes_on_when_its_folder_is_mended(tmp_path, serve):
    folder = tmp_path / "disk" / "home" / "server" / "web-chat-transcripts"
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder")
    server = serve("--backend", "mock")
    until(lambda: any("housekeeping failed" in line for line in server.errors))
    folder.unlink()
    folder.mkdir()
    (folder / "brought.jsonl").write_text('{"role": "user", "content": "hello"}\n')
    until(lambda: httpx.get(f"{server.url}/api/sessions").json()["sessions"])
    assert sum("housekeeping failed" in line for line in server.errors) == 1


class TestSlow:
    @pytest.fixture
    def home(self, tmp_path):
        return tmp_path / "home"

    def test_who_waits_for_the_disk_holds_no_other_up(self, app, client, manager, session_id, monkeypatch):
        other = manager.create_session().session_id
        waiting, gate, fsync = threading.Event(), threading.Event(), os.fsync

        def slow(fd):
            waiting.set()
            gate.wait(30)
            fsync(fd)

        monkeypatch.setattr(os, "fsync", slow)
        with ThreadPoolExecutor(1) as pool:
            url = f"/sessions/{session_id}/messages"
            posting = pool.submit(app.test_client().post, url, data={"message": "two"}, headers=HTMX, buffered=True)
            assert waiting.wait(10)
            for page in (*PAGES, f"/sessions/{session_id}", f"/sessions/{other}"):
                assert client.get(page).status_code == 200
            assert not posting.done()
            script = {"Accept": "application/json"}
            assert client.post(url, data={"message": "meanwhile"}, headers=script).status_code == 409
            gate.set()
            assert posting.result(30).status_code == 200
        until(lambda: not manager.answers_in_flight)
        assert manager.conversation(session_id).last.content == "You said: two"
