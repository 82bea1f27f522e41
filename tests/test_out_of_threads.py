"""The system has no more threads or descriptors: messages are kept, and everything continues when it has some again."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable

import httpx
import pytest
from click.testing import CliRunner

from tests.processes import another_process, says, tell
from tests.reading import until
from webchat import WebChatSessionManager
from webchat.cli import main
from webchat.errors import NoThreads

JSON = {"Accept": "application/json"}


@pytest.fixture
def no_thread_for(monkeypatch) -> Callable[[str], None]:
    """Makes the start of threads with this name prefix fail, as with too many threads."""
    refused: list[str] = []
    start = threading.Thread.start

    def begin(thread: threading.Thread) -> None:
        if any(thread.name.startswith(name) for name in refused):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", begin)

    def refuse(*names: str) -> None:
        refused[:] = names

    return refuse


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


@pytest.mark.parametrize("name", ["reply-", "runs"])
def test_a_saved_message_is_answered_when_it_is_sent_again(manager, session_id, home, no_thread_for, name):
    no_thread_for(name)
    with pytest.raises(NoThreads, match="Your message is saved"):
        manager.post_message(session_id, "one", key="k")
    assert not [*home.rglob("*.reply")]
    assert [message.content for message in manager.reader.conversation(session_id).messages] == ["one"]
    no_thread_for()
    again = manager.post_message(session_id, "one", key="k")
    assert again.wait(10)
    assert again.answer.content == "You said: one"
    assert [message.role for message in manager.reader.conversation(session_id).messages] == ["user", "assistant"]


def test_a_script_and_a_page_are_told_to_send_it_again(client, page, session_id, no_thread_for):
    no_thread_for("reply-")
    fields = {"message": "one", "key": "k"}
    told = client.post(f"/sessions/{session_id}/messages", data=fields, headers=JSON)
    assert (told.status_code, told.headers["Retry-After"]) == (503, "5")
    assert "Send it again" in told.json["error"]
    shown = page(client.post(f"/sessions/{session_id}/messages", data=fields))
    assert (shown.response.status_code, shown.field) == (503, "one")
    no_thread_for()
    told = client.post(f"/sessions/{session_id}/messages", data=fields, headers=JSON)
    assert (told.status_code, told.json["response"]) == (200, "You said: one")


@pytest.mark.parametrize("name", ["reply-", "runs"])
def test_a_backend_that_nobody_asked_is_closed_once_when_another_takes_its_place(backend, no_thread_for, name):
    closed = []
    backend.close = lambda: closed.append(True)
    manager = WebChatSessionManager(backend)
    session_id = manager.create_session().session_id
    no_thread_for(name)
    with pytest.raises(NoThreads):
        manager.post_message(session_id, "one")
    no_thread_for()
    manager.use_backend(type(backend)())
    assert closed == [True]
    manager.close()


def test_a_title_that_gets_no_thread_holds_no_backend(backend, no_thread_for):
    closed = []
    backend.close, backend.titles = lambda: closed.append(True), True
    manager = WebChatSessionManager(backend)
    no_thread_for("title-")
    manager.start_conversation("one").wait()
    manager.use_backend(type(backend)())
    assert closed == [True]
    manager.close()


@pytest.mark.parametrize("name", ["embedded model", "output of the embedded model"])
def test_an_embedded_model_that_gets_no_thread_says_so_and_is_started_by_the_next_message(
    stand_in, no_thread_for, name
):
    model = stand_in()
    messages = [{"role": "user", "content": "hello"}]
    no_thread_for(name)
    with pytest.raises(NoThreads):
        list(model.stream(messages))
    no_thread_for()
    assert "You said: hello" in "".join(piece for piece in model.stream(messages) if isinstance(piece, str))


def test_a_command_whose_embedded_model_gets_no_thread_says_so(home, tmp_path, no_thread_for):
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    no_thread_for("embedded model")
    done = CliRunner().invoke(main, ["ask", "--home", str(home), "--model", str(tmp_path / "model.gguf"), "hello"])
    assert (done.exit_code, done.stderr) == (1, "Error: The server has no free thread. Try again in a few seconds.\n")


def test_the_search_goes_on_after_a_failed_start(manager, session_id, no_thread_for):
    manager.send_message("a needle", session_id)
    no_thread_for("search")
    assert not manager.directory.search("needle", 5).complete
    manager.housekeeping.delete([manager.create_session().session_id])  # which makes the index forget removed sessions
    no_thread_for()
    until(lambda: manager.directory.search("needle", 5).hits)


def test_looking_for_servers_without_threads_is_no_fault(client, no_thread_for):
    no_thread_for("ThreadPoolExecutor")
    told = client.get("/apps/settings/servers", headers=JSON)
    assert told.status_code == 503
    assert "no free thread" in told.json["error"]


SERVE = """
import os, pathlib, resource, sys, threading
from webchat import create_app
from webchat.serving import logs
from webchat.serving import server
logs.set_up()
app = create_app({"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock"})
listening = server.listen("127.0.0.1", 0)
print(listening.getsockname()[1])

def limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    for line in sys.stdin:
        if os.geteuid() == 0:  # whom the kernel does not hold to this limit
            for path in (sys.argv[1], *pathlib.Path(sys.argv[1]).rglob("*")):
                os.chown(path, 54321, 54321)
            os.setgroups([]), os.setgid(54321), os.setuid(54321)
        resource.setrlimit(resource.RLIMIT_NPROC, (1 if line.strip() == "full" else soft, hard))
        print(line.strip())

threading.Thread(target=limit, daemon=True).start()
server.run(app, app.extensions["webchat"], listening, max_streams=2, grace=0)
"""


def test_a_real_server_that_gets_no_threads_loses_nothing_and_goes_on():
    # Not pytest's folder, which other users cannot read.
    with tempfile.TemporaryDirectory() as home, another_process(SERVE, home) as process:
        url = f"http://127.0.0.1:{says(process)}"
        session_id = httpx.post(f"{url}/api/session").json()["session_id"]
        # Everything that the first message imports is loaded: the server's user may not read this interpreter's files.
        assert httpx.post(f"{url}/sessions/{session_id}/messages", data={"message": "0"}, headers=JSON).is_success
        assert httpx.post(f"{url}/messages", headers=JSON).status_code == 400
        assert httpx.get(f"{url}/sessions/{session_id}").status_code == 200
        send = {"url": f"{url}/sessions/{session_id}/messages", "data": {"message": "one", "key": "k"}, "headers": JSON}
        tell(process, "full")
        assert says(process) == "full"
        told = httpx.post(**send)
        assert told.status_code == 503, told.text
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/sessions/{session_id}").status_code == 200
        tell(process, "free")
        assert says(process) == "free"
        told = httpx.post(**send)
        assert (told.status_code, told.json()["response"]) == (200, "Mock response to: one")
