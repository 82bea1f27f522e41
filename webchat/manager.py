"""The facade of the chat, which views, the command line and scripts call. Knows neither Flask nor files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from webchat.agent_sessions import AgentSessions
from webchat.archive import Archive
from webchat.attachments import Given
from webchat.backends import SessionBackend, SessionInfo, SessionOptions, abilities
from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.times import seconds_of
from webchat.housekeeping import TRASH_DAYS, Housekeeping
from webchat.limits import Limits
from webchat.observer import NOBODY, Observer
from webchat.programs import OtherPrograms
from webchat.programs.program import Program
from webchat.replies.allowance import Allowance
from webchat.replies.changes import ConversationChanges
from webchat.replies.current_backend import CurrentBackend
from webchat.replies.dispatcher import ReplyDispatcher
from webchat.replies.empty_sessions import EmptySessions
from webchat.replies.posted import Posted
from webchat.replies.questions import Questions
from webchat.replies.queue import MessageQueue
from webchat.replies.rules import ConversationRules
from webchat.replies.services import Services
from webchat.replies.submission import Submission, checked_submission
from webchat.replies.supervisor import ReplySupervisor
from webchat.replies.write_pace import ReplyTimes
from webchat.session_directory import SessionDirectory
from webchat.session_lifecycle import SessionLifecycle
from webchat.session_reader import SessionReader
from webchat.session_store import DEFAULT_DESCRIPTION, WebChatSession, WebChatSessionStore
from webchat.storage import opened, with_temporary
from webchat.storage.protocols import Storage
from webchat.temporary_chats import TemporaryChats

Files = Given
"""A message's files as (name, content): text, or the bytes of a text file or a picture."""
Options = Mapping[str, str] | None
"""The options of one session: "model", "system_prompt", "agent"."""


class WebChatSessionManager:
    """Safe to call from any thread.

    `owner` narrows each call to one person's sessions; None is the one person of a chat without sign-in. `key` makes a
    call idempotent: a retry with the same key gets what the first one started. `seen` is the id of the last message on
    the sender's page. `client` identifies the caller for the limits.

    Calls raise SessionNotFound for a session that does not exist or is not theirs, StorageError if files cannot be read
    or written, and BackendUnavailable if the backend cannot be asked; nothing has changed then.
    """

    def __init__(
        self,
        backend: SessionBackend,
        persistence_path: Storage | Path | str | None = None,
        *,
        clock: Callable[[], str] | None = None,
        context: Callable[[str | None], str] = lambda owner: "",
        trash_days: float = TRASH_DAYS,
        limits: Limits | None = None,
        observer: Observer = NOBODY,
        chores: Collection[Callable[[], None]] = (),
        programs: Collection[Program] = (),
        before_answer: Callable[[], None] = lambda: None,
        disabled: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`persistence_path` is the registry's file; the transcripts are in a folder beside it. None: in memory.

        It may also be an open storage.

        `clock` gives the time, ISO 8601 in UTC; by default the storage's. `context` returns an owner's memories, for
        backends that accept them. `trash_days` is for how long a deleted session can be restored. `observer` measures
        replies and writes. `chores` are called whenever the trash is emptied. `programs` are other programs whose
        conversations can be read here, by everybody who may use this chat. `before_answer` is called before the backend
        is asked for one, and may call `use_backend`. `disabled` returns the people whose access is disabled: their
        temporary chats end.
        """
        self.limits = limits = limits or Limits()
        self.storage = storage = with_temporary(opened(persistence_path, observer))
        self.now = clock = clock or storage.now
        self.store = WebChatSessionStore(storage.sessions, clock=clock, most=limits.sessions)
        self.allowance = Allowance(storage, limits, lambda: seconds_of(clock()))
        self._current = CurrentBackend(backend, storage.pictures.read, before_answer)
        self._supervisor = ReplySupervisor(storage, limits, observer, over=lambda run: self.queue.reply_is_over(run))
        empty = EmptySessions(storage, self.store, self._current, clock, limits.sessions)
        services = Services(storage, self.store, self._current, self._supervisor, self.allowance, empty, limits, clock)
        self.programs = OtherPrograms(programs, storage, self._supervisor.stopping)
        self.reader = SessionReader(services, self.programs)
        self._dispatcher = ReplyDispatcher(services, context)
        self._rules = ConversationRules(services, self._dispatcher)
        self._changes, self._questions = ConversationChanges(services, self._rules), Questions(services)
        self.queue = MessageQueue(services, self._rules, self.get_session)
        self.temporary = TemporaryChats(services, disabled)
        self._lifecycle = SessionLifecycle(services, self.temporary, self.queue)
        self.agents, self.archive = AgentSessions(services), Archive(services, self.reader.conversation)
        chores = (self.archive.importer.discard_left, *chores)
        self.housekeeping = Housekeeping(
            services, self.temporary, trash_days, self.programs.refuse, self.queue.send_left, chores
        )
        self.directory = SessionDirectory(services, self.housekeeping, self.programs, self.reader)

    # Sessions

    @property
    def active_session_id(self) -> str | None:
        session = self.active_session()
        return session.session_id if session else None

    def active_session(self, owner: str | None = None) -> WebChatSession | None:
        return self.store.active_session(owner)

    def get_session(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """A session that can be changed. Raises ReadOnlySession for another program's."""
        return self.reader.require_own(session_id, owner)

    def list_sessions(self, owner: str | None = None) -> list[WebChatSession]:
        """All sessions, newest first."""
        return self.store.list_all(owner)

    def create_session(
        self,
        working_dir: str = "~",
        description: str = DEFAULT_DESCRIPTION,
        owner: str | None = None,
        *,
        key: str | None = None,
        options: Options = None,
        temporary: bool = False,
    ) -> SessionInfo:
        """Create a session and make it current. `options` are as in `set_options`.

        Nothing of a `temporary` one is ever written. Raises InvalidInput if `working_dir` is no folder, or if there are
        no temporary ones here; LimitReached, Closing.
        """
        return self._lifecycle.create(working_dir, description, owner, key, options, temporary=temporary)

    def new_session(
        self,
        owner: str | None = None,
        *,
        working_dir: str | None = None,
        options: Options = None,
        temporary: bool = False,
    ) -> WebChatSession:
        """The current session if it has no message yet, else a new one; with this folder and these options.

        `temporary` is as in `create_session`. Raises as that.
        """
        return self._lifecycle.new(owner, working_dir, options, temporary=temporary)

    def prepare_session(
        self, session_id: str, owner: str | None = None, *, working_dir: str | None = None, options: Options = None
    ) -> WebChatSession:
        """Set a session's folder and options before its first message; None keeps them.

        Raises as `set_options`; InvalidInput for another folder once it has begun, or if there is no such folder.
        """
        return self._lifecycle.prepare(self.get_session(session_id, owner), working_dir, options)

    def set_options(self, session_id: str, options: Mapping[str, str], owner: str | None = None) -> WebChatSession:
        """Change the session's "model" or "system_prompt" from the next message on; "" is the default.

        The "agent" can be chosen until the first message. Raises AgentFixed, InvalidInput if the backend does not
        accept such an option.
        """
        return self._lifecycle.set_options(self.get_session(session_id, owner), options)

    def resume_session(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """Make a past session current again, with its history in the backend. Raises SessionEnded."""
        return self._lifecycle.resume(self.get_session(session_id, owner))

    def fork(
        self, session_id: str, message_id: str, owner: str | None = None, *, key: str | None = None
    ) -> WebChatSession:
        """A new session with a copy of the shown messages up to this one. It becomes current.

        The first may be another program's, which stays as it is.

        Raises InvalidInput for a message that is not shown, or if the session's folder is gone; NoRoom.
        """
        session = self.reader.require(session_id, owner)
        return self._lifecycle.fork(session, self.reader.conversation(session_id), message_id, key, owner)

    def end_session(self, session_id: str | None = None, owner: str | None = None) -> bool:
        """End a session, the current one by default: its answer stops, the backend ends it, it is no longer current.

        A temporary one is gone then. Returns False if there is none to end.
        """
        session = self._session_or_current(session_id, owner)
        if session is not None:
            self._lifecycle.end(session)
        return session is not None

    # Conversations

    def conversation(self, session_id: str, owner: str | None = None) -> Conversation:
        """The session's conversation now."""
        return self.reader.conversation(self.reader.require(session_id, owner).session_id)

    def find_message(self, session_id: str, message_id: str, owner: str | None = None) -> Message | None:
        """A message of a session that can be changed, on any branch."""
        return self._supervisor.find(self.get_session(session_id, owner).session_id, message_id)

    def send_message(self, message: str, session_id: str | None = None, owner: str | None = None) -> str | None:
        """Send a message, to the current session by default, and wait for the complete answer.

        Returns None if there is no session. Raises as `post_message`, and the error that ended the answer early.
        """
        session = self._session_or_current(session_id, owner)
        return self.post_message(session.session_id, message, owner).result() if session else None

    def start_conversation(
        self,
        message: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        files: Files = (),
        client: str | None = None,
        working_dir: str = "~",
        options: Options = None,
        temporary: bool = False,
    ) -> Posted:
        """A new session with its first message. Raises as `create_session`, `post_message`."""
        sent = self._submission(message, files, key, None, client)
        session = self._lifecycle.create_for(sent, working_dir, owner, options, temporary=temporary)
        return self._rules.post(session, sent)

    def post_message(
        self,
        session_id: str,
        message: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        seen: str | None = None,
        files: Files = (),
        client: str | None = None,
    ) -> Posted:
        """Accept a message: when this returns it is on the disk, and its answer is being written.

        Raises SessionBusy while an answer is being written, TooBusy if too many are, StaleView if somebody has written
        since `seen`, TooOften and NoRoom if the person has sent or keeps too much, InvalidInput, TooLarge.
        """
        session = self.get_session(session_id, owner)
        return self._rules.post(session, self._submission(message, files, key, seen, client))

    def edit(
        self,
        session_id: str,
        message_id: str,
        message: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        seen: str | None = None,
        client: str | None = None,
    ) -> Posted:
        """Replace one of the person's messages and ask again; the old one stays on another branch.

        Raises as `post_message`; InvalidInput if that message is not shown or not the person's.
        """
        session = self.get_session(session_id, owner)
        return self._rules.edit(session, message_id, self._submission(message, (), key, seen, client))

    def edit_answer(
        self,
        session_id: str,
        message_id: str,
        text: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        seen: str | None = None,
    ) -> Message:
        """Replace an answer by a person's text; returns the new message. The old answer stays on another branch.

        The model gets the new text as its own answer. Raises SessionBusy, StaleView, TooOften, NoRoom, TooLarge;
        InvalidInput if that message is not shown or not an answer.
        """
        session = self.get_session(session_id, owner)
        return self._changes.edit_answer(session, message_id, self._submission(text, (), key, seen, None))

    def retry(
        self,
        session_id: str,
        message_id: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        client: str | None = None,
    ) -> Posted:
        """Ask again for the last answer, which stays on another branch, or for an unanswered last message.

        Raises as `post_message`; InvalidInput if it is neither.
        """
        return self._rules.retry(self.get_session(session_id, owner), message_id, key, client)

    def continue_reply(
        self,
        session_id: str,
        message_id: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        client: str | None = None,
    ) -> Posted:
        """Continue the last answer, which was stopped or interrupted, in the same message.

        Raises as `retry`; InvalidInput if that answer is complete.
        """
        return self._rules.continue_reply(self.get_session(session_id, owner), message_id, key, client)

    def select(self, session_id: str, message_id: str, owner: str | None = None) -> None:
        """Show the branch with this message from now on. Raises as `post_message`; InvalidInput for an unknown one."""
        self._changes.select(self.get_session(session_id, owner), message_id)

    def add_exchange(
        self,
        session_id: str,
        question: str,
        answer: Callable[[], str],
        kind: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        seen: str | None = None,
    ) -> tuple[Message, Message]:
        """Add a question and its answer, which are not sent to models. Raises as `post_message`.

        `answer` is called only if they can be added, and the question was not sent before with this `key`.
        """
        sent = Submission(question, key=key, seen=seen)
        return self._changes.add_exchange(self.get_session(session_id, owner), sent, answer, kind)

    def stop(self, session_id: str, owner: str | None = None) -> bool:
        """Stop the answer in flight and take back the queue; returns whether there was one. What came so far is kept.

        Returns when it has ended, or after two seconds if the backend takes longer.
        """
        return self.queue.stop(self.get_session(session_id, owner).session_id)

    def answer_permission(self, session_id: str, permission_id: str, option_id: str, owner: str | None = None) -> None:
        """Answer a question of the reply in flight, with one of its options; the first answer counts.

        The same answer again changes nothing. Raises QuestionClosed if another one came first or the question is gone;
        InvalidInput for an option that it does not have.
        """
        self._questions.answer(self.get_session(session_id, owner).session_id, permission_id, option_id, owner or "")

    def waiting_for_answers(self, session_ids: Collection[str]) -> frozenset[str]:
        """Those of these sessions that have an open question."""
        return self._questions.waiting(session_ids)

    def pieces(self, session_id: str, message_id: str) -> Iterator[tuple[str, Message]]:
        """The text of one answer from its beginning, as pairs (new text, the message now); see `text_pieces`."""
        return self._supervisor.pieces(session_id, message_id)

    # Backend

    @property
    def backend(self) -> SessionBackend:
        return self._current.attached.backend

    def use_backend(self, backend: SessionBackend) -> None:
        """Use this backend from the next message on. Answers in flight go on with the old one, which is then closed."""
        self._current.use(backend)
        self.start(lambda text, progress: None)

    def start(self, report: Callable[[str, float | None], None]) -> None:
        """Let the backend prepare for the first message; `report` is called with the progress."""
        self._current.attached.start(report)

    @property
    def takes(self) -> frozenset[str]:
        """The options that a session may have with this backend: "model", "system_prompt", "context"."""
        return self._current.attached.takes

    def check_backend(self) -> str | None:
        """Why the backend cannot answer now, as a sentence without names and addresses; None if it can."""
        return self._current.attached.check()

    def list_models(self) -> list[str]:
        """The names that a session's model may have; [] if that is not known."""
        return self._current.attached.list_models()

    @property
    def label(self) -> str:
        """Which model answers and where, for people."""
        return self._current.attached.label(SessionOptions())

    def label_of(self, session: WebChatSession) -> str:
        """Which model answers this session."""
        return self._current.label_of(session)

    @property
    def notice(self) -> str | None:
        """Why the backend cannot answer and what to do, or None."""
        return abilities.notice_of(self.backend)

    # The process

    def probe(self) -> None:
        """Write something and remove it. Raises OSError, StorageError if too little is free."""
        self._supervisor.require_disk()
        self.storage.probe()

    @property
    def stopping(self) -> threading.Event:
        """Set when the server shuts down; every stream watches it."""
        return self._supervisor.stopping

    @property
    def reply_times(self) -> ReplyTimes:
        """The times of writing answers and of reporting that a model is silent."""
        return self._supervisor.times

    @property
    def answers_in_flight(self) -> int:
        """How many answers this process writes right now."""
        return len(self._supervisor.runs)

    @property
    def is_closing(self) -> bool:
        """Whether the server is shutting down and accepts nothing new."""
        return self._supervisor.is_closing

    def keep_house(self) -> None:
        """Start the housekeeping thread, which runs until `close`: once in a serving process, after it has forked.

        It adopts transcripts that were put into the folder, purges what has expired in the trash, sends queued messages
        that are left, moves answers that dead processes have left into their transcripts, and ends temporary chats.
        """
        self.housekeeping.start()

    def close(self, grace: float = 0.0, patience: float = 1.0) -> None:
        """Shut down: streams, answers in flight (kept, as interrupted) and the backend.

        For `grace` seconds answers may continue, while new ones are refused (Closing); the rest then have `patience`
        seconds to be saved.
        """
        self._dispatcher.close()
        self._supervisor.close(grace, patience)
        self._current.attached.close()
        self.storage.close()

    def end_grace(self) -> bool:
        """Have `close` wait no longer for answers; returns whether it might have waited."""
        return self._supervisor.end_grace()

    # Internals

    def _session_or_current(self, session_id: str | None, owner: str | None) -> WebChatSession | None:
        return self.get_session(session_id, owner) if session_id else self.active_session(owner)

    def _submission(
        self, message: str, files: Files, key: str | None, seen: str | None, client: str | None
    ) -> Submission:
        return checked_submission(message, self.limits.message, files, key, seen, client)
