"""Agents' questions to the person: which are open, and how each is answered once. Knows no agent."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from webchat.chat.message import Message, new_message_id
from webchat.chat.parts import Permission
from webchat.errors import InvalidInput, QuestionClosed, storing
from webchat.replies.runner import first_choice
from webchat.replies.services import Services


class Questions:
    """Answers go through the storage: the process that writes the reply takes the first one."""

    def __init__(self, services: Services) -> None:
        self._storage, self._supervisor = services.storage, services.supervisor

    def waiting(self, session_ids: Collection[str]) -> frozenset[str]:
        """Those of these sessions that have an open question. Raises StorageError."""
        with storing("The open questions could not be read"):
            in_flight = {*self._storage.replies.sessions()}
            return frozenset(key for key in session_ids if key in in_flight and self._supervisor.is_asking(key))

    def answer(self, session_id: str, permission_id: str, option_id: str, by: str) -> None:
        """Answer a question of the reply in flight, whichever process writes it; the first answer counts.

        Raises QuestionClosed if it has been answered or is gone, InvalidInput for an option that it does not have,
        StorageError.
        """
        last = self._supervisor.read(session_id).last
        asked = _asked(last, permission_id)
        if option_id not in [option.id for option in asked.options]:
            raise InvalidInput("This question does not have that answer.")
        request = {"permission": permission_id, "option": option_id, "by": by, "request": new_message_id()}
        with storing("Your answer could not be saved"):
            self._storage.replies.request(session_id, request)
            # There is no request if the reply has ended meanwhile.
            if first_choice(self._storage.replies.requests(session_id), permission_id) not in (request, None):
                raise QuestionClosed
            run = self._supervisor.runs.get(session_id)
            if run is None:
                self._supervisor.wait_elsewhere(session_id, lambda: not self._has_open(session_id, permission_id))
            else:
                # The reply's process has read the request by now, or will do so if the log cannot be written at the
                # moment.
                with suppress(OSError):
                    run.choose(permission_id, option_id, by)
            if last and self._is_refused(session_id, last.id, permission_id, option_id):
                raise QuestionClosed

    def _is_refused(self, session_id: str, message_id: str, permission_id: str, option_id: str) -> bool:
        """Whether another answer to the question came first, or the reply has ended."""
        message = self._supervisor.read(session_id).find(message_id)
        asked = (part for part in (message.parts if message else ()) if isinstance(part, Permission))
        return any(part.id == permission_id and not part.is_open and part.choice != option_id for part in asked)

    def _has_open(self, session_id: str, permission_id: str) -> bool:
        last = self._supervisor.read(session_id).last
        return last is not None and any(part.id == permission_id for part in last.questions)


def _asked(message: Message | None, permission_id: str) -> Permission:
    """The open question with that id. Raises QuestionClosed."""
    for part in message.questions if message else ():
        if part.id == permission_id:
            return part
    raise QuestionClosed
