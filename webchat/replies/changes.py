"""Changes that a person makes to a conversation without asking the model. Knows no backend and no file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message, new_message_id
from webchat.errors import InvalidInput, SessionBusy, storing
from webchat.replies.holding import held
from webchat.replies.rules import ConversationRules, check_seen, last_id
from webchat.replies.services import Services
from webchat.replies.submission import Submission
from webchat.replies.turn import Turn
from webchat.session_store import WebChatSession

Made = TypeVar("Made")


class ConversationChanges:
    """Adds exchanges with the memory, edits answers, and selects the branch to show.

    Each change is idempotent, like sending. Held messages in the queue stay held, since no model has answered.
    """

    def __init__(self, services: Services, rules: ConversationRules) -> None:
        self._store, self._storage, self._supervisor = services.store, services.storage, services.supervisor
        self._clock, self._allowance, self._rules = services.clock, services.allowance, rules

    def add_exchange(
        self, session: WebChatSession, sent: Submission, answer: Callable[[], str], kind: str
    ) -> tuple[Message, Message]:
        """See `WebChatSessionManager.add_exchange`."""

        def find(conversation: Conversation) -> tuple[Message, Message] | None:
            again = self._rules.sent_in(session, conversation, sent.key, sent.text)
            return (again.question, again.reply) if again else None

        def write(turn: Turn) -> tuple[Message, Message]:
            asked = replace(self._rules.question(sent, last_id(turn.conversation)), kind=kind)
            with self._allowance.message(session.owner, sent.size):
                new, text = new_message_id(), answer()
                answered = Message(new, "assistant", text, parent=asked.id, created_at=self._clock(), kind=kind)
                self._storage.transcripts.append(session.session_id, asked, answered)
            return asked, answered

        return self._once(session, sent, find, write)

    def edit_answer(self, session: WebChatSession, message_id: str, sent: Submission) -> Message:
        """See `WebChatSessionManager.edit_answer`."""

        def find(conversation: Conversation) -> Message | None:
            known = self._supervisor.sent_with(session.session_id, conversation, sent.key) if sent.key else ()
            edited = (answer for _, answer in known if answer.kind == "edited" and answer.key == sent.key)
            return next((answer for answer in edited if answer.content == sent.text), None)

        def write(turn: Turn) -> Message:
            answer = turn.conversation.find(message_id) or self._supervisor.find(session.session_id, message_id)
            if answer is None or answer.role != "assistant" or not answer.can_be_edited:
                raise InvalidInput("Only a message of your own or an answer can be changed.")
            edited = answer.in_other_words(new_message_id(), sent.text, sent.key, self._clock())
            with self._allowance.message(session.owner, sent.size):
                self._storage.transcripts.append(session.session_id, edited)
            return edited

        return self._once(session, sent, find, write)

    def select(self, session: WebChatSession, message_id: str) -> None:
        """See `WebChatSessionManager.select`."""
        with self._supervisor.turn(session.session_id) as turn:
            leaf = self._storage.transcripts.leaf_below(session.session_id, message_id)
            if leaf is None:
                raise InvalidInput("There is no such message in this session.")
            self._keep_held(turn)
            self._storage.transcripts.select(session.session_id, leaf)
        self._storage.bus.publish(session.session_id, urgent=True)

    def _once(
        self,
        session: WebChatSession,
        sent: Submission,
        find: Callable[[Conversation], Made | None],
        write: Callable[[Turn], Made],
    ) -> Made:
        """Call `write` under the session's lease, or return what an earlier call made, which `find` finds."""
        session_id = session.session_id
        self._store.require_known()
        try:
            with self._supervisor.turn(session_id) as turn:
                if again := find(turn.conversation):
                    return again
                check_seen(turn.conversation, sent.seen)
                self._keep_held(turn)
                made = write(turn)
        except SessionBusy:
            if again := find(self._supervisor.read(session_id)):
                return again
            raise
        self._store.note_message(session, sent.text)
        self._storage.bus.publish(session_id, urgent=True)
        return made

    def _keep_held(self, turn: Turn) -> None:
        """Held messages go on waiting for the model's next answer."""
        if not self._storage.queue.items(turn.session_id):
            return
        with storing("The message could not be saved"), self._storage.queue.changing(turn.session_id) as items:
            items[:] = held(turn.conversation, items)
