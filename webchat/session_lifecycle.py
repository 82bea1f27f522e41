"""Creates, prepares, resumes, copies and ends sessions. Knows neither Flask nor files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from webchat.agent_sessions import FROM_AGENT, FROM_SESSION, checked_options
from webchat.backends import SessionInfo, SessionOptions, project_id_of
from webchat.chat.chosen import CHOICES
from webchat.chat.conversation import Conversation
from webchat.chat.message import Message, history
from webchat.chat.parts import closed
from webchat.chat.texts import DEFAULT_DESCRIPTION, TEMPORARY_TITLE, checked_title
from webchat.errors import AgentFixed, BackendUnavailable, InvalidInput, SessionExists, WebChatError, storing
from webchat.limits import CHOSEN
from webchat.replies.queue import MessageQueue
from webchat.replies.services import Services
from webchat.replies.submission import Submission, once
from webchat.session_store import WebChatSession, is_session_id
from webchat.temporary_chats import TemporaryChats


class SessionLifecycle:
    """`WebChatSessionManager` documents the methods of the same names."""

    def __init__(self, services: Services, temporary: TemporaryChats, queue: MessageQueue) -> None:
        self._store, self._storage, self._supervisor = services.store, services.storage, services.supervisor
        self._current, self._allowance, self._empty = services.current, services.allowance, services.empty
        self._longest_title, self._temporary, self._queue = services.limits.title, temporary, queue

    def create(
        self,
        working_dir: str,
        description: str,
        owner: str | None,
        key: str | None = None,
        options: Mapping[str, str] | None = None,
        *,
        temporary: bool = False,
    ) -> SessionInfo:
        """See `WebChatSessionManager.create_session`."""
        _require_folder(working_dir)
        attached = self._current.attached
        agents = attached.agents
        chosen = {"agent": agents[0]} if agents else {}
        checked = checked_options(options or {}, attached.takes, agents)
        chosen |= {name: text for name, text in checked.items() if text}
        title_by = None
        if description != DEFAULT_DESCRIPTION:
            title_by, description = "person", checked_title(description, self._longest_title)
        if temporary and not title_by:
            description = TEMPORARY_TITLE
        return self._made(working_dir, description, owner, key, title_by, chosen, temporary=temporary)

    def create_for(
        self,
        sent: Submission,
        working_dir: str,
        owner: str | None,
        options: Mapping[str, str] | None,
        *,
        temporary: bool,
    ) -> WebChatSession:
        """A new session for this first message; the same one for a retry with its key.

        Raises as `create`, TooBusy, TooOften, NoRoom; InvalidInput if the model cannot see its pictures.
        """
        chosen = SessionOptions(model=(options or {}).get("model", ""), agent=(options or {}).get("agent", ""))
        self._current.require_sight(chosen, sent.pictures)
        key = once(sent.key, "start", sent.text)
        if key is None or self._store.made_with(key, owner) is None:
            # Checked before creating a session that could not be used.
            self._supervisor.places.require(sent.client)
            self._allowance.require_message(owner, sent.size)
            if temporary:
                self._temporary.require_memory(sent.size)
        made = self.create(working_dir, DEFAULT_DESCRIPTION, owner, key, options, temporary=temporary)
        return self._store.require(made.session_id, owner)

    def _made(
        self,
        working_dir: str,
        description: str,
        owner: str | None,
        key: str | None,
        title_by: str | None,
        chosen: Mapping[str, Any],
        *,
        temporary: bool,
    ) -> SessionInfo:
        """A new session, or the existing one with this key."""
        self._supervisor.require_open()
        made = self._store.made_with(key, owner) if key else None
        if made:
            return _info_of(made)
        self._make_room(owner, temporary=temporary)
        info = self._current.attached.create(working_dir, description)
        if not is_session_id(info.session_id):
            raise BackendUnavailable("The backend gave the new session an id that cannot be used.")
        extra = {"project_id": info.project_id, "working_dir": info.working_dir, **chosen}
        try:
            self._store.add(info.session_id, description, extra, owner, key=key, title_by=title_by, temporary=temporary)
        except SessionExists:
            made = self._store.made_with(key, owner) if key else None
            if made is None:
                raise
            self._current.attached.end(info.session_id)  # a request with the same key was faster
            return _info_of(made)
        except (WebChatError, OSError):
            with suppress(BackendUnavailable):  # the error to report is why the session could not be stored
                self._current.attached.end(info.session_id)
            raise
        return info

    def _make_room(self, owner: str | None, *, temporary: bool) -> None:
        """Make room, and check the limits before creating a session at the backend that could not be stored."""
        if temporary:
            self._temporary.make_room(owner)
        else:
            self._supervisor.require_disk()
            if not self._empty.make_room(owner):
                self._store.require_room(owner)

    def new(
        self, owner: str | None, working_dir: str | None, options: Mapping[str, str] | None, *, temporary: bool
    ) -> WebChatSession:
        """See `WebChatSessionManager.new_session`."""
        session = self._store.active_session(owner)
        if session is None or session.begun or session.temporary != temporary:
            folder = working_dir or "~"
            made = self.create(folder, DEFAULT_DESCRIPTION, owner, options=options, temporary=temporary)
            return self._store.require(made.session_id, owner)
        return self.prepare(session, working_dir, options)

    def prepare(
        self, session: WebChatSession, working_dir: str | None, options: Mapping[str, str] | None
    ) -> WebChatSession:
        """See `WebChatSessionManager.prepare_session`."""
        if options:
            session = self.set_options(session, options)
        if working_dir is None or working_dir == session.working_dir:
            return session
        if session.begun or "working_dir" not in self._current.attached.takes:
            raise InvalidInput("This session's folder cannot be changed. Start a new session to work in another one.")
        _require_folder(working_dir)
        placed = {"working_dir": working_dir, "project_id": project_id_of(working_dir)}
        return self._store.annotate(session.session_id, placed, session.owner)

    def set_options(self, session: WebChatSession, options: Mapping[str, str]) -> WebChatSession:
        """See `WebChatSessionManager.set_options`."""
        attached = self._current.attached
        chosen = checked_options(options, attached.takes, attached.agents)
        if session.begun and chosen.get("agent", session.extra.get("agent")) != session.extra.get("agent"):
            raise AgentFixed
        changes = {name: text or None for name, text in chosen.items()}
        return self._store.annotate(session.session_id, changes, session.owner)

    def resume(self, session: WebChatSession) -> WebChatSession:
        """See `WebChatSessionManager.resume_session`."""
        session_id = session.session_id
        if not self._supervisor.is_answering(session_id):
            self._current.attached.take_up(session_id, history(self._supervisor.read(session_id).messages))
        resumed = self._store.reactivate(session_id, session.owner)
        self._storage.bus.publish(session_id, urgent=True)
        return resumed

    def end(self, session: WebChatSession) -> None:
        """See `WebChatSessionManager.end_session`."""
        self._queue.stop(session.session_id)
        if not self._temporary.end_among([session.session_id], session.owner):
            return
        self._current.attached.end(session.session_id)
        self._store.deactivate(session.session_id, session.owner)
        self._storage.bus.publish(session.session_id, urgent=True)

    def fork(
        self, session: WebChatSession, conversation: Conversation, message_id: str, key: str | None, owner: str | None
    ) -> WebChatSession:
        """See `WebChatSessionManager.fork`."""
        shown = conversation.up_to(message_id)
        if not shown or shown[-1].in_flight:
            raise InvalidInput("Only a complete message on the shown branch can be forked.")
        working_dir, chosen = self._place_of_copy(session)
        this = once(key, "fork", session.session_id, message_id)
        if this is None or self._store.made_with(this, owner) is None:
            texts = sum(len(json.dumps(message.record(), ensure_ascii=False).encode()) for message in shown)
            pictures = sum(picture.size for message in shown for picture in message.pictures)
            self._allowance.require_room(owner, texts + pictures)
            if session.temporary:
                self._temporary.require_memory(texts)  # the pictures are shared
        title, temporary = session.description, session.temporary
        info = self._made(working_dir, title, owner, this, session.title_by, chosen, temporary=temporary)
        forked = info.session_id
        parents = (None, *(message.id for message in shown))
        copies = [_copied(message, parent) for message, parent in zip(shown, parents, strict=False)]
        with self._supervisor.turn(forked) as turn, storing("The messages could not be copied"):
            if not turn.conversation.messages:
                self._copy_pictures(session.session_id, forked, copies)
                self._storage.transcripts.append(forked, *copies)
        return self._store.note_message(self._store.require(forked, owner), shown[0].heading)

    def _copy_pictures(self, session_id: str, to: str, messages: Iterable[Message]) -> None:
        keys = {picture.key for message in messages for picture in message.pictures}
        if keys:
            self._storage.pictures.copy(session_id, to, keys)

    def _place_of_copy(self, session: WebChatSession) -> tuple[str, dict[str, Any]]:
        """The folder and `extra` of a copy. Raises InvalidInput if there is no such folder."""
        agents = self._current.attached.agents
        if not session.program:
            _require_folder(session.working_dir)
            # Another agent might do something else in a mode of that name.
            kept = (*CHOSEN, CHOICES) if session.extra.get("agent") in agents else CHOSEN
            return session.working_dir, {name: session.extra[name] for name in kept if name in session.extra}
        chosen = {FROM_AGENT: session.program, FROM_SESSION: session.session_id}
        # Even if the folder is gone, the conversation can be continued.
        return session.working_dir if _is_folder(session.working_dir) else "~", chosen | (
            {"agent": agents[0]} if agents else {}
        )


def _copied(message: Message, parent: str | None) -> Message:
    """A message for another session: its open questions are closed."""
    return replace(message, parent=parent, parts=tuple(closed(part, message.status) for part in message.parts))


def _is_folder(working_dir: str) -> bool:
    # Unlike Path's methods, these raise nothing, neither for an unknown user nor for a name that is too long.
    return "\0" not in working_dir and os.path.isdir(os.path.expanduser(working_dir))  # noqa: PTH111, PTH112


def _require_folder(working_dir: str) -> None:
    """Raises InvalidInput if there is no such folder."""
    if not _is_folder(working_dir):
        raise InvalidInput(f"There is no folder {working_dir[:200]!r}.")


def _info_of(session: WebChatSession) -> SessionInfo:
    return SessionInfo(session.session_id, session.project_id, session.working_dir)
