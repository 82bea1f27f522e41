"""Probes: liveness and readiness, with reasons that anybody may read."""

from __future__ import annotations

import errno
import signal
import threading
from itertools import count

import httpx
import pytest
from flask import Flask

from tests.reading import snapshot, until
from tests.scripted_server import SILENCE, Answer, ScriptedServer, refuses
from tests.test_crash import SLOW, ask
from webchat import create_app, create_blueprint
from webchat.backends.local import LocalModel, from_settings
from webchat.backends.openai import OpenAIModel
from webchat.config import Settings
from webchat.errors import BackendUnavailable
from webchat.models import SMOLLM
from webchat.serving import probes
from webchat.serving.health import Health


@pytest.fixture
def asked_anew(manager):
    """A client of the chat's probes, without their cache."""
    app, moments = Flask("probes"), count(step=6)
    app.register_blueprint(probes.blueprint(Health(manager, clock=lambda: float(next(moments))), None))
    return app.test_client()


def readiness(client):
    answer = client.get("/readyz")
    return answer.status_code, {name: check["reason"] for name, check in answer.json["checks"].items()}


WELL = {"server": None, "store": None, "backend": None}


def test_it_says_that_it_is_alive_and_touches_nothing(client, home, backend):
    backend.check = lambda: "Away."
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert not home.exists()


def test_a_chat_that_could_take_a_message_is_ready(client):
    assert client.get("/readyz").json["status"] == "ready"
    assert readiness(client) == (200, WELL)


@pytest.mark.files
def test_nothing_is_left_of_the_trial_write(client, home):
    assert readiness(client) == (200, WELL)
    assert list(snapshot(home)) == ["server"]
    assert (home / "server").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whoever_asks_for_plain_text_gets_it(client, path):
    as_text = client.get(path, headers={"Accept": "text/plain"})
    assert as_text.mimetype == "text/plain"
    assert as_text.text.split("\n")[0] in ("ok", "ready")
    assert client.get(path, headers={"Accept": "text/html,*/*;q=0.8"}).mimetype == "application/json"
    assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_may_come_by_any_name(client, path):
    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
    assert client.get("/", headers={"Host": "10.1.2.3:8000"}).status_code == 421


@pytest.mark.files
def test_a_store_that_takes_no_writes_is_told_and_recovers_by_itself(home, asked_anew):
    home.mkdir()
    (home / "server").write_text("in the way")
    status, reasons = readiness(asked_anew)
    assert status == 503
    assert reasons == WELL | {"store": "The disk cannot be written: File exists."}
    (home / "server").unlink()
    assert readiness(asked_anew) == (200, WELL)


@pytest.mark.files
def test_a_full_disk_is_a_reason(asked_anew, monkeypatch):
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left", "/home/secret")

    monkeypatch.setattr("os.fsync", full)
    answer = asked_anew.get("/readyz", headers={"Accept": "text/plain"})
    assert answer.status_code == 503
    assert "store: The disk cannot be written: No space left on device." in answer.text
    assert "secret" not in answer.text


@pytest.mark.files
def test_a_disk_with_too_little_left_is_a_reason_before_it_is_full(home, backend):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_MIN_FREE": "1e12"}, backend=backend)
    assert readiness(app.test_client()) == (503, WELL | {"store": "Too little disk space is free."})


@pytest.mark.parametrize(
    "way_in", [{"WEBCHAT_TOKEN": "x" * 20}, {"WEBCHAT_AUTH_HEADER": "X-User", "WEBCHAT_TRUSTED_PROXIES": "10.9.9.9"}]
)
def test_a_probe_does_not_sign_in_and_whoever_reads_the_figures_does(home, backend, way_in):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_METRICS": "on", **way_in}
    client = create_app(values, backend=backend).test_client()
    assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
    assert client.get("/metrics").status_code in (401, 403)


def test_what_keeps_the_backend_from_answering_is_told(backend, asked_anew):
    backend.check = lambda: "The agent sleeps."
    assert readiness(asked_anew) == (503, WELL | {"backend": "The agent sleeps."})
    backend.check = lambda: None
    assert readiness(asked_anew) == (200, WELL)


@pytest.mark.parametrize(
    "error", [RuntimeError("at 10.0.0.1"), ValueError("key-1"), KeyError("x"), BackendUnavailable("at 10.0.0.1")]
)
def test_what_a_check_raises_is_a_plain_sentence(client, backend, error):
    def check() -> str | None:
        raise error

    backend.check = check
    assert readiness(client) == (503, WELL | {"backend": "The model's check failed."})


def test_however_often_somebody_asks_it_looks_every_few_seconds(manager, backend):
    looks, now = [], [0.0]
    backend.check = lambda: looks.append(1)
    health = Health(manager, clock=lambda: now[0])
    for _ in range(20):
        health.reasons()
    assert len(looks) == 1
    now[0] += 6
    health.reasons()
    assert len(looks) == 2


def test_a_check_that_hangs_holds_nobody_and_is_put_once(manager, backend):
    gate, looks, now = threading.Event(), [], [0.0]

    def check() -> None:
        looks.append(1)
        gate.wait()

    backend.check = check
    health = Health(manager, clock=lambda: now[0], patience=0.05)
    for _ in range(3):
        assert health.reasons()["backend"] == "It did not respond in time."
    assert len(looks) == 1
    gate.set()
    until(lambda: health.reasons()["backend"] is None)
    # After a good result, a slow check is no alarm, but one that never returns is.
    gate.clear()
    now[0] += 10
    assert health.reasons()["backend"] is None
    now[0] += 30
    assert health.reasons()["backend"] == "It did not respond in time."
    gate.set()


def test_without_another_thread_it_is_not_ready_and_is_again_later(manager, monkeypatch):
    now = [0.0]
    health = Health(manager, clock=lambda: now[0])
    monkeypatch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no thread")))
    assert health.reasons()["store"] == "There are too many threads."
    monkeypatch.undo()
    now[0] += 6
    assert health.reasons() == WELL


def test_a_server_that_is_about_to_end_takes_nothing_new(client, manager):
    manager.close()
    status, reasons = readiness(client)
    assert (status, reasons["server"]) == (503, "The server is shutting down.")
    assert client.get("/healthz").status_code == 200


def test_the_model_server_is_asked(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ScriptedServer() as server:
        model = OpenAIModel(server.url, "some-model", "key-1")
        assert model.check() is None
        assert [request.path for request in server.requests] == ["/v1/models"]
    assert model.check() == "The model server does not accept connections."
    model.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refuses(401), "The model server does not accept the key."),
        (refuses(403), "The model server does not accept the key."),
        (refuses(429), "The model server is limiting requests."),
        (refuses(500, {"error": "at 10.0.0.1, key-1"}), "The model server responded with HTTP status 500."),
        (refuses(302, "", {"Location": "http://10.0.0.1/"}), "The model server responded with HTTP status 302."),
        (refuses(404), None),
        (Answer([], before=[SILENCE]), "The model server did not respond in time."),
    ],
)
def test_what_the_model_server_answers_is_told_without_names(answer, reason):
    with ScriptedServer() as server:
        server.models_answer = answer
        model = OpenAIModel(server.url, "some-model", "key-1")
        assert model.check(within=0.3 if answer.before else 10) == reason
        model.close()


def test_a_model_server_whose_name_nobody_knows():
    model = OpenAIModel("http://no-such-host.invalid/v1", "some-model")
    assert model.check() == "The model server's host name cannot be resolved."
    model.close()


def test_without_a_model_server_there_is_nobody_to_answer():
    assert OpenAIModel("").check() == "No model server is set."


def test_the_embedded_model_is_ready_when_its_file_is_here(tmp_path, monkeypatch):
    model = LocalModel(tmp_path / "model.gguf", tmp_path)
    assert model.check() == "The model's file is not here."
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert model.check() is None
    assert LocalModel(SMOLLM, tmp_path).check() == "The model's file is not here."
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert from_settings(Settings()).check() == "The embedded model's runtime is not installed."


def test_an_embedding_application_has_probes_of_its_own(manager):
    host = Flask("host")
    host.register_blueprint(create_blueprint(manager), url_prefix="/chat")
    assert host.test_client().get("/chat/healthz").status_code == 404


def test_a_real_server_tells_its_probes_how_it_is(serve):
    server = serve(*SLOW)
    assert httpx.get(f"{server.url}/readyz").json()["status"] == "ready"
    with ask(server) as answer:
        next(answer.iter_text())
        server.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        server.process.send_signal(signal.SIGTERM)


def test_a_real_server_without_its_model_server_is_alive_and_not_ready(serve):
    server = serve("--backend", "openai", "--base-url", "http://127.0.0.1:9/v1")
    told = httpx.get(f"{server.url}/readyz", headers={"Host": "192.0.2.1"})
    assert told.status_code == 503
    assert told.json()["checks"]["backend"]["reason"] == "The model server does not accept connections."
    assert "127.0.0.1" not in told.text
    assert httpx.get(f"{server.url}/healthz").status_code == 200
