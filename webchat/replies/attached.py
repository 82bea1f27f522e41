"""A backend in use: tracks what it knows of each session, and closes it when unused. Knows no file."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from webchat.backends import Piece, SessionBackend, SessionInfo, SessionOptions, abilities
from webchat.backends.abilities import Controls, OwnSession
from webchat.backends.pictures import BLIND, in_words
from webchat.chat.chosen import Chosen
from webchat.chat.picture import SentPicture
from webchat.errors import BackendUnavailable, InvalidInput, SessionEnded, SessionUnknown
from webchat.replies.backend_errors import backend_errors
from webchat.replies.showing import ReadPicture, no_picture, past_for, pictures_for

log = logging.getLogger(__name__)
NONE_CHOSEN = Chosen()
KNOWN_SESSIONS = 1000
"""Sessions whose state in the backend is tracked: the most recently used ones."""
Past = Sequence[Mapping[str, Any]]
"""Messages with `id`, `role` and `content`, and `pictures` if they have any, oldest first."""


class AttachedBackend:
    """One backend. When another one replaces it, it is closed after its last answer has ended.

    Tracks the last message that the backend has seen in each session; if the conversation has continued differently,
    the backend is given the whole history again. Errors of the backend are converted by `backend_errors`.
    """

    def __init__(
        self, backend: SessionBackend, read_picture: ReadPicture = no_picture, known_sessions: int = KNOWN_SESSIONS
    ) -> None:
        if not hasattr(backend, "send_message"):
            raise TypeError(f"{type(backend).__name__} is not a backend: wrap a function in ChatModelBackend")
        self.backend, self._read_picture, self._known_sessions = backend, read_picture, known_sessions
        self._known: OrderedDict[str, str | None] = OrderedDict()
        self._known_lock, self._use_lock = threading.Lock(), threading.Lock()
        self._users = 0
        self._retired = False

    @property
    def takes(self) -> frozenset[str]:
        """The names of the options that a session may have."""
        able = abilities.configurable(self.backend)
        return frozenset(able.session_options if able else ())

    def label(self, options: SessionOptions) -> str:
        """Which model answers a session with these options and where, for people."""
        return abilities.label_of(self.backend, options)

    def create(self, working_dir: str, description: str) -> SessionInfo:
        with backend_errors():
            info = self.backend.create_session(working_dir, description)
        self._know(info.session_id, None)
        return info

    def take_up(self, session_id: str, past: Past) -> None:
        """Resume the session in the backend with this history."""
        sees = abilities.seeing(self.backend) is not None
        with backend_errors():
            self.backend.resume_session(session_id, past_for(self._read_picture, session_id, past, shown=sees))
        self._know(session_id, _last(past))

    def sees(self, options: SessionOptions) -> bool | None:
        """Whether the model of a session with these options sees pictures; None if only sending one would show it."""
        able = abilities.seeing(self.backend)
        return able.sees(options) if able else False

    def ask(
        self,
        session_id: str,
        message: str,
        past: Past,
        options: SessionOptions,
        pictures: Sequence[SentPicture] = (),
        *,
        again: bool,
    ) -> Iterable[Piece]:
        """Ask in a session with these earlier messages; `again`: the backend has said that it does not know it."""
        seeing = abilities.seeing(self.backend)
        if pictures and self.sees(options) is False:
            raise BackendUnavailable(BLIND.format(self.label(options)))
        if again or self._known.get(session_id, "") != _last(past):
            self.take_up(session_id, past)
        self._know(session_id, _asking(past))
        with backend_errors():
            able = abilities.configurable(self.backend)
            if able and able.session_options:
                able.configure_session(session_id, options)
            if pictures and seeing:
                return seeing.send_message(session_id, message, pictures_for(self._read_picture, session_id, pictures))
            return self.backend.send_message(session_id, message)

    def answer_permission(self, session_id: str, permission_id: str, option_id: str) -> None:
        """Pass on the person's choice."""
        able = abilities.asking(self.backend)
        if able:
            with backend_errors():
                able.answer_permission(session_id, permission_id, option_id)

    @property
    def agents(self) -> list[str]:
        """The names of the agents that a session may choose from."""
        return abilities.agents_of(self.backend)

    @property
    def is_controlled(self) -> bool:
        """Whether the backend's sessions may have controls."""
        return abilities.controlled(self.backend) is not None

    def controls(self, session_id: str, chosen: Chosen = NONE_CHOSEN) -> Controls:
        """The session's current controls, with those of the person's choices that apply from the next message on."""
        able, waiting = abilities.controlled(self.backend), abilities.choice_pending(self.backend)
        now = able.controls(session_id) if able else Controls()
        return now.with_values(waiting.pending_choices(session_id, chosen)) if waiting else now

    def set_control(self, session_id: str, select_id: str, value: str) -> None:
        """Set a control of the session. Raises InvalidInput for a value that is not offered."""
        selects = self.controls(session_id).selects
        offered = next((select.options for select in selects if select.id == select_id), ())
        able = abilities.controlled(self.backend)
        if able is None or value not in dict(offered):
            raise InvalidInput("This is not offered here now. The choices are known once the agent is running.")
        with backend_errors():
            able.set_control(session_id, select_id, value)

    @property
    def keeps_sessions(self) -> bool:
        """Whether the backend stores sessions of its own."""
        return abilities.session_keeping(self.backend) is not None

    def own_id(self, session_id: str) -> str | None:
        """Under which id the backend stores this session of ours, if it does and tells."""
        able = abilities.knowing_own_ids(self.backend)
        with backend_errors():
            return able.own_id(session_id) if able else None

    def own_sessions(self) -> Sequence[OwnSession]:
        """The backend's own sessions, newest first. May start an agent."""
        able = abilities.session_keeping(self.backend)
        with backend_errors():
            return able.own_sessions() if able else ()

    def bring_in(self, own_id: str) -> tuple[str, OwnSession, Sequence[Mapping[str, str]]]:
        """Create a session of ours that continues one of the backend's own; see `SessionKeeping`.

        Raises InvalidInput.
        """
        able = abilities.session_keeping(self.backend)
        if able is None:
            raise InvalidInput("This backend has no sessions of its own.")
        with backend_errors():
            return able.bring_in(own_id)

    def has_brought(self, session_id: str, past: Past) -> None:
        """Note that the backend knows the session up to the end of this history."""
        self._know(session_id, _last(past))

    @property
    def names_itself(self) -> bool:
        """Whether the backend names its sessions itself, without being asked."""
        return abilities.self_titling(self.backend) is not None

    def own_title(self, session_id: str) -> str:
        """The backend's current title of the session; "" if it has none."""
        able = abilities.self_titling(self.backend)
        with backend_errors():
            return (able.own_title(session_id) if able else None) or ""

    def only_speaks(self, options: SessionOptions) -> bool:
        """Whether asking the backend in a session with these options has no side effects."""
        return abilities.only_speaks(self.backend, options)

    @property
    def names_sessions(self) -> bool:
        return abilities.titling(self.backend) is not None

    def suggest_title(self, past: Past, options: SessionOptions) -> Iterable[Piece]:
        """The backend's suggestion for a title, in pieces; none if it names no sessions."""
        able = abilities.titling(self.backend)
        with backend_errors():
            return able.suggest_title([in_words(item) for item in past], options) if able else ()

    def end(self, session_id: str) -> None:
        # A backend that does not know the session (after a restart), or has ended it itself, has nothing to end.
        with suppress(SessionUnknown, SessionEnded), backend_errors():
            self.backend.end_session(session_id)
        self._known.pop(session_id, None)

    def learned(self, session_id: str, past: Past, message_id: str | None) -> None:
        """Note that the backend, which was asked after `past`, knows the session up to that message; None: unknown.

        If it has been given another history in the meantime, its state is unknown, too.
        """
        before = self._known.pop(session_id, None)
        if message_id is not None and before == _asking(past):
            self._know(session_id, message_id)

    def _know(self, session_id: str, message_id: str | None) -> None:
        with self._known_lock:
            self._known[session_id] = message_id
            self._known.move_to_end(session_id)
            while len(self._known) > self._known_sessions:  # a forgotten one is resumed with its history
                self._known.popitem(last=False)

    def list_models(self) -> list[str]:
        """The names that a session's model may have; [] if they are unknown. Raises BackendUnavailable."""
        able = abilities.model_listing(self.backend)
        with backend_errors():
            return list(able.list_models()) if able else []

    def check(self) -> str | None:
        """Why the backend cannot answer, in its own words; None if it can, or cannot be checked."""
        able = abilities.checkable(self.backend)
        try:
            with backend_errors():
                reason = able.check() if able else None
        except Exception:
            log.warning("the backend's check failed", exc_info=True)
            return "The model's check failed."
        return str(reason) if reason else None

    def start(self, report: Callable[[str, float | None], None]) -> None:
        """Let the backend prepare for the first message; returns at once."""
        able = abilities.starting(self.backend)
        if able:
            able.start(report)

    def enter(self) -> None:
        """Keep the backend open until `leave`."""
        with self._use_lock:
            self._users += 1

    def leave(self) -> None:
        with self._use_lock:
            self._users -= 1
            over = self._retired and not self._users
        if over:
            self.close()

    def retire(self) -> None:
        """Close the backend as soon as nobody uses it."""
        self.enter()
        self._retired = True
        self.leave()

    def close(self) -> None:
        abilities.close(self.backend)


class Question:
    """One message for the backend, which may be asked again."""

    def __init__(
        self,
        answerer: AttachedBackend,
        session_id: str,
        message: str,
        past: Past,
        options: SessionOptions,
        pictures: Sequence[SentPicture] = (),
    ) -> None:
        self._answerer, self._options, self._pictures = answerer, options, pictures
        self._session_id, self._message, self._past = session_id, message, past

    @property
    def label(self) -> str:
        """Which model answers; if the server chooses the model, it may be known only after the first answer."""
        return self._answerer.label(self._options)

    @property
    def early(self) -> bool:
        """Whether the backend may be asked while the message is still being saved: asking has no side effects."""
        return self._answerer.only_speaks(self._options)

    def __call__(self, *, again: bool) -> Iterable[Piece]:
        return self._answerer.ask(
            self._session_id, self._message, self._past, self._options, self._pictures, again=again
        )

    def answer(self, permission_id: str, option_id: str) -> None:
        self._answerer.answer_permission(self._session_id, permission_id, option_id)


def _last(past: Past) -> str | None:
    return past[-1]["id"] if past else None


def _asking(past: Past) -> str:
    return f"asked after {_last(past)}"
