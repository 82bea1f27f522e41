"""A message that was accepted, and the answer on its way. Knows no file."""

from __future__ import annotations

from dataclasses import dataclass

from webchat.chat.conversation import Status
from webchat.chat.message import Message
from webchat.errors import WebChatError
from webchat.replies.kept_errors import error_of
from webchat.replies.runner import ReplyRunner
from webchat.session_store import WebChatSession


@dataclass(frozen=True)
class Posted:
    """An accepted message: the question, which is on disk, and its answer, which `run` is writing.

    `run` is None if the message was sent before and its answer has already ended.
    """

    session: WebChatSession
    question: Message
    reply: Message
    run: ReplyRunner | None

    @property
    def has_answer(self) -> bool:
        """Whether the answer has begun; False if a server died before that."""
        return self.reply.id != self.question.id

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer's end for `timeout` seconds; returns whether it has ended."""
        return self.run is None or self.run.wait(timeout)

    def result(self) -> str:
        """Wait for the complete answer and return its text. Raises the error that ended it early."""
        self.wait()
        if self.error:
            raise self.error
        return self.answer.content

    def wait_for_text(self, timeout: float) -> None:
        """Wait for the answer's first text, for `timeout` seconds at most."""
        if self.run:
            self.run.wait_for_text(timeout)

    @property
    def error(self) -> WebChatError | None:
        """The error that ended the answer early; None before its end."""
        return self.run.error if self.run else error_of(self.reply)

    @property
    def status(self) -> Status | None:
        """The status while no text comes."""
        return self.run.view.status if self.run else None

    @property
    def answer(self) -> Message:
        """The answer as it stands."""
        return self.run.message if self.run else self.reply
