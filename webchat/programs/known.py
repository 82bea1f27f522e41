"""The programs whose conversations can be read, by name."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from webchat.programs.amplifier import AmplifierSessions
from webchat.programs.claude_code import ClaudeCodeSessions
from webchat.programs.codex import CodexSessions
from webchat.programs.program import Program


def programs(names: Collection[str], home: Path) -> list[Program]:
    """The programs with these names, in the folders that their own environment variables name.

    The chat's `home` may be Amplifier's, too.
    """
    user = Path.home()
    amplifier = Path(os.environ.get("AMPLIFIER_HOME") or user / ".amplifier").expanduser()
    known: dict[str, Program] = {
        "amplifier": AmplifierSessions((amplifier, home)),
        "claude-code": ClaudeCodeSessions(Path(os.environ.get("CLAUDE_CONFIG_DIR") or user / ".claude")),
        "codex": CodexSessions(Path(os.environ.get("CODEX_HOME") or user / ".codex")),
    }
    return [known[name] for name in known if name in names]
