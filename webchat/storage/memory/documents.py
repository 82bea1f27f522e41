"""Documents in memory, where each person has their own."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from webchat.storage.protocols.documents import Draft, name_of


class MemoryDocuments:
    """See `Documents`."""

    are_private = True

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._documents: dict[str, bytes] = {}
        self._versions: defaultdict[str, int] = defaultdict(int)

    def of(self, kind: str, owner: str | None) -> str:
        return name_of(kind, owner)

    def names(self, kind: str) -> Collection[str]:
        return [name for name in list(self._documents) if name.partition("/")[0] == kind]

    def read(self, name: str) -> bytes | None:
        return self._documents.get(name)

    @contextmanager
    def changing(self, name: str) -> Iterator[Draft]:
        with self._guard:
            lock = self._locks[name]
        with lock:
            before = self._documents.get(name)
            draft = Draft(before)
            yield draft
            if draft.damaged and before is not None:
                self._documents[f"damaged/{name}/{self._versions[name]}"] = before
            if draft.data is None:
                self._documents.pop(name, None)
            elif draft.data != before:
                self._versions[name] += 1
                self._documents[name] = draft.data

    def version(self, name: str) -> int | None:
        return self._versions[name] if name in self._documents else None
