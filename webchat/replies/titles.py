"""Asks a model for short titles of sessions. Knows no reply and no backend."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from webchat import threads
from webchat.backends import Piece
from webchat.backends.reasoning import REASONED, ReasoningSplitter
from webchat.chat.parts import Permission
from webchat.errors import NoThreads, WebChatError
from webchat.replies.title_text import cleaned, is_whole
from webchat.session_store import WebChatSession, WebChatSessionStore

log = logging.getLogger(__name__)
LONGEST_SUGGESTION = 400
"""Characters after which a model's answer to a request for a title is cut off."""
LONGEST_REASONING = 16_000
"""The same if the model may reason first, in text that only later turns out to be reasoning."""
MOST_PIECES = 4_000
"""Pieces after which it is cut off; most of them may be reasoning."""
LONGEST = 60.0
"""Seconds after which it is cut off."""


class _Asking:
    """The request for one session's title. Any thread may `cancel` it for good, even before it is sent."""

    def __init__(self, *, reasons: bool) -> None:
        self.reasons = reasons
        self._guard = threading.Lock()
        self._pieces: Iterable[Piece] | None = None
        self.is_cancelled = False

    def take(self, pieces: Iterable[Piece]) -> None:
        """Set the pieces of the model's answer."""
        with self._guard:
            self._pieces = pieces
        if self.is_cancelled:
            self.cancel()

    def cancel(self) -> None:
        with self._guard:
            self.is_cancelled = True
            pieces = self._pieces
        with suppress(Exception):
            pieces.cancel()  # type: ignore[union-attr]


class Titles:
    """Asks for titles in the background, in a thread for each session."""

    def __init__(
        self,
        store: WebChatSessionStore,
        changed: Callable[[str], None],
        *,
        longest: float = LONGEST,
        most_pieces: int = MOST_PIECES,
    ) -> None:
        """`changed(session_id)` is called when a session has been named.

        A model's answer is cut off after `longest` seconds or `most_pieces` pieces.
        """
        self._store, self._changed = store, changed
        self._longest, self._most_pieces = longest, most_pieces
        self._guard = threading.Lock()
        self._asked: dict[str, _Asking] = {}

    def suggest(
        self,
        session: WebChatSession,
        ask: Callable[[], Iterable[Piece]],
        done: Callable[[], None],
        *,
        reasons: bool = False,
    ) -> None:
        """Name the session by the answer to `ask`, unless it has a title; `done` is always called at the end.

        `reasons`: the model reasons before it answers.
        """
        asking = _Asking(reasons=reasons)
        with self._guard:
            self._asked[session.session_id] = asking

        def run() -> None:
            try:
                self._name(session, ask, asking)
            except WebChatError as error:
                log.info("no title for session %s: %s", session.session_id, error)
            except Exception:
                log.warning("no title for session %s", session.session_id, exc_info=True)
            finally:
                self._forget(session.session_id, asking)
                done()

        try:
            threads.start(run, f"title-{session.session_id[:20]}")
        except NoThreads:
            self._forget(session.session_id, asking)
            done()

    def take(self, session_id: str, owner: str | None, own_title: Callable[[], str]) -> None:
        """Give the session its agent's title, unless a person has given one. Never raises."""
        try:
            title = cleaned(own_title())
            session = self._store.get(session_id, owner)
            if session and title and session.title_by != "person" and session.description != title:
                self._store.name(session_id, title, owner, by="agent")
                self._changed(session_id)
        except WebChatError as error:
            log.info("no title for session %s: %s", session_id, error)
        except Exception:
            log.warning("no title for session %s", session_id, exc_info=True)

    def step_aside(self, session_id: str) -> None:
        """Cancel the title of this session: a person's question comes first."""
        with self._guard:
            asking = self._asked.pop(session_id, None)
        if asking:
            asking.cancel()

    def close(self) -> None:
        for session_id in [*self._asked]:
            self.step_aside(session_id)

    def _forget(self, session_id: str, asking: _Asking) -> None:
        with self._guard:
            if self._asked.get(session_id) is asking:
                del self._asked[session_id]

    def _name(self, session: WebChatSession, ask: Callable[[], Iterable[Piece]], asking: _Asking) -> None:
        if asking.is_cancelled:
            return
        # A server that sends empty pieces for ever must be cut off.
        limit = threading.Timer(self._longest, asking.cancel)
        limit.daemon = True
        try:
            limit.start()
            pieces = ask()
            asking.take(pieces)
            title = "" if asking.is_cancelled else cleaned(_answer(pieces, asking, self._most_pieces))
        finally:
            limit.cancel()
        if title and not asking.is_cancelled:
            self._store.name(session.session_id, title, session.owner, by="model")
            self._changed(session.session_id)


def _answer(pieces: Iterable[Piece], asking: _Asking, most_pieces: int) -> str:
    """The model's answer up to the first line with a title; all of it if the model reasons.

    "" if it asks a question: nobody sees that, and an agent would wait for its answer.
    """
    text, splitter, asks = "", ReasoningSplitter(), False
    longest = LONGEST_REASONING if asking.reasons else LONGEST_SUGGESTION
    for number, piece in enumerate(pieces):
        for part in splitter.split(piece) if isinstance(piece, str) else (piece,):
            if isinstance(part, str):
                text += part
            elif part == REASONED:
                text = ""
        is_found, asks = is_whole(text) and not asking.reasons, isinstance(piece, Permission)
        if is_found or asks or len(text) > longest or number > most_pieces or asking.is_cancelled:
            break
    with suppress(Exception):
        pieces.cancel()  # type: ignore[attr-defined]
    return "" if asks else text + "".join(part for part in splitter.flush() if isinstance(part, str))
