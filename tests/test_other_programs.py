"""Other programs' sessions: listed, read, searched, continued in a copy; the originals are never changed."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import HTMX, Page
from tests.other_programs import AMPLIFIER_ROWS, ROOT, THREAD, Programs, claude_rows, codex_rows, everything
from tests.reading import chunks, read_until, until
from webchat import cli, create_app
from webchat.chat.message import Message
from webchat.chat.parts import Note, Reasoning, Text, ToolCall
from webchat.errors import InvalidInput
from webchat.programs import OtherPrograms
from webchat.programs.amplifier import BACKUP_SERVED
from webchat.programs.catalog import DESCRIBED_AT_ONCE
from webchat.programs.notices import Notices
from webchat.programs.program import Described, Read, Spotted

JSON = {"Accept": "application/json"}
AMPLIFIER, CLAUDE, CODEX = f"amplifier.{ROOT}", "claude-code.aaaa-1", f"codex.{THREAD}"
COPIES = ("webchat.copy", "webchat.fork")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    programs = Programs(tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(programs.claude))
    monkeypatch.setenv("CODEX_HOME", str(programs.codex))
    return programs


@pytest.fixture
def home(programs):
    return programs.amplifier


@pytest.fixture
def all_three(programs):
    """One session of each program, Amplifier's the oldest."""
    amplifier = programs.amplifier_session(AMPLIFIER_ROWS, name="A failing test")
    claude = programs.claude_session(claude_rows(programs))
    codex = programs.codex_session(codex_rows(programs))
    for age, path in enumerate((codex, claude, amplifier / "transcript.jsonl")):
        os.utime(path, (1_790_000_000 - 60 * age,) * 2)
    return programs


def listed(client, query=""):
    return client.get(f"/sessions{query}", headers=JSON).json


@pytest.fixture
def hardly_looks(manager, monkeypatch):
    """Without a notification from the system, there is no scan during the test; set when the thread waits for one."""
    waits, wait = threading.Event(), Notices.wait
    manager.programs.longest_pause = 3600.0
    monkeypatch.setattr(Notices, "wait", lambda notices, seconds: (waits.set(), wait(notices, seconds))[1])
    return waits


def test_they_stand_in_the_list_under_program_and_folder(client, all_three):
    rows = listed(client)["sessions"]
    assert [(row["session_id"], row["description"], row.get("program")) for row in rows] == [
        (CODEX, "List files", "Codex"),
        (CLAUDE, "Rename the Dampfschiff module", "Claude Code"),
        (AMPLIFIER, "A failing test", "Amplifier"),
    ]
    assert {row["working_dir"] for row in rows} == {str(all_three.work)}
    page = Page(client.get("/sessions"))
    assert page.soup.select_one("a.row .meta").get_text(" ", strip=True).startswith("Codex work")
    by_folder = Page(client.get("/sessions?by=folder"))
    assert [heading.get_text(strip=True) for heading in by_folder.soup.select(".group h2")] == ["work"]


@pytest.fixture
def command(all_three):
    """Runs a command on the folder: exit code, standard output, standard error."""

    def run(*arguments):
        result = CliRunner().invoke(cli.main, [*arguments, "--home", str(all_three.amplifier)])
        return result.exit_code, result.stdout, result.stderr

    return run


def test_the_terminal_shows_what_it_lists_and_says_that_it_can_only_be_read(command):
    code, output, _ = command("sessions", "list")
    names = [line.split()[0] for line in output.splitlines()]
    assert (code, names) == (0, [THREAD[:8], "aaaa-1", ROOT[:8]])
    assert [line.rpartition("  ")[2] for line in output.splitlines()] == ["(Codex)", "(Claude Code)", "(Amplifier)"]
    for name, words in zip(names, ("List files", "Dampfschiff", "test"), strict=True):
        code, output, errors = command("sessions", "show", name)
        assert (code, words in output) == (0, True), errors
    assert command("sessions", "show", CLAUDE)[0] == 0
    assert command("sessions", "show", "no-such")[0] == 3
    found = [line.split()[0] for line in command("sessions", "search", "Dampfschiff")[1].splitlines()]
    assert set(found) == {"aaaa-1"}
    for arguments in (
        ["ask", "--backend", "mock", "--session", "aaaa-1", "And?"],
        ["sessions", "rename", "aaaa-1", "x"],
    ):
        code, output, errors = command(*arguments)
        assert (code, output) == (7, "")
        assert "you can read it here, but not change it" in errors
        assert "with /fork in “webchat chat”" in errors


def test_a_question_in_one_is_refused_before_a_model_is_started(command, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    code, _, errors = command("ask", "--backend", "local", "--model", str(broken), "--session", "aaaa-1", "And?")
    assert (code, len(errors.splitlines())) == (7, 1), errors
    assert "you can read it here, but not change it" in errors


def test_scripts_are_told_whose_it_is(client, all_three):
    assert client.get(f"/sessions/{CODEX}", headers=JSON).json["program"] == "Codex"


def test_one_programs_can_be_listed_alone(client, all_three):
    client.post("/sessions")
    assert [row["session_id"] for row in listed(client, "?program=claude-code")["sessions"]] == [CLAUDE]
    chips = Page(client.get("/sessions", headers=HTMX)).soup.select(".chip")
    assert {"Amplifier", "Claude Code", "Codex"} <= {chip.get_text(strip=True) for chip in chips}
    narrowed = Page(client.get("/sessions?program=codex", headers=HTMX))
    assert narrowed.soup.select_one("#listProgram")["value"] == "codex"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
@pytest.mark.parametrize("is_new", [False, True])
def test_what_is_written_is_looked_for_when_the_system_tells_of_it(client, all_three, hardly_looks, is_new):
    stream = chunks(client.get("/events"))
    read_until(stream, lambda text: "event: sessions" in text)
    assert hardly_looks.wait(10)
    row = {"type": "custom-title", "customTitle": "Renamed meanwhile"}
    all_three.claude_session([*claude_rows(all_three), row], "new-1" if is_new else "aaaa-1")
    assert "event: sessions" in read_until(stream, lambda text: "event: sessions" in text)
    until(lambda: "Renamed meanwhile" in {found["description"] for found in listed(client)["sessions"]})
    stream.close()


def test_pages_of_the_list_have_each_session_once(client, manager, programs):
    for number in range(70):
        path = programs.claude_session([programs.claude_row(1, None, "user", f"Their {number}")], f"s-{number}")
        os.utime(path, (1_790_000_000 + 2 * number,) * 2)
        info = manager.create_session()
        manager.store.begin(info.session_id, f"Our {number}")
    found, page = [], 0
    while True:
        answer = listed(client, f"?page={page}")
        found += [row["session_id"] for row in answer["sessions"]]
        page += 1
        if not answer["has_more"]:
            break
    assert (len(found), len(set(found)), page) == (140, 140, 3)


def test_what_amplifier_wrote_is_read(manager, all_three):
    conversation = manager.conversation(AMPLIFIER)
    asked, answer = conversation.messages
    assert (asked.content, asked.created_at) == ("Why does the test fail?", "2026-11-01T10:00:00+00:00")
    assert answer.content == "I look.\n\nIt is the **clock**."
    reasoning, first, call, last = answer.parts
    assert reasoning == Reasoning("I should look.")
    assert (first, last) == (Text("I look."), Text("\n\nIt is the **clock**."))
    assert isinstance(call, ToolCall)
    assert (call.title, call.kind, call.status, call.input) == ("bash pytest -x", "execute", "failed", "pytest -x")
    assert call.output[0].text == "1 failed"


def test_what_claude_code_wrote_is_read(manager, all_three):
    asked, answer = manager.conversation(CLAUDE).messages
    assert (asked.content, answer.content, answer.model) == ("Rename the Dampfschiff module", "Renamed.", "claude-x")
    assert [type(part) for part in answer.parts] == [Reasoning, ToolCall, Text]
    assert (answer.parts[1].title, answer.parts[1].output[0].text) == ("Read /w/a.py", "print(1)")


def test_what_codex_wrote_is_read(manager, all_three):
    asked, answer = manager.conversation(CODEX).messages
    assert (asked.content, answer.content, answer.model) == ("List files", "One file.", "gpt-5-codex")
    reasoning, call, _ = answer.parts
    assert reasoning.text == "ls"
    assert (call.title, call.status, call.output[0].text) == ("shell ls -l", "failed", "a.py")


@pytest.mark.parametrize("name", [CLAUDE, CODEX])
def test_an_import_of_the_same_file_says_the_same(manager, all_three, name):
    [path] = (all_three.claude if name == CLAUDE else all_three.codex).rglob("*.jsonl")
    [imported] = manager.archive.bring_in(io.BytesIO(path.read_bytes())).imported

    def said(session_id):
        messages = manager.conversation(session_id).messages
        calls = [part for message in messages for part in message.parts if isinstance(part, ToolCall)]
        told = [(message.role, message.content, message.reasoning, message.model) for message in messages]
        return told, [(call.title, call.input, call.status, call.output[0].text) for call in calls]

    assert said(name) == said(imported)


def test_the_page_can_be_read_and_not_written(client, all_three):
    page = Page(client.get(f"/sessions/{AMPLIFIER}"))
    assert [message.role for message in page.messages] == ["user", "assistant"]
    assert page.soup.select_one("details.card .title").get_text() == "bash pytest -x"
    assert page.soup.select_one("details.reasoning") is not None
    assert page.soup.select_one("form.continue-here")["action"] == f"/sessions/{AMPLIFIER}/copy"
    assert page.soup.select_one("#messageInput") is None
    actions = {form["action"].rpartition("/")[2] for form in page.soup.select("article form")}
    assert actions == {"fork"}, "no retry, no edit, no other version"
    assert page.soup.select_one('a[href$="/edit"]') is None
    assert page.soup.select_one("#badge .name").get_text() == "A failing test"
    assert page.soup.select_one("#badge a") is None, "its title is not ours to change"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("messages", {"message": "x"}),
        ("resume", {}),
        ("end", {}),
        ("stop", {}),
        ("options", {"model": "x"}),
        ("rename", {"title": "x"}),
        ("delete", {}),
    ],
)
def test_nothing_is_written_into_them(client, all_three, path, fields):
    before = everything(all_three.amplifier / "projects")
    answer = client.post(f"/sessions/{AMPLIFIER}/{path}", data=fields, headers=JSON)
    assert answer.status_code == 409
    assert "another program's" in answer.json["error"]
    assert everything(all_three.amplifier / "projects") == before


def test_any_write_but_a_copy_is_refused(app, client, all_three):
    message_id = client.get(f"/sessions/{AMPLIFIER}", headers=JSON).json["messages"][0]["id"]
    values = {"session_id": AMPLIFIER, "message_id": message_id, "key": "k", "name": "p"}
    fields = {"message": "x", "title": "x", "option": "yes", "mode": "plan", "model": "x"}
    told = {}
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods and "session_id" in rule.arguments and rule.endpoint not in COPIES:
            for action in re.findall(r"\w+", re.search(r"<any\(([^)]*)|$", rule.rule)[1] or "_"):
                path = re.sub(r"<any[^>]*>", action, rule.rule)
                path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], path)
                told[path] = client.post(path, data=fields, headers=JSON).status_code
    assert len(told) > 20
    assert {path: status for path, status in told.items() if status != 409} == {}


def test_its_skip_link_leads_somewhere(client, all_three):
    for path in (f"/sessions/{CODEX}", "/sessions", "/"):
        page = Page(client.get(path))
        link = page.soup.select_one("a.skip")
        assert page.soup.select_one(link["href"]), (path, link)


def test_its_row_is_in_line_with_those_that_can_be_chosen(client, manager, all_three):
    manager.send_message("Ours", manager.create_session().session_id)
    rows = Page(client.get("/sessions")).soup.select(".group li")
    assert [len(row.select(".pick")) for row in rows] == [1] * 4
    alone = Page(client.get("/sessions?program=codex")).soup.select(".group li")
    assert [len(row.select(".pick")) for row in alone] == [0]


@pytest.mark.parametrize(("form", "begin"), [("md", "# A failing test"), ("html", "<!doctype html>")])
def test_it_is_exported_for_reading(client, command, form, begin):
    answer = client.get(f"/sessions/{AMPLIFIER}/export?format={form}")
    assert (answer.status_code, answer.text.startswith(begin)) == (200, True)
    assert answer.headers["Content-Disposition"] == f"attachment; filename=A-failing-test.{form}"
    page = Page(client.get(f"/sessions/{AMPLIFIER}"))
    assert page.soup.select_one(f'.hint a[href$="format={form}"]')
    for words in ("Why does the test fail?", "Amplifier", "pytest -x", "I should look.", "clock"):
        assert words in answer.text
    for given in (AMPLIFIER, ROOT[:8]):
        assert command("export", given, "--format", form) == (0, answer.text, "")


def test_what_another_program_said_has_its_name(client, all_three):
    assert "\n## Codex (gpt-5-codex), " in client.get(f"/sessions/{CODEX}/export?format=md").text


def test_a_screen_reader_hears_which_program_answered(client, all_three):
    page = Page(client.get(f"/sessions/{CODEX}"))
    assert {heading.get_text() for heading in page.soup.select(".message h2")} == {"You", "Codex"}


def test_it_is_not_exported_for_an_import(client, command):
    answer = client.get(f"/sessions/{CODEX}/export", headers=JSON)
    assert answer.status_code == 409
    assert "only as Markdown or HTML" in answer.json["error"]
    code, output, errors = command("export", CODEX)
    assert (code, answer.json["error"] in errors) == (1, True), output


@pytest.mark.parametrize("action", ["pin", "archive", "delete"])
def test_what_is_done_with_all_of_the_list_leaves_them_out(client, manager, all_three, action):
    mine = client.post("/messages", data={"message": "mine"}, headers=JSON).json["session_id"]
    answer = client.post(f"/sessions/{action}", data={"all": "yes"}, headers=JSON)
    assert (answer.status_code, answer.json["sessions"]) == (200, [mine])
    assert len(listed(client)["sessions"]) == (4 if action == "pin" else 3)
    named = client.post(f"/sessions/{action}", data={"id": [AMPLIFIER]}, headers=JSON)
    assert named.status_code == 409


def test_of_one_program_the_page_offers_nothing_that_changes_them(client, page, all_three):
    client.post("/messages", data={"message": "mine"})
    assert "Delete all" in client.get("/sessions").text
    assert page("/sessions?program=codex").soup.select("#several") == []


def test_it_is_continued_in_a_copy(client, manager, backend, all_three):
    answer = client.post(f"/sessions/{AMPLIFIER}/copy", data={"key": "k"}, headers=HTMX)
    assert answer.status_code == 200
    copy = manager.active_session()
    assert (copy.description, copy.working_dir, copy.program) == ("A failing test", str(all_three.work), "")
    assert (copy.extra["from_agent"], copy.extra["from_session"]) == ("Amplifier", AMPLIFIER)
    copied, original = manager.conversation(copy.session_id).messages, manager.conversation(AMPLIFIER).messages
    assert [(item.role, item.content, item.parts) for item in copied] == [
        (item.role, item.content, item.parts) for item in original
    ]
    manager.send_message("And now?", copy.session_id)
    assert [item["content"] for item in backend.histories[-1]] == [item.content for item in original]
    client.post(f"/sessions/{AMPLIFIER}/copy", data={"key": "k"})
    assert len([row for row in listed(client)["sessions"] if "program" not in row]) == 1, "the same form again"


def test_it_can_be_copied_up_to_a_message(client, manager, all_three):
    first = manager.conversation(CLAUDE).messages[0]
    client.post(f"/sessions/{CLAUDE}/messages/{first.id}/fork")
    assert len(manager.conversation(manager.active_session_id).messages) == 1


def test_a_copy_of_what_lay_in_a_folder_that_is_gone_works_at_home(client, manager, all_three):
    all_three.work.rmdir()
    client.post(f"/sessions/{CODEX}/copy")
    assert manager.active_session().working_dir == "~"


def test_a_days_use_leaves_no_trace(client, manager, all_three, tmp_path):
    for path in (tmp_path / "claude").rglob("*"):
        os.utime(path, (1_000_000_000, 1_790_000_000))  # an access would be recorded, even with relatime
    folders = (tmp_path / "claude", tmp_path / "codex", all_three.amplifier / "projects")
    before = [everything(folder) for folder in folders]
    manager.keep_house()
    for session_id in (AMPLIFIER, CLAUDE, CODEX):
        for headers in ({}, HTMX, JSON):
            assert client.get(f"/sessions/{session_id}", headers=headers).status_code == 200
        client.post(f"/sessions/{session_id}/copy")
        manager.send_message("Go on")
    until(lambda: listed(client, "?q=Renamed")["hits"])
    assert client.get("/sessions/export").status_code == 200
    assert [everything(folder) for folder in folders] == before


class Many:
    """A program with two portions of sessions; the second one is described once `gate` is set."""

    name, label = "many", "Many"

    def __init__(self):
        self.is_waiting, self.gate = threading.Event(), threading.Event()
        self.spotted = [
            Spotted(str(number), Path(f"/{number}"), -number, (1,)) for number in range(DESCRIBED_AT_ONCE + 1)
        ]

    def scan(self, known):
        return self.spotted if not known else known.values()

    def describe(self, spotted):
        if spotted is self.spotted[-1]:
            self.is_waiting.set()
            assert self.gate.wait(30)
        return Described("A title")

    def read(self, spotted):
        return Read((Message(spotted.id, "user", "apples"),), 1)


def test_a_search_is_complete_only_with_all_sessions_in_its_index(manager):
    program = Many()
    programs = OtherPrograms([program], manager.storage, threading.Event())
    with ThreadPoolExecutor() as pool:
        looking = pool.submit(programs.page, None, None, None)
        assert program.is_waiting.wait(30)
        until(lambda: len(programs.search("apples", 1000, None).hits) == DESCRIBED_AT_ONCE)
        assert not programs.search("apples", 1000, None).complete
        program.gate.set()
        looking.result(30)
        found = programs.search("apples", 1000, None)
        while not found.complete:
            found = programs.search("apples", 1000, None)
        assert len(found.hits) == DESCRIBED_AT_ONCE + 1


def test_a_list_that_is_requested_regularly_does_not_wait_for_scans(manager):
    scanned_in, stopping = [], threading.Event()

    class Watched(Many):
        def scan(self, known):
            scanned_in.append(threading.current_thread())
            return []

    programs = OtherPrograms([Watched()], manager.storage, stopping)
    programs.page(None, None, None)
    assert scanned_in == [threading.current_thread()]
    until(lambda: programs.page(None, None, None) or scanned_in[-1] is not threading.current_thread())
    stopping.set()
    assert scanned_in.count(threading.current_thread()) == 1


def test_what_was_said_is_searched(client, all_three):
    until(lambda: listed(client, "?q=clock")["complete"])
    [hit] = listed(client, "?q=clock")["hits"]
    assert (hit["session_id"], hit["text"]) == (AMPLIFIER, "I look. It is the **clock**.")
    assert listed(client, "?q=clock&program=codex")["hits"] == []
    assert [row["session_id"] for row in listed(client, "?q=dampfschiff")["sessions"]] == [CLAUDE]


def test_ours_and_theirs_are_found_together(client, manager, all_three):
    info = manager.create_session()
    manager.send_message("Hello\n\nThe clock of ours", info.session_id)
    until(lambda: len(listed(client, "?q=clock")["hits"]) == 2)
    assert [hit["session_id"] for hit in listed(client, "?q=clock")["hits"]] == [info.session_id, AMPLIFIER]


def test_an_open_page_follows_what_the_program_writes(app, client, manager, all_three):
    manager.keep_house()
    page = Page(client.get(f"/sessions/{CLAUDE}"))
    stream = chunks(client.get(page.soup.select_one("#stream")["hx-sse:connect"]))
    read_until(stream, lambda text: "event: sessions" in text)
    row = all_three.claude_row
    path = all_three.claude / "projects" / "-work" / "aaaa-1.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(row(6, 5, "user", "Thanks")) + "\n")
    assert "Thanks" in read_until(stream, lambda text: "Thanks" in text)
    with path.open("a") as file:
        file.write(json.dumps(row(7, 6, "assistant", [{"type": "text", "text": "You are welcome."}])) + "\n")
    assert 'data-role="assistant"' in read_until(stream, lambda text: "You are welcome." in text)
    with path.open("a") as file:
        file.write(json.dumps(row(8, 7, "assistant", [{"type": "text", "text": "Anything else?"}])) + "\n")
    news = read_until(stream, lambda text: "Anything else?" in text)
    assert "You are welcome." in news, "one answer"
    stream.close()


def test_an_open_list_hears_of_a_new_session(client, manager, programs):
    manager.keep_house()
    stream = chunks(client.get("/events"))
    read_until(stream, lambda text: "event: sessions" in text)
    programs.codex_session(codex_rows(programs))

    def is_heard_of():
        assert "event: sessions" in read_until(stream, lambda text: "event: sessions" in text)
        return [row["session_id"] for row in listed(client)["sessions"]] == [CODEX]

    until(is_heard_of)  # the first event may be about what came before
    stream.close()


def test_one_that_was_removed_is_gone(client, manager, all_three):
    assert client.get(f"/sessions/{CODEX}").status_code == 200
    [path] = (all_three.codex / "sessions").rglob("*.jsonl")
    path.unlink()
    until(lambda: client.get(f"/sessions/{CODEX}").status_code == 404)


def test_one_that_goes_before_it_is_read_is_gone_and_no_fault_of_the_disk(client, all_three):
    assert CODEX in [row["session_id"] for row in listed(client)["sessions"]]
    [path] = (all_three.codex / "sessions").rglob("*.jsonl")
    path.unlink()
    assert client.get(f"/sessions/{CODEX}").status_code == 404


def test_one_whose_first_message_has_a_large_picture_is_listed(client, programs):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 3 * 2**20}}
    message = {"role": "user", "content": [image, {"type": "text", "text": "What is on it?"}]}
    asked = {"type": "user", "uuid": "u", "parentUuid": None, "sessionId": "big", "cwd": "/src", "message": message}
    folder = programs.claude / "projects" / "-src"
    folder.mkdir(parents=True)
    (folder / "big.jsonl").write_text(json.dumps(asked) + "\n")
    [row] = listed(client)["sessions"]
    assert (row["session_id"], row["description"]) == ("claude-code.big", "What is on it?")


def test_an_agents_work_stands_with_the_session_that_it_was_for(client, programs):
    programs.amplifier_session(AMPLIFIER_ROWS)
    child = "0000000000000000-1234567890abcdef_explorer"
    rows = [{"role": "user", "content": "Find it"}, {"role": "assistant", "content": "Found."}]
    programs.amplifier_session(rows, child, parent_id=ROOT, agent_name="explorer")
    programs.claude_session([programs.claude_row(1, None, "user", "Above")])
    side = [programs.claude_row(1, None, "user", "Below", isSidechain=True)]
    programs.claude_session(side, "agent-1", "aaaa-1/subagents")
    assert [row["session_id"] for row in listed(client)["sessions"]] == [CLAUDE, AMPLIFIER]
    for parent, name, title in (
        (AMPLIFIER, f"amplifier.{child}", "explorer"),
        (CLAUDE, "claude-code.agent-1", "Below"),
    ):
        [link] = Page(client.get(f"/sessions/{parent}")).soup.select("details.work a")
        assert (link["href"], link.get_text()) == (f"/sessions/{name}", title)
        assert len(Page(client.get(link["href"])).messages) >= 1


def test_the_terminal_names_an_agents_work_so_that_it_can_be_shown(command, all_three):
    child = "0000000000000000-1234567890abcdef_explorer"
    rows = [{"role": "user", "content": "Find it"}, {"role": "assistant", "content": "A quokka."}]
    all_three.amplifier_session(rows, child, parent_id=ROOT, agent_name="explorer")
    [line, _] = command("sessions", "search", "quokka")[1].splitlines()
    name = line.split()[0]
    code, output, errors = command("sessions", "show", name)
    assert (code, "A quokka." in output) == (0, True), (name, errors)
    assert command("export", "--format", "md", name)[0] == 0
    assert command("ask", "--backend", "mock", "--session", name, "And?")[0] == 7
    [hit] = json.loads(command("sessions", "search", "quokka", "--json")[1])["hits"]
    assert hit["works_for"] == AMPLIFIER


def test_a_fork_of_amplifier_is_a_session_of_its_own(client, programs):
    programs.amplifier_session(AMPLIFIER_ROWS)
    fork = "99999999-2222-4333-8444-555555555555"
    programs.amplifier_session(AMPLIFIER_ROWS, fork, parent_id=ROOT, forked_from_turn=1, working_dir=None)
    found = {row["session_id"]: row["working_dir"] for row in listed(client)["sessions"]}
    assert found == dict.fromkeys((AMPLIFIER, f"amplifier.{fork}"), str(programs.work))


@pytest.mark.parametrize("about", [{"hidden": True}, {"session_visibility": "internal"}])
def test_what_amplifier_hides_stays_hidden(client, programs, about):
    programs.amplifier_session(AMPLIFIER_ROWS, **about)
    assert listed(client)["sessions"] == []
    assert client.get(f"/sessions/{AMPLIFIER}").status_code == 404


def test_the_backup_serves_where_the_transcript_is_damaged(client, manager, programs):
    folder = programs.amplifier_session(AMPLIFIER_ROWS)
    programs.amplifier_session([*AMPLIFIER_ROWS, {"role": "user", "content": "More"}])
    path = folder / "transcript.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"role": "assistant"', b'{"role": "assis', 1))
    page = Page(client.get(f"/sessions/{AMPLIFIER}"))
    assert "This conversation's file could not be read" in page.soup.select_one("#messages").get_text()
    assert len(page.messages) == 2
    assert client.get(f"/sessions/{AMPLIFIER}", headers=JSON).json["notices"] == [BACKUP_SERVED]
    (folder / "transcript.jsonl.backup").unlink()
    os.utime(path, (1, 1))
    until(lambda: manager.conversation(AMPLIFIER).damaged)
    assert manager.conversation(AMPLIFIER).messages[0].content == "Why does the test fail?"


def test_the_terminal_says_that_the_backup_is_shown(command, all_three):
    folder = all_three.amplifier_session([*AMPLIFIER_ROWS, {"role": "user", "content": "More"}])
    (folder / "transcript.jsonl").write_text('{"role": "user", "conte')
    code, output, errors = command("sessions", "show", ROOT)
    assert (code, errors) == (0, BACKUP_SERVED + "\n")
    assert BACKUP_SERVED not in output


@pytest.mark.parametrize("cut", [None, 0, 11, -9])
def test_the_backup_serves_where_the_transcript_is_cut_off(client, programs, cut):
    folder = programs.amplifier_session(AMPLIFIER_ROWS)
    programs.amplifier_session([*AMPLIFIER_ROWS, {"role": "user", "content": "More"}])
    path = folder / "transcript.jsonl"
    left = path.read_bytes()[:cut]
    path.unlink()
    if cut is not None:
        path.write_bytes(left)
    assert [row["description"] for row in listed(client)["sessions"]] == ["Why does the test fail?"]
    page = Page(client.get(f"/sessions/{AMPLIFIER}"))
    assert "This conversation's file could not be read" in page.soup.select_one("#messages").get_text()
    assert len(page.messages) == 2


def test_amplifiers_home_is_not_the_chats(tmp_path, programs, backend, monkeypatch):
    programs.amplifier_session(AMPLIFIER_ROWS)
    monkeypatch.setenv("AMPLIFIER_HOME", str(programs.amplifier))
    app = create_app({"AMPLIFIER_HOME": str(tmp_path / "elsewhere")}, backend=backend)
    assert [row["session_id"] for row in listed(app.test_client())["sessions"]] == [AMPLIFIER]


def test_what_was_before_a_lost_row_of_claude_code_is_shown(manager, programs):
    row = programs.claude_row
    side = row(9, 8, "user", "For a subagent", isSidechain=True)
    rows = [row(1, None, "user", "One?"), row(2, 1, "assistant", "One."), side, row(4, 3, "user", "Three?")]
    programs.claude_session([*rows, row(5, 4, "assistant", "Three.")])
    said = [item.content for item in manager.conversation(CLAUDE).messages]
    assert said == ["One?", "One.", "Three?", "Three."]


def test_a_branch_of_claude_code_that_was_left_is_not_shown(manager, programs):
    row = programs.claude_row
    programs.claude_session(
        [
            {"type": "ai-title", "aiTitle": "By the model"},
            row(1, None, "user", "Hello"),
            row(2, 1, "assistant", "Hi"),
            row(3, 2, "user", "Wrong"),
            row(4, 3, "assistant", "Wrong answer"),
            row(5, 2, "user", "<command-name>/review</command-name><command-args>a.py</command-args>"),
            row(6, 5, "user", "<local-command-stdout>ok</local-command-stdout>"),
            row(7, 6, "user", "meta", isMeta=True),
            row(8, 7, "assistant", "Reviewed"),
            row(9, 8, "user", [{"type": "text", "text": "[Request interrupted by user]"}]),
            {"type": "custom-title", "customTitle": "By the person"},
        ]
    )
    session, conversation = manager.reader.require(CLAUDE), manager.conversation(CLAUDE)
    assert session.description == "By the person"
    assert [item.content for item in conversation.messages] == ["Hello", "Hi", "/review a.py", "Reviewed"]
    assert conversation.messages[-1].ordered == (Text("Reviewed"), Note("Interrupted."))


def test_codex_without_events_is_read_by_its_items(manager, programs):
    said = ["Hello", "<b>Two</b> and <b>three</b>", "<b>Four</b> of them", "a < b", "<name>"]
    added = [
        "<user_instructions>x</user_instructions>",
        "<turn_aborted>\nThe user interrupted\n</turn_aborted>",
        "<permissions instructions>x <b>y</b></permissions instructions>",
        '<skill name="x">y</skill>',
    ]
    answer = programs.codex_row("response_item", **spoken("assistant", "Hi"))
    asked = [programs.codex_row("response_item", **spoken("user", text)) for text in (*added, *said)]
    path = programs.codex_session([programs.codex_row("session_meta", id="x", cwd="/gone"), *asked, answer])
    [imported] = manager.archive.bring_in(io.BytesIO(path.read_bytes())).imported
    for session_id in (CODEX, imported):
        assert [item.content for item in manager.conversation(session_id).messages] == [*said, "Hi"]


def spoken(role, text):
    """Codex's item with a message."""
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


HOSTILE = [
    b"",
    b"\n\n",
    b"[1, 2]\n7\nnull\n",
    b'{"type": "user", "uuid": "u1", "parentUuid": "u2", "message": {"content": "a"}}\n'
    b'{"type": "assistant", "uuid": "u2", "parentUuid": "u1", "message": {"content": 7}}\n',
    b'{"type": "user", "uuid": 3, "message": "text"}\n{"type": "assistant", "uuid": "x", "message": null}\n',
    b'{"type": "user", "uuid": "u1", "message": {"content": "half \\ud800 a character <b>"}}\n',
    b'{"type": "assistant", "uuid": "u1", "message": {"content": [null, 3, {"type": "tool_use"}, {"type": "text"}]}}\n'
    b'{"type": "user", "uuid": "u2", "parentUuid": "u1", "message": {"content": [{"type": "tool_result"}]}}\n',
    b"[" * 100_000 + b"\n" + b'{"type": "user", "uuid": "u1", "message": {"content": "after"}}\n',
    b'{"role": "user", "content": {"a": 1}}\n{"role": "tool", "tool_call_id": 4, "content": null}\n',
    b'{"type": "response_item", "payload": {"type": "function_call", "arguments": 3}}\n',
    b'{"type": "event_msg", "payload": {"type": "user_message", "message": ["x"]}}\n',
]


@pytest.mark.parametrize("content", HOSTILE)
def test_files_of_any_content_are_harmless(client, programs, content):
    programs.claude_session([]).write_bytes(content)
    programs.codex_session([]).write_bytes(content)
    folder = programs.amplifier_session([])
    (folder / "transcript.jsonl").write_bytes(content)
    (folder / "metadata.json").write_bytes(content)
    for row in listed(client)["sessions"]:
        for headers in ({}, JSON):
            answer = client.get(f"/sessions/{row['session_id']}", headers=headers)
            assert answer.status_code == 200
            assert b"<b>" not in answer.data.partition(b"<main")[2] or headers
        assert client.post(f"/sessions/{row['session_id']}/copy").status_code in (303, 422)
    assert client.get("/sessions?q=after").status_code == 200


def test_links_and_other_things_are_no_sessions(client, programs, tmp_path):
    folder = programs.amplifier_session(AMPLIFIER_ROWS)
    outside = tmp_path / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    real = programs.claude_session(claude_rows(programs), "real")
    (real.parent / "link.jsonl").symlink_to(real)
    os.mkfifo(real.parent / "pipe.jsonl")
    assert [row["session_id"] for row in listed(client)["sessions"]] == ["claude-code.real"]


def test_they_are_shown_to_one_person_unless_it_is_said(all_three, backend):
    known = {"AMPLIFIER_HOME": str(all_three.amplifier), "WEBCHAT_TOKEN": "a-token-of-a-test"}
    bearer = JSON | {"Authorization": "Bearer a-token-of-a-test"}
    for said, count in ({}, 0), ({"WEBCHAT_SOURCES": "codex, amplifier"}, 2), ({"WEBCHAT_SOURCES": "off"}, 0):
        app = create_app(known | said, backend=backend)
        found = app.test_client().get("/sessions", headers=bearer).json["sessions"]
        assert len(found) == count
        app.extensions["webchat"].close()


def test_an_unknown_program_is_refused(home, backend):
    with pytest.raises(InvalidInput, match=r"amplifier, claude-code, codex"):
        create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_SOURCES": "amplifer"}, backend=backend)


def test_many_looks_at_once_see_the_same(client, all_three, app):
    answers = []

    def ask():
        answers.append(len(listed(app.test_client())["sessions"]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [3] * 8


def test_one_session_of_an_unthought_of_shape_hides_no_other(client, programs):
    deep: object = "x"
    for _ in range(400):
        deep = [deep]
    programs.claude_session([programs.claude_row(1, None, "user", deep)], "deep")
    call = programs.claude_row(2, 1, "assistant", [{"type": "tool_use", "id": "t", "name": "X", "input": {"a": deep}}])
    result = programs.claude_row(3, 2, "user", [{"type": "tool_result", "tool_use_id": "t", "content": deep}])
    programs.claude_session([programs.claude_row(1, None, "user", "Nested"), call, result], "nested")
    programs.codex_session(codex_rows(programs))
    assert {"claude-code.nested", CODEX} <= {row["session_id"] for row in listed(client)["sessions"]}
    assert client.get("/sessions/claude-code.nested").status_code == 200
    until(lambda: listed(client, "?q=One+file")["hits"])


def test_a_codex_agents_work_is_not_the_persons(client, programs):
    row = programs.codex_row
    child = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": THREAD, "depth": 1}}}
    programs.codex_session(codex_rows(programs))
    about = row("session_meta", id=child, cwd="/w", source=spawned)
    programs.codex_session([about, row("event_msg", type="user_message", message="An agent's task")], child)
    assert [item["session_id"] for item in listed(client)["sessions"]] == [CODEX]
    [link] = Page(client.get(f"/sessions/{CODEX}")).soup.select("details.work a")
    assert link.get_text() == "An agent's task"


def test_a_project_folder_that_is_renamed_keeps_its_sessions(client, manager, all_three):
    folder = all_three.claude / "projects" / "-work"
    assert client.get(f"/sessions/{CLAUDE}").status_code == 200
    folder.rename(folder.with_name("-work-2"))
    until(lambda: len(listed(client)["sessions"]) == 3 and not folder.exists())
    until(lambda: manager.programs.find(CLAUDE) is not None)
    assert len(manager.conversation(CLAUDE).messages) == 2


def test_a_copy_counts_all_that_is_kept(all_three, backend):
    row = all_three.claude_row
    given = {"file_path": "/w/a", "content": "x" * 200_000}
    calls = [{"type": "tool_use", "id": f"t{number}", "name": "Write", "input": given} for number in range(10)]
    all_three.claude_session([row(1, None, "user", "Write"), row(2, 1, "assistant", calls)], "large")
    app = create_app({"AMPLIFIER_HOME": str(all_three.amplifier), "WEBCHAT_MAX_KEPT": "1"}, backend=backend)
    answer = app.test_client().post("/sessions/claude-code.large/copy", headers=JSON)
    assert answer.status_code in (413, 507, 409, 429)
    assert "MiB" in answer.json["error"]
    app.extensions["webchat"].close()
