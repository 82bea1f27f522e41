"""The interfaces that a running reply needs: to call the backend, and to report its events. Knows no backend."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from webchat.backends import Piece
from webchat.storage.protocols import ReplyLog

if TYPE_CHECKING:
    from webchat.replies.runner import ReplyRunner


class Ask(Protocol):
    """Asks the backend; with `again`, resumes the session first, because the backend did not know it."""

    @property
    def label(self) -> str:
        """Which model answers, as far as is known."""

    @property
    def early(self) -> bool:
        """Whether the backend may be asked while the question is still being saved."""

    def __call__(self, *, again: bool) -> Iterable[Piece]: ...

    def answer(self, permission_id: str, option_id: str) -> None:
        """Tell the backend the person's choice."""


class ReplyEvents(Protocol):
    """Receives a reply's events, from any thread."""

    def begin_log(self) -> ReplyLog:
        """Begin the reply's log."""

    def changed(self, urgent: bool) -> None:
        """Records were written."""

    def asked(self) -> None:
        """The person was asked something, or has answered."""

    def ending(self) -> AbstractContextManager[None]:
        """Wraps the block that writes the reply's end. May wait for a moment, while new messages are started."""

    def ended(self, run: ReplyRunner) -> None:
        """The reply has ended; its session is still locked."""

    def let_go(self, run: ReplyRunner) -> None:
        """Release the session."""

    def over(self, run: ReplyRunner) -> None:
        """The session is released."""
