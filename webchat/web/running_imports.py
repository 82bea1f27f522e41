"""The imports that a chat is doing, so that their progress can be asked for. Knows no request."""

from __future__ import annotations

import threading
from collections import OrderedDict

from webchat.archive.bounds import Bounds, Watch
from webchat.limits import Places

BOUNDS = Bounds(seconds=1800.0)
MOST_IMPORTS, IMPORTS_PER_CLIENT = 12, 4
"""Imports that run at once, in all and for each client: each holds a thread for as long as it takes."""
TOO_MANY_IMPORTS = "Too many of your imports are running right now. Wait for one, then try again."
REMEMBERED = 200
"""Imports that can be asked for."""


class Imports:
    """The imports of one chat that are going on, or were lately, by the person and a key that the page gave."""

    def __init__(self) -> None:
        self.places = Places(MOST_IMPORTS, IMPORTS_PER_CLIENT, TOO_MANY_IMPORTS)
        self._guard = threading.Lock()
        self._watches: OrderedDict[tuple[str | None, str], Watch] = OrderedDict()

    def begin(self, who: str | None, key: str) -> Watch:
        """A watch for an import that begins now. One with the same key that is over is forgotten."""
        with self._guard:
            known = self._watches.get((who, key))
            if known and known.is_over:
                del self._watches[who, key]
        return self.of(who, key)

    def of(self, who: str | None, key: str) -> Watch:
        """The import with that key. One that is not known is yet to come: its file is being sent."""
        with self._guard:
            watch = self._watches.setdefault((who, key), Watch(BOUNDS))
            self._watches.move_to_end((who, key))
            while len(self._watches) > REMEMBERED:
                self._watches.popitem(last=False)
            return watch
