"""The system has no more descriptors: the server accepts fewer connections and recovers; its log stays short."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack

import httpx
import pytest

from tests.processes import another_process, says, tell
from webchat.errors import StorageError

SERVE = """
import resource, sys, threading
from webchat import create_app
from webchat.serving import logs
from webchat.serving import server
logs.set_up()
app = create_app({"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock"})
soft, hard = (int(number) for number in sys.argv[2:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
listening = server.listen("127.0.0.1", 0)
print(listening.getsockname()[1])

def obey():
    for line in sys.stdin:
        # poll() takes no more descriptors than the limit: the server looks at four, one of them the test's connection.
        resource.setrlimit(resource.RLIMIT_NOFILE, (4 if line.strip() == "full" else soft, hard))
        print(line.strip())

threading.Thread(target=obey, daemon=True).start()
server.run(app, app.extensions["webchat"], listening, max_streams=2, grace=0)
"""


def alive(port: int, timeout: float = 60) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=timeout).status_code == 200


def test_connections_leave_descriptors_for_everything_else(home):
    with another_process(SERVE, home, 64, 64) as process, ExitStack() as stack:
        port = int(says(process))
        for _ in range(80):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        assert alive(port)
        sent = {"data": {"message": "hello"}, "headers": {"Accept": "application/json"}}
        assert httpx.post(f"http://127.0.0.1:{port}/messages", **sent).status_code == 200
        process.terminate()
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert errors.count("\n") < 30


def test_of_an_answer_whose_log_cannot_be_opened_nothing_is_left(manager, monkeypatch):
    session_id = manager.create_session().session_id
    opened = os.open

    def refuse(path, *rest, **options):
        if ".reply" in str(path):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened(path, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        with pytest.raises(StorageError):
            manager.post_message(session_id, "hello", key="once")
    manager.post_message(session_id, "hello", key="once").wait()
    shown = manager.conversation(session_id).messages
    assert [(message.content, message.status) for message in shown] == [
        ("hello", "complete"),
        ("You said: hello", "complete"),
    ]


def test_without_a_descriptor_it_waits_says_so_once_and_goes_on(home):
    with another_process(SERVE, home, 256, 256) as process, ExitStack() as stack:
        port = int(says(process))
        stays = httpx.Limits(keepalive_expiry=None)  # by default it would be replaced after five seconds
        kept = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=stays))
        assert kept.get("/healthz").status_code == 200
        tell(process, "full")
        assert says(process) == "full"
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                alive(port, timeout=1.2)
        # Existing connections are served, even with pages.
        assert kept.get("/healthz").status_code == 200
        tell(process, "free")
        assert says(process) == "free"
        assert alive(port)
        process.terminate()
        _, errors = process.communicate(timeout=60)
        assert errors.count("no connection can be accepted") == 1
        assert errors.count("\n") < 100
