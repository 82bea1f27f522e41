"""Reasoning inside the answer's text: in tags of many spellings, however the text is split."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webchat.backends import Event
from webchat.backends.reasoning import LONGEST_ASIDE, ReasoningSplitter, without_reasoning

HARMONY = "<|channel|>analysis<|message|>We think.<|end|><|start|>assistant<|channel|>final<|message|>Lisbon<|return|>"
REASONING = [
    ("<think>Hm.</think>Lisbon", "Hm.", "Lisbon"),
    ("\n<think>\nHm.\n</think>\n\nLisbon", "Hm.\n", "Lisbon"),
    ("<thinking>Hm.</thinking>Lisbon", "Hm.", "Lisbon"),
    ("<thought>Hm.</thought>Lisbon", "Hm.", "Lisbon"),
    ("<Think>Hm.</Think>Lisbon", "Hm.", "Lisbon"),
    ("<reasoning>Hm.</reasoning >Lisbon", "Hm.", "Lisbon"),
    ("<think type=\"deep\" for='3 s'>Hm.</think>Lisbon", "Hm.", "Lisbon"),
    ("[THINK]Hm.[/THINK]Lisbon", "Hm.", "Lisbon"),
    ("◁think▷Hm.◁/think▷Lisbon", "Hm.", "Lisbon"),
    ("<|START_THINKING|>Hm.<|END_THINKING|>Lisbon", "Hm.", "Lisbon"),
    ("<seed:think>Hm.</seed:think>Lisbon", "Hm.", "Lisbon"),
    ("<think:6124c78e>Hm.</think:6124c78e>Lisbon", "Hm.", "Lisbon"),
    ("Hm.</think:6124c78e>\nLisbon", "Hm.", "Lisbon"),
    ("<|channel>thought\nHm.\n<channel|>Lisbon", "Hm.\n", "Lisbon"),
    ("Hm.\n<channel|>Lisbon", "Hm.\n", "Lisbon"),
    ("<|begin_of_thought|>Hm.<|end_of_thought|>\n<|begin_of_solution|>Lisbon<|end_of_solution|>", "Hm.", "Lisbon"),
    ("<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Lisbon<|END_RESPONSE|>", "Hm.", "Lisbon"),
    ("<think></think>\n\nLisbon", "", "Lisbon"),
    ("<think>One.</think>\n<think>Two.</think>\nLisbon", "One.Two.", "Lisbon"),
    ("<think>One.</think>It is\n<think>Two.</think>\nLisbon", "One.Two.", "It is\nLisbon"),
    ("It is.<thought>Sure?</thought>Lisbon", "Sure?", "It is.Lisbon"),
    ("<think>One <think>two</think>, three</think>Lisbon", "One two, three", "Lisbon"),
    ("<think>Is `</think>` a tag?</think>Lisbon", "Is `</think>` a tag?", "Lisbon"),
    ("<think>Is <think> a tag?</think>Lisbon", "Is  a tag?", "Lisbon"),
    ("Hm.\n</think>\n\nLisbon", "Hm.\n", "Lisbon"),
    ("Hm.</think>Lisbon", "Hm.", "Lisbon"),
    ("Is `<think>` a tag? No.\n</think>\nLisbon", "Is `<think>` a tag? No.\n", "Lisbon"),
    ("</think>\n\nLisbon", "", "Lisbon"),
    ("Hm.\n\n```py\nx = 1\n```\n</think>\nLisbon", "Hm.\n\n```py\nx = 1\n```\n", "Lisbon"),
    (HARMONY, "We think.", "Lisbon"),
    (HARMONY.removeprefix("<|channel|>analysis<|message|>"), "We think.<|end|>", "Lisbon"),
    ("<|start|>assistant" + HARMONY, "We think.", "Lisbon"),
    ("<|channel|>final<|message|>Lisbon", "", "Lisbon"),
    ("<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>" + HARMONY, "{}We think.", "Lisbon"),
    ("<|start|>assistant to=f<|channel|>commentary json<|message|>{}<|call|>" + HARMONY, "{}We think.", "Lisbon"),
    (HARMONY.replace("Lisbon", "Lisbon **<|start|>** begins"), "We think.", "Lisbon **<|start|>** begins"),
    ("<think>Hm", "Hm", ""),
    ("<think>Hm</thi", "Hm</thi", ""),
]
TEXT = [
    "Lisbon",
    "<thin",
    "  <",
    "  \n",
    "<b>Lisbon</b>",
    "a [link](x) and [THIN",
    "a <think>b</think>",
    "The <think> tag begins it, and </think> ends it.",
    'It ends with "</think>".',
    "`<think>` opens.\n`</think>` closes.",
    "Look:\n\n```xml\n<think>\nHm.\n</think>\n```\n\nDone",
    "Look:\n\n````markdown\n```\n<think>\n```\n</think>\n````\nDone",
    "~~~\n</think>\n~~~",
    "- a list\n  ```\n  </think>\n  ```",
    "Tags:\n<think> is one that is never closed",
    "Lisbon<|end|>",
    "The mark `<|channel|>` begins a channel.",
    "**<|start|>** begins a message, and **<|message|>** begins its text. " + "x " * 500,
    "The marks:\n\n- <|start|>\n- <|message|>\n\nThat is all.",
    "<|start|>\nbegins, <|end|> ends, and\n<|end|>\ndoes so on its own.",
    "|Mark|Meaning|\n|-|-|\n|<|start|>|begin|\n|<|message|>|content|\n",
    "<|start|>assistant",
    "It writes\n<|channel|>analysis",
    "<|channel|>" + "final " * 200,
    "<|start|>user<|message|>Hi<|end|>",
    "<|start|><think>",
    "x <thinker>y</thinker> <thinking-cap>",
    "x <think:er>y</think:er> <seed:x>",
    "The marks <|START_RESPONSE|> and <|channel>thought begin it, and <channel|> ends it.",
    "<think:6124",
    "<think",
]


def pieces_of(content, size=None):
    splitter, size = ReasoningSplitter(), size or len(content) or 1
    for start in range(0, len(content), size):
        yield from splitter.split(content[start : start + size])
    yield from splitter.flush()


def told_apart(pieces):
    """The final reasoning and answer."""
    reasoning, text, since = [], [], 0
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
        elif piece.kind == "reasoning":
            reasoning.append(piece.text)
            since = len(text)
        elif piece.kind == "reasoned":
            reasoning += text[since:]
            del text[since:]
    return "".join(reasoning), "".join(text)


@pytest.mark.parametrize("size", [None, 1, 2, 3, 5, 7, 11])
@pytest.mark.parametrize(("content", "reasoning", "answer"), REASONING)
def test_reasoning_is_told_from_the_answer_however_it_is_cut(content, reasoning, answer, size):
    assert told_apart(pieces_of(content, size)) == (reasoning, answer)


@pytest.mark.parametrize("size", [None, 1, 2, 3, 5, 7, 11])
@pytest.mark.parametrize("content", TEXT)
def test_a_tag_that_the_answer_speaks_of_is_text(content, size):
    assert told_apart(pieces_of(content, size)) == ("", content)


ABOUT_CALLS = [
    '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\nDone.',
    '<tool_call>{"name": "write", "arguments": {"text": "use the <think> tag"}}</tool_call>\nDone, it is written.',
    '<tool_call>{"name": "a"}\n\nNo close and then a long answer',
    "Wrap calls in <tool_call> tags (JSON inside).\n\nExample and more text.",
    "Mistral uses [TOOL_CALLS] tokens\nand Qwen others.\n\nLong explanation.",
    "| Llama | <function=example> |\n| Qwen | <tool_call> |\n\nMore.",
    '<|python_tag|>print("hello")\n\nThat prints hello.',
    "<tool_call>{" + "x" * 2**17,
    "[TOOL_CALLS]f[CALL_ID] is followed by an id and [ARGS]{}",
    "<tool_call>f<arg_key>the key of an argument</arg_key><arg_value>1</arg_value></tool_call>",
]


@pytest.mark.parametrize("size", [None, *range(1, 12)])
@pytest.mark.parametrize("content", ABOUT_CALLS)
def test_text_about_tool_calls_is_left_as_it_is(content, size):
    assert told_apart(pieces_of(content, size)) == ("", content)


def test_reasoning_that_was_opened_comes_at_once_and_text_without_a_tag_too():
    splitter = ReasoningSplitter()
    assert list(splitter.split("<think>Hm, ")) == [Event("reasoning", "Hm, ")]
    assert list(splitter.split("yes.</think>Lis")) == [Event("reasoning", "yes."), "Lis"]
    assert list(splitter.split("bon < Porto")) == ["bon < Porto"]


def test_reasoning_within_the_answer_is_bounded():
    content = "It is\n<think>" + "Hm. " * LONGEST_ASIDE + "</think>Lisbon"
    reasoning, answer = told_apart(pieces_of(content, 4096))
    assert answer == "It is\nLisbon"
    assert len(reasoning) > 3 * LONGEST_ASIDE


TOKENS = [
    "<think>",
    "</think>",
    "<Thought a='b'>",
    "```",
    "`",
    "\n",
    " ",
    "word",
    ".",
    "<|channel|>",
    "final",
    "<|end|>",
]
TOKENS += [
    "<|channel>thought",
    "<channel|>",
    "<think:1a2b>",
    "<|START_RESPONSE|>",
    "<|message|>",
    "analysis",
    "[THINK]",
    "<",
    "</",
    "~~~",
    "<|start|>",
    "◁",
    "<tool_call>",
    '{"name": "f", "arguments": {}}',
    '{"name": "f", "arguments": {"a": "',
    '"}}',
    "</tool_call>",
    "\\",
    "{",
    '<tool_call>{"name": "f", "arguments": {}}</tool_call>',
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=30), st.integers(1, 9))
def test_where_it_is_cut_makes_no_difference(tokens, size):
    content = "".join(tokens)
    assert told_apart(pieces_of(content, size)) == told_apart(pieces_of(content))


def seconds_for(content, size):
    """Of this thread, the least of a few: other threads of a test process work, too, and cores are shared."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        list(pieces_of(content, size))
        took.append(time.thread_time() - began)
    return min(took)


@pytest.mark.parametrize(
    "part",
    [
        "<think>",
        "</think>",
        "a<think>b ",
        "`</think>",
        "<",
        "<think ",
        "x<|start|>",
        "\n<think>x</think>",
        "<tool_call>",
        "\n<tool_call>{",
        '\n<tool_call>{"',
        '\n<tool_call>{"\n',
        '\n<tool_call>{"name": "f", "arguments": {}}</tool_call>',
        '\n<tool_call>{"name": "f", "arguments": {}}</tool_call>x',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call>\n',
        "</tool_call>",
        "\n<tool_call>f",
        "\n<tool_call>f<arg_key>a</arg_key><arg_value>b</arg_value>",
        "\n<function=f>\n<parameter=a>\nb\n</parameter>",
        "\n<function=f></function>\n",
        "x[TOOL_CALLS]",
        'x[TOOL_CALLS]f[ARGS]{"a',
        '[TOOL_CALLS]f[ARGS]{"a": 1}',
        "x<|tool_call>call:f{a",
        "x<|tool_calls_section_begin|>",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{",
    ],
)
def test_the_time_is_in_proportion_to_the_length(part):
    short, long = part * 2_000, part * 16_000
    seconds_for(short, 50)
    assert seconds_for(long, 50) < 30 * max(seconds_for(short, 50), 0.005)


def test_so_is_that_for_blank_chunks_before_an_answer():
    short, long = "\n" * 4_000, "\n" * 32_000
    seconds_for(short, 1)
    assert seconds_for(long, 1) < 30 * max(seconds_for(short, 1), 0.005)


def test_the_answer_without_its_reasoning():
    assert without_reasoning("Hm.\n</think>\n\nLisbon <b>") == "Lisbon <b>"
