"""Agents' questions to the person: which are open, and how each is answered once. Knows no agent."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from webchat.chat.message import Message
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

        The same answer again changes nothing. Raises QuestionClosed if another one came first or the question is gone,
        InvalidInput for an option that it does not have, StorageError.
        """
        last = self._supervisor.read(session_id).last
        asked = _asked(last, permission_id)
        if option_id not in [option.id for option in asked.options]:
            raise InvalidInput("This question does not have that answer.")
        if last and asked.is_open and last.in_flight:
            with storing("Your answer could not be saved"):
                self._hand_on(session_id, permission_id, option_id, by)
                asked = _asked(self._supervisor.read(session_id).find(last.id), permission_id)
                if asked.is_open:  # it could not be written down yet, but it was saved: it counts if it came first
                    first = first_choice(self._storage.replies.requests(session_id), permission_id)
                    asked = replace(asked, choice=str(first.get("option")) if first else option_id)
        if asked.choice != option_id:
            raise QuestionClosed

    def _hand_on(self, session_id: str, permission_id: str, option_id: str, by: str) -> None:
        """Have the process that writes the reply take the answer, unless it has another one already."""
        self._storage.replies.request(session_id, {"permission": permission_id, "option": option_id, "by": by})
        run = self._supervisor.runs.get(session_id)
        if run is None:
            self._supervisor.wait_elsewhere(session_id, lambda: not self._has_open(session_id, permission_id))
            return
        # Whoever looks after the reply may have passed it on by now, or does so if the log cannot be written at the
        # moment.
        with suppress(OSError):
            run.heed(self._storage.replies.requests(session_id))

    def _has_open(self, session_id: str, permission_id: str) -> bool:
        last = self._supervisor.read(session_id).last
        return last is not None and any(part.id == permission_id for part in last.questions)


def _asked(message: Message | None, permission_id: str) -> Permission:
    """The question with that id, open or not. Raises QuestionClosed."""
    for part in message.parts if message else ():
        if isinstance(part, Permission) and part.id == permission_id:
            return part
    raise QuestionClosed
