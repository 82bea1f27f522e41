"""`webchat ask`: an answer on standard output as it comes, an exit code for every end; in a folder and at a server."""

from __future__ import annotations

import json
import os
import shlex
import subprocess

import httpx
import pytest

from tests.acp import agents_in
from tests.attacks import CORPUS
from tests.processes import ROOT
from tests.reading import snapshot, until
from tests.scripted_server import SILENCE, Answer, delta, refuses
from tests.terminals import JSON, Terminal, last_messages, whole
from tests.terminals import beside as beside
from tests.terminals import gate as gate
from tests.terminals import model as model
from tests.terminals import model_server as model_server
from tests.terminals import terminal as terminal
from tests.test_terminal import acts


def test_the_answer_comes_piece_by_piece_and_open_pages_show_it(terminal, model, beside, gate):
    model.script(whole("one\ntwo ", gate, "three", delta(reasoning_content="hm")))
    process = terminal.start("ask", "count")
    process.until("one\n")
    until(lambda: last_messages(beside)[-1]["content"].startswith("one"))
    assert last_messages(beside)[-1]["status"] == "streaming"
    gate.set()
    code, output, errors = process.end()
    assert (code, output) == (0, "one\ntwo three\n")
    assert errors.startswith("Session ")
    assert [message["content"] for message in last_messages(beside)] == ["count", "one\ntwo three"]


def test_a_model_that_cannot_be_loaded_is_reported_once(home, preloaded, tmp_path):
    pytest.importorskip("xllamacpp")
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(4096))
    terminal = Terminal(preloaded, ["--home", str(home)], ["--backend", "local", "--model", str(damaged)])
    code, output, errors = terminal.run("ask", "hello")
    assert (code, output) == (1, "")
    assert errors.count("The model could not be loaded") == 1
    assert errors.splitlines()[-1].startswith("Error: The model could not be loaded")


def test_the_pipe_is_the_question_or_goes_with_it(terminal, model, beside, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("blue")
    assert terminal.pipe(b"only a pipe", "ask")[0] == 0
    assert last_messages(beside)[0]["content"] == "only a pipe"
    assert terminal.pipe(b"- old\n+ new\n", "ask", "--new", "what changed?", "-f", str(note))[0] == 0
    parts = last_messages(beside)[0]["parts"]
    assert parts[0] == {"type": "text", "text": "what changed?"}
    assert [part["name"] for part in parts[1:]] == ["input.txt", "note.txt"]
    assert "+ new" in model.questions[-1]["messages"][-1]["content"]
    assert "blue" in model.questions[-1]["messages"][-1]["content"]


@pytest.mark.files
def test_a_temporary_question_is_written_nowhere(terminal, beside, home):
    terminal.run("ask", "one")
    before = snapshot(home)
    assert terminal.run("ask", "--temporary", "about xylophones")[0] == 0
    assert snapshot(home) == before
    rows = beside.get("/api/sessions").json()["sessions"]
    assert [row.get("temporary") for row in rows] == ([True, None] if "--url" in terminal.where else [None])
    assert terminal.run("ask", "--temporary", "--session", "abc", "hi")[0] == 2


def test_it_goes_on_in_the_current_session_unless_another_is_named(terminal, beside):
    terminal.run("ask", "one")
    terminal.run("ask", "two")
    assert [message["content"] for message in last_messages(beside)[::2]] == ["one", "two"]
    first = beside.get("/api/session").json()["session_id"]
    assert terminal.run("ask", "--new", "three", "-q")[2] == ""
    assert len(last_messages(beside)) == 2
    assert terminal.run("ask", "--session", first[:12], "four")[0] == 0
    assert [message["content"] for message in last_messages(beside)[::2]] == ["one", "two", "four"]


def test_a_folder_for_a_session_that_is_there_is_refused(terminal, tmp_path):
    terminal.run("ask", "one")
    code, _, errors = terminal.run("ask", "two", "--folder", str(tmp_path))
    assert (code, "only for a new session" in errors) == (2, True)


@pytest.mark.parametrize("closed", ["0", "0 2", "1"])
def test_a_stream_that_is_closed_is_an_empty_one(terminal, beside, closed):
    shut = " ".join(f"{number}>&-" for number in closed.split())
    line = f"exec {shlex.join(terminal.command('ask', 'hello'))} {shut}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert last_messages(beside)[-1]["content"] == "Hello there."
    assert done.stdout == (b"" if "1" in closed else b"Hello there.\n")


def test_a_file_that_cannot_be_read_is_wrong_input(terminal, beside, tmp_path):
    code, output, errors = terminal.run("ask", "look", "-f", str(tmp_path / "none.txt"))
    assert (code, output) == (2, "")
    assert errors.startswith("Error: ")
    assert "none.txt" in errors
    assert terminal.run("ask", "look", "-f", str(tmp_path))[0] == 2
    assert beside.get("/api/session").json()["session_id"] is None


def test_bytes_that_are_not_utf_8_are_sent_as_signs(terminal, beside, tmp_path):
    note = tmp_path / os.fsdecode(b"caf\xe9.txt")
    note.write_text("blue")
    assert terminal.run("ask", os.fsdecode(b"caf\xe9?"), "-f", str(note))[:2] == (0, "Hello there.\n")
    asked = last_messages(beside)[0]
    assert (asked["content"], asked["parts"][1]["name"]) == ("caf\ufffd?", "caf\ufffd.txt")
    code, _, errors = terminal.run("ask", "hi", "--new", "--folder", os.fsdecode(b"/caf\xe9"))
    assert (code, "caf\ufffd" in errors) == (2, True)


def test_json_has_the_whole_answer_and_where_it_is(terminal, beside):
    code, output, _ = terminal.run("ask", "hi", "--json")
    told = json.loads(output)
    assert (code, told["status"], told["response"]) == (0, "complete", "Hello there.")
    answer = beside.get(f"/sessions/{told['session_id']}").json()["messages"][-1]
    assert answer["id"] == told["message_id"]


@pytest.mark.parametrize("way", [[], ["--json"]])
def test_an_answer_that_begins_anew_is_told_apart_from_its_reasoning(terminal, model, beside, gate, way):
    model.script(whole("Let me think of France. It is", gate, "\n</think>\nPar", "is."))

    def has_begun():
        current = beside.get("/api/session").json()["session_id"]
        return bool(current) and "Let me think" in beside.get(f"/sessions/{current}").text

    process = terminal.start("ask", "capital?", *way)
    until(has_begun)
    gate.set()
    code, output, _ = process.end()
    said = json.loads(output)["response"] if way else output.splitlines()[-1]
    assert (code, said) == (0, "Paris.")


def test_nothing_that_a_model_says_acts_on_the_terminal_and_its_reasoning_is_not_printed(terminal, model):
    attacks = "\n".join(attack for attack in CORPUS if "\0" not in attack)
    pieces = [attacks[start : start + 1000] for start in range(0, len(attacks), 1000)]
    model.script(whole(delta(reasoning_content="I think"), *pieces), whole(*pieces))
    code, output, errors = terminal.run("ask", "attack me")
    assert (code, acts(output + errors), "\u241b" in output) == (0, [], True)
    assert "I think" not in output
    output = terminal.run("ask", "again", "--json")[1]
    assert acts(output) == []
    assert "\x1b" in json.loads(output)["response"]


def test_a_failure_is_told_and_what_came_before_it_is_kept(terminal, model, beside):
    model.script(refuses(400, {"error": {"message": "no such model"}}), Answer(["Half a"], ends="cut"))
    code, output, errors = terminal.run("ask", "fail")
    assert (code, output) == (1, "")
    assert "Error: " in errors
    code, output, errors = terminal.run("ask", "fail again")
    assert (code, output) == (1, "Half a\n")
    assert "Error: " in errors
    assert last_messages(beside)[-1]["content"] == "Half a"


def test_ctrl_c_stops_the_answer_and_keeps_what_came(terminal, model, beside, gate):
    model.script(whole("one\nand ", gate, "two"))
    process = terminal.start("ask", "count")
    process.until("one\n")
    until(lambda: last_messages(beside)[-1]["content"] == "one\nand ")
    process.ctrl_c()
    code, output, errors = process.end()
    assert (code, output) == (130, "one\nand \n")
    assert errors.endswith("Stopped. The text so far is kept.\n")
    answer = last_messages(beside)[-1]
    assert (answer["status"], answer["content"]) == ("stopped", "one\nand ")


def test_somebody_else_stops_the_answer(terminal, model, beside, gate):
    model.script(whole("one\n", gate, "two"))
    process = terminal.start("ask", "count")
    process.until("one\n")
    beside.post(f"/sessions/{beside.get('/api/session').json()['session_id']}/stop")
    assert process.end()[:2] == (6, "one\n")


def test_who_reads_no_further_stops_the_answer_without_a_word(terminal, model, beside, gate):
    model.script(whole("one\n", gate, "two\n", SILENCE))
    command = shlex.join(terminal.command("ask", "count", "-q"))
    reader = subprocess.Popen(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert reader.stdout.readline() == b"one\n"
    gate.set()
    assert reader.communicate(timeout=60) == (b"141\n", b"")
    until(lambda: last_messages(beside)[-1]["status"] == "stopped")


def test_nothing_is_asked_while_an_answer_is_being_written(terminal, model, beside, gate):
    model.script(whole("one\n", gate, "two\n"))
    first = terminal.start("ask", "count")
    first.until("one\n")
    code, output, errors = terminal.run("ask", "and you?")
    assert (code, output) == (7, "")
    assert errors == "Error: Still answering. Stop the answer or wait until it ends, then send again.\n"
    gate.set()
    assert first.end()[:2] == (0, "one\ntwo\n")


def test_wrong_usage_is_told(terminal):
    assert terminal.run("ask", "--session", "nosuchsession", "hi")[0] == 3
    assert terminal.run("ask", "--session", "abc", "--new", "hi")[0] == 2
    assert terminal.run("ask", "hi", "-f", "/no/such/file")[0] == 2
    code, _, errors = terminal.run("ask")
    assert (code, errors) == (2, "Error: Write a message first.\n")
    code, _, errors = terminal.pipe(b"\xff\xfe", "ask")
    assert (code, errors) == (2, "Error: The piped input is not UTF-8 text.\n")


def test_a_server_that_dies_has_interrupted_the_answer(model_server, model, gate, preloaded):
    terminal = Terminal(preloaded, ["--url", model_server.url])
    model.script(whole("one\n", gate, "two\n"))
    process = terminal.start("ask", "count")
    process.until("one\n")
    model_server.kill()
    code, output, errors = process.end()
    assert (code, output, errors.splitlines()[-1].startswith("The connection was lost")) == (5, "one\n", True)


def test_a_session_at_a_server_is_given_its_model_and_who_answers_there_is_not_chosen(model_server, model, preloaded):
    terminal = Terminal(preloaded, ["--url", model_server.url])
    assert terminal.run("ask", "hi", "--model", "another")[0] == 0
    assert model.questions[-1]["model"] == "another"
    code, _, errors = terminal.run("ask", "hi", "--backend", "mock")
    assert (code, "--backend selects the backend for a folder" in errors) == (2, True)


@pytest.fixture
def agent(tmp_path, home, serve, preloaded):
    """A terminal on a folder with a scripted agent, and a page of a server on it."""
    with agents_in(tmp_path) as agents:
        command = shlex.join(agents.command())
        server = serve("--backend", "acp", "--agent", command)
        terminals = {
            "folder": Terminal(preloaded, ["--home", str(home)], ["--backend", "acp", "--agent", command]),
            "server": Terminal(preloaded, ["--url", server.url]),
        }
        with httpx.Client(base_url=server.url, headers=JSON) as page:
            yield terminals, page
        for terminal in terminals.values():
            terminal.close()


@pytest.mark.parametrize("place", ["folder", "server"])
def test_a_script_does_not_wait_for_a_permission_unless_it_is_told_to(agent, place):
    terminals, page = agent
    code, output, errors = terminals[place].run("ask", "ask", "--new")
    assert code == 4
    assert "? Run make" in errors
    assert "  1  Allow" in errors
    until(lambda: last_messages(page)[-1]["status"] in ({"stopped"} if place == "folder" else {"waiting", "streaming"}))
    asked = last_messages(page)[-1]["id"]
    code, output, _ = terminals[place].run("ask", "ask", "--new", "--json")
    told = json.loads(output)
    assert (code, told["status"], told["message_id"]) == (4, "waiting", last_messages(page)[-1]["id"])
    assert told["message_id"] != asked
    process = terminals[place].start("ask", "ask", "--new", "--wait")
    process.until("? Run make")
    current = page.get("/api/session").json()["session_id"]
    waiting = page.get(f"/sessions/{current}/waiting").json()["waiting"]
    page.post(f"/sessions/{current}/permissions/{waiting['id']}", data={"option": waiting["options"][0]["id"]})
    code, output, _ = process.end()
    assert (code, "selected" in output) == (0, True)
