"""The chat's folder, which lay in Amplifier's at first and moves out of it: `amplifier reset` would remove it."""

from __future__ import annotations

import os
from pathlib import Path

from webchat.conventions import (
    AMPLIFIER_HOME,
    DATA_HOME,
    MEMORY_STORE_FILENAME,
    SERVER_DIR,
    WEB_CHAT_SESSIONS_FILENAME,
)

OURS = ("web-chat-", ".web-chat-", "backup-")
"""How the names begin of all that is ours in the folder `server`, where others may keep something too."""


def default_home() -> Path:
    """The folder if none is set: the chat's own, or Amplifier's as long as everything is still there."""
    old, new = AMPLIFIER_HOME.expanduser(), DATA_HOME.expanduser()
    return AMPLIFIER_HOME if _has_sessions(old) and not _has_sessions(new) else DATA_HOME


def move_out() -> str:
    """Move what is ours from Amplifier's folder into the chat's own; returns what to say of it, or "".

    Called before a server starts. The list of sessions comes last: until it is there the old place counts, and the next
    start goes on. Nothing is overwritten, and on another disk everything stays where it is. Raises OSError.
    """
    old, new = AMPLIFIER_HOME.expanduser(), DATA_HOME.expanduser()
    if not _has_sessions(old):
        return ""
    if _has_sessions(new):
        return (
            f"There are conversations in {old}, too, which are not shown: {new} counts. "
            f"“webchat export --home {old} > all.jsonl” and “webchat import all.jsonl” bring them here."
        )
    for folder in (new, new / SERVER_DIR):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (old / SERVER_DIR).stat().st_dev != (new / SERVER_DIR).stat().st_dev:
        return ""
    ours = [path for path in (old / SERVER_DIR).iterdir() if path.name.startswith(OURS)]
    ours += [path for path in (old / MEMORY_STORE_FILENAME,) if path.is_file()]
    moves = [(path, new / path.relative_to(old)) for path in ours]
    there = [str(target) for _, target in moves if os.path.lexists(target)]
    if there:
        return f"Your conversations stay in {old}: {there[0]} is there already. Move it away to have them moved."
    for path, target in sorted(moves, key=lambda move: move[0].name == WEB_CHAT_SESSIONS_FILENAME):
        path.rename(target)
    return f"Your conversations have moved from {old} to {new}, where “amplifier reset” does not remove them."


def _has_sessions(home: Path) -> bool:
    return os.path.lexists(home / SERVER_DIR / WEB_CHAT_SESSIONS_FILENAME)
