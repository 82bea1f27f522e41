"""The rules of the chat: which session is current, one reply in flight for each, what resume means.

Knows neither Flask nor files.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from webchat import threads
from webchat.agent_sessions import AgentSessions, checked_options
from webchat.archive import Archive
from webchat.backends import SessionBackend, SessionInfo, SessionOptions, abilities, project_id_of
from webchat.chat.conversation import Conversation
from webchat.chat.message import Message, history
from webchat.chat.search import Found, title_query
from webchat.chat.texts import checked_files, checked_message, checked_title
from webchat.errors import AgentFixed, BackendUnavailable, InvalidInput, SessionExists, WebChatError, storing
from webchat.housekeeping import TRASH_DAYS, Housekeeping
from webchat.limits import CHOSEN, Limits
from webchat.observer import NOBODY, Observer
from webchat.replies.attached import AttachedBackend
from webchat.replies.dispatcher import ReplyDispatcher, options_of
from webchat.replies.posted import Posted
from webchat.replies.questions import Questions
from webchat.replies.queue import MessageQueue
from webchat.replies.rules import ConversationRules
from webchat.replies.supervisor import ReplySupervisor
from webchat.session_store import DEFAULT_DESCRIPTION, WebChatSession, WebChatSessionStore, is_session_id, utc_now
from webchat.session_store.rules import grouped_by_folder
from webchat.storage import opened
from webchat.storage.protocols import Bus, Shelf, Storage

log = logging.getLogger(__name__)


class WebChatSessionManager:
    """Every call that the views, the command line and scripts make. Safe to call from any thread.

    `owner` narrows each call to one person's sessions; None is the one person of a chat without sign-in. Calls raise
    SessionNotFound for a session that is not there or not theirs, StorageError when files cannot be read or written,
    and BackendUnavailable when the backend cannot be asked; nothing has changed then.
    """

    def __init__(
        self,
        backend: SessionBackend,
        persistence_path: Storage | Path | str | None = None,
        *,
        clock: Callable[[], str] = utc_now,
        context: Callable[[str | None], str] = lambda owner: "",
        trash_days: float = TRASH_DAYS,
        limits: Limits | None = None,
        observer: Observer = NOBODY,
        chores: Collection[Callable[[], None]] = (),
    ) -> None:
        """`persistence_path` is the registry's file; the transcripts lie in a folder beside it. None: in memory.
        A storage that is open already will do as well.

        `context` gives what a backend that takes it is told, for an owner, beside each conversation. `trash_days` is
        for how long a deleted session can be restored. `observer` is told how replies and writes go. `chores` are
        called whenever the trash is emptied.
        """
        self.limits = limits or Limits()
        self.storage = storage = opened(persistence_path, observer)
        self.store = WebChatSessionStore(storage.sessions, clock=clock, most=self.limits.sessions)
        self._supervisor = supervisor = ReplySupervisor(
            storage, self.limits, observer, over=lambda run: self.queue.reply_is_over(run)
        )
        self._questions = Questions(storage, supervisor)
        self._dispatcher = ReplyDispatcher(backend, self.store, supervisor, storage.bus, clock, context)
        longest = self.limits.message
        self._rules = ConversationRules(self.store, storage, supervisor, self._dispatcher, clock, longest)
        self.queue = MessageQueue(self.store, storage, supervisor, self._rules, clock, longest)
        self.agents = AgentSessions(self.store, storage, supervisor, self._dispatcher, clock)
        self.archive = Archive(self.store, storage, supervisor, self.limits)
        self.housekeeping = Housekeeping(
            self.store,
            storage,
            supervisor,
            self._dispatcher.end,
            trash_days,
            self.limits.title,
            send_left=self.queue.send_left,
            chores=(self.archive.importer.discard_left, *chores),
        )

    # Sessions

    @property
    def active_session_id(self) -> str | None:
        return self._current_id(None)

    def active_session(self, owner: str | None = None) -> WebChatSession | None:
        return self.store.active_session(owner)

    def get_session(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """The session. Raises SessionNotFound."""
        return self.store.require(session_id, owner)

    def list_sessions(self, owner: str | None = None) -> list[WebChatSession]:
        """All sessions, newest first."""
        return self.store.list_all(owner)

    def list_page(
        self,
        shelf: Shelf,
        query: str = "",
        start: int = 0,
        count: int | None = None,
        owner: str | None = None,
        folder: str | None = None,
        *,
        by_folder: bool = False,
    ) -> list[WebChatSession]:
        """Sessions on that shelf with such a title, the pinned ones first and then those of late first.

        `query` is text in a title, or words that begin words of it; `start` is how many to skip; with `folder` only the
        sessions that work there. With `by_folder` those of one folder stand together.
        """
        wanted, end = title_query(query), None if count is None else start + count
        if shelf == "trash":
            trash = [item for item in self.housekeeping.trash(owner) if not wanted or wanted.matches(item.description)]
            trash = [item for item in trash if folder in (None, item.working_dir)]
            return (grouped_by_folder(trash) if by_folder else trash)[start:end]
        if by_folder:
            return grouped_by_folder(self.store.page(owner, shelf, wanted, 0, None, folder))[start:end]
        return self.store.page(owner, shelf, wanted, start, count, folder)

    def search(self, query: str, limit: int, owner: str | None = None, folder: str | None = None) -> Found:
        """The sessions in which all these words were said, those of late first, each with its latest such message.

        Case and accents do not matter, and a word may be a longer one's beginning; `folder` is as in `list_page`.
        """

        def is_wanted(session_id: str) -> bool:
            session = self.store.get(session_id, owner)
            return session is not None and folder in (None, session.working_dir)

        try:
            return self.storage.search.find(query, is_wanted, limit)
        except Exception:  # derived data: whatever is wrong with it, the next search finds it made anew
            log.warning("the search index could not be asked", exc_info=True)
            return Found([], complete=False)

    def create_session(
        self,
        working_dir: str = "~",
        description: str = DEFAULT_DESCRIPTION,
        owner: str | None = None,
        *,
        key: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> SessionInfo:
        """Start a session and make it current; the old one stays so until then. `options` are as in `set_options`.

        With a `key` there is one session however often this is called with it. Raises InvalidInput where `working_dir`
        is no folder, LimitReached where there are as many as there may be, BackendUnavailable, StorageError, Closing.
        """
        _require_folder(working_dir)
        agents = self.agents.names
        chosen = {"agent": agents[0]} if agents else {}
        chosen |= {name: text for name, text in checked_options(options or {}, self.takes, agents).items() if text}
        title_by = None
        if description != DEFAULT_DESCRIPTION:
            title_by, description = "person", checked_title(description, self.limits.title)
        return self._made(working_dir, description, owner, key, title_by, chosen)

    def _made(
        self,
        working_dir: str,
        description: str,
        owner: str | None,
        key: str | None,
        title_by: str | None,
        chosen: Mapping[str, Any],
    ) -> SessionInfo:
        """A new session, or the one that there is with this key."""
        self._supervisor.require_open()
        made = self.store.made_with(key, owner) if key else None
        if made:
            return _info_of(made)
        self._supervisor.require_disk()
        self.store.require_room(owner)
        info = self._answerer.create(working_dir, description)
        if not is_session_id(info.session_id):
            raise BackendUnavailable("The backend gave the new session a name that cannot be used.")
        extra = {"project_id": info.project_id, "working_dir": info.working_dir, **chosen}
        try:
            self.store.add(info.session_id, description, extra, owner, key=key, title_by=title_by)
        except SessionExists:
            made = self.store.made_with(key, owner) if key else None
            if made is None:
                raise
            self._dispatcher.end(info.session_id)  # somebody else was quicker with the same
            return _info_of(made)
        return info

    def new_session(
        self, owner: str | None = None, *, working_dir: str | None = None, options: Mapping[str, str] | None = None
    ) -> WebChatSession:
        """The current session where it has no message yet, else a new one; with this folder and these options.

        Raises as `create_session`.
        """
        session = self.active_session(owner)
        if session is None or session.begun:
            made = self.create_session(working_dir or "~", owner=owner, options=options)
            return self.get_session(made.session_id, owner)
        return self.prepare_session(session.session_id, owner, working_dir=working_dir, options=options)

    def prepare_session(
        self,
        session_id: str,
        owner: str | None = None,
        *,
        working_dir: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> WebChatSession:
        """Give a session its folder and its options before its first message; what is None stays.

        Raises as `set_options`; InvalidInput for another folder once it has begun, or where there is none.
        """
        session = self.set_options(session_id, options, owner) if options else self.store.require(session_id, owner)
        if working_dir is None or working_dir == session.working_dir:
            return session
        if session.begun or "working_dir" not in self.takes:
            raise InvalidInput("This session has its folder. Start a new session to work in another one.")
        _require_folder(working_dir)
        placed = {"working_dir": working_dir, "project_id": project_id_of(working_dir)}
        return self.store.annotate(session_id, placed, owner)

    def resume_session(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """Make a past session current again, with its history in the backend.

        Raises SessionNotFound; SessionEnded, BackendUnavailable, and then nothing has changed.
        """
        self.store.require(session_id, owner)
        if not self._supervisor.is_answering(session_id):
            self._answerer.take_up(session_id, history(self.conversation(session_id, owner).messages))
        session = self.store.reactivate(session_id, owner)
        self.bus.publish(session_id, urgent=True)
        return session

    def end_session(self, session_id: str | None = None, owner: str | None = None) -> bool:
        """End a session, the current one by default: its answer stops, the backend lets go, it is no longer current.

        Gives False where there is none to end. Raises SessionNotFound, BackendUnavailable.
        """
        session_id = session_id or self._current_id(owner)
        if session_id is None:
            return False
        self.store.require(session_id, owner)
        self.stop(session_id, owner)
        self._dispatcher.end(session_id)
        self.store.deactivate(session_id, owner)
        self.bus.publish(session_id, urgent=True)
        return True

    # Messages

    def conversation(self, session_id: str, owner: str | None = None) -> Conversation:
        """What the session looks like now. Raises SessionNotFound, StorageError."""
        self.store.require(session_id, owner)
        return self.read_conversation(session_id)

    def is_aside(self, session_id: str, message_id: str) -> bool:
        """Whether the session has that message on a branch that is not shown."""
        shown = self.read_conversation(session_id).find(message_id)
        return shown is None and self.storage.transcripts.leaf_below(session_id, message_id) is not None

    def read_conversation(self, session_id: str) -> Conversation:
        """The same for a caller that has asked for the session already."""
        return self._supervisor.read(session_id)

    def conversation_version(self, session_id: str) -> object:
        """Differs from an earlier one when the conversation has changed, in any process."""
        return self._supervisor.version(session_id)

    def send_message(self, message: str, session_id: str | None = None, owner: str | None = None) -> str | None:
        """Send a message, to the current session by default, and wait for the whole answer.

        Gives None where there is no session to send to. Raises as `post_message`, and what ended the answer early.
        """
        session_id = session_id or self._current_id(owner)
        if session_id is None:
            return None
        posted = self.post_message(session_id, message, owner)
        posted.wait()
        if posted.error:
            raise posted.error
        return posted.answer.content

    def start_conversation(
        self,
        message: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        files: Sequence[tuple[str, str]] = (),
        client: str | None = None,
        working_dir: str = "~",
        options: Mapping[str, str] | None = None,
    ) -> Posted:
        """A new session with its first message; one only, sent twice. Raises as `create_session`, `post_message`."""
        text = checked_message(message, self.limits.message)
        checked_files(files)
        this = once(key, "start", text)
        if this is None or self.store.made_with(this, owner) is None:
            self._supervisor.places.require(client)  # before a session is made that nobody could use
        made = self.create_session(working_dir, owner=owner, key=this, options=options)
        return self.post_message(made.session_id, message, owner, key=key, files=files, client=client)

    def post_message(
        self,
        session_id: str,
        message: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        seen: str | None = None,
        files: Sequence[tuple[str, str]] = (),
        client: str | None = None,
    ) -> Posted:
        """Accept a message: it is on the disk when this returns, and its answer is on its way.

        `key` names the message: a retry with the same key gets what the first one started. `seen` is the last message
        that the sender knew. `files` are (name, text) pairs. `client` is whose answers are counted together.
        Raises SessionNotFound, SessionBusy while an answer is being written, TooBusy if too many are, StaleView if
        somebody has written since `seen`, InvalidInput, TooLarge, StorageError.
        """
        return self._rules.post_message(session_id, message, owner, key=key, seen=seen, files=files, client=client)

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
        """Ask something else in place of one of the person's messages; the old one stays, on another branch.

        Raises as `post_message`; InvalidInput if that message is not shown or not the person's.
        """
        return self._rules.edit(session_id, message_id, message, owner, key=key, seen=seen, client=client)

    def retry(
        self,
        session_id: str,
        message_id: str,
        owner: str | None = None,
        *,
        key: str | None = None,
        client: str | None = None,
    ) -> Posted:
        """Ask again for the last answer, which stays on another branch, or for an unanswered last question.

        Raises as `post_message`, StaleView if others have written since; InvalidInput if it is neither.
        """
        return self._rules.retry(session_id, message_id, owner, key=key, client=client)

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
        return self._rules.continue_reply(session_id, message_id, owner, key=key, client=client)

    def select(self, session_id: str, message_id: str, owner: str | None = None) -> None:
        """Show the branch with this message from now on. Raises as `post_message`; InvalidInput for an unknown one."""
        self._rules.select(session_id, message_id, owner)

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
        """Add a question and its answer that no model sees. Raises as `post_message`.

        `answer` is called once nothing prevents adding them, and not if the question was sent before with this `key`.
        """
        return self._rules.add_exchange(session_id, question, answer, kind, owner, key=key, seen=seen)

    def fork(
        self, session_id: str, message_id: str, owner: str | None = None, *, key: str | None = None
    ) -> WebChatSession:
        """A new session that begins with what is shown up to this message, and goes its own way. It becomes current.

        With a `key` there is one however often this is called with it.
        Raises SessionNotFound, InvalidInput for a message that is not shown or where the session's folder is gone,
        BackendUnavailable, StorageError.
        """
        session = self.store.require(session_id, owner)
        shown = self.read_conversation(session_id).up_to(message_id)
        if not shown or shown[-1].in_flight:
            raise InvalidInput("Only a finished message that is shown can begin a session of its own.")
        _require_folder(session.working_dir)
        chosen = {name: session.extra[name] for name in CHOSEN if name in session.extra}
        this = once(key, "fork", session_id, message_id)
        info = self._made(session.working_dir, session.description, owner, this, session.title_by, chosen)
        forked = info.session_id
        parents = (None, *(message.id for message in shown))
        copies = [replace(message, parent=parent) for message, parent in zip(shown, parents, strict=False)]
        with self._supervisor.turn(forked) as turn, storing("The messages could not be copied"):
            if not turn.conversation.messages:
                self.storage.transcripts.append(forked, *copies)
        return self._dispatcher.begun(self.store.require(forked, owner), shown[0].content)

    def stop(self, session_id: str, owner: str | None = None) -> bool:
        """Stop the answer that is being written; whether there was one. What came is kept, what waits is taken back.

        Returns when it has ended, or after two seconds where the backend takes longer.
        """
        self.store.require(session_id, owner)
        self.queue.take_all_back(session_id)  # before the answer's end, with which it would be sent
        return self._supervisor.stop(session_id)

    def answer_permission(self, session_id: str, permission_id: str, option_id: str, owner: str | None = None) -> None:
        """Answer a question of the answer in flight, with one of its options; whoever is first answers it.

        Raises SessionNotFound; QuestionClosed if it was answered or is gone; InvalidInput for an option that it does
        not have; StorageError.
        """
        self.store.require(session_id, owner)
        self._questions.answer(session_id, permission_id, option_id, owner or "")

    def waiting_for_answers(self) -> frozenset[str]:
        """The ids of all sessions, whosever they are, in which a person is asked something. Raises StorageError."""
        return self._questions.waiting()

    def pieces(self, session_id: str, message_id: str) -> Iterator[tuple[str, Message]]:
        """The text of one answer as it comes, from its beginning, as (new text, the message now); see `text_pieces`."""
        return self._supervisor.pieces(session_id, message_id)

    @property
    def newest_moment(self) -> float:
        """When something last happened in any session, in seconds since 1970."""
        return self.storage.sessions.newest()

    @property
    def list_notice(self) -> str | None:
        """What the person should know of the state of the list, a sentence, or None."""
        return self.store.notice

    @property
    def bus(self) -> Bus:
        """What wakes readers."""
        return self.storage.bus

    def probe(self) -> None:
        """Write something and remove it. Raises OSError, StorageError if too little is free."""
        self._supervisor.require_disk()
        self.storage.probe()

    @property
    def stopping(self) -> threading.Event:
        """Set when the server is about to end; every stream watches it."""
        return self._supervisor.stopping

    @property
    def answers_in_flight(self) -> int:
        """How many answers this process writes right now."""
        return len(self._supervisor.runs)

    @property
    def is_closing(self) -> bool:
        """Whether nothing new is begun any more."""
        return self._supervisor.is_closing

    def keep_house(self) -> None:
        """Have a thread look after the files until `close`: once in a process that serves, after it has forked.

        It lists what is put into the folder, empties the trash in time, sends messages that still wait, and takes
        answers which processes that are gone have left behind into their transcripts, where they are found.
        """
        with suppress(WebChatError, OSError):  # the thread tries again, and says why
            # Before the first page is shown: while an answer is taken in, it looks as if somebody was writing it.
            self.housekeeping.take_in()
        threads.start(self.housekeeping.keep, "housekeeping", self.stopping)

    def close(self, grace: float = 0.0, patience: float = 1.0) -> None:
        """End all: streams, answers in flight (kept, as interrupted) and the backend.

        For `grace` seconds answers may go on to their end, while nothing new is begun (Closing); those that are left
        then have `patience` seconds to be kept.
        """
        self._dispatcher.close()
        self.storage.search.close()
        self._supervisor.close(grace, patience)
        self._answerer.close()

    # Inside

    @property
    def _answerer(self) -> AttachedBackend:
        return self._dispatcher.answerer

    def _current_id(self, owner: str | None) -> str | None:
        session = self.active_session(owner)
        return session.session_id if session else None

    # Who answers

    @property
    def backend(self) -> SessionBackend:
        return self._answerer.backend

    def use_backend(self, backend: SessionBackend) -> None:
        """Ask this one from the next message on. Answers in flight end with the old one, which is then closed."""
        self._dispatcher.use(backend)
        self.start(lambda text, progress: None)

    def start(self, report: Callable[[str, float | None], None]) -> None:
        """Let the backend begin what is better done before the first message; `report` is told how it goes."""
        self._answerer.start(report)

    @property
    def takes(self) -> frozenset[str]:
        """The options that a session may have with this backend: "model", "system_prompt", "context"."""
        return self._answerer.takes

    def require_disk(self) -> None:
        """Raises StorageError where less of the disk is free than `limits` wants."""
        self._supervisor.require_disk()

    def check_backend(self) -> str | None:
        """Why the backend could not answer now, a sentence without names and addresses; None where it could."""
        return self._answerer.check()

    def list_models(self) -> list[str]:
        """The names that a session's model may have; [] where it cannot be told. Raises BackendUnavailable."""
        return self._answerer.list_models()

    def set_options(self, session_id: str, options: Mapping[str, str], owner: str | None = None) -> WebChatSession:
        """Answer this session with another "model" or "system_prompt" from the next message on; "" is the default.

        The "agent" can be chosen until the first message. Raises SessionNotFound, AgentFixed, InvalidInput where the
        backend does not take such a thing.
        """
        session = self.store.require(session_id, owner)
        chosen = checked_options(options, self.takes, self.agents.names)
        if session.begun and chosen.get("agent", session.extra.get("agent")) != session.extra.get("agent"):
            raise AgentFixed
        return self.store.annotate(session_id, {name: text or None for name, text in chosen.items()}, owner)

    @property
    def label(self) -> str:
        """Which model answers and where, for people."""
        return self._answerer.label(SessionOptions())

    def label_of(self, session: WebChatSession) -> str:
        """Which model answers this session."""
        return self._answerer.label(options_of(session, self.takes))

    @property
    def notice(self) -> str | None:
        """What keeps the backend from answering and what to do, or None."""
        return abilities.notice_of(self.backend)


def once(key: str | None, *what: str) -> str | None:
    """A key for just this, made of the one that a form carries; None where it carries none."""
    return sha256("\0".join((key, *what)).encode()).hexdigest()[:32] if key else None


def _require_folder(working_dir: str) -> None:
    """Raises InvalidInput if there is no such folder."""
    # Unlike a Path's, these calls raise nothing: not for somebody who is not there, nor for a name too long.
    if not os.path.isdir(os.path.expanduser(working_dir)):  # noqa: PTH111, PTH112
        raise InvalidInput(f"There is no folder {working_dir[:200]!r} to work in.")


def _info_of(session: WebChatSession) -> SessionInfo:
    return SessionInfo(session.session_id, session.project_id, session.working_dir)
