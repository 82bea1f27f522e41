"""Data stored before a server was started."""

from __future__ import annotations

from pathlib import Path

from webchat.backends.mock import MockBackend
from webchat.conventions import SERVER_DIR, WEB_CHAT_SESSIONS_FILENAME
from webchat.manager import WebChatSessionManager


def manager_of(home: Path) -> WebChatSessionManager:
    return WebChatSessionManager(MockBackend(), home / SERVER_DIR / WEB_CHAT_SESSIONS_FILENAME)


def sessions_from_before(home: Path, *messages: str) -> None:
    """A session for each message, with its answer; the last one is current."""
    manager = manager_of(home)
    for message in messages:
        manager.create_session()
        manager.send_message(message)


def long_session(home: Path, exchanges: int) -> str:
    """Creates a session with that many questions, from "question 0" on, and their answers; returns its id."""
    manager = manager_of(home)
    session_id = manager.create_session().session_id
    for number in range(exchanges):
        manager.send_message(f"question {number}, with a few words behind it")
    return session_id
