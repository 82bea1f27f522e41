"""A backend that repeats each message, for trying the chat and for tests. Needs no model."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from webchat.backends import HistoryItem, Piece, SessionInfo, SessionOptions, project_id_of
from webchat.backends.pictures import GivenPicture
from webchat.errors import SessionEnded, SessionUnknown

if TYPE_CHECKING:
    from webchat.config import Settings


class MockBackend:
    """Answers "Mock response to: " and the message, word by word, with the names of its pictures.

    `delay` is the time between two pieces, in seconds. Remembers which sessions were ended; resuming revives them.
    """

    label = "Mock, repeats what you say"
    notice = None

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay
        self._sessions: dict[str, SessionInfo] = {}
        self._ended: set[str] = set()

    def create_session(self, working_dir: str = "~", description: str = "") -> SessionInfo:
        info = SessionInfo(f"mock-session-{uuid.uuid4().hex}", project_id_of(working_dir), working_dir)
        self._sessions[info.session_id] = info
        return info

    def resume_session(self, session_id: str, history: Sequence[HistoryItem]) -> SessionInfo:
        self._ended.discard(session_id)
        return self._sessions.setdefault(session_id, SessionInfo(session_id, project_id_of("~")))

    def sees(self, options: SessionOptions) -> bool:
        return True

    def send_message(self, session_id: str, message: str, pictures: Sequence[GivenPicture] = ()) -> MockReply:
        if session_id in self._ended:
            raise SessionEnded
        if session_id not in self._sessions:
            raise SessionUnknown(session_id)
        names = [f"Picture: {picture.name}, {picture.size:,} bytes" for picture in pictures]
        return MockReply("\n\n".join([f"Mock response to: {message}", *names]), self._delay)

    def check(self) -> str | None:
        return None

    def end_session(self, session_id: str) -> None:
        if self._sessions.pop(session_id, None):
            self._ended.add(session_id)

    def get_session_info(self, session_id: str) -> SessionInfo | None:
        return self._sessions.get(session_id)


class MockReply:
    """The pieces of one answer; `cancel` ends it even during the wait between two pieces."""

    def __init__(self, text: str, delay: float) -> None:
        self._pieces = re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)
        self._delay = delay
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Piece]:
        for number, piece in enumerate(self._pieces):
            if self._cancelled.wait(self._delay if number else 0):
                return
            yield piece

    def cancel(self) -> None:
        self._cancelled.set()


def from_settings(settings: Settings) -> MockBackend:
    return MockBackend(delay=settings.mock_delay)
