"""Conversations of other programs are imported with their tools, reasoning, links and documents."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile

import pytest
from bs4 import BeautifulSoup

from tests.foreign import chatgpt, claude, open_webui
from webchat.archive.foreign import link
from webchat.archive.sources.chatgpt_canvas import Canvas
from webchat.chat.message import File, history
from webchat.chat.parts import Diff, Note, Output, Reasoning, Text, ToolCall
from webchat.render.markdown import markdown


@pytest.fixture
def bring_in(manager):
    """Imports bytes, or values as JSON, and returns the messages of each session that is new, by its title."""

    def bring(data):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        report = manager.archive.bring_in(io.BytesIO(data))
        assert report.problems == []
        sessions = map(manager.get_session, report.imported)
        return {session.description: manager.conversation(session.session_id).messages for session in sessions}

    return bring


def session(manager, title):
    (found,) = [each for each in manager.store.list_all(None) if each.description == title]
    return found


def packed(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return data.getvalue()


def test_a_message_with_a_file_and_no_text_is_told_to_the_model(manager, bring_in):
    pasted = {"sender": "human", "text": "", "attachments": [{"file_name": "", "extracted_content": "tick"}]}
    (message,) = bring_in([{"name": "Pasted", "chat_messages": [pasted]}])["Pasted"]
    assert [told["content"] for told in history([message])] == ["pasted.txt:\n\n```\ntick\n```"]


def test_chatgpt_tells_what_was_thought_searched_and_cited(bring_in):
    question, answer = bring_in(chatgpt.EXPORT)["Kites"][:2]
    assert question.content == "[picture: kite.jpg]\n\nWhat is this?\n\n[file: manual.pdf]"
    assert answer.parts == (
        Reasoning("A kite?"),
        ToolCall(
            "c1", "web.run", "search", "done", 'search("kite")', (Output("Kites are toys."), Output(" And birds."))
        ),
        Note("Thought for 5 seconds"),
        Text("A kite ([Kites [2026]](<https://kites.example/a?b=1>))."),
    )
    assert (answer.content, answer.model) == (answer.parts[-1].text, "gpt-5")


def test_chatgpt_pictures_that_were_drawn_are_the_answer(bring_in):
    drawn = bring_in(chatgpt.EXPORT)["Kites"][3]
    assert (drawn.role, drawn.content) == ("assistant", "[picture: a red kite]")


def test_chatgpt_canvases_are_files_of_the_answer(bring_in):
    messages = bring_in(chatgpt.EXPORT)["Kites"]
    assert [
        (message.content, [(file.name, file.content) for file in message.files]) for message in messages[5:8:2]
    ] == [
        ("Here it is.", [("kite_plan.py", "print('kite')\n")]),
        ("", [("kite_plan.py", "print('red kite')\n")]),
    ]


def test_chatgpt_what_was_spoken_and_written_for_copying_is_plain(bring_in):
    assert [message.content for message in bring_in(chatgpt.EXPORT)["Kites"][-2:]] == ["How high?", "Dear kite,\nDone."]


def test_chatgpt_older_citations_are_links_and_names_are_plain(bring_in):
    assert bring_in(chatgpt.EXPORT)["Older"][1].content == "There ([Map](<https://map.example/>)), see Paris."


def test_chatgpt_archived_and_pinned(manager, bring_in):
    bring_in(chatgpt.EXPORT)
    assert (session(manager, "Kites").pinned, session(manager, "Kites").archived) == (True, True)
    assert (session(manager, "Older").pinned, session(manager, "Older").archived) == (False, False)


def test_claude_tells_what_was_thought_and_done(bring_in):
    question, answer = bring_in(claude.EXPORT)["A clock"][:2]
    assert question.content == "[file: photo.png]"
    assert [(file.name, file.content) for file in question.files] == [("pasted.txt", "pasted tick")]
    assert answer.model == "claude-opus-5"
    thought, searched, said, made, end = answer.parts
    assert thought == Reasoning("Considered clocks.")
    assert searched.title == "web_search clocks"
    assert searched.output == (Output("Clocks\nhttps://clocks.example\nTick."),)
    assert said == Text("Clock ([https://clocks.example](<https://clocks.example>)). \n\n")
    assert (made.title, made.kind, made.output) == ("artifacts Clock", "edit", ())
    assert end == Text("Made.")
    assert "SYSTEM" not in answer.content


def test_claude_artifacts_are_files_as_each_answer_left_them(bring_in):
    messages = bring_in(claude.EXPORT)["A clock"]
    files = [[(file.name, file.content) for file in message.files] for message in messages[1::2]]
    assert files == [[("Clock.py", "tick = 1\n")], [("Clock.py", "tick = 2\n")], [("a.sh", "echo hi\n")]]
    (changed,) = messages[3].parts
    assert changed.output[0] == Diff("clock", "1", "2")
    assert messages[5].parts[0].status == "failed"
    assert messages[3].content == ""


def test_claude_a_conversation_that_was_starred_is_pinned(manager, bring_in):
    bring_in(claude.EXPORT)
    assert session(manager, "A clock").pinned


def test_open_webui_blocks_in_the_text_are_parts(bring_in):
    question, answer = bring_in(open_webui.EXPORT)["Tea"][:2]
    assert question.content == "Tea?\n\n[picture]"
    thought, look, searched, ran, said, sources = answer.parts
    assert thought == Reasoning("It <may> be\ntea.")
    assert look.text.strip() == "Let me look."
    assert searched == ToolCall("call_1", "search", "other", "done", '{\n  "q": "tea"\n}', (Output("Tea & <leaf>"),))
    assert (ran.title, ran.kind, ran.input) == ("Code", "execute", "1 + 2")
    assert ran.output == (Output('{\n  "stdout": "3"\n}'),)
    assert said.text.strip() == "It is **tea** [1]."
    assert sources == Text("Sources:\n\n1. [Tea page](<https://tea.example>)\n2. notes.md")
    assert "<details" not in answer.content


def test_open_webui_output_files_and_errors(manager, bring_in):
    question, answer, _, failed = bring_in(open_webui.EXPORT)["Tea"][2:]
    assert question.content == "And the weather?\n\n[picture]"
    assert [(file.name, file.content) for file in question.files] == [("notes.md", "# Notes\n")]
    assert answer.parts == (
        Reasoning("Hm."),
        ToolCall("call_9", "weather", "other", "done", '{"city": "Rome"}', (Output("Sunny"),)),
        Text("It is sunny."),
    )
    assert (failed.status, failed.error) == ("failed", "Model not found")
    found = session(manager, "Tea")
    assert (found.pinned, found.archived, found.extra["system_prompt"]) == (True, True, "Be brief.")


def test_open_webui_lines_of_its_api_and_chats_without_a_tree(bring_in):
    lines = "".join(json.dumps(chat) + "\n" for chat in (*open_webui.EXPORT, open_webui.BARE))
    found = bring_in(lines.encode())
    assert [message.content for message in found["Flat"]] == ["one", "two"]
    assert [message.content for message in found["Bare"]] == ["only me"]
    assert len(found["Tea"]) == 6


def test_gzipped_zipped_and_zips_in_zips_to_depth_two(manager, bring_in):
    inner = packed(conversations_json=json.dumps(claude.EXPORT), users_json='[{"uuid": "me"}]')
    category = packed(conversations000_zip=inner, manifest_json="{}")
    assert bring_in(packed(all_zip=category, readme_txt="hello")).keys() == {"A clock"}
    assert bring_in(gzip.compress(json.dumps(chatgpt.EXPORT).encode())).keys() == {"Kites", "Older"}
    assert bring_in(packed(lines_jsonl_gz=gzip.compress(json.dumps(open_webui.BARE).encode()))).keys() == {"Bare"}
    deep = packed(a_zip=packed(b_zip=packed(c_zip=inner)))
    (problem,) = manager.archive.bring_in(io.BytesIO(deep)).problems
    assert problem == "a.zip: b.zip: c.zip: it is a zip within too many zips. Unpack it, and import its contents."


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7 \xff\xfe",
        b"a,b\n1,2\n",
        b'{"hello": 1}',
        b'[{"hello": 1}]',
        b"<html><body>hi",
        packed(hello_json='{"hello": 1}', picture_png=b"\x89PNG"),
        gzip.compress(b"hello"),
    ],
    ids=["pdf", "csv", "object", "list", "html", "zip", "gzip"],
)
def test_of_an_unknown_kind_the_known_ones_are_told_and_no_byte_of_the_file(manager, data):
    (problem,) = manager.archive.bring_in(io.BytesIO(data)).problems
    assert problem.startswith("This kind of file is unknown. The known kinds are: this chat's own exports, ChatGPT, ")


@pytest.mark.parametrize("cut", [10, 60])
def test_a_gzipped_file_that_is_not_whole_is_told_in_words(manager, cut):
    data = gzip.compress(json.dumps(chatgpt.EXPORT).encode())
    (problem,) = manager.archive.bring_in(io.BytesIO(data[:-cut])).problems
    assert problem == "The file is damaged or incomplete: it cannot be unpacked."


def test_our_own_export_in_a_zip(manager, bring_in, client, tmp_path):
    manager.create_session()
    manager.send_message("hello")
    data = client.get("/sessions/export").data
    answer = client.post("/sessions/import", data=packed(export_jsonl=data), headers={"Accept": "application/json"})
    assert (answer.json["known"], answer.json["problems"]) == (1, [])


def test_what_cannot_be_read_is_told_by_file_and_reason_in_few_lines(manager, client):
    good, bad = json.dumps(claude.CONVERSATION), '{"uuid": "x", "chat_messages" }'
    many = "[" + ",".join([bad] * 50 + [good]) + "]"
    files = [(io.BytesIO(many.encode()), name) for name in ("first.json", "second.json")]
    answer = client.post("/sessions/import", data={"file": files}, headers={"Accept": "application/json"}).json
    assert len(answer["imported"]) == 1
    assert answer["problems"] == [
        f"{name}: each of 50 conversations (conversation 1, conversation 2, conversation 3 and 47 more): it is damaged."
        for name in ("first.json", "second.json")
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("document", "Plan.md"), ("code/python", "Plan.py"), ("code/html", "Plan.html"), ("", "Plan.txt")],
)
def test_a_canvas_is_named_after_its_type(kind, name):
    document = json.dumps({"name": "Plan", "type": kind, "content": "# Kites"})
    assert Canvas().file("canmore.create_textdoc", document) == File(name, "# Kites")


def cited(number, title, start=None):
    about = {
        "type": "webpage",
        "title": title,
        "url": f"https://{title}.example/",
        "extra": {"cited_message_idx": number},
    }
    return {"start_ix": start, "end_ix": None if start is None else start + 10, "metadata": about}


@pytest.mark.parametrize(
    ("text", "metadata", "shown"),
    [
        ("So【3†source】【5†source】.", {"citations": [cited(3, "a"), cited(5, "b")]}, "So (A) (B)."),
        (":::writing{a}\nSo【3†source】", {"citations": [cited(None, "a", 16)]}, "So (A)"),
        ("😀 So【3†source】.", {"citations": [cited(3, "a", 5)]}, "😀 So (A)."),
        ("So【3†source】, or【4:0†source】, or【7†L3-L12】.", {}, "So, or, or."),
        ("So【9†report.pdf】.", {}, "So (report.pdf)."),
        (
            "So【9†source】.",
            {"citations": [{"metadata": {"type": "file", "name": "a.pdf"}, "start_ix": 2}]},
            "So (a.pdf).",
        ),
        ("【注】 stays", {}, "【注】 stays"),
    ],
)
def test_chatgpt_older_marks_are_links_or_are_left_out(bring_in, text, metadata, shown):
    nodes = [
        chatgpt.node("q", None, "user", chatgpt.said("What is 【3†source】?")),
        chatgpt.node("a", "q", "assistant", chatgpt.said(text), metadata=metadata),
    ]
    (messages,) = bring_in([{"title": "M", "id": "m", "mapping": {node["id"]: node for node in nodes}}]).values()
    links = {"A": "[a](<https://a.example/>)", "B": "[b](<https://b.example/>)"}
    assert messages[0].content == "What is 【3†source】?"
    assert messages[1].content == re.sub(r"\b[AB]\b", lambda found: links[found[0]], shown)


@pytest.mark.parametrize("title", ["[PDF] A title", "a] [b](x) [c", "a [b](https://x.y) c", "[x", "a\\", "[[a]] b"])
def test_a_title_with_brackets_is_the_text_of_its_link(title):
    shown = BeautifulSoup(markdown(f"({link(title, 'https://x.y/')})"), "html.parser")
    assert [(found.get_text(), found["href"]) for found in shown.select("a")] == [(title, "https://x.y/")]
    assert shown.get_text().strip() == f"({title})"
