"""The chat's folder. It was in Amplifier's at first and is moved out of it: `amplifier reset` would remove it."""

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
"""The prefix of our files in the folder `server`, which other programs may use, too."""


def default_home() -> Path:
    """The default folder: the chat's own, or Amplifier's as long as the data is still there."""
    old, new = AMPLIFIER_HOME.expanduser(), DATA_HOME.expanduser()
    return AMPLIFIER_HOME if _has_sessions(old) and not _has_sessions(new) else DATA_HOME


def move_out() -> str:
    """Move our files from Amplifier's folder into the chat's own; returns a message for people, or "".

    Called before a server starts. The list of sessions is moved last: until then the old folder is used, and the next
    start continues. Nothing is overwritten; if the new folder is on another disk, nothing is moved. Raises OSError.
    """
    old, new = AMPLIFIER_HOME.expanduser(), DATA_HOME.expanduser()
    if not _has_sessions(old):
        return ""
    if _has_sessions(new):
        return (
            f"The conversations in {old} are not shown, because {new} is used. "
            f"“webchat export --home {old} -o all.zip” and “webchat import all.zip” bring them here."
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
        return f"Your conversations stay in {old}: {there[0]} exists already. Move that away, and they will be moved."
    for path, target in sorted(moves, key=lambda move: move[0].name == WEB_CHAT_SESSIONS_FILENAME):
        path.rename(target)
    return f"Your conversations have moved from {old} to {new}, where “amplifier reset” does not remove them."


def _has_sessions(home: Path) -> bool:
    return os.path.lexists(home / SERVER_DIR / WEB_CHAT_SESSIONS_FILENAME)
