"""Answers from agents that speak the Agent Client Protocol: opencode, Gemini CLI, Claude Code and others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from webchat.backends.acp.backend import AcpBackend
from webchat.backends.chat_model import ChatModelBackend, Nobody
from webchat.conventions import SERVER_DIR
from webchat.fileutil import DiskFolder

if TYPE_CHECKING:
    from webchat.config import Settings

__all__ = ["AcpBackend", "from_settings"]
NO_AGENT = "No agent is set. Start the chat with its command, for example: webchat --backend acp --agent 'opencode acp'"


def from_settings(settings: Settings) -> AcpBackend | ChatModelBackend:
    if not settings.agent:
        return ChatModelBackend(Nobody("No agent", NO_AGENT, "No agent is set."))
    folder = DiskFolder(settings.home.expanduser()).sub(SERVER_DIR)
    return AcpBackend(settings.agent, folder=folder, environ=os.environ, idle=settings.idle_unload * 60)
