"""Conversations of the programs that need one file each."""

from __future__ import annotations

import copy
import io
import json
import sqlite3
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner

from tests.foreign import others
from tests.foreign.others import lines
from tests.processes import ROOT
from webchat import cli
from webchat.chat.parts import Diff, Output, Reasoning, Text, ToolCall


@pytest.fixture
def bring_in(manager):
    """Imports bytes, or a value as JSON; the new sessions with their messages, by title."""

    def bring(data):
        data = data if isinstance(data, bytes) else json.dumps(data, indent=2).encode()
        report = manager.archive.bring_in(io.BytesIO(data))
        assert report.problems == []
        again = manager.archive.bring_in(io.BytesIO(data))
        assert (again.imported, again.grown, again.problems) == ([], [], [])
        sessions = map(manager.get_session, report.imported)
        return {each.description: (each, manager.conversation(each.session_id).messages) for each in sessions}

    return bring


def said(messages):
    return [(message.role, message.content) for message in messages]


def test_llama_cpp(bring_in):
    found = bring_in(lines(*others.LLAMA_CPP))
    session, (question, answer) = found["Llamas"]
    assert session.extra["system_prompt"] == "Be a llama."
    assert (session.pinned, found["Second"][0].pinned) == (True, False)
    assert session.extra["working_dir"] == "/srv/llamas"
    assert (question.content, question.files[0].name, question.files[0].content) == ("Wool?", "wool.txt", "soft")
    assert answer.parts == (
        Reasoning("Hm, wool."),
        ToolCall("t1", "find", "other", "done", '{"a": 1}', (Output("found"),)),
        Text("Lots."),
    )
    assert answer.siblings == ("a1", "a2")
    assert said(found["Second"][1]) == [("user", "Hi\n\n[picture: a.png]")]
    assert said(bring_in(others.LLAMA_CPP_OLDER)["Old"][1]) == [("user", "Old one")]


def test_deepseek(bring_in):
    _, (question, answer) = bring_in(others.DEEPSEEK)["Depth"]
    assert question.content == "How deep?\n\n[file: sea.pdf]"
    assert question.created_at.startswith("2026-10-01T02:00:00")
    thought, searched, text = answer.parts
    assert (thought, searched.kind, searched.output) == (Reasoning("The sea."), "search", (Output("sea depth"),))
    assert (text.text, answer.siblings, answer.model) == ("Very.", ("2", "3"), "deepseek-chat")


def test_deepseeks_citations_are_links(bring_in):
    _, (_, answer) = bring_in(others.DEEPSEEK_CITED)["Cited"]
    searched, text = answer.parts
    link = "[Sea](<https://sea.example>)"
    assert searched.output == (Output(f"sea depth\n{link}"),)
    assert text.text == f"Very ({link}), or not [citation:9]."


@pytest.mark.parametrize(
    ("results", "shown"),
    [
        ([{"output": "42"}], '{\n  "output": "42"\n}'),
        (["plain text", 7], "plain text\n7"),
        ({"output": "42"}, '{\n  "output": "42"\n}'),
        ([others.FOUND, {"title": "Only a title"}, "x"], "[Sea](<https://sea.example>)\nOnly a title\nx"),
        ([], ""),
    ],
)
def test_deepseeks_tools_keep_results_of_every_shape(bring_in, results, shown):
    export = copy.deepcopy(others.DEEPSEEK_CITED)
    export[0]["mapping"]["2"]["message"]["fragments"][0] = {"type": "TOOL", "results": results}
    _, (_, answer) = bring_in(export)["Cited"]
    assert answer.parts[0].output == ((Output(shown),) if shown else ())


def test_claude_code(bring_in):
    session, (command, question, answer) = bring_in(lines(*others.CLAUDE_CODE))["My change"]
    assert session.working_dir == "/src"
    assert (command.content, question.content) == ("/clear", "Change it")
    assert answer.parts == (
        Reasoning("Two."),
        Text("Changing.\n\n"),
        ToolCall("toolu_1", "Edit a.py", "edit", "done", output=(Diff("a.py", "1", "2"), Output("edited"))),
        Text("Done."),
    )
    assert answer.model == "claude-opus"


def test_codex(bring_in):
    session, (question, answer) = bring_in(lines(*others.CODEX))["List files"]
    assert (session.working_dir, question.content, answer.model) == ("/src", "List files", "gpt-5-codex")
    thought, listed, text = answer.parts
    assert (thought, text) == (Reasoning("ls"), Text("One file."))
    assert (listed.title, listed.input, listed.status, listed.output) == (
        "shell ls -l",
        "ls -l",
        "failed",
        (Output("a.py"),),
    )


@pytest.mark.parametrize("kind", ["mcp_output", "tool_search_output", "local_shell_call_output"])
def test_codex_results_of_every_type_come(bring_in, kind):
    rows = [*others.CODEX, others.codex("response_item", type=kind, call_id="c2", output="found")]
    _, (_, answer) = bring_in(lines(*rows))["List files"]
    assert answer.parts[-1] == ToolCall("c2", "tool", "other", "done", output=(Output("found"),))


@pytest.mark.parametrize(("code", "status"), [(None, "done"), (0, "done"), (1, "failed")])
def test_a_codex_command_failed_only_with_another_exit_code_than_0(bring_in, code, status):
    output = json.dumps({"output": "found", "metadata": {"exit_code": code}})
    rows = [*others.CODEX, others.codex("response_item", type="function_call_output", call_id="c2", output=output)]
    _, (_, answer) = bring_in(lines(*rows))["List files"]
    assert answer.parts[-1].status == status


def test_what_stands_in_one_row_of_claude_code_stays_in_order(bring_in):
    rows = [others.code("assistant", "a", None, {"content": [others.USE]})]
    rows += [others.code("user", "r", "a", {"content": [others.RESULT, {"type": "text", "text": "Now stop"}]})]
    rows += [others.code("user", "i", "r", {"content": [{"type": "text", "text": "[Request interrupted by user]"}]})]
    _, (called, stop, interrupted) = bring_in(lines(*rows))["Now stop"]
    assert [message.id for message in (called, stop, interrupted)] == ["a", "r", "i"]
    assert called.parts[0].output[-1] == Output("edited")
    assert (stop.content, interrupted.notes) == ("Now stop", ("Interrupted.",))


def test_what_follows_a_lost_row_of_claude_code_stays_below_what_was_before_it(bring_in):
    def row(key, parent, text):
        role = "user" if key.startswith("u") else "assistant"
        return others.code(role, key, parent, {"role": role, "content": [{"type": "text", "text": text}]})

    side = others.code("user", "s", "gone", {"role": "user", "content": "For a subagent"}, isSidechain=True)
    rows = [row("u1", None, "One?"), row("a1", "u1", "One."), side, row("u2", "gone", "Three?"), row("a2", "u2", "3.")]
    _, messages = bring_in(lines(*rows, row("u3", "gone", "Four?")))["One?"]
    assert [message.content for message in messages] == ["One?", "One.", "Four?"]
    assert messages[-1].siblings == ("u2", "u3")


def test_grok(bring_in):
    session, (question, answer) = bring_in(others.GROK)["Stars"]
    assert session.pinned
    assert (question.content, answer.model, answer.reasoning) == ("Which?", "grok-5", "Bright.")
    assert question.created_at.startswith("2026-05-28")
    assert answer.content == "Sirius.\n\nSources:\n\n1. [Sirius](<https://stars.example>)"


def test_groks_cards_are_links_and_its_artifacts_files(bring_in):
    _, (_, answer) = bring_in(others.GROK_MARKED)["Marks"]
    assert answer.content == (
        "It rains. ([Rain](<https://rain.example/a>)) Then:\n\n\n\nDone.\n\n[attachment]\n\n"
        "Sources:\n\n1. [Rain](<https://rain.example/a>)"
    )
    assert [(file.name, file.content) for file in answer.files] == [("rain.py", "print(1)\n"), ("Notes.md", "# Wet")]


def test_what_grok_never_closes_stays_text(bring_in):
    said = '1 <xaiArtifact title="a">2 <grok:render x>3'
    responses = [{"response": {"sender": "human", "message": "Q"}}, {"response": {"sender": "model", "message": said}}]
    _, (_, answer) = bring_in({"conversation": {"id": "g-3"}, "responses": responses})["Q"]
    assert (answer.content, answer.files) == (said, ())


def test_librechat(bring_in, manager):
    session, messages = bring_in(others.LIBRECHAT)["Libre"]
    assert session.extra["system_prompt"] == "Be free."
    assert (messages[1].status, messages[1].error) == ("failed", "No luck")
    manager.select(session.session_id, "m2")
    answer = manager.conversation(session.session_id).last
    assert answer.parts == (
        Reasoning("Freedom."),
        ToolCall("t", "look", "other", "done", "{}", (Output("seen"),)),
        Text("Yes."),
    )


def test_librechats_artifacts_are_files_and_its_citations_links(bring_in):
    page = {
        "type": "web_search",
        "web_search": {"turn": 0, "organic": [{"title": "Sea", "link": "https://sea.example"}]},
    }
    said = (
        "Deep. \ue202turn0search0 Or \\ue202turn0search0 not\ue200\ue202turn0news7\ue201.\n\n"
        ':::artifact{identifier="sea" type="text/html" title="Sea"}\n```html\n<p>Deep</p>\n:::\n```\n:::\n\n'
        '```\n:::artifact{title="quoted"}\n:::\n```\n\n:::artifact{title="open"}\nEnd'
    )
    messages = [
        {"messageId": "q", "isCreatedByUser": True, "text": "How deep?"},
        {"messageId": "a", "parentMessageId": "q", "isCreatedByUser": False, "text": said, "attachments": [page]},
    ]
    _, (_, answer) = bring_in({"conversationId": "sea", "title": "Sea", "messages": messages})["Sea"]
    assert [(file.name, file.content) for file in answer.files] == [("Sea.html", "<p>Deep</p>\n:::\n")]
    linked = "([Sea](<https://sea.example>))"
    assert answer.content == (
        f"Deep. {linked} Or {linked} not.\n\n\n"
        '```\n:::artifact{title="quoted"}\n:::\n```\n\n:::artifact{title="open"}\nEnd'
    )


@pytest.mark.parametrize(
    ("begin", "name"),
    [
        (':::artifact{identifier="sea" title="How {deep} is it" type="text/html"}', "How {deep} is it.html"),
        ('   :::artifact{type="text/html" title="Sea"} ', "Sea.html"),
        ('    :::artifact{type="text/html" title="Code"}', None),
    ],
)
def test_a_librechat_artifact_begins_wherever_markdown_says(bring_in, begin, name):
    said = f"Deep.\n\n{begin}\n<p>Deep</p>\n:::\n\nEnd."
    messages = [
        {"messageId": "q", "isCreatedByUser": True, "text": "How deep?"},
        {"messageId": "a", "parentMessageId": "q", "isCreatedByUser": False, "text": said},
    ]
    _, (_, answer) = bring_in({"conversationId": "sea", "title": "Sea", "messages": messages})["Sea"]
    assert [file.name for file in answer.files] == ([name] if name else [])
    assert (":::" in answer.content) is (name is None)


def test_a_branch_that_is_named_by_its_question_is_shown_to_its_end(bring_in):
    question = {"messageId": "q", "isCreatedByUser": True, "text": "Why?", "createdAt": "2026-10-01T10:00:00Z"}
    answer = {"messageId": "a", "parentMessageId": "q", "isCreatedByUser": False, "text": "Because."}
    exported = {"conversationId": "backwards", "title": "Backwards", "messages": [answer, question]}
    assert said(bring_in(exported)["Backwards"][1]) == [("user", "Why?"), ("assistant", "Because.")]


def test_hugging_face_chat_ui(bring_in):
    session, (question, answer) = bring_in(others.HF_CHAT_UI)["Hugs"]
    assert session.extra["system_prompt"] == "Hug."
    assert [(file.name, file.content) for file in question.files] == [("a.txt", "hi")]
    assert (answer.content, answer.model, answer.siblings) == ("Other.", "org/model", ("h2", "h3"))


def test_lm_studio(bring_in, manager):
    session, messages = bring_in(others.LM_STUDIO)["Studio"]
    assert (session.pinned, session.extra["system_prompt"]) == (True, "Paint.")
    question, answer, more = messages
    assert (question.content, more.content) == ("Paint?\n\n[file: a.pdf]", "More")
    assert answer.parts == (
        Reasoning("Colours."),
        ToolCall("7", "mix", "other", "done", '{\n  "a": 1\n}', (Output("green"),)),
        Text("Second."),
    )
    assert (answer.model, len(answer.siblings)) == ("qwen3", 2)


def test_mistral(bring_in):
    ((_, messages),) = bring_in(others.MISTRAL).values()
    assert said(messages) == [("user", "What blows?\n\n[file: a.png]"), ("assistant", "Wind.")]


def test_mistrals_tools_sources_and_canvases(bring_in):
    ((_, (question, answer)),) = bring_in(others.MISTRAL_TOOLS).values()
    assert question.content == "Search\n\n[file: a.png]"
    assert answer.content == (
        "Let me see.\n\nWind blows, ([Wind](<https://wind.example>)) says one. Drawn:\n\n[file: drawn.png]"
    )
    called = answer.parts[1]
    assert (called.title, called.kind, called.input) == ("web_search", "search", "wind")
    assert "https://wind.example" in called.output[0].text
    assert [(file.name, file.content) for file in answer.files] == [
        ("Summary.md", "# Wind\n"),
        ("Talk.md", "---\nmarp: true\n"),
    ]


def test_llm_logs_as_json(bring_in):
    session, (question, answer) = bring_in(others.LLM[::-1])["Tea"]
    assert session.extra["system_prompt"] == "Be brief."
    assert question.content == "Which tool?"
    assert answer.parts == (
        Reasoning("Hm."),
        Text("Let me see.\n\n"),
        ToolCall("c1", "version", "other", "done", output=(Output("0.36"),)),
        Text("This one."),
    )


@pytest.mark.parametrize(
    "data",
    [
        others.PLAIN,
        {"messages": others.PLAIN},
        lines(*others.PLAIN),
        lines(others.PLAIN, [{"role": "user", "content": "x"}]),
    ],
    ids=["list", "object", "lines", "lines of lists"],
)
def test_lists_of_role_and_content(bring_in, data):
    session, (question, answer) = bring_in(data)["Plain?"]
    assert session.extra["system_prompt"] == "Be plain."
    assert question.content == "Plain?\n\n[picture]"
    assert answer.parts == (
        ToolCall("t", "look", "other", "done", "{}", (Output("seen"),)),
        Reasoning("Plainly."),
        Text("Plain."),
    )


def test_gemini_takeout_in_any_language(bring_in):
    found = bring_in(others.GEMINI)
    assert said(found["Kaffee?"][1]) == [
        ("user", "Kaffee?"),
        ("assistant", "- Ja\n- Nein\n\n```\nx < 1\n```"),
        ("user", "Und Tee?"),
        ("assistant", "Tee **auch**."),
    ]
    assert said(found["Etwas anderes"][1])[1] == ("assistant", "Ein [Link](<https://a.example>)")


PAGE = (
    b"<html><head><title>My Activity History</title><style>" + b"a{}" * 60_000 + b"</style></head><body>"
    b'<div class="header-cell"><p class="mdl-typography--title">Gemini Apps<br></p></div>Prompted tea'
)


@pytest.mark.parametrize("where", ["", "Takeout/My Activity/Gemini Apps/MyActivity.html"])
def test_of_geminis_activity_as_a_page_it_is_said_what_to_choose(manager, where):
    data = io.BytesIO(b"" if where else PAGE)
    if where:
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr(where, PAGE)
            archive.writestr("chat.html", "<html>Gemini and Bard")
    (problem,) = manager.archive.bring_in(data).problems
    assert problem.endswith("choose My Activity, Multiple formats, and JSON instead of HTML.")
    assert problem.startswith(f"{where}: this is the activity" if where else "This is the activity")


def test_ai_studio(bring_in):
    session, (first, second, answer) = bring_in(others.AI_STUDIO)["Study?"]
    assert session.extra["system_prompt"] == "Study."
    assert (first.content, second.content) == ("Study?", "[picture]")
    assert (answer.reasoning, answer.content, answer.model) == ("Books.", "Yes.", "gemini-3-pro")


def test_ai_studios_sources_are_links(bring_in):
    found = [{"referenceNumber": 1, "title": "Tea", "uri": "https://tea.example"}]
    chunks = [{"role": "user", "text": "Tea?"}, {"role": "model", "text": "Yes. [1]"}]
    chunks[1]["grounding"] = {"groundingSources": found, "webSearchQueries": ["tea"]}
    _, (_, answer) = bring_in({"chunkedPrompt": {"chunks": chunks}})["Tea?"]
    assert answer.content == "Yes. [1]\n\nSources:\n\n1. [Tea](<https://tea.example>)"


def test_ai_studio_prompts_have_the_names_of_their_files(client, manager, home, tmp_path):
    def prompt(text):
        return json.dumps({"chunkedPrompt": {"chunks": [{"text": text, "role": "user"}]}}).encode()

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("Takeout/Drive/Google AI Studio/Plan of a garden", prompt("first"))
    files = [(io.BytesIO(data.getvalue()), "a.zip"), (io.BytesIO(prompt("second")), "Soup. Hot.json")]
    client.post("/sessions/import", data={"file": files}, content_type="multipart/form-data")
    (tmp_path / "From a terminal").write_bytes(prompt("third"))
    CliRunner().invoke(
        cli.main, ["import", "--home", str(home), str(tmp_path / "From a terminal")], catch_exceptions=False
    )
    titles = {session.description for session in manager.list_sessions()}
    assert titles >= {"Plan of a garden", "Soup. Hot", "From a terminal"}


@pytest.mark.parametrize("arguments", [(), ("-",), ("/dev/stdin",)])
def test_what_is_piped_in_has_no_file_whose_name_would_be_its_title(manager, home, arguments):
    prompt = {"chunkedPrompt": {"chunks": [{"text": "A garden of herbs", "role": "user"}]}}
    command = [sys.executable, "-m", "webchat", "import", "--home", str(home), *arguments]
    subprocess.run(command, input=json.dumps(prompt).encode(), cwd=ROOT, check=True, capture_output=True)
    (session,) = manager.list_sessions()
    assert session.description == "A garden of herbs"


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_nor_has_what_is_redirected_from_a_file(manager, home, tmp_path, name):
    prompt = {"chunkedPrompt": {"chunks": [{"text": "A garden of herbs", "role": "user"}]}}
    (tmp_path / "prompt").write_text(json.dumps(prompt), encoding="utf-8")
    command = [sys.executable, "-m", "webchat", "import", "--home", str(home), name]
    with (tmp_path / "prompt").open("rb") as file:
        subprocess.run(command, stdin=file, cwd=ROOT, check=True, capture_output=True)
    (session,) = manager.list_sessions()
    assert session.description == "A garden of herbs"


def test_copilot(bring_in):
    found = bring_in(others.COPILOT)
    assert said(found["Pilots"][1]) == [("user", "What do pilots do?"), ("assistant", "They fly,\nhigh")]
    assert said(found["Other"][1]) == [("user", "Hello")]


OLDER_LLM = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, response TEXT, conversation_id TEXT,
    datetime_utc TEXT);
INSERT INTO conversations VALUES ('c1', 'Old tea', 'm');
INSERT INTO responses VALUES ('r1', 'm', 'Tea?', NULL, 'Yes.', 'c1', '2024-01-01T10:00:00');
"""


def database(path, script):
    with sqlite3.connect(path) as made:
        made.executescript(script)
    made.close()
    return path.read_bytes()


def test_the_database_of_an_older_llm(bring_in, tmp_path):
    found = bring_in(database(tmp_path / "logs.db", OLDER_LLM))
    assert said(found["Old tea"][1]) == [("user", "Tea?"), ("assistant", "Yes.")]


HOSTILE = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE VIEW responses AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i AS id FROM n;
"""


@pytest.mark.parametrize(
    ("script", "cut", "why"),
    [
        (HOSTILE, None, "It is a database of an unknown program."),
        ("CREATE TABLE notes (id)", None, "It is a database of an unknown program."),
        ("CREATE TABLE conversations (id); CREATE TABLE responses (id);", None, "of an unknown version."),
        (OLDER_LLM, 200, "The database is damaged or of an unknown version."),
    ],
    ids=["views", "another program's", "another version's", "cut"],
)
def test_a_database_that_is_not_llms_is_told_in_words(manager, tmp_path, script, cut, why):
    data = database(tmp_path / "logs.db", script)[:cut]
    (problem,) = manager.archive.bring_in(io.BytesIO(data)).problems
    assert problem.lower().endswith(why.lower())


def test_a_row_of_csv_that_is_too_long_is_told(manager, monkeypatch):
    data = others.COPILOT + b"x,y,Human," + b"z" * 33 * 2**20
    (problem,) = manager.archive.bring_in(io.BytesIO(data)).problems
    assert problem == "A row of it is damaged or too long."
