"""The scripted model for Gemini CLI, in Google's format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.real_agents.model import Model
from tests.scripted_server import DONE, Answer, Request, refuses

CONTEXT = "<session_context>"
"""The beginning of a text that the agent adds in the person's name."""


class GeminiModel(Model):
    """The script's answers in the formats of generateContent and streamGenerateContent."""

    def answer_to(self, request: Request) -> Answer:
        is_whole = not request.path.partition("?")[0].endswith(":streamGenerateContent")
        if request.method == "POST":
            request.path, request.body = "/v1/chat/completions", _asked(request.body)
        answer = super().answer_to(request)
        if answer.status != 200:
            return answer
        if is_whole:
            return refuses(200, _said([{"text": "".join(step for step in answer.steps if isinstance(step, str))}]))
        return replace(answer, steps=[part for step in answer.steps for part in _step(step)])


def _asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same question as a chat completion request."""
    declared = [each for tool in body.get("tools", ()) for each in tool.get("functionDeclarations", ())]
    messages = [message for content in body["contents"] for message in _messages(content)]
    return {"messages": messages, "tools": [{"function": {"name": each["name"]}} for each in declared]}


def _messages(content: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    role = "assistant" if content.get("role") == "model" else "user"
    for part in content["parts"]:
        if "functionResponse" in part:
            yield {"role": "tool", "content": str(part["functionResponse"]["response"].get("output", ""))}
        elif not part.get("text", CONTEXT).startswith(CONTEXT):
            yield {"role": role, "content": part["text"]}


def _step(step: Any) -> Iterator[Any]:
    """The same step of an answer."""
    if step == DONE:
        return
    if isinstance(step, str):
        yield _event([{"text": step}])
    elif isinstance(step, dict):
        choice = step["choices"][0]
        calls = [call["function"] for call in choice["delta"].get("tool_calls", ())]
        given = [{"functionCall": {"name": call["name"], "args": json.loads(call["arguments"])}} for call in calls]
        yield _event(given, "STOP" if choice["finish_reason"] else None)
    else:
        yield step


def _event(parts: list[dict[str, Any]], finish: str | None = None) -> bytes:
    return b"data: " + json.dumps(_said(parts, finish)).encode() + b"\r\n\r\n"


def _said(parts: list[dict[str, Any]], finish: str | None = "STOP") -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, "finishReason": finish}
    if finish is None:
        del candidate["finishReason"]
    return {"candidates": [candidate], "usageMetadata": {"totalTokenCount": 7}}
