"""The programs whose conversations can be read, by name."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from webchat.programs.amplifier import AmplifierSessions
from webchat.programs.claude_code import ClaudeCodeSessions
from webchat.programs.codex import CodexSessions
from webchat.programs.program import Program


def programs(names: Collection[str] | Literal["auto"], home: Path, *, is_shared: bool) -> list[Program]:
    """The programs with these names, in the folders that their own environment variables name.

    "auto" are all of them, but none if `is_shared`: if several people may use the chat. Its `home` may be Amplifier's,
    too.
    """
    home = home.expanduser()
    user = Path.home()
    amplifier = Path(os.environ.get("AMPLIFIER_HOME") or user / ".amplifier").expanduser()
    known: dict[str, Program] = {
        "amplifier": AmplifierSessions((amplifier, home)),
        "claude-code": ClaudeCodeSessions(Path(os.environ.get("CLAUDE_CONFIG_DIR") or user / ".claude")),
        "codex": CodexSessions(Path(os.environ.get("CODEX_HOME") or user / ".codex")),
    }
    if names == "auto":
        names = () if is_shared else known
    return [known[name] for name in known if name in names]
