"""The protocol of backends, the events of an answer besides text, and the registry of backends."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from webchat.chat.chosen import Chosen
from webchat.chat.parts import Placed
from webchat.errors import InvalidInput

if TYPE_CHECKING:
    from webchat.backends.mock import MockBackend as MockBackend
    from webchat.config import Settings

ENTRY_POINTS = "webchat.backends"
BUILT_IN = {
    "acp": "webchat.backends.acp",
    "local": "webchat.backends.local",
    "mock": "webchat.backends.mock",
    "openai": "webchat.backends.openai",
}

EventKind = Literal["status", "note", "reasoning", "reasoned", "tool", "usage", "finish", "model", "rest"]


@dataclass(frozen=True)
class SessionInfo:
    """What a backend knows about a session. `working_dir` is an absolute path or starts with `~`."""

    session_id: str
    project_id: str = ""
    working_dir: str = "~"
    is_active: bool = True


@dataclass(frozen=True)
class Event:
    """What a backend reports besides text, between the pieces of text.

    kind       meaning of `text`                                                         kept with the answer
    status     what is being done now, a few words; replaces the status before;          no
               the next piece of text ends it; `progress` from 0 to 1 if known
    note       a sentence about the answer ("Earlier messages were left out …")          yes
    reasoning  a piece of the model's reasoning, appended to the pieces before           yes
    reasoned   nothing; the text since the last reasoning has turned out to be reasoning   yes
    model      which model wrote the answer and where, if not the one of the label       yes
    tool       a line about a tool that the agent used                                   yes
    usage      nothing; `data` has token counts, as model servers name them              yes
    finish     why the answer ended: "stop", "length", …                                 no
    rest       nothing; no more comes for a moment, so that what came is written now     no
    """

    kind: EventKind
    text: str = ""
    progress: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionOptions:
    """The options of one session; for an empty one the backend uses its default.

    `owner` is the person whose session it is, None in a chat without sign-in. `context` is what the model should know
    besides the conversation: the person's memories. `agent` names one of several agents; `working_dir` is the session's
    folder. The backend writes nothing about a `temporary` session to disk. `chosen` is what the person has chosen for
    the backend's controls, perhaps on another server.
    """

    model: str = ""
    system_prompt: str = ""
    context: str = ""
    agent: str = ""
    working_dir: str = ""
    temporary: bool = False
    chosen: Chosen = Chosen()
    owner: str | None = None


Piece = str | Event | Placed
"""A piece of an answer: text, an event, or a part that is updated in place (see `webchat.chat.parts`)."""
HistoryItem = Mapping[str, Any]
"""One message for the model: a mapping with at least `role` ("user" or "assistant") and `content`."""


class SessionBackend(Protocol):
    """The protocol of a backend; there is no base class.

    Calling a method and iterating an answer may raise SessionUnknown (the manager then resumes the session with its
    history and asks again), SessionEnded, and BackendUnavailable with a text for people. If the iterator that
    `send_message` returns has a method `cancel()`, it may be called once, from any thread, and ends the answer upstream
    at once; otherwise a stop takes effect at the next piece.

    `webchat.backends.abilities` has a protocol for each optional ability.
    """

    def create_session(self, working_dir: str, description: str) -> SessionInfo: ...

    def resume_session(self, session_id: str, history: Sequence[HistoryItem]) -> SessionInfo:
        """Resume a session with this history, oldest first; it replaces what the backend knew."""

    def send_message(self, session_id: str, message: str) -> Iterable[Piece]: ...

    def end_session(self, session_id: str) -> None: ...

    def get_session_info(self, session_id: str) -> SessionInfo | None: ...


def project_id_of(working_dir: str) -> str:
    """A project's id, as Amplifier derives it from a folder: the resolved path with "-" for "/" and "\\", without
    ":"."""
    path = os.path.realpath(os.path.expanduser(working_dir))  # noqa: PTH111  (raises nothing for an unknown user)
    name = re.sub(r"[/\\]", "-", path).replace(":", "")
    return name if name.startswith("-") else f"-{name}"


Factory = Callable[["Settings"], SessionBackend]


def backend_names() -> list[str]:
    """The names that `create_backend` takes, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in _installed())})


@cache
def _installed() -> EntryPoints:
    """The backends of other packages; searching the installed packages takes 5 ms and more."""
    return entry_points(group=ENTRY_POINTS)


def create_backend(name: str, settings: Settings) -> SessionBackend:
    """Build the backend of that name: a built-in one, or one from an entry point in the group `webchat.backends`.

    Raises InvalidInput if there is none.
    """
    import importlib

    if name in BUILT_IN:
        return cast(Factory, importlib.import_module(BUILT_IN[name]).from_settings)(settings)
    for point in _installed().select(name=name):
        return cast(Factory, point.load())(settings)
    raise InvalidInput(f"There is no backend {name!r}. Choose one of: {', '.join(backend_names())}.")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "MockBackend":
        from webchat.backends.mock import MockBackend

        return MockBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
