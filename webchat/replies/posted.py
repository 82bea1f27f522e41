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
    """A message that was accepted: the question, on disk, and its answer, which `run` writes until it is whole.

    `run` is None if the message was sent before and its answer has ended.
    """

    session: WebChatSession
    question: Message
    reply: Message
    run: ReplyRunner | None

    @property
    def has_answer(self) -> bool:
        """Whether its answer has begun: a server may have died before that."""
        return self.reply.id != self.question.id

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer's end for `timeout` seconds; returns whether it has ended."""
        return self.run is None or self.run.wait(timeout)

    def result(self) -> str:
        """Wait for the whole answer and return its text. Raises what ended it early."""
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
        """What ended the answer early, after its end."""
        return self.run.error if self.run else error_of(self.reply)

    @property
    def status(self) -> Status | None:
        """What the model is doing while no text comes."""
        return self.run.view.status if self.run else None

    @property
    def answer(self) -> Message:
        """The answer as it stands."""
        return self.run.message if self.run else self.reply
