"""The model of real agents: a scripted server that distinguishes the conversation from agents' internal requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.scripted_server import Answer, Request, ScriptedServer, says
from webchat.backends.acp.transcript import PRIMED

REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
Said = tuple[str, str]
"""The role, "user" or "assistant", and the text."""


class Model(ScriptedServer):
    """Follows the script for requests that offer the tool that runs commands; answers others with a title."""

    def __init__(self, shell: str) -> None:
        super().__init__()
        self._shell = shell
        self.aside: list[Request] = []

    def anew(self) -> None:
        """Forget all questions and scripted answers."""
        self.forget()
        self.requests.clear()
        self.aside.clear()
        self.default = says("Hello", " there.")

    def answer_to(self, request: Request) -> Answer:
        if request.method == "POST" and not self._is_conversation(request.body):
            self.aside.append(request)
            return says("A title")
        return super().answer_to(request)

    @property
    def heard(self) -> list[Said]:
        """The conversation that the model was sent last, without the agent's own instructions and reminders."""
        return [
            (message["role"], said)
            for message in self.questions[-1]["messages"]
            if message["role"] in ("user", "assistant") and (said := _text(message.get("content")))
        ]

    @property
    def tools_gave(self) -> list[str]:
        """The results of its tool calls that the model was sent last."""
        return [_text(message["content"]) for message in self.questions[-1]["messages"] if message["role"] == "tool"]

    def account(self) -> str:
        """What it was asked, and what of its script is left."""
        roles = [[message["role"] for message in question["messages"]][-4:] for question in self.questions[-3:]]
        asked = f"asked {len(self.questions)} times, aside {len(self.aside)} times"
        return f"{asked}; the last roles of the last questions: {roles}; scripted answers left: {len(self._answers)}"

    def _is_conversation(self, body: Mapping[str, Any]) -> bool:
        return any(tool["function"]["name"] == self._shell for tool in body.get("tools", ()))


def primed(*told: str, new: str) -> str:
    """The prompt with which a new session of an agent gets a message after the conversation so far."""
    return PRIMED.format("\n\n".join(told), new)


def _text(content: Any) -> str:
    """A message's text, which may be in parts."""
    parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
    return REMINDER.sub("", "".join(parts)).strip()
