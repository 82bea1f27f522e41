"""One answer of an agent: opens its session, sends the prompt, and yields the pieces. Knows no JSON-RPC."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from webchat.backends import Event, HistoryItem, Piece
from webchat.backends.acp import problems
from webchat.backends.acp.agent import Agent
from webchat.backends.acp.connection import CANCELLED, AgentSession
from webchat.backends.acp.inbox import Inbox, Overflow
from webchat.backends.acp.opening import Cancelled, Opening
from webchat.backends.acp.records import Record, Records
from webchat.backends.acp.sessions import Session
from webchat.backends.acp.shapes import identity, mapping, mappings, text
from webchat.backends.acp.transcript import LEFT_OUT, digest, primed
from webchat.backends.acp.updates import UpdateReader
from webchat.backends.pictures import BLIND, GivenPicture
from webchat.chat.parts import MOST_OPTIONS, Option, Permission, ToolCall
from webchat.errors import BackendUnavailable, InvalidInput

MOST_OPEN = 100
"""Questions that may be open at the same time."""
UNTITLED = "The agent asks before it continues"
NOT_OFFERED = "The agent does not offer this answer."


@dataclass(frozen=True)
class _Question:
    """An open permission request. `values` are the options' ids as the agent sent them."""

    answer: Callable[[Mapping[str, Any]], None]
    values: Mapping[str, Any]
    call: ToolCall | None
    """What it is about, as it was then."""
    permission: Permission


class Turn:
    """The pieces of one answer, to be iterated once. Raises BackendUnavailable while it is iterated.

    `cancel`, from any thread, ends it at once; the agent then has `Bounds.cancel_patience` seconds to end its prompt.
    """

    def __init__(
        self,
        session: Session,
        agent: Agent,
        records: Records,
        message: str,
        pictures: Sequence[GivenPicture] = (),
    ) -> None:
        self._session, self._agent, self._records, self._message = session, agent, records, message
        self._pictures = pictures
        self._history = session.history  # a history set in the meantime is another list
        self._inbox, self._reader = Inbox(agent.bounds.most_unread), UpdateReader(agent.bounds.most_calls)
        self._said: list[str] = []
        self._live: AgentSession | None = None
        self._prompt: Future[Any] | None = None
        self._open: dict[str, _Question] = {}
        self._is_cancelled = self._is_whole = False
        self._failure: BackendUnavailable | None = None
        self._overdue: threading.Timer | None = None
        self._state_lock = threading.Lock()

    def __iter__(self) -> Iterator[Piece]:
        try:
            with self._agent.in_use():
                yield from self._pieces()
        except Cancelled:
            pass
        except GeneratorExit:
            self.cancel()
            raise
        except problems.AgentError as error:
            raise problems.of_error(error, self._agent.label, self._agent.secrets) from error
        finally:
            self._keep()

    def cancel(self) -> None:
        """End the answer; returns at once."""
        with self._state_lock:
            if self._is_cancelled:
                return
            self._is_cancelled = True
        self._inbox.close(drop=True)
        self._end_prompt()

    def answer(self, permission_id: str, option_id: str) -> None:
        """Pass on the person's choice. Raises InvalidInput for an option that is not offered."""
        with self._state_lock:
            question = self._open.get(permission_id)
            if question is None:
                return
            if option_id not in question.values:
                raise InvalidInput(NOT_OFFERED)
            del self._open[permission_id]
        if question.call:
            self._reader.answered(question.call.id)
        question.answer({"outcome": {"outcome": "selected", "optionId": question.values[option_id]}})

    # The answer's own thread

    def _pieces(self) -> Iterator[Piece]:
        if self._is_cancelled:
            return
        opening = Opening(self._session, self._agent, self._records, self._inbox)
        live = yield from opening.run(self._history)
        prompt, is_short = self._message, False
        if live.known != digest(self._history):
            prompt, is_short = primed(self._history, self._message)
        if is_short:
            yield Event("note", LEFT_OUT)
        self._send(live, prompt)
        while (piece := self._inbox.get()) is not None:
            if isinstance(piece, str):
                self._said.append(piece)
            yield piece
        if not self._is_cancelled:
            yield from self._ended()

    def _send(self, live: AgentSession, prompt: str) -> None:
        """Send the prompt. Raises Cancelled, and BackendUnavailable if it has pictures and the agent accepts none."""
        if self._pictures and not live.connection.takes_pictures:
            raise BackendUnavailable(BLIND.format(self._agent.label))
        self._record(live, is_finished=False)
        with self._state_lock:
            if self._is_cancelled:
                raise Cancelled
            self._live, self._session.agent = live, self._agent.name
            live.known, live.listener = None, self
            self._prompt = live.prompt(prompt, self._over, self._pictures)

    def _ended(self) -> Iterator[Piece]:
        """The last pieces, after the prompt has ended. Raises AgentError, BackendUnavailable."""
        if self._failure:
            raise self._failure
        assert self._prompt  # noqa: S101
        reason = text(mapping(self._prompt.result()).get("stopReason"))
        if reason == "refusal":
            raise problems.of_refusal("".join(self._said), self._agent.secrets)
        self._is_whole = True
        if reason in problems.NOTES:
            yield Event("note", problems.NOTES[reason])

    def _keep(self) -> None:
        """Record the conversation of the agent's session; after a failure, close the session instead."""
        if self._session.turn is self:
            self._session.turn = None
        live = self._live
        if live is None:
            return
        if not self._is_whole and not self._is_cancelled:
            if live.is_usable:
                live.close()
            return
        answer = "".join(self._said)
        self._history += [self._question, {"role": "assistant", "content": answer}]
        live.known = digest(self._history)
        if self._is_whole:
            self._record(live, is_finished=True)

    @property
    def _question(self) -> HistoryItem:
        pictures = {"pictures": self._pictures} if self._pictures else {}
        return {"role": "user", "content": self._message, **pictures}

    def _record(self, live: AgentSession, *, is_finished: bool) -> None:
        told = self._history if is_finished else [*self._history, self._question]
        record = Record(
            self._agent.name, live.id, live.cwd, digest(told), is_finished, os.getpid(), dict(self._session.chosen)
        )
        self._records.put(self._session.info.session_id, record)

    # The thread that reads what the agent sends

    def update(self, update: Mapping[str, Any]) -> None:
        if self._is_cancelled or self._failure:
            return
        try:
            for piece in self._reader.read(update):
                self._inbox.put(piece)
                if isinstance(piece, ToolCall) and not piece.is_open:
                    self._close_questions(piece)
        except Overflow:
            self._fail()

    def ask(self, answer: Callable[[Mapping[str, Any]], None], question: Mapping[str, Any]) -> None:
        offered = mappings(question.get("options"), MOST_OPTIONS)
        named = {name: option for option in offered if (name := identity(option.get("optionId")))}
        call = None
        try:
            if named and not self._is_cancelled and not self._failure:
                call = self._reader.asked(mapping(question.get("toolCall")))
        except Overflow:
            self._fail()
        title = (call.title if call else "") or UNTITLED
        permission = Permission(secrets.token_hex(16), title, _options(named), call.id if call else "")
        values = {name: option["optionId"] for name, option in named.items()}
        if self._opened(_Question(answer, values, call, permission)):
            try:
                for piece in (call, permission):
                    if piece:
                        self._inbox.put(piece)
            except Overflow:
                self._fail()
        else:
            answer(CANCELLED)

    def _opened(self, question: _Question) -> bool:
        """Whether the question is open from now on."""
        with self._state_lock:
            is_wanted = not self._is_cancelled and not self._failure
            is_open = bool(question.values) and is_wanted and len(self._open) < MOST_OPEN
            if is_open:
                self._open[question.permission.id] = question
        return is_open

    def _close_questions(self, call: ToolCall) -> None:
        """The call has ended: whoever still answers a question about it would be too late."""
        with self._state_lock:
            late = [each for each in self._open.values() if each.call and each.call.is_open and each.call.id == call.id]
            for question in late:
                del self._open[question.permission.id]
        for question in late:
            question.answer(CANCELLED)
            self._inbox.put(replace(question.permission, status="cancelled"))

    def _over(self, _prompt: Future[Any]) -> None:
        """The agent has ended the prompt."""
        if self._live and self._live.listener is self:
            self._live.listener = None
        self._open.clear()
        if self._overdue:
            self._overdue.cancel()
        self._inbox.close()

    def _fail(self) -> None:
        self._failure = BackendUnavailable(problems.TOO_MUCH.format(self._agent.label))
        self._inbox.close(drop=True)
        self._end_prompt()

    # Any thread

    def _end_prompt(self) -> None:
        """Cancel the prompt in the agent. Open questions are answered first: some agents would go on waiting for
        them."""
        with self._state_lock:
            questions, self._open = list(self._open.values()), {}
            live, prompt = self._live, self._prompt
        if live is None or prompt is None or prompt.done():
            return
        for question in questions:
            question.answer(CANCELLED)
        live.cancel()
        self._overdue = threading.Timer(self._agent.bounds.cancel_patience, self._give_up)
        self._overdue.daemon = True
        with suppress(RuntimeError):  # no thread left: the next message checks instead
            self._overdue.start()

    def _give_up(self) -> None:
        """The agent has not ended the prompt in time: drop its session, and its process when nobody else uses it."""
        if self._live and self._prompt and not self._prompt.done():
            self._live.connection.sessions.pop(self._live.id, None)
            self._agent.abandon(self._live.connection)


def _options(named: Mapping[str, Mapping[str, Any]]) -> tuple[Option, ...]:
    """All options that the agent offers, in its order and words."""
    return tuple(
        Option(name, text(option.get("name")) or name, text(option.get("kind"))) for name, option in named.items()
    )
