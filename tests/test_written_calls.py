"""Tool calls that a model writes into its text: told like those that a server reports, and nothing else is taken."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.followed import app as app
from tests.followed import server as server
from tests.followed import sessions as sessions
from tests.scripted_server import DONE, SILENCE, Answer, delta, ended, says, sends
from tests.scripted_server import calls as reports
from tests.test_reasoning import told_apart
from webchat.backends import Event
from webchat.backends.openai.pieces import AnswerReader
from webchat.backends.reasoning import ReasoningSplitter
from webchat.backends.written_calls import LONGEST_CALLS
from webchat.errors import NothingSaid

WEATHER = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lisbon"}}\n</tool_call>'
QUOTING = (
    r'<tool_call>{"name": "f", "arguments": {"x": "\"</tool_call>\" {<think>} \\", "y": [1.5e-3, null]}}</tool_call>'
)
AS_TEXT = r'<tool_call>{"arguments": "{\"city\": \"Lisbon\"}", "id": 7, "name": "mcp:a/b.c-d"}</tool_call>'
QWEN = "<tool_call>\n<function=get_weather>\n<parameter=city>\nLisbon, <b>\n</parameter>\n</function>\n</tool_call>"
BARE = QWEN.removeprefix("<tool_call>\n")
GLM = "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Lisbon {</arg_value>\n</tool_call>"
MINIMAX = (
    '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Lisbon</parameter>\n</invoke>\n'
    "</minimax:tool_call>"
)
DSML = (
    '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">Lisbon'
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"
)
DEEPSEEK = (
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Lisbon"}<｜tool▁call▁end｜>'
    "<｜tool▁calls▁end｜>"
)
KIMI = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0 <|tool_call_argument_begin|>"
    '{"city": "<|tool_call_end|>"} <|tool_call_end|><|tool_calls_section_end|>'
)
MISTRAL = '[TOOL_CALLS]get_weather[ARGS]{"city": "[ARGS]"}'
MISTRAL_WITH_ID = '[TOOL_CALLS]get_weather[CALL_ID]aB3dE6gH9[ARGS]{"city": "Lisbon"}'
OLDER_MISTRAL = (
    '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Lisbon"}}, {"name": "f", "arguments": {}}]'
)
LLAMA = '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Lisbon"}}'
GEMMA = '<|tool_call>call:get_weather{city:<|"|>Lisbon<|"|>,days:[1,2]}<tool_call|>'
WITH_TAGS = [QWEN, BARE, GLM, MINIMAX, DSML, QWEN.replace("tool_call>", "seed:tool_call>")]
OF_TOKENS = [DEEPSEEK, KIMI, MISTRAL, MISTRAL_WITH_ID, MISTRAL.replace("[ARGS]{", "{"), LLAMA, GEMMA]
CALLS = [
    *(("", call, ["get_weather"]) for call in (*WITH_TAGS, *OF_TOKENS)),
    *(("Let me look.\n\n", call + "\n", ["get_weather"]) for call in (*WITH_TAGS, *OF_TOKENS)),
    *(("Let me look.", call, ["get_weather"]) for call in OF_TOKENS),
    ("", QWEN + "\n" + QWEN.replace("get_weather", "f"), ["get_weather", "f"]),
    ("", BARE + "\n" + QWEN.replace("get_weather", "f"), ["get_weather", "f"]),
    ("", GLM + GLM.replace("get_weather", "f"), ["get_weather", "f"]),
    ("", MISTRAL + MISTRAL.replace("get_weather", "f"), ["get_weather", "f"]),
    ("", OLDER_MISTRAL, ["get_weather", "f"]),
    (
        "",
        KIMI.replace("<|tool_calls_section_end|>", KIMI.partition("begin|>")[2].replace("get_weather", "f")),
        ["get_weather", "f"],
    ),
    ("", QWEN.replace("\n<parameter=city>\nLisbon, <b>\n</parameter>", ""), ["get_weather"]),
    ("", MINIMAX.replace("</invoke>", '</invoke><invoke name="f"></invoke>'), ["get_weather", "f"]),
    ("", GEMMA + GEMMA.replace("get_weather", "f"), ["get_weather", "f"]),
    ("", WEATHER, ["get_weather"]),
    ("", QUOTING, ["f"]),
    ("", AS_TEXT, ["mcp:a/b.c-d"]),
    ("Let me look.\n", WEATHER, ["get_weather"]),
    ("Let me look.\n\n   ", WEATHER + "\n \n", ["get_weather"]),
    ("1. a\n```\n<tool_call>\n```\n", WEATHER + QUOTING + "\n" + AS_TEXT, ["get_weather", "f", "mcp:a/b.c-d"]),
    (WEATHER + " says\n", QUOTING, ["f"]),
    ("Tags:\n<tool_call>{\n", WEATHER, ["get_weather"]),
]
ABOUT = [
    "{0}\nDone.",
    "{0}, say",
    "> {0}",
    "- {0} -",
    "`{0}`",
    "```\n{0}\n```",
    "~~~xml\n{0}",
    "|{0}|",
    "Look:\n\n    {0}",
]
TEXTS = [
    f"{WEATHER}\nDone.",
    f"{WEATHER} {WEATHER}, for example",
    f"{WEATHER}<br>",
    f"{WEATHER}{{",
    f"Look: {WEATHER}",
    f"- {WEATHER}",
    f"> {WEATHER}",
    f"|a|\n|-|\n|{QUOTING}|",
    f"`{QUOTING}`",
    f"`a\n{WEATHER}`",
    f"```\n{WEATHER}\n```",
    f"```\n{WEATHER}",
    f"~~~xml\n{WEATHER}\n~~~\nDone.",
    f"- a\n  ```\n  {WEATHER}\n  ```",
    f"Look:\n\n    {WEATHER}",
    f"Look:\n\n\t{WEATHER}",
    WEATHER[:-1],
    WEATHER[:-12],
    WEATHER[:30],
    "<tool_call>\n",
    "<tool_call>{",
    '<tool_call>{"a\n"}</tool_call>',
    '<tool_call>{"a\\',
    "<tool_call>{}</tool_call>",
    '<tool_call>{"name": "f"}</tool_call>',
    '<tool_call>{"name": "f", "arguments": "x"}</tool_call>',
    '<tool_call>{"name": "f", "arguments": "[]"}</tool_call>',
    '<tool_call>{"name": "f", "arguments": []}</tool_call>',
    '<tool_call>{"name": "...", "arguments": {}}</tool_call>',
    '<tool_call>{"name": 7, "arguments": {}}</tool_call>',
    '<tool_call>{"name": "f", "arguments": {}}}</tool_call>',
    '<tool_call>{"name": "f", "arguments": {"a": 1,}}</tool_call>',
    '<tool_call>[{"name": "f", "arguments": {}}]</tool_call>',
    '<tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call>',
    "The <tool_call> tag begins it, and </tool_call> ends it.",
    *(text.format(call) for call in (*WITH_TAGS, *OF_TOKENS) for text in ABOUT),
    *(f"Look: {call}" for call in WITH_TAGS),
    *(f"Look: `{call}`" for call in OF_TOKENS),
    *(f"Look: {call}" for call in OF_TOKENS),
    *(call[:-1] for call in (*WITH_TAGS, *OF_TOKENS)),
    *(call[: len(call) // 2] for call in (*WITH_TAGS, *OF_TOKENS)),
    *(call.replace("get_weather", "") for call in (*WITH_TAGS, *OF_TOKENS)),
    *(call.replace("get_weather", "your tool") for call in (*WITH_TAGS, *OF_TOKENS)),
    "<tool_call>get_time</tool_call>",
    "<function=f>\n<parameter=x>1</function>",
    "<function>\n</function>",
    "<tool_calls>\n</tool_calls>",
    "<|tool_calls_section_begin|><|tool_calls_section_end|>",
    '<|tool_call_begin|>f<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|>',
    "[TOOL_CALLS]",
    "[TOOL_CALLS]f[ARGS]",
    "[TOOL_CALLS]f[ARGS][]",
    '[TOOL_CALLS]f[{"name": "f", "arguments": {}}]',
    "[TOOL_CALLS] []",
    "[ARGS]{}",
    "<|python_tag|>print(1)",
    "<|python_tag|>{}",
    "<|tool_call>call:f{",
    '{"name": "get_weather", "parameters": {"city": "Lisbon"}}',
    "<tool_call> {in braces} </tool_call>",
    "</tool_call>",
    f"{WEATHER}\n</tool_call>",
    f"{WEATHER}\n<tool_call>",
    f'{WEATHER}\n<tool_call>{{"name": "f"',
]


def cut(text, *places):
    return [text[begin:end] for begin, end in zip((0, *places), (*places, None), strict=True)]


def every_cut(text):
    """The text in two chunks in every way, and in many of the same size."""
    yield from (cut(text, place) for place in range(min(len(text), 300)))
    yield from (cut(text, *range(size, len(text), size)) for size in (1, 2, 3, 5, 7, 11))


def split(chunks):
    """The answer, its reasoning, and the tools that were called."""
    splitter = ReasoningSplitter()
    pieces = [*(piece for chunk in chunks for piece in splitter.split(chunk)), *splitter.flush()]
    thought, said = told_apart(pieces)
    return said, thought, splitter.tool_names, splitter.has_said


@pytest.mark.parametrize(("before", "call", "names"), CALLS)
def test_calls_at_the_end_are_told_from_the_answer_however_it_is_cut(before, call, names):
    for chunks in every_cut(before + call):
        assert split(chunks) == (before, call, names, bool(before)), chunks
    for chunks in every_cut(f"<think>Hm.</think>\n\n{before}{call}"):
        assert split(chunks) == (before, f"Hm.\n\n{call}" if not before else f"Hm.{call}", names, bool(before)), chunks


@pytest.mark.parametrize("text", TEXTS)
def test_all_else_is_text_as_it_was_written_however_it_is_cut(text):
    for chunks in every_cut(text):
        assert split(chunks) == (text, "", [], bool(text.strip())), chunks


TOKENS = [
    QWEN,
    GLM,
    DEEPSEEK,
    OLDER_MISTRAL,
    MISTRAL,
    "<function=f>",
    "</function>",
    "<arg_key>",
    "[ARGS]",
    "[TOOL_CALLS]",
]
TOKENS += [WEATHER, QUOTING, "<tool_call>", "</tool_call>", "<tool_call>{", '{"name": "f", "arguments": {}}', "\n", " "]
TOKENS += ['"', "\\", "{", "}", "`", "```", "<", "word", "[", "- ", "\r\n", "\u00a0", "<b>", '"a": 1,']


@settings(deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=20).map("".join), st.lists(st.integers(0, 400), max_size=9))
def test_of_any_text_nothing_is_lost_however_it_is_cut(text, places):
    said, calls, names, has_said = whole = split([text])
    assert said + calls == text
    assert bool(calls) == bool(names) == calls.strip().endswith(("</tool_call>", "</function>", "｜>", "]", "}"))
    assert not calls or calls.startswith(("[TOOL_CALLS]", "<｜")) or not said.rpartition("\n")[2].strip()
    assert has_said == bool(said.strip())
    assert split(cut(text, *sorted(places))) == whole


@pytest.mark.parametrize(
    ("text", "said", "thought"),
    [
        (f"<think>Hm.\n{WEATHER}\n</think>Lisbon", "Lisbon", f"Hm.\n{WEATHER}\n"),
        (f"Hm.\n{WEATHER}\n</think>Lisbon", "Lisbon", f"Hm.\n{WEATHER}\n"),
        (f"{WEATHER}</think>Lisbon", "Lisbon", WEATHER),
        (f"{WEATHER[:-12]}\n</think>Lisbon", "Lisbon", f"{WEATHER[:-12]}\n"),
        (f"{WEATHER}\n<think>Hm.</think>Lisbon", f"{WEATHER}\nLisbon", "Hm."),
        (
            f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{WEATHER} ok",
            None,
            "Hm.",
        ),
    ],
)
def test_reasoning_is_told_apart_as_without_calls(text, said, thought):
    for chunks in every_cut(text):
        assert split(chunks) == (f"{WEATHER} ok" if said is None else said, thought, [], True), chunks


def test_calls_are_bounded_and_a_longer_text_is_shown():
    long = WEATHER.replace("Lisbon", "x" * LONGEST_CALLS)
    for size in (len(long), 4_096, 1_000):
        chunks = cut(long, *range(size, len(long), size))
        assert split(chunks) == (long, "", [], True)
    splitter = ReasoningSplitter()
    assert all(isinstance(piece, Event) for piece in splitter.split(long[:LONGEST_CALLS]))
    assert "".join(splitter.split(long[LONGEST_CALLS:])) == long


def test_a_call_as_deep_as_no_decoder_goes_is_kept():
    deep = '<tool_call>{"name": "f", "arguments": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}</tool_call>"
    said, calls, *_ = split([deep])
    assert said + calls == deep


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call> tags",
        "<tool_call>\n{ is",
        "<tool_call>{}</tool_call> is",
        "x <tool_call>{",
        "<tool_call>s are",
        "<function=f> begins",
        "<function=f>\n</function>\nis",
        "[TOOL_CALLS] is",
        "[TOOL_CALLS]f is",
        "<|python_tag|>print(",
        "<|tool_call>is a",
        "<｜tool▁calls▁begin｜> is",
    ],
)
def test_text_about_calls_is_shown_at_once(text):
    assert "".join(piece for piece in ReasoningSplitter().split(text) if isinstance(piece, str)) == text


def test_a_call_is_held_back_with_a_status():
    splitter, pieces = ReasoningSplitter(), []
    for letter in f"Let me look.\n{WEATHER}\n":
        pieces += splitter.split(letter)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "Let me look.\n"
    assert [piece for piece in pieces if isinstance(piece, Event)] == [Event("status", "Asking for a tool")]


def ending(*chunks):
    """The notes on an answer, and the error that ended it."""
    reader = AnswerReader()
    for chunk in chunks:
        list(reader.read(chunk))
    pieces = []
    try:
        pieces.extend(piece for piece in reader.end() if isinstance(piece, Event) and piece.kind == "note")
    except NothingSaid as error:
        return pieces, str(error)
    return pieces, ""


REPORTED = {"index": 0, "id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}


@pytest.mark.parametrize("said", ["", "Let me look.\n"])
@pytest.mark.parametrize("finish", ["stop", "tool_calls", "length"])
def test_an_answer_ends_as_with_a_call_that_the_server_reports(said, finish):
    reported = ending(delta(content=said), delta(tool_calls=[REPORTED]), ended(finish))
    assert "get_weather" in str(reported)
    for chunks in every_cut(said + WEATHER):
        assert ending(*(delta(content=chunk) for chunk in chunks), ended(finish)) == reported
    assert ending({"choices": [{"message": {"content": said + WEATHER}, "finish_reason": finish}]}) == reported


def written(said, call, *gates):
    """An answer with a call in its text, which is cut in the middle; each gate holds it there."""
    return Answer([said, call[:5], call[5:40], *gates, call[40:70], call[70:], ended(), DONE])


@pytest.mark.parametrize("call", [WEATHER, QWEN, GLM, KIMI])
@pytest.mark.parametrize("said", ["", "Let me look.\n"])
def test_on_the_page_in_exports_and_for_the_model_it_is_as_if_the_server_had_reported_it(sessions, said, call):
    gate = threading.Event()
    one, other = sessions(), sessions()
    shown = one.follow(written(said, call, gate), ("Asking for a tool", gate.set))
    assert call[:30] not in one.seen
    reported = other.follow(reports("c1", "get_weather", {"city": "Lisbon"}, said))
    assert shown["data-status"] == reported["data-status"] == ("complete" if said else "failed")
    for place in (".blocks", ".note", ".problem"):
        texts, others = ([found.get_text() for found in each.select(place)] for each in (shown, reported))
        assert texts == others
    assert "the tool “get_weather”" in shown.get_text()
    assert shown.select_one(".reasoning .plain").get_text() == call
    for form in ("md", "html"):
        assert "the tool “get_weather”" in one.exported(form)
        assert one.exported(form).index("city") < one.exported(form).index("the tool “")
    assert one.sent_with_the_next_question() == other.sent_with_the_next_question()


@pytest.mark.parametrize(
    "text", [WEATHER[:-3], WEATHER + "\nDone.", f"```\n{WEATHER}\n```", QWEN + "\nDone.", BARE[:-30]]
)
def test_what_is_no_call_is_on_the_page_in_full(sessions, text):
    session = sessions()
    shown = session.follow(says(text[:7], text[7:45], text[45:]))
    assert shown["data-status"] == "complete"
    assert "get_weather" in shown.select_one(".blocks").get_text()
    assert not shown.select(".note, .problem, .reasoning")
    assert ("assistant", text) in session.sent_with_the_next_question()


def test_a_call_is_dropped_with_the_answer_that_is_stopped_before_its_end(sessions):
    session = sessions()
    shown = session.follow(sends("Let me look.\n", WEATHER[:40], SILENCE), ("Asking for a tool", session.stop))
    assert shown["data-status"] == "stopped"
    assert shown.select_one(".blocks").get_text().strip() == "Let me look."


def test_a_call_that_a_broken_connection_leaves_unfinished_is_text(sessions):
    shown = sessions().follow(sends("Let me look.\n", WEATHER[:40], ends="cut"))
    assert shown["data-status"] == "failed"
    assert "Let me look." in shown.select_one(".blocks").get_text()
    assert '{"name": "get_weather"' in shown.select_one(".blocks").get_text()
