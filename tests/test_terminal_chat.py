"""`webchat chat` in a pseudo-terminal: the page's sessions, live both ways, in a folder and at a server."""

from __future__ import annotations

import shlex
import signal
import sys

import httpx
import pytest

from tests.acp import agents_in
from tests.attacks import ESC
from tests.database import free_port
from tests.other_programs import Programs, claude_rows
from tests.reading import until
from tests.scripted_server import says
from tests.terminals import JSON, MODEL, Terminal, last_messages, whole
from tests.terminals import beside as beside
from tests.terminals import gate as gate
from tests.terminals import model as model
from tests.terminals import model_server as model_server
from tests.terminals import terminal as terminal

pytest.importorskip("prompt_toolkit")
Typing = pytest.importorskip("tests.pseudo_terminal").Typing
READY = "Write a message, or /help."


@pytest.fixture
def chat(terminal):
    """Opens `webchat chat` in a pseudo-terminal."""
    opened = []

    def open_chat(*arguments, at=terminal, **how):
        opened.append(Typing(at.typed("chat", *arguments), **how))
        opened[-1].until(READY[:18])
        return opened[-1]

    yield open_chat
    for typing in opened:
        typing.close()


def test_what_is_said_in_one_appears_in_the_other_as_it_grows(chat, model, beside, gate):
    model.script(whole("# Kettles\n\nThe **first** kettle", gate, " was red.\n"), whole("From the page."))
    typing = chat()
    typing.says("tell me of kettles")
    typing.until("› tell me of kettles", "Kettles", "The **first** kettle")
    until(lambda: last_messages(beside)[-1]["content"].endswith("kettle"))
    gate.set()
    typing.until("The first kettle was red.")
    session_id = beside.get("/api/session").json()["session_id"]
    beside.post(f"/sessions/{session_id}/messages", data={"message": "and on the page?"})
    typing.until("› and on the page?", "From the page.")
    typing.until("tell me of kettles · ")
    assert typing.text.count("› tell me of kettles") == 1
    typing.types("\x04")
    assert typing.end() == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(chat, model, beside, gate):
    model.script(whole("one\n\ntwo", gate, "three"), whole("I am still here."))
    typing = chat()
    typing.says("count")
    typing.until("one", "two", "Ctrl+C stops")
    typing.types("half a line\x03")
    typing.until("(stopped)", "› half a line")
    assert last_messages(beside)[-1]["status"] == "stopped"
    typing.says(" and the rest")
    typing.until("› half a line and the rest", "I am still here.")
    typing.types("\x03")
    typing.until("Ctrl+D leaves.")
    typing.says("/quit")
    assert typing.end() == 0


ENDED_IN_A_TASK = """
import os, signal, sys
from prompt_toolkit.application import get_app
from webchat.terminal.keyboard import EditedLine, View
begun = []
async def end():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
def toolbar():
    begun or begun.append(get_app().create_background_task(end()))
    return ""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
EditedLine(View(list, toolbar, bool), []).line()
"""


def test_a_signal_during_a_task_of_the_input_line_leaves_the_terminal_as_it_was():
    typing = Typing([sys.executable, "-c", ENDED_IN_A_TASK])
    assert typing.end() == 128 + signal.SIGTERM
    assert typing.is_as_before, typing.raw
    assert "Press ENTER" not in typing.text  # as prompt_toolkit says after an error
    typing.close()


@pytest.mark.parametrize("when", ["at the prompt", "during an answer", "while choosing", "on a plain terminal"])
def test_sigterm_leaves_the_terminal_as_it_was(terminal, model, beside, gate, when):
    model.script(whole("one\n\ntwo", gate, "three"))
    options, kind = ["--new"], "dumb" if when == "on a plain terminal" else "xterm-256color"
    if when == "while choosing":
        options = ["--pick"]
        gate.set()
        beside.post("/messages", data={"message": "about kettles"})
    typing = Typing(terminal.typed("chat", *options), TERM=kind)
    typing.until("Which session?" if when == "while choosing" else READY[:18])
    if when == "during an answer":
        typing.says("count")
        typing.until("one", "two")
    elif when != "on a plain terminal":
        until(lambda: not typing.is_as_before)
    typing.process.send_signal(signal.SIGTERM)
    gate.set()
    assert typing.end() == 128 + signal.SIGTERM
    assert typing.is_as_before, typing.raw
    assert "Traceback" not in typing.text
    typing.close()


AS_IT_IS_DRAWN = """
import os, signal, sys
from prompt_toolkit.output import vt100
from webchat.terminal.keyboard import EditedLine, View

flush = vt100.flush_stdout

def flush_and_end(stdout, data):
    flush(stdout, data)
    if "2004h" in data:
        vt100.flush_stdout = flush
        os.kill(os.getpid(), signal.SIGTERM)

vt100.flush_stdout = flush_and_end
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
keyboard = EditedLine(View(list, str, bool), [])
keyboard.line() if sys.argv[1] == "line" else keyboard.pick("Which?", [("a", "A")])
"""


@pytest.mark.parametrize("what", ["line", "pick"])
def test_sigterm_while_it_is_drawn_for_the_first_time_leaves_the_terminal_as_it_was(what):
    typing = Typing([sys.executable, "-c", AS_IT_IS_DRAWN, what])
    assert typing.end() == 143
    assert b"2004h" in typing.raw
    assert typing.is_as_before, typing.raw
    assert "Traceback" not in typing.text
    typing.close()


def test_sessions_are_listed_resumed_and_picked(chat, beside):
    for message in ("about kettles", "about teapots"):
        beside.post("/messages", data={"message": message})
    typing = chat()
    typing.until("› about teapots", "Hello there.")
    typing.says("/sessions")
    typing.until("  2  ")
    typing.says("/resume 2")
    typing.until("› about kettles")
    typing.says("/rename Kettles of old")
    typing.until("Kettles of old · ")
    typing.says("/new")
    typing.until("New session")
    typing.says("a new one")
    typing.until("› a new one")  # as it is typed, and once it is saved
    until(lambda: len(beside.get("/sessions", headers=JSON).json()["sessions"]) == 3)
    typing.says("/delete")
    typing.until("It is in the trash")
    assert len(beside.get("/sessions", headers=JSON).json()["sessions"]) == 2
    kettles = beside.get("/sessions?q=kettles", headers=JSON).json()["sessions"][0]["session_id"]
    chat("--resume", kettles[:12]).until("› about kettles")


def test_sessions_are_found_by_what_was_said_and_resumed_by_number(chat, beside):
    for message in ("about kettles\n\nand a samovar besides", "about teapots"):
        beside.post("/messages", data={"message": message})
    until(lambda: beside.get("/sessions?q=samovar", headers=JSON).json()["hits"])
    typing = chat()
    typing.until("› about teapots", "Hello there.")
    typing.says("/sessions coffee")
    typing.until("Nothing found.")
    typing.says("/sessions samovar")
    typing.until("  1  ", "and a samovar besides")
    typing.says("/resume 1")
    typing.until("› about kettles")


def test_a_list_without_sessions_says_so(chat):
    typing = chat()
    typing.says("/sessions")
    typing.until("There are no sessions yet.")


def test_a_session_is_picked_with_the_keys(terminal, beside):
    for message in ("about kettles", "about teapots"):
        beside.post("/messages", data={"message": message})
    typing = Typing(terminal.typed("chat", "--pick"))
    typing.until("Which session?", "about kettles", "about teapots")
    typing.types("\x1b[B\r")
    typing.until("› about kettles", READY)
    typing.close()


def is_answered(beside, text):
    """Whether this is the complete last answer; its text may be on the screen before it has ended."""
    last = last_messages(beside)[-1]
    return (last["content"], last["status"]) == (text, "complete")


def test_versions_are_made_and_chosen_here_and_on_the_page(chat, model, beside, gate):
    model.script(whole("The first answer.", gate), says("The second answer."), says("About tea, then."))
    typing = chat()
    typing.says("kettles?")
    typing.until("The first answer.")
    typing.says("/retry")
    typing.until("Still answering.")
    gate.set()
    until(lambda: is_answered(beside, "The first answer."))
    typing.says("/retry")
    typing.until("another version", "The second answer.")
    until(lambda: is_answered(beside, "The second answer."))
    typing.says("/branches")
    typing.until("2  version 2 of 2: The second answer.")
    typing.says("/branch 2 1")
    until(lambda: last_messages(beside)[-1]["content"] == "The first answer.")
    typing.says("/edit tea?")
    typing.until("› tea?", "About tea, then.")
    until(lambda: is_answered(beside, "About tea, then."))
    typing.says("/branch 2 1")
    typing.until("This version is shown already.")
    typing.says("/branch 7 7")
    typing.until("Give two numbers")
    typing.says("/fork")
    until(lambda: len(beside.get("/sessions", headers=JSON).json()["sessions"]) == 2)
    typing.says("/nonsense")
    typing.until("/nonsense is not a command")


def test_files_go_with_the_next_message(chat, model, beside, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("the kettle is blue")
    typing = chat()
    typing.says(f"/file {note}")
    typing.until("will be sent with the next message", "1 file ·")
    typing.says("/file /no/such/file")
    typing.until("/no/such/file cannot be read: No such file or directory.")
    typing.says("what colour?")
    typing.until("Hello there.")
    assert "the kettle is blue" in model.questions[-1]["messages"][-1]["content"]
    assert [part["name"] for part in last_messages(beside)[0]["parts"][1:]] == ["note.txt"]
    assert "1 file ·" not in typing.text


def test_nothing_that_a_model_says_acts_on_the_terminal(chat, model):
    attack = f"{ESC}]0;owned\x07{ESC}[2J{ESC}[31m\x9b5A red \u202e turned &#x202e; &#27;]0;owned&#7;"
    link = "[a link](https://example.com/x)"
    model.script(says(f"{attack}\n\n# {attack}\n\n```\n{attack}\n```\n\n- {attack}\n\n{link}\n\nThe end."))
    typing = chat()
    typing.says("attack me")
    typing.until("The end.", "https://example.com/x")
    assert "attack me" in typing.text, "the screen was not cleared"
    assert typing.screen.title == ""
    for acting in (b"\x1b]", b"\x07", b"\x1b[2J", "\x9b".encode(), "\u202e".encode()):
        assert acting not in typing.raw


def test_it_works_in_a_narrow_and_in_a_plain_terminal(chat, model, gate):
    text = "A paragraph of many words that does not fit.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end."
    model.script(says(text), says(text), whole("one\n\ntwo", gate, "three"), says("after it"))
    narrow = chat("--new", columns=24, NO_COLOR="1")
    narrow.says("hi")
    narrow.until("A paragraph of many", "The end.", "\nhi · ")
    assert b"\x1b[3" not in narrow.raw.replace(b"\x1b[39", b""), "no colours were wanted"
    narrow.types("\x04")
    assert narrow.end() == 0
    plain = chat("--new", TERM="dumb")
    plain.says("hi")
    plain.until("A paragraph of many words that does not fit.", "The end.")
    plain.says("/new")
    plain.says("count")
    plain.until("one")
    plain.types("\x03")
    plain.until("(stopped)")
    plain.says("on")
    plain.until("after it")
    assert b"\x1b" not in plain.raw
    plain.types("\x04")
    assert plain.end() == 0


def test_it_says_what_it_needs(terminal):
    code, _, errors = terminal.run("chat")
    assert (code, "needs a terminal" in errors) == (2, True)
    without = "import sys; sys.modules['prompt_toolkit'] = None; from webchat.cli import main; main(sys.argv[1:])"
    typing = Typing([sys.executable, "-c", without, *terminal.arguments("chat")], columns=200)
    typing.until(f"{sys.executable} -m pip install 'webchat[terminal]'")
    assert typing.end() == 1
    typing.close()


def test_a_server_that_comes_back_is_found_again(serve, model, preloaded, chat):
    port = str(free_port())
    first = serve(*MODEL, "--base-url", model.url, "--port", port)
    typing = chat(at=Terminal(preloaded, ["--url", first.url]))
    typing.says("one")
    typing.until("Hello there.")
    first.kill()
    typing.until("Trying again.")
    serve("--backend", "mock", "--port", port)
    until(lambda: "away" not in typing.text.splitlines()[-1], patience=60)
    typing.says("two")
    typing.until("Mock response to: two")


def test_permissions_are_answered_with_a_number(tmp_path, home, serve, preloaded):
    with agents_in(tmp_path) as agents:
        agent = ["--backend", "acp", "--agent", shlex.join(agents.command())]
        terminal = Terminal(preloaded, ["--home", str(home)], agent)
        typing = Typing(terminal.typed("chat"))
        typing.until(READY)
        typing.says("ask")
        typing.until("? Run make", "  1  ", "answer with a number")
        with httpx.Client(base_url=serve(*agent).url, headers=JSON) as beside:
            assert beside.get("/sessions").json()["sessions"][0]["waiting"]
        typing.says("1")
        typing.until("✓ Run make", "Outcome")
        typing.close()
        asking = Typing(terminal.typed("ask", "ask", "--new"))
        asking.until("? Run make", "  1  ")
        asking.says("7")
        asking.until("Answer with a number from 1 to")
        asking.says("1")
        assert asking.end() == 0
        assert "Outcome" in asking.text
        asking.close()


@pytest.mark.parametrize("terminal", ["folder"], indirect=True)
def test_who_leaves_during_an_answer_leaves_it_time_to_end(chat, model, beside, gate):
    model.script(whole("one\n\ntwo", gate, " three"))
    typing = chat()
    typing.says("count")
    typing.until("one", "two")
    typing.types("\x04")
    typing.until("Waiting up to 10 seconds for the answer to end.")
    gate.set()
    assert typing.end() == 0
    answer = last_messages(beside)[-1]
    assert (answer["content"], answer["status"]) == ("one\n\ntwo three", "complete")


def test_a_temporary_one_is_gone_when_it_is_deleted(chat, terminal, beside, home):
    before = beside.get("/api/sessions").json()
    typing = chat("--temporary")
    typing.until("New temporary session")
    typing.says("about xylophones")
    typing.until("Temporary chat · ")
    typing.says("/delete")
    typing.until("It is gone.")
    assert beside.get("/api/sessions").json() == before
    assert not [path for path in home.rglob("*") if path.is_file() and b"xylophone" in path.read_bytes()]


@pytest.fixture
def claude(tmp_path, monkeypatch):
    """A session of Claude Code."""
    programs = Programs(tmp_path / "programs")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(programs.claude))
    return programs.claude_session(claude_rows(programs))


def test_another_programs_session_is_read_and_continued_in_a_copy(claude, chat):
    typing = chat("--resume", "aaaa-1")
    typing.until("› Rename the Dampfschiff module", "Written by Claude Code", "/fork continues in a copy", " · aaaa-1")
    note = claude.with_name("note.txt")
    note.write_text("the kettle is blue")
    typing.says(f"/file {note}")
    typing.until("1 file · ")
    typing.says("may I?")
    typing.until("Press ↑ to get your text back", "1 file · ")
    typing.says("/fork")
    until(lambda: " · aaaa-1" not in typing.text)
    typing.says("and then?")
    typing.until("› and then?", "[file] note.txt", "Hello there.")


def test_what_could_not_be_read_is_said(claude, chat):
    claude.write_text(claude.read_text() + "{broken\n")
    chat("--resume", "aaaa-1").until("Some lines of this conversation could not be read.", "Renamed.")
