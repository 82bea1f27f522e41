"""A small file that maps our sessions to the agents' sessions. Knows no process."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from webchat.conventions import WEB_CHAT_AGENT_SESSIONS_FILENAME as FILENAME
from webchat.fileutil import Folder, locked, quarantine

log = logging.getLogger(__name__)
MOST_RECORDS, MOST_EARLIER = 2_000, 20
"""Conversations whose agent's session is remembered, and earlier sessions of each; the most recently used ones."""


@dataclass(frozen=True)
class Record:
    """An agent's session. `known` is the digest of its conversation; it is not reliable while `is_finished` is false,
    since an answer was begun and has not ended. `holder` is the id of the process that uses the session, or was killed
    while using it; 0 if its agent was ended properly. `chosen` are the person's choices, for a
    host that passes none in the session's options; `earlier` are the agent's sessions that had the conversation before.
    """

    agent: str
    agent_session: str
    cwd: str
    known: str
    is_finished: bool = True
    holder: int = 0
    chosen: Mapping[str, str] = field(default_factory=dict)
    earlier: Sequence[str] = ()

    @property
    def is_released(self) -> bool:
        """Whether its agent was ended properly, with time to save the session."""
        return not self.holder

    @property
    def is_held_elsewhere(self) -> bool:
        """Whether another running process may be using it."""
        if self.holder in (0, os.getpid()):
            return False
        with suppress(ProcessLookupError, OverflowError):
            try:
                os.kill(self.holder, 0)
            except PermissionError:
                return True
            return True
        return False


class Records:
    """The records by the id of our session. If the file cannot be written, this process keeps them in memory."""

    def __init__(self, folder: Folder | None) -> None:
        """Without a folder they are only in memory."""
        self._folder = folder
        self._own: dict[str, Record] = {}
        """Records of this process that could not be written to the file, or are held back."""
        self._held: set[str] = set()
        """Ids of our sessions that must not be written to the file."""
        self._own_lock = threading.Lock()

    def get(self, session_id: str) -> Record | None:
        with self._own_lock:
            return self._found().get(session_id)

    def put(self, session_id: str, record: Record) -> None:
        """Replace the record; if it names another session of the agent, the one before becomes an earlier session."""
        with self._own_lock:
            before = self._found().get(session_id)
            if before:
                past = [
                    name for name in (*before.earlier, before.agent_session) if name not in ("", record.agent_session)
                ]
                record = replace(record, earlier=tuple(dict.fromkeys(past))[-MOST_EARLIER:])
            self._save({session_id: record})

    def hold_back(self, session_id: str, *, held: bool) -> None:
        """Stop writing this session of ours to the file, or resume it."""
        with self._own_lock:
            (self._held.add if held else self._held.discard)(session_id)

    def forget_held(self, session_id: str) -> None:
        """Forget an ended session of ours that was held back from the file."""
        with self._own_lock:
            if session_id in self._held:
                self._held.discard(session_id)
                self._own.pop(session_id, None)

    def release(self, session_ids: Collection[str]) -> None:
        """Note that the agents of these sessions of ours have been ended properly."""
        self._change({key: {"holder": 0} for key in session_ids})

    def finish(self, known: Mapping[str, str]) -> None:
        """Note the digest of the conversation that each agent's session has, provided that its agent has saved it."""
        self._change({key: {"known": digest, "is_finished": True} for key, digest in known.items()})

    def _change(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        with self._own_lock:
            found = self._found()
            changed = {key: replace(found[key], **values) for key, values in changes.items() if key in found}
            if changed:
                self._save(changed)

    def sessions_of(self, names: Collection[str]) -> set[str]:
        """The ids of the agent's sessions that were begun here, under one of its names."""
        with self._own_lock:
            records = [record for record in self._found().values() if record.agent in names]
        return {name for record in records for name in (*record.earlier, record.agent_session) if name}

    def forget_gone(self, lookup: Callable[[str], object]) -> None:
        """Remove the records of our sessions that `lookup` does not find. Raises OSError."""
        with self._own_lock:
            gone = {session_id for session_id in self._found() if lookup(session_id) is None}
            if gone:
                self._own = {key: record for key, record in self._own.items() if key not in gone}
                if self._folder:
                    self._write(self._folder, gone)

    def folders(self) -> list[str]:
        """The folders in which agents have worked, most recent first."""
        with self._own_lock:
            return list(dict.fromkeys(record.cwd for record in reversed(self._found().values())))

    def _save(self, changes: Mapping[str, Record]) -> None:
        """Called with the lock."""
        self._own = _changed(self._own, changes)
        if self._folder is None:
            self._own = dict(list(self._own.items())[-MOST_RECORDS:])
        if self._folder is None or self._held.issuperset(self._own):
            return
        try:
            self._write(self._folder)
            self._own = {key: record for key, record in self._own.items() if key in self._held}
        except OSError:
            log.warning("the agents' sessions could not be saved", exc_info=True)

    def _found(self) -> dict[str, Record]:
        """Called with the lock."""
        try:
            found = self._read()
        except (OSError, ValueError, RecursionError):
            log.warning("the agents' sessions could not be read", exc_info=True)
            found = {}
        return _changed(found, self._own)

    def _read(self) -> dict[str, Record]:
        """Raises OSError, ValueError, RecursionError."""
        data = self._folder.read(FILENAME) if self._folder else None
        found = json.loads(data or b"{}")
        if not isinstance(found, dict):
            raise ValueError("not an object")
        records = {session_id: _record(value) for session_id, value in found.items()}
        return {session_id: record for session_id, record in records.items() if record}

    def _write(self, folder: Folder, gone: Collection[str] = ()) -> None:
        with locked(folder, FILENAME):
            try:
                found = self._read()
            except (ValueError, RecursionError):
                quarantine(folder, FILENAME)
                found = {}
            own = {key: record for key, record in self._own.items() if key not in self._held}
            kept = list(_changed(found, own).items())[-MOST_RECORDS:]
            data = json.dumps({key: asdict(value) for key, value in kept if key not in gone}, indent=1)
            folder.replace(FILENAME, f"{data}\n".encode())


def _changed(found: dict[str, Record], changes: Mapping[str, Record]) -> dict[str, Record]:
    """With the changed records last: the order is that of their use."""
    return {key: value for key, value in found.items() if key not in changes} | dict(changes)


_TYPES = {"is_finished": bool, "holder": int, "chosen": dict, "earlier": list}


def _record(value: Any) -> Record | None:  # noqa: ANN401
    """None for a damaged record: its conversation then gets a new session."""
    names = [each.name for each in fields(Record)]
    if not isinstance(value, dict) or any(name not in value for name in names):
        return None
    if not all(isinstance(value[name], _TYPES.get(name, str)) for name in names):
        return None
    if not all(isinstance(each, str) for each in (*value["chosen"].values(), *value["earlier"])):
        return None
    return Record(**{name: value[name] for name in names})
