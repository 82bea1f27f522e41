"""A running import reports its progress; cancelled, it keeps what was imported so far."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from bs4 import BeautifulSoup

from tests.conftest import HTMX
from tests.exports import chatgpt_node
from tests.processes import ROOT
from tests.reading import until
from webchat.archive.bounds import Watch
from webchat.storage import storage_at
from webchat.web import running_imports
from webchat.web.running_imports import IMPORTS_PER_CLIENT, TOO_MANY_IMPORTS

JSON = {"Accept": "application/json"}
KEY = "0123456789abcdef"
STOPPED = "What was imported stays; import the file again for the rest."


def many(count=200):
    """Conversations of 20 KB each: several pieces of a file, and several batches."""
    tree = {"a": chatgpt_node("a", None, "user", "x" * 20_000)}
    return json.dumps(
        [{"id": f"c{number}", "title": f"c{number}", "mapping": tree} for number in range(count)]
    ).encode()


def uploaded(data):
    return {"data": {"file": (io.BytesIO(data), "conversations.json")}, "content_type": "multipart/form-data"}


@contextmanager
def held_up(home):
    """For a block, no sessions are put into the registry, so imports wait."""
    with storage_at(home / "server" / "web-chat-sessions.json").importing(10):
        yield


def test_it_is_told_how_far_it_is(manager):
    told = []
    manager.archive.bring_in(
        io.BytesIO(many()), None, Watch(on_progress=lambda watch: told.append((watch.progress, watch.added)))
    )
    assert len(told) > 5
    assert told == sorted(told)
    assert told[-1][0] == 1
    assert len({added for _, added in told}) > 2


def test_cancelled_it_keeps_what_came_and_goes_on_the_next_time(manager):
    def cancel_after_some(watch):
        if watch.added >= 50:
            watch.cancel()

    report = manager.archive.bring_in(io.BytesIO(many()), None, Watch(on_progress=cancel_after_some))
    assert report.problems == [f"Stopped: it was cancelled. {STOPPED}"]
    assert 50 <= len(report.imported) == len(manager.list_sessions()) < 200
    again = manager.archive.bring_in(io.BytesIO(many()))
    assert (again.known, len(again.imported)) == (len(report.imported), 200 - len(report.imported))


@pytest.mark.parametrize("how", ["form", "body"])
def test_a_client_that_has_left_ends_it(client, manager, how):
    def has_gone():
        return bool(manager.list_sessions())

    sent = uploaded(many()) if how == "form" else {"data": many()}
    gone = {"waitress.client_disconnected": has_gone}
    answer = client.post("/sessions/import", headers=JSON, environ_overrides=gone, **sent).json
    assert answer["problems"] == [f"Stopped: the connection was closed. {STOPPED}"]
    assert 0 < len(answer["imported"]) == len(manager.list_sessions()) < 200


def test_the_page_asks_how_far_it_is_and_cancels(client):
    url = f"/sessions/import/{KEY}"
    assert "Uploading" in client.get(url, headers=HTMX).text
    assert client.post(f"{url}/cancel", headers=HTMX).status_code == 204
    assert "Cancelling" in client.get(url, headers=HTMX).text
    answer = client.post(f"/sessions/import?key={KEY}", headers=HTMX, **uploaded(many(3)))
    part = BeautifulSoup(answer.text, "html.parser")
    assert part.select_one("#import [data-say]").text == "0 sessions imported."
    assert "Stopped: it was cancelled." in part.text
    assert "Cancel" not in client.get(url, headers=HTMX).text
    assert client.get("/sessions/import/nobody", headers=HTMX).status_code == 422


def test_a_page_stops_asking_for_an_import_that_a_restart_has_ended(client, home):
    url = f"/sessions/import/{KEY}"
    with ThreadPoolExecutor(1) as pool:
        with held_up(home):
            other = client.application.test_client()
            running = pool.submit(lambda: other.post(f"/sessions/import?key={KEY}", data=many(1)).status_code)
            until(lambda: "Importing" in client.get(url, headers=HTMX).text)
            part = BeautifulSoup(client.get(url, headers=HTMX).text, "html.parser")
        running.result()
    asked = part.select_one("#importProgress")["hx-get"]
    restarted = asked.replace(KEY, "f" * 16)  # a key unknown to this server
    assert 'hx-trigger="load' not in client.get(restarted, headers=HTMX).text


def test_a_page_stops_asking_for_an_import_that_does_not_come(client):
    assert "Uploading" in client.get(f"/sessions/import/{KEY}", headers=HTMX).text
    assert running_imports.Imports(awaited=-1.0).of(None, KEY).is_over
    assert not running_imports.Imports().of(None, KEY).is_over


def test_one_persons_imports_push_out_nobody_elses():
    imports = running_imports.Imports()
    watch = imports.begin("ada", KEY)
    for number in range(300):
        imports.of("bob", f"{number:016x}")
    assert imports.of("ada", KEY) is watch


def test_a_script_cancels(client):
    assert client.post(f"/sessions/import/{KEY}/cancel", headers=JSON).json == {"cancelled": True}
    answer = client.post(f"/sessions/import?key={KEY}", headers=JSON, data=many(3)).json
    assert (answer["imported"], len(answer["problems"])) == ([], 1)


def test_an_import_that_was_cancelled_does_not_cancel_the_next_one_with_its_key(client):
    client.post(f"/sessions/import/{KEY}/cancel", headers=JSON)
    for imported in (0, 3):
        answer = client.post(f"/sessions/import?key={KEY}", headers=JSON, data=many(3)).json
        assert len(answer["imported"]) == imported


def test_a_client_that_imports_too_much_at_once_is_told_to_wait(client, home):
    """Each import holds a thread for as long as it takes."""

    def post(number):
        sent = client.application.test_client().post(f"/sessions/import?key={number:016x}", headers=JSON, data=many(1))
        return sent.status_code

    def is_begun(number):
        return "Importing" in client.get(f"/sessions/import/{number:016x}", headers=HTMX).text

    with ThreadPoolExecutor(IMPORTS_PER_CLIENT) as pool:
        with held_up(home):
            running = [pool.submit(post, number) for number in range(IMPORTS_PER_CLIENT)]
            until(lambda: all(map(is_begun, range(IMPORTS_PER_CLIENT))))
            answer = client.post("/sessions/import", headers=JSON, data=many(1))
            assert (answer.status_code, answer.json["error"]) == (503, TOO_MANY_IMPORTS)
        assert [each.result() for each in running] == [200] * IMPORTS_PER_CLIENT
    assert client.post("/sessions/import", headers=JSON, data=many(1)).json["known"] == 1


def test_the_page_shows_a_form_that_works_without_a_script(client, page):
    (form,) = page("/sessions").soup.select("#importForm")
    assert not form.find_parent(attrs={"hx-ignore": True})
    answer = client.post(form["action"], **uploaded(many(3)))
    soup = BeautifulSoup(answer.text, "html.parser")
    assert (soup.select_one("h1").text, soup.select_one("[data-say]").text) == ("Import", "3 sessions imported.")


def started(home, file, **streams):
    command = [sys.executable, "-m", "webchat", "import", "--home", str(home), str(file)]
    return subprocess.Popen(command, cwd=ROOT, **streams)


def test_at_a_terminal_it_says_how_far_it_is_and_ctrl_c_ends_it(home, tmp_path):
    file = tmp_path / "conversations.json"
    file.write_bytes(many(1500))
    ours, theirs = pty.openpty()
    process = started(home, file, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while not re.search(rb"%, [1-9]\d+ imported", shown):
        shown += os.read(ours, 1000)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0].decode()
    with suppress(OSError):  # at the end, when nobody has the terminal open
        while more := os.read(ours, 1000):
            shown += more
    os.close(ours)
    assert process.returncode == 130
    brought = re.search(r": (\d+) imported, 0 here already", output)
    assert 50 <= int(brought[1]) < 1500
    assert f"Stopped: it was cancelled. {STOPPED}".encode() in shown
    again = started(home, file, stdout=subprocess.PIPE).communicate(timeout=60)[0].decode()
    assert f"{1500 - int(brought[1])} imported, {brought[1]} here already" in again


def test_without_a_terminal_it_is_quiet(home, tmp_path):
    file = tmp_path / "conversations.json"
    file.write_bytes(many(3))
    process = started(home, file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate(timeout=60) == (f"{file}: 3 imported, 0 here already\n".encode(), b"")
