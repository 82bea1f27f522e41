"""What models send besides text: reasoning in various formats, refusals, tool calls, nothing; through the reader."""

from __future__ import annotations

import json

import pytest

from tests.scripted_server import delta, ended
from webchat.backends import Event
from webchat.backends.openai.pieces import AnswerReader
from webchat.backends.openai.shapes import Malformed
from webchat.errors import BackendUnavailable, NothingSaid


def read(*chunks):
    """The pieces of these chunks; the last is the error, if it ended in one."""
    reader, pieces = AnswerReader(), []
    try:
        for chunk in chunks:
            pieces.extend(reader.read(chunk))
        pieces.extend(reader.end())
    except BackendUnavailable as error:
        pieces.append(error)
    return pieces


def text_of(pieces):
    return "".join(piece for piece in pieces if isinstance(piece, str))


def of_kind(pieces, kind):
    return [piece.text for piece in pieces if isinstance(piece, Event) and piece.kind == kind]


def thinking(text):
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def part(text):
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("content", "reasoning", "text"),
    [
        ([part("Lis"), part("bon")], "", "Lisbon"),
        ([thinking("Hm."), part("Lisbon")], "Hm.", "Lisbon"),
        ([{"type": "thinking", "thinking": "Hm."}, "Lisbon"], "Hm.", "Lisbon"),
        ([{"type": "reasoning_text", "text": "Hm."}, "Lisbon"], "Hm.", "Lisbon"),
        ([{"type": "summary_text", "text": "Hm."}, "Lisbon"], "Hm.", "Lisbon"),
        (
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, part("Lisbon")],
            "Hm.",
            "Lisbon",
        ),
        ([{"type": "output_text", "text": "Lisbon"}], "", "Lisbon"),
        (part("Lisbon"), "", "Lisbon"),
        ([part("<think>Hm.</think>"), part("Lisbon")], "Hm.", "Lisbon"),
        ([part(""), thinking(""), part("Lisbon")], "", "Lisbon"),
    ],
)
def test_content_may_be_a_list_of_parts(content, reasoning, text):
    pieces = read(delta(content=content), ended())
    assert ("".join(of_kind(pieces, "reasoning")), text_of(pieces)) == (reasoning, text)
    whole = read({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]})
    assert whole == pieces


def choice(text, index=0, **more):
    return {"index": index, "finish_reason": None, **more, "delta": {"content": text}}


def test_of_several_answers_the_first_is_read():
    said = [(text, index) for both in zip("Lisbon", "Porto!", strict=True) for index, text in enumerate(both)]
    turns = [{"model": "m", "choices": [choice(text, index)]} for text, index in said]
    last = [{"choices": [choice("", 1, finish_reason="length")]}, {"choices": [choice("", 0, finish_reason="stop")]}]
    reader = AnswerReader()
    pieces = []
    for chunk in turns:
        sent = json.dumps(chunk)
        if not (reader.gather_alike(sent) or reader.gather(chunk, sent)):
            pieces += reader.read(chunk)
    pieces += [piece for chunk in last for piece in reader.read(chunk)]
    assert text_of([*pieces, *reader.end()]) == "Lisbon"
    assert reader.finish_reason == "stop"


@pytest.mark.parametrize("indexes", [(0, 1), (1, 0), (None, None), (3, 4)])
def test_of_several_whole_answers_too(indexes):
    answers = [{"index": index, "message": {"content": f"{n}"}} for n, index in enumerate(indexes)]
    assert text_of(read({"choices": answers})) == "0"


@pytest.mark.parametrize("more", [{}, {"delta": None}, {"message": {}}])
def test_a_server_that_completes_texts_is_read(more):
    chunks = [{"object": "text_completion", "choices": [{"index": 0, "text": text, **more}]} for text in ("Lis", "bon")]
    assert text_of(read(*chunks, {"choices": [{"text": "", "index": 0, "finish_reason": "stop"}]})) == "Lisbon"
    assert isinstance(read({"choices": [{"text": ""}]})[-1], NothingSaid)
    with pytest.raises(Malformed):
        read({"choices": [{"text": {"a": 1}}, {"text": 7}]}, {"choices": [{"text": 7}]})


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"thinking": "Hm."},
        {"reasoning": {"content": "Hm."}},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]},
        {"reasoning_content": "Hm.", "reasoning": "Hm.", "reasoning_details": [{"text": "Hm."}]},
        {"content": [thinking("Hm.")]},
    ],
)
def test_reasoning_may_have_many_names(fields):
    pieces = read(delta(**fields), delta(content="Lisbon"), ended())
    assert (of_kind(pieces, "reasoning"), text_of(pieces)) == (["Hm."], "Lisbon")


@pytest.mark.parametrize("name", ["content", "reasoning_content"])
@pytest.mark.parametrize("wrap", [str, lambda text: [part(text)]])
def test_a_character_may_be_cut_in_two(name, wrap):
    chunks = [delta(**{name: wrap(text)}) for text in ("a \ud83d", "\ude42 b\ud83d", "\ude42", "\ud83d")]
    pieces = read(*chunks, delta(content="c"), ended())
    said = text_of(pieces) if name == "content" else "".join(of_kind(pieces, "reasoning"))
    assert said.startswith("a \U0001f642 b\U0001f642")
    assert text_of(pieces).endswith("c")


def test_half_a_character_at_the_end_is_shown_as_such():
    assert text_of(read(delta(content="a"), delta(content="\ud83d"), ended())) == "a\ufffd"


@pytest.mark.parametrize("content", [7, [7], [[]], [{"type": "thinking", "thinking": 7}]])
def test_content_of_another_shape_is_malformed(content):
    with pytest.raises(Malformed):
        read(delta(content=content))


def test_reasoning_nested_without_end_is_let_go():
    nested = [thinking("Hm.")]
    for _ in range(1000):
        nested = [{"type": "thinking", "thinking": nested}]
    assert text_of(read(delta(content=[*nested, part("Lisbon")]), ended())) == "Lisbon"


CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
MORE = {"index": 0, "function": {"arguments": "{}"}}
SILENT = {
    "nothing": ([ended()], "ended without an answer"),
    "empty text": ([delta(content=""), delta(content="  \n"), ended()], "ended without an answer"),
    "nothing to see": (
        [delta(content="\u200b"), delta(content="\ufeff\u00ad \u2060\n"), ended()],
        "ended without an answer",
    ),
    "nothing to see after reasoning": ([delta(content="<think>Hm.</think>\u200b\n"), ended()], "after its reasoning"),
    "no choice": ([{"choices": []}], "ended without an answer"),
    "a refusal": (
        [delta(refusal="I can't "), delta(refusal="do that."), ended()],
        "refuses to answer: “I can't do that.” Rephrase your message",
    ),
    "a refusal without a full stop": ([delta(refusal="No"), ended()], "refuses to answer: “No”. Rephrase"),
    "a refusal without words": ([delta(refusal="\n<b>"), ended()], "refuses to answer. Rephrase your message"),
    "a refusal as a part": (
        [delta(content=[{"type": "refusal", "refusal": "No."}]), ended()],
        "refuses to answer: “No.”",
    ),
    "a tool call": (
        [delta(tool_calls=[CALL]), delta(tool_calls=[MORE]), ended("tool_calls")],
        "the tool “get_weather”",
    ),
    "an old call": ([delta(function_call={"name": "f"}), ended("function_call")], "asked for the tool “f” instead"),
    "an unnamed call": ([ended("tool_calls")], "asked for a tool instead of answering"),
    "a call in harmony": (
        [delta(content="<|channel|>commentary to=functions.f <|message|>{}<|call|>"), ended()],
        "the tool “f”",
    ),
    "two calls": (
        [delta(tool_calls=[CALL, {"index": 1, "function": {"name": "g"}}]), ended("tool_calls")],
        "the tools “get_weather”, “g”",
    ),
    "reasoning alone": ([delta(reasoning_content="Hm."), ended()], "ended after its reasoning, without an answer"),
    "reasoning that is not closed": ([delta(content="<think>Hm."), ended()], "ended after its reasoning"),
    "reasoning that is closed": ([delta(content="Hm.\n</think>"), ended()], "ended after its reasoning"),
    "reasoning to the limit": ([delta(content="<think>Hm."), ended("length")], "while it was still reasoning"),
    "the limit": ([ended("length")], "reached its length limit before it wrote anything"),
    "a filter": ([ended("content_filter")], "content filter stopped the answer"),
    "a picture": (
        [delta(content=[{"type": "image_url", "image_url": {}}]), ended()],
        "cannot be shown here (image_url)",
    ),
}


@pytest.mark.parametrize("name", SILENT)
def test_an_answer_without_text_says_what_came(name):
    chunks, sentence = SILENT[name]
    pieces = read(*chunks)
    assert isinstance(pieces[-1], NothingSaid)
    assert sentence in str(pieces[-1])


def test_what_came_beside_text_is_a_note():
    pieces = read(delta(content="Let me look."), delta(tool_calls=[CALL]), delta(refusal="No."), ended("tool_calls"))
    assert text_of(pieces) == "Let me look."
    assert of_kind(pieces, "note") == [
        "The model refused to continue: “No.”",
        "The model also asked for the tool “get_weather”, and this chat has no tools for it.",
    ]


def test_a_refusal_is_shown_clean_and_bounded():
    pieces = read(delta(refusal="\x1b[31mNo\u202e " + "x" * 100_000), ended())
    assert str(pieces[-1]).isprintable()
    assert len(str(pieces[-1])) < 2_200


def test_the_tokens_are_told_also_if_nothing_was_said():
    pieces = read(ended(), {"choices": [], "usage": {"prompt_tokens": 3}})
    assert pieces[0] == Event("usage", data={"prompt_tokens": 3})


@pytest.mark.parametrize(
    ("reason", "note"),
    [
        ("length", "the model's length limit was reached"),
        ("MAX_TOKENS", "the model's length limit was reached"),
        ("model_length", "the model's length limit was reached"),
        ("content_filter", "content filter stopped it"),
        ("sensitive", "content filter stopped it"),
    ],
)
def test_an_answer_that_is_not_whole_says_so_in_every_services_words(reason, note):
    (said,) = of_kind(read(delta(content="Lis"), ended(reason)), "note")
    assert note in said


@pytest.mark.parametrize("reason", ["error", "network_error", "ABORTED", "insufficient_system_resource", "timeout"])
@pytest.mark.parametrize("said", ["Lis", ""])
def test_an_answer_that_the_server_broke_off_has_failed(reason, said):
    *pieces, error = read(delta(content=said), ended(reason), {"choices": [], "usage": {"prompt_tokens": 3}})
    assert text_of(pieces) == said
    assert pieces[-1] == Event("usage", data={"prompt_tokens": 3})
    assert f"was cut off by the model server ({reason})" in str(error)


def test_that_reasoning_is_switched_on_is_no_reasoning():
    pieces = read(delta(content="Lisbon", reasoning=True, thinking={"enabled": True}), ended())
    assert (of_kind(pieces, "reasoning"), text_of(pieces)) == ([], "Lisbon")


@pytest.mark.parametrize("reason", ["stop", "STOP", "eos", "end_turn", "stop_sequence", "something_new"])
def test_of_any_other_end_nothing_is_said(reason):
    assert of_kind(read(delta(content="Lisbon"), ended(reason)), "note") == []
