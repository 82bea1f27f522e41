"""A backend that plays a test's script: pieces, pauses and faults."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Iterator, Sequence

from webchat.backends import HistoryItem, Piece, SessionInfo, SessionOptions
from webchat.backends.pictures import GivenPicture

Step = Piece | Exception | threading.Event


class ScriptedBackend:
    """Each call of `send_message` plays the next script; without one it says "You said: …".

    A script's steps: a piece is yielded; an exception is raised; a threading.Event is waited for. `asked` has the
    messages sent, `shown` their pictures, `histories` the history of each resume, `calls` the names of all calls in
    order, `chosen` the answers to questions, and `has_chosen` is set by each of them. `eyes` is whether it sees
    pictures.
    """

    label = "Scripted"
    notice = None

    def __init__(self) -> None:
        self.scripts: deque[list[Step]] = deque()
        self.asked: list[tuple[str, str]] = []
        self.histories: list[list[HistoryItem]] = []
        self.calls: list[str] = []
        self.fail: dict[str, Exception] = {}
        self.cancelled = threading.Event()
        self.shown: list[tuple[str, bytes | None]] = []
        self.eyes: bool | None = True
        self.chosen: list[tuple[str, str, str]] = []
        self.has_chosen = threading.Event()

    def answer_permission(self, session_id: str, permission_id: str, option_id: str) -> None:
        self.chosen.append((session_id, permission_id, option_id))
        self.has_chosen.set()

    def plays(self, *steps: Step) -> None:
        """Add the script of one answer."""
        self.scripts.append(list(steps))

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise self.fail[name]

    def create_session(self, working_dir: str, description: str) -> SessionInfo:
        self._called("create_session")
        return SessionInfo(uuid.uuid4().hex, "scripted-project", working_dir)

    def resume_session(self, session_id: str, history: Sequence[HistoryItem]) -> SessionInfo:
        self._called("resume_session")
        self.histories.append(list(history))
        return SessionInfo(session_id)

    def sees(self, options: SessionOptions) -> bool | None:
        return self.eyes

    def send_message(self, session_id: str, message: str, pictures: Sequence[GivenPicture] = ()) -> ScriptedReply:
        self._called("send_message")
        self.shown += [(picture.name, picture.read()) for picture in pictures]
        self.asked.append((session_id, message))
        steps = self.scripts.popleft() if self.scripts else [f"You said: {message}"]
        return ScriptedReply(steps, self.cancelled)

    def end_session(self, session_id: str) -> None:
        self._called("end_session")

    def get_session_info(self, session_id: str) -> SessionInfo | None:
        return None


class ScriptedReply:
    """The answer of one script; `cancel` ends it, even during a pause."""

    def __init__(self, steps: list[Step], cancelled: threading.Event) -> None:
        self._steps, self._cancelled = steps, cancelled
        self._over = threading.Event()

    def __iter__(self) -> Iterator[Piece]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, threading.Event):
                while not step.wait(0.01):
                    if self._over.is_set():
                        return
                continue
            yield step

    def cancel(self) -> None:
        self._cancelled.set()
        self._over.set()
