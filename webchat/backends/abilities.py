"""Optional abilities of backends: a protocol for each, and the only place that checks a backend for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from webchat.backends import HistoryItem, Piece, SessionOptions
from webchat.backends.pictures import GivenPicture
from webchat.chat.chosen import Chosen


class Starting(Protocol):
    """Prepares for the first message."""

    def start(self, report: Callable[[str, float | None], None]) -> None:
        """Called once when the server starts; returns at once. `report(text, progress)` shows the progress in the
        terminal, from 0 to 1 or None."""


class Closable(Protocol):
    """Holds resources."""

    def close(self) -> None:
        """Called once, when nobody uses the backend any more."""


class Checkable(Protocol):
    """Can say whether it could answer."""

    def check(self) -> str | None:
        """Why it cannot answer, as a sentence without names, addresses or secrets; None if it can.

        Called every few seconds at most, in a thread of its own; loads and generates nothing.
        """


class Configurable(Protocol):
    """Has options for each session."""

    @property
    def session_options(self) -> Collection[str]:
        """The names of the fields of SessionOptions that it accepts."""

    def configure_session(self, session_id: str, options: SessionOptions) -> None:
        """Called before each message; applies from that message on. Raises SessionUnknown."""

    def label_of(self, options: SessionOptions) -> str:
        """Which model answers a session with these options and where, for people."""


class ModelListing(Protocol):
    """Lists the models that a session may choose."""

    def list_models(self) -> Iterable[str]:
        """Their names. Raises BackendUnavailable."""


class Titling(Protocol):
    """Can name sessions, if `titles` is true."""

    titles: bool

    def suggest_title(self, history: Sequence[HistoryItem], options: SessionOptions) -> Iterable[Piece]:
        """Pieces like those of `send_message`; their first line becomes the title, unless a person has given one."""


class SelfTitling(Protocol):
    """Its sessions name themselves."""

    def own_title(self, session_id: str) -> str | None:
        """The session's current title, or None; sends no question."""


class Seeing(Protocol):
    """Its models may see pictures. The messages of `resume_session` then have `pictures` too, GivenPictures, if any."""

    def sees(self, options: SessionOptions) -> bool | None:
        """Whether the model of a session with these options sees pictures; None if only sending one would show it."""

    def send_message(self, session_id: str, message: str, pictures: Sequence[GivenPicture] = ()) -> Iterable[Piece]:
        """Like `SessionBackend.send_message`, with the pictures of the message."""


class Asking(Protocol):
    """Asks the person within an answer: its answers may have parts of type Permission."""

    def answer_permission(self, session_id: str, permission_id: str, option_id: str) -> None:
        """Pass the choice on to the agent; returns at once, from any thread. A question that is no longer open is
        ignored.

        When an answer is cancelled its open questions count as cancelled, without a call.
        """


@dataclass(frozen=True)
class Select:
    """A choice for a session: a mode, a model. `options` are (value, name) pairs, `value` the chosen one."""

    id: str
    name: str
    value: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Controls:
    """The choices that a session's agent offers, and its commands as (name, description) pairs."""

    selects: tuple[Select, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()

    def with_values(self, values: Mapping[str, str]) -> Controls:
        """With these values, by the choices' ids, except those that are not offered."""
        selects = (
            replace(select, value=values[select.id]) if values.get(select.id) in dict(select.options) else select
            for select in self.selects
        )
        return replace(self, selects=tuple(selects))


class Controlled(Protocol):
    """Offers modes and options that people can change during a session, and commands that begin with "/"."""

    def controls(self, session_id: str) -> Controls:
        """What is known now; starts no agent."""

    def set_control(self, session_id: str, select_id: str, value: str) -> None:
        """Set one choice. Raises InvalidInput if the value is not offered, and BackendUnavailable."""


class PendingChoices(Protocol):
    """Applies choices that were made elsewhere, on another server for example, with the session's next message."""

    def pending_choices(self, session_id: str, chosen: Chosen) -> Mapping[str, str]:
        """Those of the person's choices that will be set with the next message: the values by the controls' ids."""


@dataclass(frozen=True)
class OwnSession:
    """A session in the agent's own storage. `updated_at` is ISO 8601, "" if unknown."""

    id: str
    title: str
    working_dir: str
    updated_at: str = ""


class AgentChoosing(Protocol):
    """Has several agents; the option "agent" says which one answers a session."""

    @property
    def agents(self) -> Sequence[str]:
        """Their names. The first is the default."""


class SessionKeeping(Protocol):
    """Stores sessions of its own, which can be continued here."""

    def own_sessions(self) -> Sequence[OwnSession]:
        """The backend's sessions that were not begun here, newest first. Read-only. Raises BackendUnavailable."""

    def bring_in(self, own_id: str) -> tuple[str, OwnSession, Sequence[Mapping[str, str]]]:
        """Continue that session under a new session id of ours. Returns the id, the session, and its messages as
        mappings with `role` and `content`, oldest first. Raises BackendUnavailable, and InvalidInput if there is no
        such session."""


class OwnIds(Protocol):
    """Knows under which id it stores a session of ours."""

    def own_id(self, session_id: str) -> str | None:
        """The id, as in `own_sessions`, of what has this session's conversation now; None if there is none."""


def notice_of(backend: object) -> str | None:
    """Why the backend cannot answer and what to do, for the page; None if it can."""
    notice = getattr(backend, "notice", None)
    return None if notice is None else str(notice)


def caution_of(backend: object) -> str:
    """The backend's attribute `caution`: what a person should know before the first message, or ""."""
    return str(getattr(backend, "caution", None) or "")


def label_of(backend: object, options: SessionOptions | None = None) -> str:
    """Which model answers and where, for people."""
    own = getattr(backend, "label_of", None)
    label = own(options or SessionOptions()) if own else getattr(backend, "label", "")
    return str(label or type(backend).__name__)


def only_speaks(backend: object, options: SessionOptions) -> bool:
    """Whether asking has no side effects; if so, the model is asked while the question is still being saved."""
    own = getattr(backend, "only_speaks_of", None)
    return bool(own(options) if own else getattr(backend, "only_speaks", False))


def starting(backend: object) -> Starting | None:
    return cast(Starting, backend) if hasattr(backend, "start") else None


def close(backend: object) -> None:
    """Close the backend, if it holds resources."""
    if hasattr(backend, "close"):
        cast(Closable, backend).close()


def checkable(backend: object) -> Checkable | None:
    return cast(Checkable, backend) if hasattr(backend, "check") else None


def configurable(backend: object) -> Configurable | None:
    return cast(Configurable, backend) if hasattr(backend, "configure_session") else None


def model_listing(backend: object) -> ModelListing | None:
    return cast(ModelListing, backend) if hasattr(backend, "list_models") else None


def titling(backend: object) -> Titling | None:
    return cast(Titling, backend) if getattr(backend, "titles", False) else None


def seeing(backend: object) -> Seeing | None:
    return cast(Seeing, backend) if hasattr(backend, "sees") else None


def self_titling(backend: object) -> SelfTitling | None:
    return cast(SelfTitling, backend) if hasattr(backend, "own_title") else None


def asking(backend: object) -> Asking | None:
    return cast(Asking, backend) if hasattr(backend, "answer_permission") else None


def controlled(backend: object) -> Controlled | None:
    return cast(Controlled, backend) if hasattr(backend, "controls") else None


def choice_pending(backend: object) -> PendingChoices | None:
    return cast(PendingChoices, backend) if hasattr(backend, "pending_choices") else None


def agents_of(backend: object) -> list[str]:
    """The names of the agents that a session may choose from; [] for a backend that has none."""
    return [name for name in getattr(backend, "agents", ()) if isinstance(name, str)]


def knowing_own_ids(backend: object) -> OwnIds | None:
    return cast(OwnIds, backend) if hasattr(backend, "own_id") else None


def session_keeping(backend: object) -> SessionKeeping | None:
    return cast(SessionKeeping, backend) if hasattr(backend, "own_sessions") else None
