"""Lists saved prompts for the composer and scripts, and expands "/name" to them."""

from __future__ import annotations

from flask import Blueprint, Response

from webchat.chat.session import WebChatSession
from webchat.web.context import chat_of, manager
from webchat.web.faces import json_answer


def register(blueprint: Blueprint) -> None:
    blueprint.get("/api/prompts", endpoint="api_prompts")(prompts)


def prompts() -> Response:
    """The saved prompts, as JSON."""
    saved = chat_of().prompts
    rows = [{"name": each.name, "description": each.description, "text": each.text} for each in saved.all()]
    return json_answer({"prompts": rows})


def commands(session: WebChatSession | None) -> list[tuple[str, str]]:
    """The names that may follow "/" in this session, with descriptions: its agent's commands, then saved prompts."""
    known = manager().agents.commands(session.session_id) if session else {}
    return [
        *known.items(),
        *((each.name, each.description) for each in chat_of().prompts.all() if each.name not in known),
    ]


def expanded(message: str, session_id: str | None = None) -> str:
    """The message, with the saved prompt that it calls expanded.

    An agent's command of the same name goes to the agent.
    """
    text, name = chat_of().prompts.expanded(message)
    return message if session_id and name and name in manager().agents.commands(session_id) else text
