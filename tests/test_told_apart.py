"""What model servers send, each spelling through the whole chat: streamed, reloaded, and sent back to the model."""

from __future__ import annotations

import pytest

from tests.followed import app as app
from tests.followed import server as server
from tests.followed import sessions as sessions
from tests.scripted_server import DONE, delta, ended, refuses, says, sends
from webchat.backends.chat_model import UNANSWERED

HARMONY = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Lisbon<|return|>"
IN_TEXT = [
    "<think>Hm.</think>Lisbon",
    "<thinking>Hm.</thinking>\n\nLisbon",
    "<thought>Hm.</thought>Lisbon",
    "<Think>Hm.</Think>Lisbon",
    '<think type="deep" for=3>Hm.</think>\n\nLisbon',
    "<think>H</think>\n<think>m.</think>\nLisbon",
    "<think>H<think>m</think>.</think>Lisbon",
    "<thinking>H<think>m</think>.</thinking>Lisbon",
    "Hm.</think>Lisbon",
    "Hm.\n</thinking>\n\nLisbon",
    "<think>\r\nHm.\r\n</think>\r\n\r\nLisbon",
    HARMONY,
    HARMONY.replace("<|end|>", ""),
]


def thinking(text):
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def part(text):
    return {"type": "text", "text": text}


def whole(**message):
    """The answer of a server that does not stream."""
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return refuses(200, {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": reason}]})


def streamed(*deltas):
    return sends(*deltas, ended(), DONE)


REASONED = {
    **{f"streamed: {text}": says(*text) for text in IN_TEXT},
    **{f"whole: {text}": whole(content=text) for text in IN_TEXT},
    "reasoning_content": streamed(delta(role="assistant"), delta(reasoning_content="Hm."), delta(content="Lisbon")),
    "reasoning, a role in each chunk": streamed(
        *(delta(role="assistant", reasoning=text) for text in ("H", "m.")), delta(role="assistant", content="Lisbon")
    ),
    "a role after reasoning": streamed(
        delta(reasoning_content="Hm."), delta(role="assistant", content=""), delta(content="Lisbon")
    ),
    "without [DONE]": sends(delta(reasoning="Hm."), delta(content="Lisbon"), ended()),
    "all fields, null": streamed(
        delta(content=None, reasoning="Hm.", refusal=None, tool_calls=None),
        delta(content="Lisbon", reasoning=None, refusal=None, tool_calls=[]),
    ),
    "parts": streamed(delta(content=[thinking("Hm.")]), delta(content=[part("Lis"), part("bon")])),
    "parts and a string": streamed(delta(content=[thinking("Hm.")]), delta(content="Lisbon")),
    "whole, with a field": whole(content="Lisbon", reasoning_content="Hm."),
    "whole, with parts": whole(content=[thinking("Hm."), part("Lisbon")]),
}
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
CALLED = "asked for the tool “f” instead of answering"
REFUSED = "refuses to answer: “No way.”"
SILENT = {
    "tool_calls without a call": (sends(ended("tool_calls"), DONE), "asked for a tool instead of answering"),
    "tool_calls": (sends(delta(tool_calls=[CALL]), ended("tool_calls"), DONE), CALLED),
    "tool_calls that stop": (streamed(delta(tool_calls=[CALL])), CALLED),
    "tool_calls after reasoning": (
        sends(delta(reasoning="Hm."), delta(tool_calls=[CALL]), ended("stop"), DONE),
        CALLED,
    ),
    "tool_calls, whole": (whole(content=None, tool_calls=[CALL]), CALLED),
    "harmony's call": (says(FUNCTION), CALLED),
    "harmony's call after its analysis": (says(HARMONY.partition("<|channel|>final")[0] + FUNCTION), CALLED),
    "stop": (sends(ended(), DONE), "ended without an answer"),
    "[DONE]": (sends(DONE), "ended without an answer"),
    "stop, whole": (whole(content=""), "ended without an answer"),
    "usage in a chunk without text": (
        streamed({"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}),
        "ended without an answer",
    ),
    "a refusal": (streamed(delta(refusal="No "), delta(refusal="way.")), REFUSED),
    "a refusal beside empty text": (streamed(delta(content="", refusal="No way.")), REFUSED),
    "a refusal, whole": (whole(content=None, refusal="No way."), REFUSED),
    "reasoning": (streamed(delta(reasoning="Hm.")), "ended after its reasoning"),
    "reasoning in the text": (says("<think>Hm.</think>"), "ended after its reasoning"),
    "reasoning that is not closed": (says("<think>Hm."), "ended after its reasoning"),
}


@pytest.mark.parametrize("name", REASONED)
def test_reasoning_is_told_from_the_answer_and_not_sent_back(sessions, name):
    session = sessions()
    shown = session.follow(REASONED[name])
    assert shown["data-status"] == "complete"
    assert "".join(shown.select_one(".reasoning .plain").get_text().split()) == "Hm."
    assert shown.select_one(".blocks").get_text().strip() == "Lisbon"
    assert not shown.select(".note, .problem")
    assert session.sent_with_the_next_question()[-1] == ("assistant", "Lisbon")


@pytest.mark.parametrize("name", SILENT)
def test_an_answer_without_text_is_not_complete_and_not_sent_back(sessions, name):
    answer, sentence = SILENT[name]
    session = sessions()
    shown = session.follow(answer)
    assert shown["data-status"] == "failed"
    assert sentence in shown.select_one(".problem").get_text()
    assert "Try again" in shown.select_one(".problem").get_text()
    assert session.sent_with_the_next_question()[-2:] == [("user", "second"), ("assistant", UNANSWERED)]
