"""Short titles that a model gives to sessions. Knows no reply and no backend."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from webchat import threads
from webchat.backends import Piece
from webchat.errors import NoThreads, WebChatError
from webchat.session_store import DEFAULT_DESCRIPTION, WebChatSession, WebChatSessionStore
from webchat.texts import title_of

log = logging.getLogger(__name__)
LONGEST_SUGGESTION = 400
"""Characters after which a model that was asked for a title is not listened to any more."""
MOST_PIECES = 4_000
"""The same for pieces, most of which may be reasoning."""
LONGEST = 60.0
"""The same for seconds."""
_BEFORE = re.compile(r"^(?:#+\s*|[*_]*title[*_]*\s*[:：]\s*[*_]*)+", re.IGNORECASE)
_MARKS = "\"'“”‘’«»„`*_# ."


class Titles:
    """Asks for a title, in a thread of its own for each session; nothing waits for one."""

    def __init__(self, store: WebChatSessionStore, changed: Callable[[str], None]) -> None:
        """`changed(session_id)` is called when a session has got its name."""
        self._store, self._changed = store, changed
        self._guard = threading.Lock()
        self._asked: dict[str, Iterable[Piece]] = {}

    def suggest(self, session: WebChatSession, ask: Callable[[], Iterable[Piece]], done: Callable[[], None]) -> None:
        """Have the session named by what `ask` gives, unless it has a name; `done` is called in the end, always."""

        def run() -> None:
            try:
                self._name(session, ask)
            except WebChatError as error:
                log.info("no title for session %s: %s", session.session_id, error)
            except Exception:
                log.warning("no title for session %s", session.session_id, exc_info=True)
            finally:
                done()

        try:
            threads.start(run, f"title-{session.session_id[:20]}")
        except NoThreads:
            done()

    def step_aside(self, session_id: str) -> None:
        """Stop asking in this session: a person has something to ask."""
        with self._guard:
            asked = self._asked.pop(session_id, None)
        with suppress(Exception):
            asked.cancel()  # type: ignore[union-attr]

    def close(self) -> None:
        for session_id in [*self._asked]:
            self.step_aside(session_id)

    def _name(self, session: WebChatSession, ask: Callable[[], Iterable[Piece]]) -> None:
        pieces = ask()
        with self._guard:
            self._asked[session.session_id] = pieces
        # A server that never stops saying nothing would be listened to for ever.
        limit = threading.Timer(LONGEST, self.step_aside, (session.session_id,))
        limit.daemon = True
        try:
            limit.start()
            title = cleaned(_first_line(pieces))
        finally:
            limit.cancel()
            with self._guard:
                undisturbed = self._asked.get(session.session_id) is pieces
                if undisturbed:
                    del self._asked[session.session_id]
        if undisturbed and title:
            self._store.name(session.session_id, title, session.owner, by="model")
            self._changed(session.session_id)


def cleaned(text: str) -> str:
    """The title in what a model said: one line without the marks and words that models put around; "" for none."""
    title = title_of(_BEFORE.sub("", text.strip()).strip(_MARKS))
    return "" if title == DEFAULT_DESCRIPTION else title


def _first_line(pieces: Iterable[Piece]) -> str:
    text = ""
    for number, piece in enumerate(pieces):
        text += piece if isinstance(piece, str) else ""
        if "\n" in text.strip() or len(text) > LONGEST_SUGGESTION or number > MOST_PIECES:
            break
    with suppress(Exception):
        pieces.cancel()  # type: ignore[attr-defined]
    return text.strip().partition("\n")[0]
