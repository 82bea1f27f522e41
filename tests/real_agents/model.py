"""The model of real agents: a scripted server that distinguishes the conversation from agents' internal requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.scripted_server import Answer, Request, ScriptedServer, says
from webchat.backends.acp.transcript import PRIMED

REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
Said = tuple[str, str]
"""Who said it, "user" or "assistant", and what."""


class Model(ScriptedServer):
    """Follows the script where it is asked with the tool that runs commands, else it names a conversation."""

    def __init__(self, shell: str) -> None:
        super().__init__()
        self._shell = shell
        self.aside: list[Request] = []

    def anew(self) -> None:
        """Know no more of what was asked, nor of what was to be answered."""
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
        """The conversation as the model was told it last, without the agent's own instructions and reminders."""
        return [
            (message["role"], said)
            for message in self.questions[-1]["messages"]
            if message["role"] in ("user", "assistant") and (said := _text(message.get("content")))
        ]

    @property
    def tools_gave(self) -> list[str]:
        """What the model was told last of what came of its tool calls."""
        return [_text(message["content"]) for message in self.questions[-1]["messages"] if message["role"] == "tool"]

    def _is_conversation(self, body: Mapping[str, Any]) -> bool:
        return any(tool["function"]["name"] == self._shell for tool in body.get("tools", ()))


def primed(*told: str, new: str) -> str:
    """How a message is put to a new session of an agent, after the conversation so far."""
    return PRIMED.format("\n\n".join(told), new)


def _text(content: Any) -> str:
    """A message's text, which is one or comes in parts."""
    parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
    return REMINDER.sub("", "".join(parts)).strip()
