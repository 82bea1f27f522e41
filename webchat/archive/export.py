"""Reads sessions for an export, one by one; one that cannot be read is left out and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from webchat.errors import WebChatError
from webchat.session_store import WebChatSession

T = TypeVar("T")


@dataclass(frozen=True)
class LeftOut:
    """A session that could not be exported, and why."""

    session: WebChatSession
    error: WebChatError

    @property
    def why(self) -> str:
        return str(self.error)

    @property
    def notice(self) -> str:
        return f"“{self.session.description}” ({self.session.session_id}) could not be exported. {self.why}"


NoteLeftOut = Callable[[LeftOut], None]


def refuse(left_out: LeftOut) -> None:
    """A `note` that allows no omission: raises the reason why the session cannot be read."""
    raise left_out.error


def read_each(
    sessions: Iterable[WebChatSession], read: Callable[[WebChatSession], T], note: NoteLeftOut
) -> Iterator[tuple[WebChatSession, T | LeftOut]]:
    """Yields each session with the result of `read`; `note` receives each that is left out."""
    for session in sessions:
        content: T | LeftOut
        try:
            content = read(session)
        except WebChatError as error:
            content = LeftOut(session, error)
            note(content)
        yield session, content
