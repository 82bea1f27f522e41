"""An agent's process: started when it is needed, ended with the chat, and replaced after a crash."""

from __future__ import annotations

import json
import os
import signal
import threading

import psutil
import pytest

from tests.acp import AGENT, Reading, agents_in, ask, has_ended, text_of, told
from tests.processes import another_process, says
from tests.reading import until
from webchat import threads
from webchat.errors import BackendUnavailable


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


def new(backend) -> str:
    return backend.create_session("~", "").session_id


def test_a_crash_fails_the_answers_in_it_and_the_next_message_starts_it_again(agents, caplog):
    backend = agents.backend()
    session_id, other = new(backend), new(backend)
    reading = Reading(backend, other, "endless")
    reading.until(lambda piece: isinstance(piece, str))
    with pytest.raises(BackendUnavailable, match="The agent exited unexpectedly") as problem:
        ask(backend, session_id, "die")
    assert "Segmentation" not in str(problem.value)
    assert reading.ended.wait(30)
    assert isinstance(reading.error, BackendUnavailable)
    until(lambda: "Segmentation" in caplog.text)
    assert "sk-verysecretkey" not in caplog.text
    assert text_of(ask(backend, session_id, "hello")) == "You said: hello"


def test_the_log_has_an_agents_last_words_also_where_they_are_read_after_its_end(agents, caplog, monkeypatch):
    start, is_over = threads.start, threading.Event()

    def start_late(target, name, *args):
        def run(*args):
            if name == "agent-stderr":
                is_over.wait(10)
            target(*args)

        start(run, name, *args)

    monkeypatch.setattr(threads, "start", start_late)
    backend = agents.backend()
    session_id = new(backend)
    guard = psutil.Process(told(backend, session_id)["pid"]).ppid()
    with pytest.raises(BackendUnavailable, match="The agent exited unexpectedly"):
        ask(backend, session_id, "die")
    until(lambda: has_ended(guard))
    is_over.set()
    until(lambda: "the agent exited with 3" in caplog.text)
    assert "Segmentation" in caplog.text


def test_an_agent_that_closes_its_output_is_ended(agents):
    backend = agents.backend()
    session_id = new(backend)
    pid = told(backend, session_id)["pid"]
    with pytest.raises(BackendUnavailable, match="exited unexpectedly"):
        ask(backend, session_id, "close-output")
    until(lambda: has_ended(pid))


@pytest.mark.parametrize("command", [["/no/such/agent-program"], ["no-such-agent-program", "--key", "sk-secret"]])
def test_a_command_that_is_not_there_is_named_without_its_arguments(agents, command):
    backend = agents.over([command])
    with pytest.raises(BackendUnavailable, match=r"The command (agent|no-such-agent)-program was not found") as problem:
        ask(backend, new(backend), "hello")
    assert "sk-secret" not in str(problem.value)
    assert "agent-program" in backend.notice
    assert "program" not in backend.check()


def test_a_program_that_cannot_be_run_is_told(agents, tmp_path):
    program = tmp_path / "broken"
    program.write_bytes(b"\x7fELF nothing")
    program.chmod(0o755)
    backend = agents.over([[str(program)]])
    with pytest.raises(BackendUnavailable, match="broken could not be started"):
        ask(backend, new(backend), "hello")


def test_an_agent_that_ends_at_once_is_told_and_its_last_words_logged(agents, caplog):
    backend = agents.backend("--dies")
    with pytest.raises(BackendUnavailable, match="could not be started"):
        ask(backend, new(backend), "hello")
    until(lambda: "no such model" in caplog.text)


def test_an_agent_that_starts_slowly_is_waited_for(agents):
    backend = agents.backend("--slow")
    reading = Reading(backend, new(backend), "hello")
    until(lambda: agents.received("initialize"))
    backend.bounds.start_patience = 0.1
    with pytest.raises(BackendUnavailable, match="Try again later"):
        backend.own_sessions()
    assert [piece.text for piece in reading.pieces] == [f"Starting {AGENT.name}"]
    (agents.folder / "start").touch()
    assert reading.ended.wait(30)
    assert reading.text == "You said: hello"


def test_a_stop_gives_up_an_agent_that_does_not_start(agents):
    backend = agents.backend("--slow")
    first, second = (Reading(backend, new(backend), "hello") for _ in range(2))
    path = agents.folder / "pid"
    until(lambda: first.pieces and second.pieces and path.exists() and path.read_text())
    pid = int(path.read_text())
    first.answer.cancel()
    assert first.ended.wait(30)
    assert not has_ended(pid), "somebody else waits for it"
    second.answer.cancel()
    assert second.ended.wait(30)
    until(lambda: has_ended(pid))
    assert (first.error, second.error) == (None, None)
    (agents.folder / "start").touch()
    assert text_of(ask(backend, new(backend), "hello")) == "You said: hello"


def test_an_agent_whose_start_one_person_gave_up_stays_for_the_others(agents):
    backend = agents.backend("--slow")
    first, second = (Reading(backend, new(backend), "told") for _ in range(2))
    until(lambda: agents.received("initialize") and first.pieces and second.pieces)
    first.answer.cancel()
    assert first.ended.wait(30)
    (agents.folder / "start").touch()
    assert second.ended.wait(30)
    assert told(backend, new(backend))["pid"] == json.loads(second.text)["pid"]


@pytest.mark.parametrize(
    ("switch", "sentence"),
    [
        ("--version-2", "version of the Agent Client Protocol"),
        ("--refuses-to-start", "sign in there. It says: “Authentication required: no key”"),
        ("--no-session", "failed to answer. Try again. It says: “Bad key”"),
    ],
)
def test_an_agent_that_does_not_begin_is_told(agents, switch, sentence):
    backend = agents.backend(switch)
    with pytest.raises(BackendUnavailable, match=sentence):
        ask(backend, new(backend), "hello")


@pytest.mark.parametrize("switch", ["--odd-capabilities", "--odd-start"])
def test_an_agent_that_says_nothing_sensible_of_itself_can_answer(agents, switch):
    backend = agents.backend(switch)
    assert text_of(ask(backend, new(backend), "hello")) == "You said: hello"
    assert (backend.label, backend.own_sessions()) == (AGENT.name, [])


def test_a_session_without_an_id_of_its_own_is_refused(agents):
    backend = agents.backend("--odd-id")
    with pytest.raises(BackendUnavailable, match="no unique id"):
        ask(backend, new(backend), "hello")


def test_two_sessions_never_share_one_of_the_agents(agents):
    backend = agents.backend("--same-id")
    first = new(backend)
    ask(backend, first, "hello")
    with pytest.raises(BackendUnavailable, match="no unique id"):
        ask(backend, new(backend), "hello")
    assert text_of(ask(backend, first, "hello")) == "You said: hello"


def test_what_is_no_message_on_its_output_is_ignored(agents):
    backend = agents.backend("--banner")
    assert text_of(ask(backend, new(backend), "hello")) == "You said: hello"


def test_checking_starts_nothing(agents):
    backend = agents.backend()
    assert (backend.check(), backend.notice) == (None, None)
    assert agents.received("initialize") == []


def test_the_label_is_what_the_agent_calls_itself_once_it_has_said_so(agents):
    backend = agents.backend()
    assert backend.label == AGENT.name
    ask(backend, new(backend), "hello")
    assert backend.label == "Scripted"


def test_closing_ends_the_agent_and_what_it_started(agents):
    backend = agents.backend("--stays")
    session_id = new(backend)
    pid, child = told(backend, session_id)["pid"], int(text_of(ask(backend, session_id, "child")))
    assert os.getpgid(child) == os.getpgid(pid) != os.getpgid(0)
    backend.close()
    until(lambda: has_ended(pid) and has_ended(child))


def test_an_idle_agent_is_ended_and_started_again(agents):
    backend = agents.backend(idle=0.05)
    session_id = new(backend)
    pid = told(backend, session_id)["pid"]
    until(lambda: has_ended(pid))
    assert told(backend, session_id)["pid"] != pid


def test_an_agent_in_use_is_not_idle(agents):
    backend = agents.backend(idle=0.05)
    reading = Reading(backend, new(backend), "endless")
    reading.until(lambda piece: isinstance(piece, str))
    count = len(reading.pieces)
    until(lambda: len(reading.pieces) > count + 30)
    assert not reading.ended.is_set()
    reading.answer.cancel()


def test_the_agent_ends_when_the_server_is_killed(agents):
    code = """
        import json, sys, time
        from webchat.backends.acp import AcpBackend
        backend = AcpBackend([json.loads(sys.argv[1])])
        session_id = backend.create_session("~", "").session_id
        for scene in ("told", "child"):
            answer = "".join(piece for piece in backend.send_message(session_id, scene) if isinstance(piece, str))
            print(json.loads(answer)["pid"] if scene == "told" else answer, flush=True)
        time.sleep(600)
    """
    with another_process(code, json.dumps(agents.command("--stays"))) as server:
        pids = [int(says(server)), int(says(server))]
        server.send_signal(signal.SIGKILL)
        until(lambda: all(map(has_ended, pids)))


def test_the_chats_own_variables_are_not_passed_on(agents, monkeypatch):
    monkeypatch.setenv("WEBCHAT_API_KEY", "sk-planted")
    monkeypatch.setenv("WEBCHAT_TOKEN", "planted")
    monkeypatch.setenv("MODEL_KEY_OF_THE_AGENT", "its own")
    backend = agents.backend()
    environ = told(backend, new(backend))["environ"]
    assert "MODEL_KEY_OF_THE_AGENT" in environ
    assert not [name for name in environ if name.startswith("WEBCHAT_")]
