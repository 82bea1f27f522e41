"""The right to write in one session, held for a block or handed over to a reply."""

from __future__ import annotations

from contextlib import ExitStack

from webchat.chat.conversation import Conversation
from webchat.storage.protocols import Release


class Turn:
    """Holds a session's lease and, for an answer, a slot, until `end`, or until the new holder releases them."""

    def __init__(self, session_id: str, conversation: Conversation, *releases: Release) -> None:
        """`conversation` is the session's; nobody else changes it during the turn."""
        self.session_id, self.conversation = session_id, conversation
        self._releases = releases

    def hand_over(self) -> Release:
        """Returns the function that releases everything; `end` no longer does."""
        releases, self._releases = self._releases, ()

        def release() -> None:
            with ExitStack() as stack:  # call each of them, even if one fails
                for each in reversed(releases):
                    stack.callback(each)

        return release

    def take_back(self, release: Release) -> None:
        """Undo `hand_over`."""
        self._releases = (release,)

    def end(self) -> None:
        """Release what has not been handed over."""
        self.hand_over()()
