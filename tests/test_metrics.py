"""What Prometheus reads at /metrics: one application's counts and times, without any text that somebody typed."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tests.reading import Whole, read_until, until
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.errors import BackendUnavailable, InvalidInput
from webchat.serving.metrics import NOT_INSTALLED

DOCUMENTATION = Path(__file__).parent.parent / "docs" / "reliability.md"


@pytest.fixture
def app(home, backend):
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True, "WEBCHAT_METRICS": "on"}, backend=backend)
    yield app
    app.extensions["webchat"].close()


@pytest.fixture
def client(app):
    app.test_client_class = Whole
    return app.test_client()


def figures(client):
    """Each sample's value, by its name and label values."""
    return read(client.get("/metrics").text)


def read(text):
    return {
        (sample.name.removeprefix("webchat_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


def test_the_documentation_lists_every_figure(client, manager, session_id):
    manager.send_message("one", session_id)
    described = set(re.findall(r"^\| `(webchat_\w+)", DOCUMENTATION.read_text("utf-8"), re.M))
    families = text_string_to_metric_families(client.get("/metrics").text)
    kinds = {"counter": "_total", "gauge": "", "histogram": ""}
    given = {family.name + kinds[family.type] for family in families if not family.name.startswith("process_")}
    assert {name for name in given if not name.endswith("_created")} == described


def test_nobody_is_told_who_has_not_asked_for_it(home, backend):
    client = create_app({"AMPLIFIER_HOME": str(home)}, backend=backend).test_client()
    assert client.get("/metrics").status_code == 404


def test_it_is_the_text_that_prometheus_reads(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert figures(client)["process_resident_memory_bytes",] > 1e6


def test_a_foreign_host_name_is_refused_here_as_elsewhere(client):
    assert client.get("/metrics", headers={"Host": "evil.example"}).status_code == 421


def test_replies_are_counted_by_how_they_ended(client, manager, backend, session_id):
    manager.send_message("one", session_id)
    backend.plays("so far", BackendUnavailable("Away."))
    with pytest.raises(BackendUnavailable):
        manager.send_message("two", session_id)
    backend.plays("so far", threading.Event())
    posted = manager.post_message(session_id, "three")
    posted.wait_for_text(30)
    manager.stop(session_id)
    seen = figures(client)
    assert {status: seen["replies_total", status] for status in ("complete", "failed", "stopped")} == {
        "complete": 1,
        "failed": 1,
        "stopped": 1,
    }
    assert seen["errors_total", "BackendUnavailable", "reply"] == 1
    assert seen["reply_seconds_count",] == 3
    assert seen["reply_first_piece_seconds_count",] == 3


def test_who_waits_for_a_first_piece_is_in_the_queue(client, manager, backend, session_id):
    def queue():
        seen = figures(client)
        return seen["replies_in_flight",], seen["replies_waiting",], seen["reply_first_piece_seconds_count",]

    first, last = threading.Event(), threading.Event()
    backend.plays(first, "so far", last)
    assert queue() == (0, 0, 0)
    posted = manager.post_message(session_id, "one")
    until(lambda: queue() == (1, 1, 0))
    first.set()
    until(lambda: queue() == (1, 0, 1))
    last.set()
    posted.wait()
    assert queue() == (0, 0, 1)


def test_an_answer_without_a_piece_leaves_the_queue_too(client, manager, backend, session_id):
    backend.plays(BackendUnavailable("Away."))
    with pytest.raises(BackendUnavailable):
        manager.send_message("one", session_id)
    seen = figures(client)
    assert seen["replies_in_flight",] == seen["replies_waiting",] == seen["reply_first_piece_seconds_count",] == 0
    assert seen["reply_seconds_count",] == 1


def test_open_streams_are_counted(app, client, session_id):
    assert figures(client)["streams_open",] == 0
    with FlaskClient(app, app.response_class).get(f"/events?session={session_id}") as stream:
        read_until((part.decode() for part in stream.iter_encoded()), lambda text: "open" in text)
        assert figures(client)["streams_open",] == 1
    assert figures(client)["streams_open",] == 0


def test_writes_are_timed(client, manager, session_id):
    def writes():
        seen = figures(client)
        return [seen.get(("store_write_seconds_count", how), 0) for how in ("replace", "append", "reply")]

    before = writes()
    manager.send_message("one", session_id)
    assert all(later > earlier for later, earlier in zip(writes(), before, strict=True))


def test_requests_and_errors_are_counted_by_route_and_kind(client, backend, session_id):
    client.get(f"/sessions/{session_id}")
    client.get("/sessions/unknown-1")
    client.get("/nowhere/at-all")
    client.post(f"/sessions/{session_id}/messages", data={"message": ""})
    backend.fail["create_session"] = KeyError("secret")
    client.post("/api/session")
    seen = figures(client)
    assert seen["requests_total", "webchat.session", "2xx"] == 1
    assert seen["requests_total", "webchat.session", "4xx"] == 1
    assert seen["requests_total", "none", "4xx"] == 1
    assert seen["requests_total", "webchat.api_create", "5xx"] == 1
    kinds = ("SessionNotFound", "NotFound", "InvalidInput", "Unforeseen")
    assert [seen["errors_total", kind, "request"] for kind in kinds] == [1, 1, 1, 1]


def test_no_word_and_no_id_is_in_it(client, session_id):
    client.post(f"/sessions/{session_id}/messages", data={"message": "planted-word"}, headers={"Accept": "text/plain"})
    client.get("/sessions?q=planted-word")
    client.get("/planted-word")
    text = client.get("/metrics").text
    assert "complete" in text
    assert "planted-word" not in text
    assert session_id[:8] not in text


def test_two_applications_in_one_process_count_for_themselves(client, tmp_path):
    values = {"AMPLIFIER_HOME": str(tmp_path / "other"), "WEBCHAT_METRICS": "on"}
    other = create_app(values, backend=ScriptedBackend())
    other.extensions["webchat"].send_message("one", other.extensions["webchat"].create_session().session_id)
    assert figures(other.test_client())["replies_total", "complete"] == 1
    assert ("replies_total", "complete") not in figures(client)


def test_without_the_library_it_says_what_to_install(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InvalidInput, match=r"-m pip install 'webchat\[metrics\]'"):
        create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_METRICS": "on"}, backend=ScriptedBackend())
    create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend())


def test_the_command_says_it_too(home):
    code = "import sys; sys.modules['prometheus_client'] = None; from webchat.cli import main; main()"
    options = ["--backend", "mock", "--home", str(home), "--port", "0", "--metrics", "on"]
    done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert NOT_INSTALLED in done.stderr
    assert "Traceback" not in done.stderr


def test_the_library_is_not_loaded_unless_asked_for():
    code = "import sys, webchat.app; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_a_real_server_is_read_while_it_works(serve):
    server = serve("--backend", "mock", "--mock-delay", "0", "--metrics", "on")
    text = httpx.post(f"{server.url}/messages", data={"message": "hi"}, headers={"Accept": "text/plain"}).text
    assert text == "Mock response to: hi"
    until(lambda: read(httpx.get(f"{server.url}/metrics").text).get(("replies_total", "complete")) == 1)
    until(lambda: read(httpx.get(f"{server.url}/metrics").text)["streams_open",] == 0)
    with httpx.stream("GET", f"{server.url}/events") as stream:
        pieces = stream.iter_text()  # kept: without it, the connection would be closed
        next(pieces)
        assert read(httpx.get(f"{server.url}/metrics").text)["streams_open",] == 1
    until(lambda: read(httpx.get(f"{server.url}/metrics").text)["streams_open",] == 0)
