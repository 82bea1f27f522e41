"""Holds the current backend, which may be replaced at any time. Knows no file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from webchat.backends import SessionBackend, SessionOptions
from webchat.backends.pictures import BLIND
from webchat.chat.chosen import chosen_of
from webchat.chat.picture import SentPicture
from webchat.errors import InvalidInput, WebChatError
from webchat.limits import CHOSEN
from webchat.replies.attached import AttachedBackend
from webchat.replies.showing import ReadPicture, no_picture
from webchat.session_store import WebChatSession

log = logging.getLogger(__name__)


class CurrentBackend:
    """A backend that is needed for longer than one call is engaged: it then stays open, even if it is replaced."""

    def __init__(
        self,
        backend: SessionBackend,
        read_picture: ReadPicture = no_picture,
        before_answer: Callable[[], None] = lambda: None,
    ) -> None:
        """`read_picture` gives a picture of a session, by its key. `before_answer` is called before the backend is
        engaged: it may `use` another one."""
        self._read_picture, self._before_answer = read_picture, before_answer
        self.attached = AttachedBackend(backend, read_picture)
        self._exchange = threading.Lock()

    def use(self, backend: SessionBackend) -> None:
        """Replace the backend. Answers in flight go on with the old one, which is closed after the last of them."""
        with self._exchange:
            old, self.attached = self.attached, AttachedBackend(backend, self._read_picture)
        old.retire()

    def engage(self) -> AttachedBackend:
        """The current backend, kept open until its `leave` is called."""
        self._before_answer()
        with self._exchange:
            self.attached.enter()
            return self.attached

    @contextmanager
    def engaged(self) -> Iterator[AttachedBackend]:
        """Like `engage`, for a block."""
        attached = self.engage()
        try:
            yield attached
        finally:
            attached.leave()

    def require_sight(self, options: SessionOptions, pictures: Collection[SentPicture]) -> None:
        """Raises InvalidInput if there are pictures that the model of a session with these options cannot see."""
        attached = self.attached
        if pictures and attached.sees(options) is False:
            raise InvalidInput(BLIND.format(attached.label(options)))

    def let_go(self, session_id: str) -> None:
        """End the session there. An unavailable backend must not prevent that it is deleted here."""
        try:
            self.attached.end(session_id)
        except WebChatError:
            log.warning("the backend failed to end session %s", session_id, exc_info=True)

    def label_of(self, session: WebChatSession) -> str:
        """Which model answers this session, for people."""
        attached = self.attached
        return attached.label(options_of(session, attached.takes))


def options_of(session: WebChatSession, takes: Collection[str]) -> SessionOptions:
    """The session's options that the backend accepts."""
    given = {name: session.extra.get(name) for name in CHOSEN if name in takes}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if isinstance(value, str)}
    return SessionOptions(**chosen, chosen=chosen_of(session.extra))
