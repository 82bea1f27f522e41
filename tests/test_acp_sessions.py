"""An agent's sessions follow the conversation over edits, stops, crashes and restarts."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from tests.acp import Reading, agents_in, ask, text_of, told
from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.backends import Event, SessionOptions
from webchat.backends.acp.records import Record, Records
from webchat.backends.acp.transcript import MOST_TOLD
from webchat.chat.chosen import Chosen
from webchat.conventions import SERVER_DIR, WEB_CHAT_AGENT_SESSIONS_FILENAME
from webchat.errors import BackendUnavailable, InvalidInput, NotYetChosen
from webchat.fileutil import DiskFolder


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


def said(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """A history: the person's messages and the answers, alternating."""
    return [
        {"id": f"{number}{role}", "role": role, "content": text}
        for number, pair in enumerate(pairs)
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


HELLO = ("hello", "You said: hello")


def begun(backend) -> str:
    """A session with a message."""
    session_id = backend.create_session("~", "").session_id
    assert text_of(ask(backend, session_id, "hello")) == HELLO[1]
    return session_id


def last_prompt(agents) -> str:
    return agents.received("session/prompt")[-1]["prompt"][0]["text"]


def test_creating_and_resuming_start_nothing(agents):
    backend = agents.backend()
    session_id = backend.create_session("~", "").session_id
    backend.resume_session(session_id, said(HELLO))
    assert backend.controls(session_id).selects == ()
    assert agents.received("initialize") == []


def test_it_declares_neither_files_nor_terminals(agents):
    begun(agents.backend())
    [initialize] = agents.received("initialize")
    assert initialize["clientCapabilities"] == {
        "fs": {"readTextFile": False, "writeTextFile": False},
        "terminal": False,
    }


def test_a_live_session_goes_on_also_when_its_history_is_told_again(agents):
    backend = agents.backend()
    session_id = begun(backend)
    backend.resume_session(session_id, said(HELLO))
    assert told(backend, session_id)["prompts"] == ["hello", "told"]
    assert (len(agents.received("session/new")), agents.received("session/load")) == (1, [])


def test_white_space_between_parts_makes_no_other_history(agents):
    backend = agents.backend()
    session_id = backend.create_session("~", "").session_id
    assert text_of(ask(backend, session_id, "tool")) == "I look.Two files."
    backend.resume_session(session_id, said(("tool", "I look.\n\nTwo files.")))
    assert told(backend, session_id)["prompts"] == ["tool", "told"]


@pytest.mark.parametrize(
    "history",
    [said(), said(("hullo", "You said: hello")), said(("hello", "Another answer")), said(HELLO, ("and", "so on"))],
)
def test_another_history_than_the_agents_begins_a_session_that_is_told_it(agents, history):
    backend = agents.backend()
    session_id = begun(backend)
    backend.resume_session(session_id, history)
    assert text_of(ask(backend, session_id, "hello again")) == "You said: hello again"
    assert len(agents.received("session/new")) == 2
    prompt = last_prompt(agents)
    assert prompt.endswith("hello again")
    for item in history:
        assert item["content"] in prompt
    assert ("conversation so far" in prompt) == bool(history)
    assert [params["sessionId"] for params in agents.received("session/close")]


def test_of_a_long_history_the_end_is_told_and_that_is_said(agents):
    backend = agents.backend()
    session_id = backend.create_session("~", "").session_id
    backend.resume_session(session_id, said(("first words", "x" * MOST_TOLD), ("last words", "yes")))
    notes = [piece.text for piece in ask(backend, session_id, "hello") if not isinstance(piece, str)]
    assert "left out" in notes[0]
    assert "last words" in last_prompt(agents)
    assert "first words" not in last_prompt(agents)


# Restarts


def test_after_a_restart_the_agents_session_is_loaded_and_its_replay_dropped(agents):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend()
    again.resume_session(session_id, said(HELLO))
    pieces = ask(again, session_id, "hello")
    assert text_of(pieces) == "You said: hello"
    assert len(pieces) <= 2  # nothing of the replay
    assert told(again, session_id)["prompts"] == ["hello", "hello", "told"]
    assert (len(agents.received("session/load")), len(agents.received("session/new"))) == (1, 1)


@pytest.mark.parametrize("switch", ["--late-replay", "--very-late-replay"])
def test_a_replay_behind_the_answer_is_dropped_too(agents, switch):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend(switch)
    again.resume_session(session_id, said(HELLO))
    assert text_of(ask(again, session_id, "hello")) == "You said: hello"
    assert len(agents.received("session/load")) == 1


def test_resume_is_preferred_to_load(agents):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend("--resume")
    again.resume_session(session_id, said(HELLO))
    assert told(again, session_id)["prompts"] == ["hello", "told"]
    assert (len(agents.received("session/resume")), agents.received("session/load")) == (1, [])


def test_an_agent_that_cannot_resume_though_it_says_so_loads(agents):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend("--resume-is-missing")
    again.resume_session(session_id, said(HELLO))
    assert told(again, session_id)["prompts"] == ["hello", "told"]
    assert (len(agents.received("session/resume")), len(agents.received("session/load"))) == (1, 1)


def killed_with(agents, session_id):
    """Make it look as if the server with this session had been killed."""
    agents.close()
    path = agents.records / "web-chat-agent-sessions.json"
    records = json.loads(path.read_text())
    records[session_id]["holder"] = 2**22 + 1  # no process has this id
    path.write_text(json.dumps(records))


@pytest.mark.parametrize("saved", [True, False])
def test_behind_a_kill_only_a_session_that_has_the_last_answer_is_gone_on_with(agents, saved):
    session_id = begun(agents.backend())
    killed_with(agents, session_id)
    again = agents.backend("--resume", *([] if saved else ["--has-saved-nothing"]))
    again.resume_session(session_id, said(HELLO))
    ask(again, session_id, "hello")
    assert agents.received("session/resume") == []
    assert len(agents.received("session/new")) == (1 if saved else 2)


@pytest.mark.parametrize("switch", ["--load-fails", "--no-load", "--gemini"])
def test_what_cannot_be_loaded_begins_anew_and_is_told(agents, switch):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend(switch)
    again.resume_session(session_id, said(HELLO))
    assert text_of(ask(again, session_id, "hello")) == "You said: hello"
    assert "User: hello\n\nYou: You said: hello" in last_prompt(agents)
    assert len(agents.received("session/new")) == 2
    assert len(agents.received("session/load")) == (switch == "--load-fails")


def test_a_session_whose_loading_ends_the_agent_is_loaded_once(agents):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend("--load-dies")
    again.resume_session(session_id, said(HELLO))
    with pytest.raises(BackendUnavailable, match="exited unexpectedly"):
        ask(again, session_id, "hello")
    assert text_of(ask(again, session_id, "hello")) == "You said: hello"
    assert len(agents.received("session/load")) == 1


def test_an_edit_before_the_restart_is_not_loaded(agents):
    session_id = begun(agents.backend())
    agents.close()
    again = agents.backend()
    again.resume_session(session_id, said(("hullo", "You said: hullo")))
    ask(again, session_id, "hello")
    assert agents.received("session/load") == []
    assert "hullo" in last_prompt(agents)


def test_a_server_killed_in_mid_answer_does_not_trust_the_agents_session(agents):
    backend = agents.backend()
    session_id = begun(backend)
    reading = Reading(backend, session_id, "endless")
    reading.until(lambda piece: isinstance(piece, str))
    again = agents.backend()  # the file is as after a kill
    again.resume_session(session_id, said(HELLO))
    assert text_of(ask(again, session_id, "hello")) == "You said: hello"
    assert agents.received("session/load") == []
    reading.answer.cancel()


def test_a_session_that_another_server_holds_is_not_loaded(agents):
    backend = agents.backend()
    session_id = begun(backend)
    agents.close()
    records = Records(DiskFolder(agents.records))
    record = records.get(session_id)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        held = Record(record.agent, record.agent_session, record.cwd, record.known, holder=other.pid)
        records.put(session_id, held)
        again = agents.backend()
        again.resume_session(session_id, said(HELLO))
        ask(again, session_id, "hello")
        other.communicate(b"\n")
    assert agents.received("session/load") == []


def test_the_agents_session_is_kept_after_stop(agents):
    backend = agents.backend()
    session_id = begun(backend)
    reading = Reading(backend, session_id, "endless")
    reading.until(lambda piece: isinstance(piece, str))
    reading.answer.cancel()
    assert reading.ended.wait(30)
    backend.resume_session(session_id, said(HELLO, ("endless", reading.text)))
    assert told(backend, session_id)["prompts"] == ["hello", "endless", "told"]


def test_an_agent_that_forgets_what_was_stopped_is_told_it(agents):
    backend = agents.backend("--gemini")
    session_id, history = stopped(backend)
    backend.resume_session(session_id, history)
    [prompt] = told(backend, session_id)["prompts"]
    assert "User: endless\n\nYou: on and" in prompt


def stopped(backend) -> tuple[str, list[dict[str, str]]]:
    """A session whose last answer was stopped, and its history."""
    session_id = begun(backend)
    reading = Reading(backend, session_id, "endless")
    reading.until(lambda piece: isinstance(piece, str))
    reading.answer.cancel()
    assert reading.ended.wait(30)
    live = backend._sessions.find(session_id).live
    until(lambda: not live.running)
    return session_id, said(HELLO, ("endless", reading.text))


@pytest.mark.parametrize("saved", [True, False])
def test_after_a_stop_and_a_restart_a_session_that_has_what_came_goes_on(agents, saved):
    session_id, history = stopped(agents.backend("--resume"))
    agents.close()
    again = agents.backend("--resume", *([] if saved else ["--has-saved-nothing"]))
    again.resume_session(session_id, history)
    prompts = told(again, session_id)["prompts"]
    assert agents.received("session/resume") == [], "a load alone tells what the agent has saved"
    assert (len(agents.received("session/new")), len(agents.received("session/load"))) == (1 if saved else 2, 1)
    assert (prompts == ["hello", "endless", "told"]) == saved
    assert ("You: on and" in prompts[-1]) == (not saved)


def test_after_a_stop_and_an_agents_idle_end_its_session_goes_on(agents):
    backend = agents.backend(idle=0.1)
    session_id, history = stopped(backend)
    live = backend._sessions.find(session_id).live
    until(lambda: live.connection.is_over)
    backend.resume_session(session_id, history)
    assert told(backend, session_id)["prompts"] == ["hello", "endless", "told"]


def test_after_a_failure_the_agents_session_is_not_used_again(agents):
    backend = agents.backend()
    session_id = begun(backend)
    with pytest.raises(BackendUnavailable):
        ask(backend, session_id, 'fail {"message": "no"}')
    backend.resume_session(session_id, [*said(HELLO), {"id": "q", "role": "user", "content": "fail"}])
    assert told(backend, session_id)["prompts"][0].startswith("This is the conversation so far")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"x": 5, "y": {}}', b"\xff", b"[" * 100_000])
def test_a_damaged_file_costs_the_agents_sessions_only(agents, content):
    session_id = begun(agents.backend())
    agents.close()
    path = agents.records / WEB_CHAT_AGENT_SESSIONS_FILENAME
    path.write_bytes(content)
    again = agents.backend()
    again.resume_session(session_id, said(HELLO))
    assert text_of(ask(again, session_id, "hello")) == "You said: hello"
    assert session_id in json.loads(path.read_text())


def test_a_file_that_cannot_be_written_keeps_nobody_from_answering(agents):
    agents.records.write_text("a file in the folder's place")
    backend = agents.backend()
    session_id = begun(backend)
    assert told(backend, session_id)["prompts"] == ["hello", "told"]


def test_an_ended_session_is_taken_up_again(agents):
    backend = agents.backend()
    session_id = begun(backend)
    backend.end_session(session_id)
    backend.resume_session(session_id, said(HELLO))
    assert told(backend, session_id)["prompts"] == ["hello", "told"]
    assert len(agents.received("session/load")) == 1


# Folders and agents


def test_sessions_work_in_their_folders_in_one_process(agents, tmp_path):
    backend = agents.backend()
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    known = [told(backend, backend.create_session(str(folder), "").session_id) for folder in folders]
    assert [each["cwd"] for each in known] == [str(folder) for folder in folders]
    assert len({each["pid"] for each in known}) == 1


def test_a_folder_is_known_after_a_restart(agents, tmp_path):
    backend = agents.backend()
    session_id = backend.create_session(str(tmp_path), "").session_id
    ask(backend, session_id, "hello")
    agents.close()
    again = agents.backend()
    assert again.resume_session(session_id, said(HELLO)).working_dir == str(tmp_path)
    assert told(again, session_id)["cwd"] == str(tmp_path)


def test_a_session_from_elsewhere_works_in_the_folder_that_its_options_name(agents, tmp_path):
    backend = agents.backend()
    backend.resume_session("from-elsewhere", said(HELLO))
    backend.configure_session("from-elsewhere", SessionOptions(working_dir=str(tmp_path)))
    assert told(backend, "from-elsewhere")["cwd"] == str(tmp_path)


def test_a_folder_that_is_gone_is_told(agents, tmp_path):
    backend = agents.backend()
    session_id = backend.create_session(str(tmp_path / "gone"), "").session_id
    with pytest.raises(BackendUnavailable, match="does not exist"):
        ask(backend, session_id, "hello")
    assert agents.received("initialize") == []


def test_a_session_chooses_its_agent_before_its_first_message(agents):
    backend = agents.over([agents.command(), agents.command("--gemini")])
    first, second = backend.agents
    assert "agent" in backend.session_options
    session_id = backend.create_session("~", "").session_id
    backend.configure_session(session_id, SessionOptions(agent=second))
    ask(backend, session_id, "hello")
    backend.configure_session(session_id, SessionOptions(agent=first))
    pid = told(backend, session_id)["pid"]
    other = backend.create_session("~", "").session_id
    assert told(backend, other)["pid"] != pid
    agents.close()
    again = agents.over([agents.command(), agents.command("--gemini")])
    again.resume_session(session_id, said(HELLO))
    again.configure_session(session_id, SessionOptions(agent=first))
    assert told(again, session_id)["prompts"][0].startswith("This is")  # the second one's sessions are never loaded
    assert len(agents.received("session/load")) == 0


def test_one_agent_is_no_choice(agents):
    assert agents.backend().session_options == {"working_dir"}


# Choices


@pytest.mark.parametrize("switch", ["--modes", "--options"])
def test_modes_and_models_can_be_chosen(agents, switch):
    backend = agents.backend(switch)
    session_id = begun(backend)
    controls = backend.controls(session_id)
    assert {select.id: (select.name, select.value, select.options) for select in controls.selects} == {
        "mode": ("Mode", "ask", (("ask", "Ask"), ("plan", "Plan only"))),
        "model": ("Model", "small", (("small", "Small"), ("large", "Large"))),
    }
    assert controls.commands == (("compact", "Make it short"),)
    backend.set_control(session_id, "mode", "plan")
    backend.set_control(session_id, "model", "large")
    assert told(backend, session_id)["choices"] == {"mode": "plan", "model": "large"}
    assert [select.value for select in backend.controls(session_id).selects] == ["plan", "large"]


@pytest.mark.parametrize(("select", "value"), [("mode", "yolo"), ("nothing", "ask")])
def test_what_is_not_offered_cannot_be_chosen(agents, select, value):
    backend = agents.backend("--modes")
    session_id = begun(backend)
    with pytest.raises(InvalidInput):
        backend.set_control(session_id, select, value)
    assert agents.received("session/set_mode") == []


def test_before_the_agent_has_begun_there_is_nothing_to_choose(agents):
    backend = agents.backend("--modes")
    with pytest.raises(InvalidInput, match="Send a message first"):
        backend.set_control(backend.create_session("~", "").session_id, "mode", "plan")


def test_an_agent_that_does_not_take_the_choice_is_told(agents):
    backend = agents.backend("--modes", "--stubborn")
    session_id = begun(backend)
    with pytest.raises(BackendUnavailable, match="Not now"):
        backend.set_control(session_id, "mode", "plan")
    assert backend.controls(session_id).selects[0].value == "ask"


def test_a_new_session_of_the_agent_works_as_was_chosen(agents):
    backend = agents.backend("--modes")
    session_id = begun(backend)
    backend.set_control(session_id, "mode", "plan")
    backend.resume_session(session_id, said(("hullo", "Hullo.")))
    assert told(backend, session_id)["choices"]["mode"] == "plan"
    agents.close()
    again = agents.backend("--modes", "--no-load")
    again.resume_session(session_id, said(HELLO))
    assert told(again, session_id)["choices"]["mode"] == "plan"


def test_what_was_chosen_on_another_server_is_applied_here(agents):
    backend = agents.backend("--modes")
    session_id = begun(backend)
    backend.set_control(session_id, "model", "large")
    backend.configure_session(session_id, SessionOptions(chosen=Chosen({"mode": "plan"}, 1)))
    assert told(backend, session_id)["choices"] == {"mode": "plan", "model": "large"}
    backend.configure_session(session_id, SessionOptions(chosen=Chosen({"mode": "ask", "model": "large"}, 2)))
    assert told(backend, session_id)["choices"] == {"mode": "ask", "model": "large"}
    elsewhere = agents.backend("--modes", "--no-load")
    elsewhere.resume_session("from elsewhere", said(HELLO))
    elsewhere.configure_session("from elsewhere", SessionOptions(chosen=Chosen({"mode": "plan"}, 1)))
    assert told(elsewhere, "from elsewhere")["choices"]["mode"] == "plan"


PLAN = SessionOptions(chosen=Chosen({"mode": "plan"}, 1))


@pytest.fixture
def planned(agents):
    """A backend and its session, in whose last answer another server's choice, `PLAN`, was applied."""
    backend = agents.backend("--modes")
    session_id = begun(backend)
    backend.configure_session(session_id, PLAN)
    assert told(backend, session_id)["choices"]["mode"] == "plan"
    return backend, session_id


def test_an_older_choice_does_not_undo_a_newer_one(planned):
    backend, session_id = planned
    backend.set_control(session_id, "mode", "ask")
    backend.configure_session(session_id, PLAN)  # as it was read before the choice
    assert told(backend, session_id)["choices"]["mode"] == "ask"


def test_a_mode_that_the_agent_has_left_itself_is_not_set_again(planned, agents):
    backend, session_id = planned
    ask(backend, session_id, "leave")
    assert backend.pending_choices(session_id, PLAN.chosen) == {}
    backend.configure_session(session_id, PLAN)
    assert told(backend, session_id)["choices"]["mode"] == "ask"
    assert len(agents.received("session/set_mode")) == 1


def test_a_fork_works_as_was_chosen_in_its_source(home, agents):
    values = {"WEBCHAT_BACKEND": "acp", "WEBCHAT_AGENT": shlex.join(agents.command("--modes"))}
    manager = create_app({"AMPLIFIER_HOME": str(home), **values}).extensions["webchat"]
    session_id = manager.create_session("~").session_id
    manager.send_message("hello", session_id)
    manager.agents.set_control(session_id, "mode", "plan")
    fork = manager.fork(session_id, manager.conversation(session_id).last.id).session_id
    assert json.loads(manager.send_message("told", fork))["choices"]["mode"] == "plan"
    manager.close()


def test_a_session_of_an_agent_that_is_gone_says_so_and_its_fork_goes_on(agents, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(sys.executable)
    commands = [[str(tmp_path / name), *agents.command()[1:]] for name in ("one", "two")]
    backend = agents.over(commands)
    session_id = backend.create_session().session_id
    backend.configure_session(session_id, SessionOptions(agent="two"))
    ask(backend, session_id, "hello")
    backend.close()
    again = agents.over(commands[:1])
    again.resume_session(session_id, said(HELLO))
    again.configure_session(session_id, SessionOptions(agent="two"))
    with pytest.raises(BackendUnavailable, match=r"by two, which is not set up here\. Fork it to continue with one"):
        ask(again, session_id, "hello")
    again.resume_session("fork", said(HELLO))
    again.configure_session("fork", SessionOptions(agent="two"))
    assert text_of(ask(again, "fork", "hello")) == "You said: hello"


def test_a_choice_that_a_new_session_does_not_take_is_noted(agents):
    backend = agents.backend("--modes")
    session_id = begun(backend)
    backend.set_control(session_id, "mode", "plan")
    agents.close()
    again = agents.backend("--modes", "--no-load", "--stubborn")
    again.resume_session(session_id, said(HELLO))
    [note] = [piece.text for piece in ask(again, session_id, "hello") if not isinstance(piece, str)]
    assert "“Mode”" in note


def late(agents, *switches):
    """A backend and its session, whose agent has not confirmed the mode "plan" in time."""
    backend = agents.backend("--modes", "--late-to-choose", *switches)
    backend.bounds.choice_patience = 0.2
    session_id = begun(backend)
    with pytest.raises(NotYetChosen, match=r"Scripted did not confirm .* with your next message"):
        backend.set_control(session_id, "mode", "plan")
    assert backend.pending_choices(session_id, Chosen()) == {"mode": "plan"}
    return backend, session_id


def notes(backend, session_id):
    return [piece.text for piece in ask(backend, session_id, "hello") if not isinstance(piece, str)]


def test_a_choice_that_is_not_confirmed_in_time_is_tried_again_with_each_message(agents):
    backend, session_id = late(agents)
    for _ in range(2):
        assert notes(backend, session_id) == [
            "Scripted did not confirm “Mode” in time. Your next message sets it again."
        ]
        assert backend.pending_choices(session_id, Chosen()) == {"mode": "plan"}
    (agents.folder / "choose").touch()
    backend.bounds.choice_patience = 15
    assert told(backend, session_id)["choices"]["mode"] == "plan"
    assert backend.pending_choices(session_id, Chosen()) == {}
    tries = len(agents.received("session/set_mode"))
    ask(backend, session_id, "hello")
    assert len(agents.received("session/set_mode")) == tries


def test_a_status_tells_which_choice_is_being_set(agents):
    backend, session_id = late(agents)
    pieces = list(backend.send_message(session_id, "hello"))
    assert pieces[:2] == [
        Event("status", "Setting “Mode”"),
        Event("note", "Scripted did not confirm “Mode” in time. Your next message sets it again."),
    ]


def test_a_mode_that_was_confirmed_late_and_that_the_agent_has_left_is_not_set_again(agents):
    backend = agents.backend("--modes", "--late-to-choose")
    session_id = begun(backend)
    backend.bounds.choice_patience = 0.2
    backend.configure_session(session_id, PLAN)
    reading = Reading(backend, session_id, "leave when told")
    reading.until(lambda piece: isinstance(piece, Event) and "did not confirm" in piece.text)
    (agents.folder / "choose").touch()
    until(lambda: backend.controls(session_id).selects[0].value == "plan")
    (agents.folder / "leave").touch()
    assert reading.ended.wait(30)
    assert backend.pending_choices(session_id, PLAN.chosen) == {}
    assert told(backend, session_id)["choices"]["mode"] == "ask"


def test_a_choice_that_is_refused_late_is_said_not_to_hold(agents):
    backend, session_id = late(agents, "--then-refuses")
    (agents.folder / "choose").touch()
    backend.bounds.choice_patience = 15
    [note] = notes(backend, session_id)
    assert "did not accept “Mode”" in note
    assert backend.pending_choices(session_id, Chosen()) == {}
    assert backend.controls(session_id).selects[0].value == "ask"
    assert notes(backend, session_id) == []


def test_a_choice_that_is_late_in_a_new_session_of_the_agent_is_tried_again(agents):
    _, session_id = late(agents)
    agents.close()
    again = agents.backend("--modes", "--no-load", "--late-to-choose")
    again.bounds.choice_patience = 0.2
    again.resume_session(session_id, said(HELLO))
    assert "did not confirm “Mode”" in notes(again, session_id)[-1]
    (agents.folder / "choose").touch()
    again.bounds.choice_patience = 15
    assert told(again, session_id)["choices"]["mode"] == "plan"


# Sessions of the agent's own


@pytest.fixture
def foreign(agents):
    """The ids of five sessions that the agent has from elsewhere."""
    for number in range(5):
        session = {"cwd": "/", "prompts": [f"question {number}"], "said": [f"answer {number}"]}
        (agents.folder / f"own{number}.session").write_text(json.dumps(session))
    return [f"own{number}" for number in range(5)]


def test_the_agents_own_sessions_are_listed_without_ours(agents, foreign):
    backend = agents.backend()
    begun(backend)
    listed = backend.own_sessions()
    assert [own.id.rpartition("/")[2] for own in listed] == foreign[::-1]
    assert (listed[0].title, listed[0].working_dir) == ("own4", "/")
    assert agents.received("session/load") == []


def test_sessions_in_the_folders_of_ours_are_listed_too(agents, foreign):
    backend = agents.backend("--lists-by-folder")
    assert backend.own_sessions() == []
    ask(backend, backend.create_session("/", "").session_id, "hello")
    listed = backend.own_sessions()
    assert {own.id.rpartition("/")[2] for own in listed} == set(foreign)
    assert backend.bring_in(listed[0].id)[2]


@pytest.mark.parametrize("switch", ["--late-replay", "--very-late-replay"])
def test_one_of_them_is_brought_in_and_goes_on(agents, foreign, switch):
    backend = agents.backend(switch)
    own = backend.own_sessions()[0]
    session_id, described, history = backend.bring_in(own.id)
    assert described == own
    assert history == [
        {"role": "user", "content": "question 4"},
        {"role": "assistant", "content": "Hm.\n\nanswer 4"},
    ]
    assert own.id not in {other.id for other in backend.own_sessions()}
    told_again = [{"id": str(number), **item} for number, item in enumerate(history)]
    backend.resume_session(session_id, told_again)
    assert told(backend, session_id)["session"] == "own4"
    agents.close()
    again = agents.backend()
    again.resume_session(session_id, [*told_again, *said(("told", "whatever was told"))])
    ask(again, session_id, "hello")
    assert len(agents.received("session/load")) == 1


def test_what_the_agent_told_its_model_in_the_persons_name_is_left_out(agents, foreign):
    backend = agents.backend("--reminds")
    _, _, history = backend.bring_in(backend.own_sessions()[0].id)
    assert history[0] == {"role": "user", "content": "question 4"}


def test_a_session_that_another_has_taken_the_place_of_is_still_ours(agents, foreign):
    backend = agents.backend()
    session_id = begun(backend)
    for text in ("hullo", "hallo"):
        backend.resume_session(session_id, said((text, "Yes?")))
        ask(backend, session_id, "hello")
    assert len(agents.received("session/new")) == 3
    assert {own.id.rpartition("/")[2] for own in backend.own_sessions()} == set(foreign)


def test_looking_at_sessions_that_cannot_be_listed_tells_why(agents):
    with pytest.raises(BackendUnavailable, match="sign in there"):
        agents.backend("--refuses-to-start").own_sessions()


@pytest.mark.parametrize("own_id", ["", "x", "python/own9", "nobody/own1"])
def test_what_is_not_listed_is_not_brought_in(agents, foreign, own_id):
    with pytest.raises(InvalidInput, match="no longer exists"):
        agents.backend().bring_in(own_id)


@pytest.mark.parametrize("switch", ["--no-list", "--gemini"])
def test_an_agent_that_does_not_list_or_must_not_load_has_none(agents, foreign, switch):
    assert agents.backend(switch).own_sessions() == []


def test_of_a_session_that_is_gone_nothing_is_kept_here_either(home):
    manager = create_app({"AMPLIFIER_HOME": str(home)}, backend=ScriptedBackend()).extensions["webchat"]
    records = Records(DiskFolder(home).sub(SERVER_DIR))
    one, other, gone = (manager.create_session(owner=owner).session_id for owner in ("ada", "bob", "ada"))
    for number, session_id in enumerate((one, other, gone)):
        records.put(session_id, Record("agent", f"agents-{number}", "/work", "digest"))
    manager.housekeeping.delete([one, gone], "ada")
    manager.housekeeping.purge([gone], "ada")
    manager.housekeeping.empty_expired()
    assert [bool(records.get(name)) for name in (one, other, gone)] == [True, True, False]  # the first can be restored
    assert "agents-2" not in (home / SERVER_DIR / WEB_CHAT_AGENT_SESSIONS_FILENAME).read_text()
    manager.close()


def test_of_a_temporary_session_no_record_is_written(agents):
    backend = agents.backend()
    session_id = backend.create_session("~", "").session_id
    backend.configure_session(session_id, SessionOptions(temporary=True))
    ask(backend, session_id, "hello")
    ask(backend, session_id, "hello again")
    assert len(agents.received("session/new")) == 1, "it goes on in the same one"
    file = agents.records / WEB_CHAT_AGENT_SESSIONS_FILENAME
    assert not file.exists()
    other = begun(backend)
    assert [*json.loads(file.read_text())] == [other]
    backend.configure_session(session_id, SessionOptions())
    ask(backend, session_id, "kept after all")
    assert {*json.loads(file.read_text())} == {other, session_id}


def test_what_was_held_back_ends_with_its_session(agents):
    backend = agents.backend()
    session_id = backend.create_session("~", "").session_id
    backend.configure_session(session_id, SessionOptions(temporary=True))
    ask(backend, session_id, "hello")
    backend.end_session(session_id)
    backend.close()
    assert not (agents.records / WEB_CHAT_AGENT_SESSIONS_FILENAME).exists()
