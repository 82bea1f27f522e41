"""Looks up a session and reads its conversation, whether it is ours or another program's. Knows no engine."""

from __future__ import annotations

from webchat.chat.conversation import Conversation
from webchat.programs import OtherPrograms
from webchat.replies.services import Services
from webchat.session_store import WebChatSession


class SessionReader:
    """Raises SessionNotFound for a session that does not exist or is not the owner's."""

    def __init__(self, services: Services, programs: OtherPrograms) -> None:
        self._services, self._programs = services, programs

    def find(self, session_id: str, owner: str | None = None) -> WebChatSession | None:
        """The session, ours or another program's; None if there is none."""
        return self._programs.find(session_id) or self._services.store.get(session_id, owner)

    def require(self, session_id: str, owner: str | None = None) -> WebChatSession:
        """The session, ours or another program's."""
        return self._programs.find(session_id) or self._services.store.require(session_id, owner)

    def require_own(self, session_id: str, owner: str | None) -> WebChatSession:
        """One that can be changed. Raises ReadOnlySession for another program's."""
        self._programs.refuse(session_id)
        return self._services.store.require(session_id, owner)

    def conversation(self, session_id: str) -> Conversation:
        """The session's conversation now. The caller has checked its owner."""
        if self._programs.find(session_id):
            return self._programs.conversation(session_id)
        return self._services.supervisor.read(session_id)

    def version(self, session_id: str) -> object:
        """Differs from an earlier one when the conversation has changed, in any process."""
        return self._programs.conversation_version(session_id) or self._services.supervisor.version(session_id)

    def is_aside(self, session_id: str, message_id: str) -> bool:
        """Whether the session has that message on a branch that is not shown."""
        shown = self.conversation(session_id).find(message_id)
        return shown is None and self._services.storage.transcripts.leaf_below(session_id, message_id) is not None
