"""The imports that a chat is doing, so that their progress can be asked for. Knows no request."""

from __future__ import annotations

import threading
from collections import OrderedDict

from webchat.archive.bounds import Bounds, Watch

BOUNDS = Bounds(seconds=1800.0)
REMEMBERED = 200
"""Imports that can be asked for."""


class Imports:
    """The imports of one chat that are going on, or were lately, by the person and a key that the page gave."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._watches: OrderedDict[tuple[str | None, str], Watch] = OrderedDict()

    def of(self, who: str | None, key: str) -> Watch:
        """The import with that key. One that is not known is yet to come: its file is being sent."""
        with self._guard:
            watch = self._watches.setdefault((who, key), Watch(BOUNDS))
            self._watches.move_to_end((who, key))
            while len(self._watches) > REMEMBERED:
                self._watches.popitem(last=False)
            return watch
