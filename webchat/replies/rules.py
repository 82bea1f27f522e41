"""The rules of a conversation: send, edit, retry, continue, show a branch. Knows no backend and no file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message, history, new_message_id
from webchat.chat.queued import QueuedMessage
from webchat.errors import Held, InvalidInput, SessionBusy, StaleView, TooBusy, storing
from webchat.replies.dispatcher import ReplyDispatcher
from webchat.replies.holding import is_held
from webchat.replies.posted import Posted
from webchat.replies.services import Services
from webchat.replies.submission import Submission, key_of
from webchat.replies.turn import Turn
from webchat.session_store import WebChatSession

GO_ON = (
    "Continue your last answer exactly where it broke off. Do not repeat anything of it, and do not comment on this."
)
"""The prompt that continues an answer; it is not part of the conversation."""


class ConversationRules:
    """Sending is idempotent, a message from a stale page is refused, and nothing is overwritten."""

    def __init__(self, services: Services, dispatcher: ReplyDispatcher) -> None:
        self._store, self._storage, self._supervisor = services.store, services.storage, services.supervisor
        self._clock, self._allowance, self._dispatcher = services.clock, services.allowance, dispatcher

    def post(self, session: WebChatSession, sent: Submission) -> Posted:
        """See `WebChatSessionManager.post_message`."""
        self.require_sight(session, sent)
        allowed = self._allowance.message(session.owner, sent.more)
        return self._post(session, sent, lambda conversation: check_seen(conversation, sent.seen), allowed)

    def send_queued(self, session: WebChatSession, item: QueuedMessage, *, after_whole: bool) -> Posted:
        """Send a queued message at the end of the conversation.

        With `after_whole`, raises Held unless the last answer is complete. Also raises what `post_message` does.
        """

        def check(conversation: Conversation) -> None:
            if after_whole and is_held(conversation, [item]):
                raise Held

        sent = Submission(item.text, item.files, item.key, client=item.client, pictures=item.pictures)
        return self._post(session, sent, check, nullcontext())  # the message was counted when it was queued

    def _post(
        self,
        session: WebChatSession,
        sent: Submission,
        check: Callable[[Conversation], None],
        allowed: AbstractContextManager[None],
    ) -> Posted:
        def write(turn: Turn) -> Posted:
            check(turn.conversation)
            question = self.question(sent, last_id(turn.conversation))
            with allowed:
                self.keep_pictures(session, sent)
                return self._ask(session, question, turn.conversation.messages, turn)

        return self._once(session, sent.client, sent.key, sent.text, write)

    def edit(self, session: WebChatSession, message_id: str, sent: Submission) -> Posted:
        """See `WebChatSessionManager.edit`."""

        def write(turn: Turn) -> Posted:
            check_seen(turn.conversation, sent.seen)
            shown = turn.conversation.up_to(message_id)
            if not shown or shown[-1].role != "user":
                raise InvalidInput("Only a message of your own can be changed.")
            question = self.question(sent, shown[-1].parent)
            question = replace(question, files=shown[-1].files, pictures=shown[-1].pictures)
            self._dispatcher.require_sight(session, question.pictures)
            with self._allowance.message(session.owner, sent.size):
                return self._ask(session, question, shown[:-1], turn)

        return self._once(session, sent.client, sent.key, sent.text, write)

    def _once(
        self,
        session: WebChatSession,
        client: str | None,
        key: str | None,
        text: str | None,
        write: Callable[[Turn], Posted],
    ) -> Posted:
        """Call `write` under the session's lease, or return what an earlier call with this key and text started."""
        self._store.require_known()
        try:
            with self._supervisor.turn_to_answer(session.session_id, client) as turn:
                conversation = turn.conversation
                again = self.sent_in(session, conversation, key, text)
                if again and conversation.last and conversation.last.id == again.question.id:
                    # The question was saved, but not answered, for example because the disk was full.
                    return self._asked(session, again.question, conversation.messages[:-1], turn)
                return again or write(turn)
        except (SessionBusy, TooBusy):
            again = self._answered_before(session, key, text)
            if again:
                return again
            raise

    def _answered_before(self, session: WebChatSession, key: str | None, text: str | None) -> Posted | None:
        """Like `sent_before`, but waits until the answer has begun; None if its server died before that."""
        found = self.sent_before(session, key, text)

        def is_done() -> bool:
            nonlocal found
            found = self.sent_before(session, key, text)
            return found is None or found.has_answer

        if found and not found.has_answer:
            self._supervisor.wait_elsewhere(session.session_id, is_done)
        return found if found and found.has_answer else None

    def _ask(self, session: WebChatSession, question: Message, before: Sequence[Message], turn: Turn) -> Posted:
        """Append the question to these messages, and start its reply."""
        begun = session

        def save() -> None:
            nonlocal begun
            self._storage.transcripts.append(session.session_id, question)
            begun = self._store.note_message(session, question.heading)

        run = self._dispatcher.begin(session, question, history(before), turn, save=save)
        self._storage.bus.publish(session.session_id, urgent=False)
        return Posted(begun, question, run.message, run)

    def _asked(self, session: WebChatSession, question: Message, before: Sequence[Message], turn: Turn) -> Posted:
        """Start the reply to a saved question."""
        session = self._store.note_message(session, question.heading)
        run = self._dispatcher.begin(session, question, history(before), turn)
        self._storage.bus.publish(session.session_id, urgent=True)
        return Posted(session, question, run.message, run)

    def require_sight(self, session: WebChatSession, sent: Submission) -> None:
        """Raises InvalidInput if the message has pictures and the model is known to see none."""
        self._dispatcher.require_sight(session, sent.pictures)

    def keep_pictures(self, session: WebChatSession, sent: Submission) -> None:
        """Store the message's pictures with the session.

        Called before the message is stored, since it refers to them.
        """
        with storing("The picture could not be stored"):
            for picture in sent.new:
                self._storage.pictures.put(session.session_id, picture.data, picture.suffix)

    def question(self, sent: Submission, parent: str | None) -> Message:
        """The submission as a message whose parent is that one."""
        new, now = new_message_id(), self._clock()
        attached: dict[str, Any] = {"files": sent.files, "pictures": sent.pictures}
        return Message(new, "user", sent.text, parent=parent, created_at=now, key=sent.key, **attached)

    def sent_before(self, session: WebChatSession, key: str | None, text: str | None) -> Posted | None:
        """The message with this key and text, and its answer, if it was sent before; None stands for any text."""
        return self.sent_in(session, self._supervisor.read(session.session_id), key, text)

    def sent_in(
        self, session: WebChatSession, conversation: Conversation, key: str | None, text: str | None
    ) -> Posted | None:
        """The message with this key, and its answer, if it was sent before.

        With another text it is another message: when a browser goes back, its form has the old key, and not always the
        old text.
        """
        if key is None:
            return None
        run, last = self._supervisor.runs.get(session.session_id), conversation.last
        keys = (key,) if text is None else (key, key_of(key, text))
        sent = (pair for each in keys for pair in self._supervisor.sent_with(session.session_id, conversation, each))
        for question, reply in sent:
            if text is None or question.content == text:
                current = last if last and question.key in keys and last.parent == question.id else reply
                return Posted(session, question, current, run if run and run.id == current.id else None)
        return None

    def retry(self, session: WebChatSession, message_id: str, key: str | None, client: str | None) -> Posted:
        """See `WebChatSessionManager.retry`."""

        def write(turn: Turn) -> Posted:
            question, before = _last_question(turn.conversation, message_id)
            self._dispatcher.require_sight(session, question.pictures)
            with self._allowance.message(session.owner, 0):
                begun = self._store.note_message(session, question.heading)
                run = self._dispatcher.begin(begun, question, history(before), turn, key=key)
            return Posted(begun, question, run.message, run)

        return self._once(session, client, key, None, write)

    def continue_reply(self, session: WebChatSession, message_id: str, key: str | None, client: str | None) -> Posted:
        """See `WebChatSessionManager.continue_reply`."""

        def write(turn: Turn) -> Posted:
            question, _ = _last_question(turn.conversation, message_id)
            broken = turn.conversation.messages[-1]
            if broken.status not in ("stopped", "interrupted") or not broken.content.strip():
                raise InvalidInput("Only an incomplete answer can be continued.")
            on = replace(question, content=GO_ON, files=(), pictures=())
            with self._allowance.message(session.owner, 0):
                begun = self._store.note_message(session, question.heading)
                run = self._dispatcher.begin(begun, on, history(turn.conversation.messages), turn, broken, key=key)
            return Posted(begun, question, self._supervisor.read(session.session_id).messages[-1], run)

        return self._once(session, client, key, None, write)


def _last_question(conversation: Conversation, message_id: str) -> tuple[Message, Sequence[Message]]:
    """The last question and the messages before it; `message_id` must be its answer, or itself if it is unanswered."""
    shown = conversation.messages
    before = shown[:-1] if shown and shown[-1].role == "assistant" else shown
    if conversation.find(message_id):
        check_seen(conversation, message_id)
    if not before or shown[-1].id != message_id or before[-1].role != "user" or before[-1].kind:
        raise InvalidInput("Only the last answer can be tried again or continued.")
    return before[-1], before[:-1]


def last_id(conversation: Conversation) -> str | None:
    """The id of the last message that is shown."""
    return conversation.last.id if conversation.last else None


def check_seen(conversation: Conversation, seen: str | None) -> None:
    """Refuse a message from a page that does not show somebody else's later message. Raises StaleView."""
    if seen is not None:
        known = conversation.up_to(seen)
        later = conversation.messages[len(known) :]
        if any(message.role == "user" for message in later):
            raise StaleView
