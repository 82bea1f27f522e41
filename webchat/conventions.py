"""Names of files and folders on disk, and names that clients rely on. Knows no file's content."""

from __future__ import annotations

import os
from pathlib import Path

AMPLIFIER_HOME = Path("~/.amplifier")
"""Amplifier's own folder, which once contained the chat's; callers expand `~`."""
DATA_HOME = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "webchat"
"""The chat's default folder: `amplifier reset` would empty Amplifier's."""

SERVER_DIR = "server"
WEB_CHAT_SESSIONS_FILENAME = "web-chat-sessions.json"
WEB_CHAT_TRANSCRIPTS_DIR = "web-chat-transcripts"
WEB_CHAT_PICTURES_DIR = "web-chat-pictures"
WEB_CHAT_SEARCH_FILENAME = "web-chat-search.sqlite"
WEB_CHAT_ACTIVITY_FILENAME = "web-chat-activity.jsonl"
WEB_CHAT_AGENT_SESSIONS_FILENAME = "web-chat-agent-sessions.json"
WEB_CHAT_PEOPLE_FILENAME = "web-chat-people.json"
WEB_CHAT_RATES_FILENAME = "web-chat-rates.json"
WEB_CHAT_SETTINGS_FILENAME = "web-chat-settings.json"
MEMORY_STORE_FILENAME = "memory-store.yaml"
PROMPTS_FOLDER = "prompts"

ANSWER_HEADER = "Webchat-Answer"
"""Marks responses of our views and error handlers. Clients accept only these: a host application or a proxy may send
its sign-in page instead."""
EXPORT_FORMATS = {"jsonl": "application/jsonl", "md": "text/markdown", "html": "text/html"}
"""The media types of exports, by the extensions of their files."""
