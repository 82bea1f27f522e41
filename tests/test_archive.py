"""Export and import: our own exports to the byte, and those of other programs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from urllib.parse import unquote

import httpx
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.exports import CHATGPT, CLAUDE, OPEN_WEBUI, chatgpt_node
from tests.processes import ROOT
from tests.scripted import ScriptedBackend
from webchat.archive.export import refuse
from webchat.archive.ours import session_lines
from webchat.chat.session import short_id
from webchat.cli import main
from webchat.fileutil import jsonlines
from webchat.manager import WebChatSessionManager

JSON = {"Accept": "application/json"}
NOTHING_NEW = dict.fromkeys(("known", "empty", "missing", "trash", "memories", "waiting"), 0) | {
    name: [] for name in ("imported", "grown", "in_trash", "problems")
}
"""The response to a script for an import without new sessions."""


def start(home):
    return WebChatSessionManager(ScriptedBackend(), home / "server" / "web-chat-sessions.json")


def exported(manager):
    sessions = sorted(manager.list_sessions(), key=lambda session: (session.created_at, session.session_id))
    return b"".join(manager.archive.export(sessions, refuse))


def transcripts(manager):
    return {name: manager.storage.export(name) for name in manager.storage.transcripts.sessions()}


def brought_in(manager, data):
    return manager.archive.bring_in(io.BytesIO(data if isinstance(data, bytes) else json.dumps(data).encode()))


def said(manager, session_id):
    return [(message.role, message.content) for message in manager.conversation(session_id).messages]


@pytest.fixture
def full(manager):
    """A manager with a few sessions, one with branches, one pinned, one renamed."""
    ids = []
    for text in ("one", "two <b>", "Ünï 東京\nsecond line"):
        ids.append(manager.create_session().session_id)
        manager.send_message(text)
    manager.retry(ids[0], manager.conversation(ids[0]).messages[-1].id).wait()
    manager.housekeeping.pin([ids[1]])
    manager.housekeeping.rename(ids[2], "Named")
    return manager


# Ours


def test_what_is_taken_along_comes_back_to_the_byte(full, tmp_path):
    data = exported(full)
    other = start(tmp_path / "other")
    report = brought_in(other, data)
    assert len(report.imported) == 3
    assert report.problems == []
    assert exported(other) == data
    assert transcripts(other) == transcripts(full)
    assert [(s.description, s.pinned) for s in other.list_sessions()] == [
        (s.description, s.pinned) for s in full.list_sessions()
    ]
    assert other.active_session_id is None


def test_twice_changes_nothing(full, tmp_path):
    other = start(tmp_path / "other")
    brought_in(other, exported(full))
    before = (tmp_path / "other" / "server" / "web-chat-sessions.json").read_bytes()
    again = brought_in(other, exported(full))
    assert (again.imported, again.known, again.problems) == ([], 3, [])
    assert (tmp_path / "other" / "server" / "web-chat-sessions.json").read_bytes() == before


def test_what_is_here_is_left_as_it_is_also_in_the_trash(full):
    data = exported(full)
    session_id = full.list_sessions()[0].session_id
    full.send_message("more", session_id)
    full.housekeeping.delete([full.list_sessions()[1].session_id])
    before = transcripts(full)
    report = brought_in(full, data)
    assert (report.known, len(report.in_trash)) == (2, 1)
    assert transcripts(full) == before
    assert len(full.list_sessions()) == 2


@pytest.fixture
def other(full, tmp_path):
    """Another manager, with the same sessions."""
    other = start(tmp_path / "other")
    brought_in(other, exported(full))
    return other


def test_a_newer_export_adds_what_was_said_where_it_was_made(full, other):
    session_id = full.list_sessions()[0].session_id
    before = texts(other, session_id)
    full.send_message("more", session_id)
    full.retry(session_id, full.conversation(session_id).last.id).wait()
    report = brought_in(other, exported(full))
    assert (report.imported, report.grown, report.problems) == ([], [session_id], [])
    assert texts(other, session_id) == texts(full, session_id) == [*before, "more", "You said: more"]
    assert other.conversation(session_id).last.siblings == full.conversation(session_id).last.siblings
    again = brought_in(other, exported(full))
    assert (again.imported, again.grown, again.known) == ([], [], 3)


def test_what_was_said_here_since_stays_and_is_shown(full, other):
    session_id = full.list_sessions()[0].session_id
    other.send_message("here", session_id)
    shown = texts(other, session_id)
    full.send_message("there", session_id)
    assert brought_in(other, exported(full)).grown == [session_id]
    assert texts(other, session_id) == shown
    assert [message.content for message in other.storage.transcripts.messages(session_id)].count("there") == 1


def test_what_comes_from_a_trash_changes_no_session(full, other):
    session_id = full.list_sessions()[0].session_id
    before = texts(other, session_id)
    full.send_message("more", session_id)
    trash = io.BytesIO(exported(full))
    report = other.archive.bring_in(trash, mark=lambda session_id: {"deleted_at": "2026-01-01T00:00:00+00:00"})
    assert (report.grown, report.known) == ([], 3)
    assert texts(other, session_id) == before


def texts(manager, session_id):
    return [message.content for message in manager.conversation(session_id).messages]


@pytest.mark.parametrize("end", ["interrupted", "stopped", "failed"])
@pytest.mark.parametrize("rest", [" and the rest", ""])
def test_an_answer_that_was_broken_off_in_the_older_export_is_completed(tmp_path, end, rest):
    there, here = start(tmp_path / "there"), start(tmp_path / "here")
    question = {"type": "message", "id": "q", "parent": None, "role": "user", "content": "one", "status": "complete"}
    answer = question | {"id": "a", "parent": "q", "role": "assistant", "content": "Half", "status": end}
    row = {"session_id": "s", "description": "One", "created_at": "", "last_active": "", "message_count": 1}

    def lines(*records):
        return session_lines(row, jsonlines.dump_all(records))

    assert brought_in(here, lines(question, answer)).imported == ["s"]
    more = {"type": "extend", "id": "a", "content": rest, "status": "complete"}
    newer = lines(question, answer, more, question | {"id": "r", "parent": "a", "content": "two"})
    assert brought_in(here, newer).grown == ["s"]
    brought_in(there, newer)
    for manager in (here, there):
        shown = manager.conversation("s").messages
        assert [(message.content, message.status) for message in shown] == [
            ("one", "complete"),
            (f"Half{rest}", "complete"),
            ("two", "complete"),
        ]
    assert brought_in(here, newer).known == 1


def test_a_session_with_messages_without_ids_is_left_as_it_is(home, tmp_path):
    lines = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    flat = jsonlines.dump_all(lines)
    row = {"session_id": "s", "description": "Flat", "created_at": "", "last_active": "", "message_count": 1}
    other = start(tmp_path / "other")
    assert brought_in(other, session_lines(row, flat)).imported == ["s"]
    longer = jsonlines.dump_all([*lines, {"role": "user", "content": "three"}])
    assert brought_in(other, session_lines(row, longer)).known == 1
    assert texts(other, "s") == ["one", "two"]


LINES = [b"", b" ", b'{"type":"session"}', b'{"type":"raw","base64":"eA=="}', b"\xff", b"{", b"[]"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.binary(max_size=30),
                st.sampled_from(LINES),
                st.builds(
                    lambda text, role: json.dumps({"role": role, "content": text}, ensure_ascii=False).encode(),
                    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
                    st.sampled_from(["user", "assistant"]),
                ),
            ).map(lambda line: line.replace(b"\n", b"")),
            max_size=6,
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_any_transcript_comes_back_to_the_byte(tmp_path_factory, conversations, torn):
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    folder = here / "server" / "web-chat-transcripts"
    folder.mkdir(parents=True)
    rows = []
    for number, lines in enumerate(conversations):
        data = b"\n".join(lines) + (b"" if torn else b"\n")
        if data.strip(b"\n") or data:
            (folder / f"s{number}.jsonl").write_bytes(data)
        row = {"session_id": f"s{number}", "description": f"S {number}", "begun": True}
        rows.append(row | {"unknown": {"key": number}})
    (here / "server" / "web-chat-sessions.json").write_text(json.dumps(rows))
    first, second = start(here), start(there)
    data = exported(first)
    for line in data.splitlines():
        json.loads(line)
    assert brought_in(second, data).problems == []
    assert exported(second) == data
    kept = {name: found for name, found in transcripts(first).items() if found}
    assert transcripts(second) == kept


def damaged(data, how):
    lines = data.split(b"\n")
    if how == "cut":
        return data[: len(data) - len(lines[-2]) - 20]
    if how == "head":
        return b"\n".join([b"no json", *lines[1:]])
    if how == "format":
        return data.replace(b'"format":1', b'"format":99', 1)
    return b"\n".join(line for number, line in enumerate(lines) if number != 1)


@pytest.mark.parametrize("how", ["cut", "format", "head", "line"])
def test_of_a_broken_export_what_can_be_read_comes_and_the_rest_is_said(full, tmp_path, how):
    other = start(tmp_path / "other")
    report = brought_in(other, damaged(exported(full), how))
    assert report.problems
    assert len(report.imported) >= 2
    assert len([session_id for session_id in report.imported if said(other, session_id)]) >= 2


def test_a_session_brought_in_goes_on_with_its_history(full, tmp_path):
    other = start(tmp_path / "other")
    session_id = brought_in(other, exported(full)).imported[0]
    other.send_message("and on", session_id)
    assert [item["content"] for item in other.backend.histories[-1]] == ["one", "You said: one"]


def test_a_session_of_a_later_version_is_said_to_be_one(full, tmp_path):
    report = brought_in(start(tmp_path / "other"), damaged(exported(full), "format"))
    assert report.problems == ["line 1: a later version of the chat has written this session; it is left out."]


def test_an_answer_in_flight_or_left_behind_is_taken_along(manager, backend, home, tmp_path):
    session_id = manager.create_session().session_id
    backend.plays("half an ans", threading.Event())
    posted = manager.post_message(session_id, "question")
    posted.wait_for_text(30)
    data = exported(manager)
    other = start(tmp_path / "other")
    brought_in(other, data)
    assert said(other, session_id) == [("user", "question"), ("assistant", "half an ans")]
    assert other.conversation(session_id).last.status == "interrupted"
    assert exported(other) == data
    manager.stop(session_id)
    backend.plays("wer", threading.Event())
    manager.continue_reply(session_id, posted.reply.id)
    for text, _ in manager.pieces(session_id, posted.reply.id):
        if text.endswith("wer"):
            break
    third = start(tmp_path / "third")
    brought_in(third, exported(manager))
    assert said(third, session_id)[-1] == ("assistant", "half an answer")
    manager.stop(session_id)


def test_a_transcript_that_comes_in_is_not_listed_by_its_first_line_before_its_record(full, tmp_path):
    """The server looks for transcripts without a record twice a second, and an import may be slow."""
    other = start(tmp_path / "other")
    other.storage.main.adoption.settled = 0.0

    class Slow(io.BytesIO):
        def read(self, *size):
            other.housekeeping.adopt()
            return super().read(*size)

    report = other.archive.bring_in(Slow(exported(full)))
    assert len(report.imported) == 3
    assert {session.description for session in other.list_sessions()} >= {"Named"}


# Theirs


def only(report):
    assert report.problems == []
    (session_id,) = report.imported
    return session_id


def test_chatgpt(manager):
    report = brought_in(manager, CHATGPT)
    assert report.problems == []
    tea, untitled = report.imported
    assert manager.get_session(tea).description == "Tea and coffee"
    assert manager.get_session(tea).created_at.startswith("2023-11-14T22:13:20.5")
    assert manager.get_session(tea).extra["imported"] == {"from": "chatgpt", "id": "conv-1"}
    shown = manager.conversation(tea).messages
    assert [(m.role, m.content) for m in shown] == [
        ("user", "Which tea?"),
        ("assistant", "Black,\n\n[picture]\n\nor white."),
    ]
    assert shown[1].siblings == ("a1", "a2")
    manager.select(tea, "a1")
    assert said(manager, tea)[1:] == [("assistant", "Green.\n\nAfter a search: green.")]
    assert manager.conversation(tea).messages[1].model == "gpt-4"
    assert manager.get_session(untitled).description == "No title here"


def test_claude(manager):
    session_id = only(brought_in(manager, CLAUDE))
    assert manager.get_session(session_id).description == "A plan"
    assert said(manager, session_id) == [("user", "Plan it"), ("assistant", "First.\n\nThen."), ("user", "Better plan")]
    assert manager.conversation(session_id).messages[-1].siblings == ("m3", "m4")


def test_a_text_that_went_with_a_message_of_claude_comes_along(manager):
    attached = {"file_name": "../notes\n.txt", "extracted_content": "tea <b>"}
    message = {"uuid": "m1", "sender": "human", "text": "", "attachments": [attached, {"file_name": "a.png"}, 1]}
    session_id = only(brought_in(manager, json.dumps([{"uuid": "c", "chat_messages": [message]}]).encode()))
    (shown,) = manager.conversation(session_id).messages
    assert [(file.name, file.content) for file in shown.files] == [("../notes .txt", "tea <b>")]


def test_open_webui(manager):
    session_id = only(brought_in(manager, OPEN_WEBUI))
    assert said(manager, session_id) == [("user", "Hi"), ("assistant", "Hello")]
    assert manager.conversation(session_id).messages[1].model == "llama3"
    assert manager.conversation(session_id).messages[1].siblings == ("n2", "n3")


@pytest.mark.parametrize("export", [CHATGPT, CLAUDE, OPEN_WEBUI])
def test_the_same_file_again_changes_nothing_and_what_came_goes_on(manager, export):
    imported = brought_in(manager, export).imported
    before = transcripts(manager)
    again = brought_in(manager, export)
    assert (again.imported, again.known) == ([], len(export))
    assert transcripts(manager) == before
    manager.send_message("go on", imported[0])
    assert said(manager, imported[0])[-2:] == [("user", "go on"), ("assistant", "You said: go on")]
    assert manager.backend.histories[-1]


def test_a_zip_as_it_is_downloaded(manager):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("export/conversations-000.json", json.dumps(CHATGPT[:1]))
        archive.writestr("export/conversations-001.json", json.dumps(CHATGPT[1:]))
        archive.writestr("export/user.json", "{}")
        archive.writestr("export/chat.html", "<script>")
    assert len(brought_in(manager, packed.getvalue()).imported) == 2


LOOP = {"title": "Loop", "id": "l", "mapping": {}, "current_node": "x"}
LOOP["mapping"] = {"x": chatgpt_node("x", "y", "user", "one"), "y": chatgpt_node("y", "x", "assistant", "two")}


@pytest.mark.parametrize(
    ("broken", "come", "says"),
    [
        (b"", 0, "empty"),
        (b"no json", 0, "The known kinds are: this chat's own exports, ChatGPT"),
        (b"[]", 0, ""),
        (json.dumps(CHATGPT)[:-200].encode(), 1, "after conversation 1"),
        (
            json.dumps([CHATGPT[0], 7, {"what": 1}, CHATGPT[1]]).encode(),
            2,
            "each of 2 conversations (conversation 2, conversation 3): its kind is unknown.",
        ),
        (
            json.dumps([{"title": "Tea\n", "what": 1}, {"name": ""}, CHATGPT[0], {"name": "Soup"}]).encode(),
            1,
            "each of 3 conversations (“Tea”, conversation 2, “Soup”): its kind is unknown.",
        ),
        (json.dumps([LOOP]).encode(), 1, ""),
        (json.dumps(CHATGPT[0]).encode(), 1, ""),
        (b"PK\x03\x04 and then nothing", 0, "zip is damaged"),
        (b"\xef\xbb\xbf" + json.dumps(CLAUDE).encode(), 1, ""),
    ],
)
def test_of_a_broken_file_what_can_be_read_comes_and_the_rest_is_said(manager, broken, come, says):
    report = brought_in(manager, broken)
    assert len(report.imported) == come
    assert says in " ".join(report.problems)
    assert bool(report.problems) is bool(says)


EMPTY = [
    {"mapping": {"a": None, "b": {"message": 3}}},
    {"chat_messages": [None, 3, {"sender": "human"}]},
    {"chat": {"history": {"messages": []}}},
]


def test_empty_conversations_are_counted_and_no_problem(manager, client):
    report = brought_in(manager, [*EMPTY * 40, *CLAUDE])
    assert (len(report.imported), report.empty, report.problems) == (1, 120, [])
    answer = client.post("/sessions/import", data=json.dumps(EMPTY), headers=JSON).json
    assert answer == NOTHING_NEW | {"empty": 3}


def test_a_hostile_conversation_stays_text(manager, page):
    attack = "<script>alert(1)</script>"
    tree = {attack: chatgpt_node(attack, None, "user", attack)}
    item = {"title": f"{attack}\u202e\n\0", "id": "../../etc/passwd", "mapping": tree}
    session_id = only(brought_in(manager, [item]))
    shown = page(f"/sessions/{session_id}")
    assert attack in shown.messages[0].text
    assert not [script for script in shown.soup.select("script") if not script.get("src")]


# By the page, a script and the command line


def test_by_the_page(client, page, manager):
    file = (io.BytesIO(json.dumps(CHATGPT).encode()), "conversations.json")
    shown = page(client.post("/sessions/import", data={"file": file}, content_type="multipart/form-data"))
    assert "2 sessions imported" in shown.soup.get_text()
    assert {row.title for row in page("/sessions").rows} == {"Tea and coffee", "No title here"}
    assert client.post("/sessions/import", data={}, content_type="multipart/form-data").status_code == 422


def test_by_a_script(client, full):
    data = client.get("/sessions/export").data
    assert len(data.splitlines()) > 3
    answer = client.post("/sessions/import", data=data, headers=JSON).json
    assert answer == NOTHING_NEW | {"known": 3}
    big = b" " * (2 * 1024 * 1024) + json.dumps(CLAUDE).encode()
    assert len(client.post("/sessions/import", data=big, headers=JSON).json["imported"]) == 1


def test_readable_files(client, full):
    session = next(session for session in full.list_sessions() if session.description == "two <b>")
    answer = client.get(f"/sessions/{session.session_id}/export?format=md")
    assert answer.headers["Content-Disposition"] == "attachment; filename=two-b.md"
    assert answer.text.startswith("# two <b>\n")
    assert "You said: two <b>" in answer.text
    html = client.get("/sessions/export?format=html")
    soup = BeautifulSoup(html.text, "html.parser")
    assert [heading.get_text() for heading in soup.select("h1")] == ["one", "two <b>", "Named"]
    assert not soup.select("script, body b")
    assert client.get("/sessions/export?format=exe").status_code == 422
    assert client.get("/sessions/nobody/export").status_code == 404


@pytest.mark.parametrize(
    ("title", "name", "plain"),
    [
        ("日本語", "日本語", None),
        ("Привет, мир", "Привет-мир", None),
        ("Grüße aus 東京", "Grüße-aus-東京", None),
        ("café", "café", None),
        ("हिन्दी में", "हिन्दी-में", None),
        ("🎉🎉", None, None),
        ('a "b"; c\\d', "a-b-c-d", "a-b-c-d"),
    ],
)
def test_a_title_in_any_script_names_its_file(serve, title, name, plain):
    url = serve().url
    started = httpx.post(f"{url}/messages", data={"message": "hi"}, headers=JSON).json()["session_id"]
    httpx.post(f"{url}/sessions/{started}/rename", data={"title": title}, headers=JSON).raise_for_status()
    short = short_id(started)
    for kind in ("jsonl", "md", "html"):
        answer = httpx.get(f"{url}/sessions/{started}/export?format={kind}")
        assert answer.status_code == 200
        sent = next(value for key, value in answer.headers.raw if key.lower() == b"content-disposition").decode("ascii")
        told = dict(part.split("=", 1) for part in sent.split("; ")[1:])
        assert told["filename"] == f"{plain or short}.{kind}"
        assert unquote(told.get("filename*", f"UTF-8''{plain or short}.{kind}")) == f"UTF-8''{name or short}.{kind}"


@pytest.fixture
def unreadable(full, home):
    """The title of a session whose transcript is a folder: nobody can read it, not even root."""
    path = home / "server" / "web-chat-transcripts" / f"{full.list_sessions()[1].session_id}.jsonl"
    path.unlink()
    path.mkdir()
    return full.list_sessions()[1].description


@pytest.mark.files
@pytest.mark.parametrize("kind", ["jsonl", "md", "html"])
def test_a_session_that_cannot_be_read_is_left_out_and_named_in_the_file_and_on_the_page(
    client, page, full, unreadable, kind
):
    answer = client.get(f"/sessions/export?format={kind}")
    assert answer.status_code == 200
    text = BeautifulSoup(answer.text, "html.parser").get_text() if kind == "html" else answer.text
    assert unreadable in text
    assert "a file or folder has the wrong type" in text
    for session in full.list_sessions():
        assert session.description in text
    assert "You said: one" in text
    shown = page("/sessions").soup.get_text(" ", strip=True)
    assert "The last export could not read 1 session" in shown
    assert f"“{unreadable}”" in shown


@pytest.mark.files
def test_the_page_names_no_session_when_an_export_was_whole_again(client, page, full, unreadable, home):
    client.get("/sessions/export")
    full.housekeeping.delete([full.list_sessions()[1].session_id])
    client.get("/sessions/export")
    assert "could not read" not in page("/sessions").soup.get_text()


@pytest.mark.files
@pytest.mark.parametrize("kind", ["jsonl", "md", "html"])
def test_one_session_that_cannot_be_read_is_an_error_and_no_file(client, page, full, unreadable, kind):
    answer = client.get(f"/sessions/{full.list_sessions()[1].session_id}/export?format={kind}")
    assert answer.status_code == 507
    assert "Content-Disposition" not in answer.headers
    assert "could not be read" in page(answer).problem


@pytest.mark.files
def test_an_import_says_what_the_export_had_to_leave_out_and_takes_the_rest(client, full, unreadable, tmp_path):
    data = client.get("/sessions/export").data
    lines = data.splitlines(keepends=True)
    (left_out,) = [line for line in lines if b"left-out" in line]
    lines.remove(left_out)
    for number, file in enumerate((data, left_out + b"".join(lines))):
        other = start(tmp_path / f"other-{number}")
        report = brought_in(other, file)
        assert len(report.imported) == 2
        (problem,) = report.problems
        assert f"the export lacks the session “{unreadable}”" in problem


@pytest.mark.files
def test_the_command_line_exports_the_rest_names_what_it_left_out_and_fails(full, unreadable, home, tmp_path):
    file = tmp_path / "all.jsonl"
    done = CliRunner().invoke(main, ["export", "--home", str(home), "-o", str(file)])
    assert done.exit_code == 1
    assert f"“{unreadable}”" in done.stderr
    assert len(brought_in(start(tmp_path / "other"), file.read_bytes()).imported) == 2


@pytest.mark.parametrize("form", ["md", "html"])
def test_the_command_line_exports_what_the_page_does_for_reading(client, full, home, form):
    session_id = full.list_sessions()[0].session_id
    done = CliRunner().invoke(main, ["export", "--home", str(home), "--format", form, session_id])
    assert done.exit_code == 0
    assert done.stdout_bytes == client.get(f"/sessions/{session_id}/export?format={form}").data


@pytest.mark.files
def test_by_the_command_line(full, home, tmp_path):
    run = CliRunner().invoke
    file = tmp_path / "all.jsonl"
    assert run(main, ["export", "--home", str(home), "-o", str(file)]).exit_code == 0
    assert file.read_bytes() == exported(full)
    other = str(tmp_path / "other")
    done = run(main, ["import", "--home", other, str(file)])
    assert (done.exit_code, "3 imported, 0 here already" in done.output) == (0, True)
    one = run(main, ["export", "--home", other, full.list_sessions()[0].session_id])
    assert one.exit_code == 0
    assert one.stdout.count('"type":"session"') == 1
    file.write_bytes(file.read_bytes()[:-30])
    assert run(main, ["import", "--home", str(tmp_path / "third"), str(file)]).exit_code == 1
    assert run(main, ["export", "--home", other, "nobody"]).exit_code == 3


@pytest.mark.files
@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("all.zip", b"PK"),
        ("all", b"PK"),
        ("all.jsonl", b'{"type":"session"'),
        ("a.md", b"# "),
        ("a.html", b"<!doctype"),
    ],
)
def test_a_files_ending_decides_about_its_format(full, home, tmp_path, name, begins):
    file = tmp_path / name
    assert CliRunner().invoke(main, ["export", "--home", str(home), "-o", str(file)]).exit_code == 0
    assert file.read_bytes().startswith(begins)


def test_a_zip_is_not_written_to_a_terminal(home):
    master, slave = os.openpty()
    command = [sys.executable, "-m", "webchat", "export", "--home", str(home)]
    done = subprocess.run(command, stdout=slave, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False, timeout=60)
    os.close(slave)
    os.close(master)
    assert done.returncode == 2
    assert "use -o FILE, a pipe, or --format jsonl" in " ".join(done.stderr.split())


def test_an_import_of_no_file_at_a_terminal_waits_for_no_typing(home):
    master, slave = os.openpty()
    command = [sys.executable, "-m", "webchat", "import", "--home", str(home)]
    done = subprocess.run(command, stdin=slave, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    os.close(master), os.close(slave)
    assert (done.returncode, "Missing argument 'FILES...'" in done.stderr) == (2, True)
