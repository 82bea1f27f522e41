"""The objects that the parts of one chat share. Knows no rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webchat.limits import Limits
from webchat.replies.allowance import Allowance
from webchat.replies.current_backend import CurrentBackend
from webchat.replies.empty_sessions import EmptySessions
from webchat.replies.supervisor import ReplySupervisor
from webchat.session_store import WebChatSessionStore
from webchat.storage.protocols import Storage


@dataclass(frozen=True)
class Services:
    """The shared objects of one chat. `clock` returns the time, ISO 8601 in UTC."""

    storage: Storage
    store: WebChatSessionStore
    current: CurrentBackend
    supervisor: ReplySupervisor
    allowance: Allowance
    empty: EmptySessions
    limits: Limits
    clock: Callable[[], str]
