"""A newer export of an imported conversation adds new messages once; messages added here since stay."""

from __future__ import annotations

import copy
import io
import json
import threading
import zipfile

import pytest
from click.testing import CliRunner

from tests.foreign import chatgpt, claude
from tests.pictures import chunk, png
from tests.scripted import ScriptedBackend
from webchat.chat.parts import Output, ToolCall
from webchat.cli import main
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager


@pytest.fixture
def bring_in(manager):
    def bring(*conversations, owner=None):
        return manager.archive.bring_in(io.BytesIO(json.dumps(conversations).encode()), owner)

    return bring


def talk(*texts):
    """A conversation of Claude's with these messages, alternating."""
    messages = [
        {"uuid": f"m{number}", "sender": "assistant" if number % 2 else "human", "text": text}
        for number, text in enumerate(texts)
    ]
    return {"uuid": "c", "name": "Talk", "chat_messages": messages}


def said(manager, session_id):
    return [message.content for message in manager.conversation(session_id).messages]


def test_what_is_new_is_added_once_and_shown(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two")).imported
    newer = talk("one", "two", "three", "four")
    report = bring_in(newer)
    assert (report.imported, report.grown, report.known, report.problems) == ([], [session_id], 0, [])
    assert said(manager, session_id) == ["one", "two", "three", "four"]
    again = bring_in(newer)
    assert (again.imported, again.grown, again.known) == ([], [], 1)
    older = bring_in(talk("one"))
    assert (older.imported, older.grown, older.known) == ([], [], 1)
    assert said(manager, session_id) == ["one", "two", "three", "four"]


@pytest.mark.parametrize("names", [("a.json", "b.json"), ("b.json", "a.json")], ids=["older first", "newer first"])
def test_an_older_and_a_newer_export_in_one_zip_are_one_conversation(manager, names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, texts in zip(names, (["one", "two"], ["one", "two", "three", "four"]), strict=True):
            archive.writestr(name, json.dumps([talk(*texts), {**talk("else"), "uuid": "d"}]))
    report = manager.archive.bring_in(data)
    session_id, _ = report.imported
    assert said(manager, session_id) == ["one", "two", "three", "four"]
    assert (report.grown, report.problems) == ([session_id] if names[0] == "a.json" else [], [])
    again = manager.archive.bring_in(data)
    assert (again.imported, again.grown, again.known) == ([], [], 4)


def test_a_session_that_two_exports_of_one_zip_make_longer_counts_once(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two")).imported
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.json", json.dumps([talk("one", "two", "three")]))
        archive.writestr("b.json", json.dumps([talk("one", "two", "three", "four")]))
    report = manager.archive.bring_in(data, None)
    assert (report.grown, report.known, said(manager, session_id)[2:]) == ([session_id], 0, ["three", "four"])


def test_what_was_said_here_since_stays_and_is_shown(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two")).imported
    manager.send_message("mine", session_id)
    assert bring_in(talk("one", "two", "three", "four")).grown == [session_id]
    assert said(manager, session_id) == ["one", "two", "mine", "You said: mine"]
    first = manager.conversation(session_id).messages[2]
    assert first.siblings == (first.id, "m2")
    manager.select(session_id, "m2")
    assert said(manager, session_id) == ["one", "two", "three", "four"]


def test_another_version_goes_to_its_branch(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two", "three", "four")).imported
    newer = talk("one", "two", "three", "four")
    newer["chat_messages"].append({"uuid": "m9", "sender": "human", "text": "other", "parent_message_uuid": "m1"})
    bring_in(newer)
    assert said(manager, session_id) == ["one", "two", "other"]
    assert manager.conversation(session_id).messages[-1].siblings == ("m2", "m9")


def test_an_answer_that_was_being_written_grows(manager, bring_in):
    def answer(*blocks):
        conversation = talk("one", "")
        conversation["chat_messages"][1]["content"] = list(blocks)
        return conversation

    thinking = {"type": "thinking", "thinking": "Hm."}
    use = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "seen"}
    (session_id,) = bring_in(answer(thinking, {"type": "text", "text": "It"})).imported
    report = bring_in(
        answer(thinking, {"type": "text", "text": "It is"}, use, result, {"type": "text", "text": "done."})
    )
    assert report.grown == [session_id]
    last = manager.conversation(session_id).last
    assert (last.content, last.reasoning) == ("It is\n\ndone.", "Hm.")
    assert ToolCall("t", "look", "other", "done", output=(Output("seen"),)) in last.parts


def codex(*items):
    """A session of Codex's with these items."""
    head = {"type": "session_meta", "payload": {"id": "s", "timestamp": "2026-01-01T00:00:00Z"}}
    asked = {"type": "event_msg", "payload": {"type": "user_message", "message": "Look"}}
    lines = [head, asked, *({"type": "response_item", "payload": item} for item in items)]
    return io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def spoke(text):
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


CALL = {"type": "function_call", "name": "shell", "call_id": "c", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "seen"}
ITEMS = [spoke("one"), CALL, RESULT, spoke("two"), {**CALL, "call_id": "d"}, {**RESULT, "call_id": "d"}, spoke("three")]


@pytest.mark.parametrize("first", range(1, len(ITEMS)))
@pytest.mark.parametrize("then", range(2, len(ITEMS) + 1))
def test_wherever_an_answer_was_cut_it_is_whole_afterwards(manager, first, then):
    (session_id,) = manager.archive.bring_in(codex(*ITEMS[:first])).imported
    manager.archive.bring_in(codex(*ITEMS[:then]))
    manager.archive.bring_in(codex(*ITEMS))
    _, last = manager.conversation(session_id).messages
    assert last.siblings == ()
    assert last.content == "one\n\ntwo\n\nthree"
    calls = [(part.id, part.output) for part in last.parts if isinstance(part, ToolCall)]
    assert calls == [("c", (Output("seen"),)), ("d", (Output("seen"),))]
    again = manager.archive.bring_in(codex(*ITEMS))
    assert (again.grown, again.known) == ([], 1)


def test_an_answer_that_is_another_now_stands_beside_the_one_here(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two")).imported
    newer = talk("one", "quite another", "three")
    assert bring_in(newer).grown == [session_id]
    assert said(manager, session_id) == ["one", "quite another", "three"]
    assert len(manager.conversation(session_id).messages[1].siblings) == 2
    assert bring_in(newer).known == 1
    manager.select(session_id, "m1")
    assert said(manager, session_id) == ["one", "two"]


def test_an_answer_that_an_earlier_version_took_for_several_messages(manager, bring_in):
    (session_id,) = bring_in(chatgpt.CONVERSATION).imported
    row = manager.store.row(session_id)
    manager.housekeeping.purge_all(None)
    rows = [("q1", None, "user"), ("t1", "q1", "assistant"), ("a1", "t1", "assistant")]
    lines = [
        {"type": "message", "id": name, "parent": above, "role": role, "content": name} for name, above, role in rows
    ]
    head = {"type": "session", "format": 1, "session": row, "lines": len(lines)}
    manager.archive.bring_in(io.BytesIO("".join(json.dumps(line) + "\n" for line in (head, *lines)).encode()))
    assert said(manager, session_id) == ["q1", "t1", "a1"]
    assert bring_in(chatgpt.CONVERSATION).grown == [session_id]
    assert said(manager, session_id)[:4] == ["q1", "t1", "a1", "Draw one"]


def test_what_is_in_the_trash_is_left_there(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two")).imported
    manager.housekeeping.delete([session_id])
    report = bring_in(talk("one", "two", "three"))
    assert (report.imported, report.grown, report.in_trash, report.known) == ([], [], [session_id], 0)
    manager.housekeeping.restore([session_id])
    assert bring_in(talk("one", "two", "three")).grown == [session_id]


def test_all_say_what_is_in_the_trash_and_where_to_restore_it(client, manager, bring_in, page, home, tmp_path):
    file = tmp_path / "conversations.json"
    other = {**talk("one"), "uuid": "d"}
    first, second = bring_in(talk("one", "two"), other).imported

    def told(*conversations):
        data = json.dumps(conversations).encode()
        file.write_bytes(data)
        form = {"file": (io.BytesIO(data), file.name)}
        shown = page(client.post("/sessions/import", data=form, content_type="multipart/form-data"))
        sent = client.post("/sessions/import", data=data, headers={"Accept": "application/json"})
        printed = CliRunner().invoke(main, ["import", "--home", str(home), str(file)])
        return shown.soup.select_one("[data-say]"), sent.json, printed.stdout

    manager.housekeeping.delete([first])
    shown, sent, printed = told(talk("one", "two"))
    assert "0 sessions imported, 1 left in the trash." in shown.get_text()
    assert "show=trash" in shown.select_one("a")["href"]
    assert (sent["in_trash"], sent["known"]) == ([first], 0)
    assert f"0 here already, 1 left in the trash (“webchat sessions restore {first[:8]}” restores it)" in printed
    manager.housekeeping.delete([second])
    shown, sent, printed = told(talk("one", "two"), other)
    assert "2 left in the trash" in shown.get_text()
    assert sent["in_trash"] == [first, second]
    assert "2 left in the trash (“webchat sessions list --trash” lists them)" in printed


def test_a_session_in_which_an_answer_is_being_written_is_told(manager, backend, bring_in):
    (session_id,) = bring_in(talk("one", "two")).imported
    release = threading.Event()
    backend.plays("half", release)
    posted = manager.post_message(session_id, "mine")
    posted.wait_for_text(4)
    (problem,) = bring_in(talk("one", "two", "three")).problems
    assert problem.startswith("“Talk”: nothing was added to it.")
    release.set()
    posted.wait()
    assert bring_in(talk("one", "two", "three")).grown == [session_id]


def test_what_was_deleted_for_good_since_does_not_come_back(manager, bring_in):
    (session_id,) = bring_in(talk("one", "two"), owner="ada").imported
    row = manager.store.row(session_id)
    manager.archive.importer.here = lambda owner: lambda found: row  # as it was before
    manager.housekeeping.purge_all("ada")
    assert bring_in(talk("one", "two", "three"), owner="ada").grown == []
    assert not manager.storage.has(session_id)


def test_only_what_is_new_counts_and_the_rest_of_the_file_is_imported():
    small = WebChatSessionManager(ScriptedBackend(), limits=Limits(kept=100_000))
    other = {**talk("else"), "uuid": "d"}

    def bring(*conversations):
        return small.archive.bring_in(io.BytesIO(json.dumps(conversations).encode()))

    (session_id,) = bring(talk("x" * 60_000)).imported
    assert bring(talk("x" * 60_000, "two")).grown == [session_id]
    report = bring(other, talk("x" * 60_000, "two", "y" * 60_000))
    (problem,) = report.problems
    assert problem.startswith("“Talk”: nothing was added to it. Your conversations would exceed")
    assert len(report.imported) == 1
    small.close()


def test_pictures_of_new_messages_count_too():
    small = WebChatSessionManager(ScriptedBackend(), limits=Limits(kept=100_000))

    def bring(*nodes):
        conversation = {**chatgpt.CONVERSATION, "mapping": {node["id"]: node for node in nodes}}
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("conversations.json", json.dumps([conversation]))
            archive.writestr("file-0001.png", png(3, 2, chunk(b"IDAT", bytes(200_000))))
        return small.archive.bring_in(data)

    pointer = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-0001"}
    first = chatgpt.node("a", None, "user", chatgpt.said("Hello"))
    second = chatgpt.node("b", "a", "user", {"content_type": "multimodal_text", "parts": ["See", pointer]})
    (session_id,) = bring(first).imported
    assert "Your conversations would exceed" in bring(first, second).problems[0]
    assert small.storage.pictures.sizes(session_id) == {}
    small.close()


def test_prompts_of_ai_studio_that_begin_with_the_same_question_stay_apart(manager):
    def bring(title, *chunks):
        rows = [{"role": role, "text": text, "isThought": role == "thought"} for role, text in chunks]
        prompt = {"title": title, "chunkedPrompt": {"chunks": rows}}
        return manager.archive.bring_in(io.BytesIO(json.dumps(prompt).encode()))

    weather = [("user", "Hello"), ("thought", "A greeting."), ("model", "Hi!")]
    garden = [("user", "Hello"), ("thought", "A greeting."), ("model", "Good day!")]
    (first,) = bring("Weather", *weather).imported
    (second,) = bring("Garden", *garden).imported
    assert bring("Garden", *garden, ("user", "Which herbs?"), ("model", "Thyme.")).grown == [second]
    assert (len(said(manager, first)), len(said(manager, second))) == (2, 4)
    assert [manager.get_session(each).description for each in (first, second)] == ["Weather", "Garden"]


def test_each_person_has_their_own(manager, bring_in):
    (first,) = bring_in(talk("one", "two"), owner="ada").imported
    (second,) = bring_in(talk("one", "two"), owner="bob").imported
    assert bring_in(talk("one", "two", "three"), owner="bob").grown == [second]
    messages = [manager.conversation(name, who).messages for name, who in ((first, "ada"), (second, "bob"))]
    assert [len(each) for each in messages] == [2, 3]


def test_the_page_and_a_script_say_what_has_grown(client, bring_in, page):
    bring_in(claude.CONVERSATION)
    newer = copy.deepcopy(claude.CONVERSATION)
    newer["chat_messages"].append({"uuid": "m7", "sender": "human", "text": "And on"})
    file = (io.BytesIO(json.dumps([newer]).encode()), "conversations.json")
    shown = page(client.post("/sessions/import", data={"file": file}, content_type="multipart/form-data"))
    assert "0 sessions imported, 1 updated." in shown.soup.get_text()
