"""The running imports of a chat, and their progress. Knows no request."""

from __future__ import annotations

import threading
from collections import OrderedDict

from webchat.archive.bounds import Bounds, Watch
from webchat.limits import Places

BOUNDS = Bounds(seconds=1800.0)
MOST_IMPORTS, IMPORTS_PER_CLIENT = 12, 4
"""Imports that run in parallel, in total and for each client: each holds a thread until it ends."""
TOO_MANY_IMPORTS = "Too many of your imports are running right now. Wait for one to finish, then try again."
REMEMBERED = 20
"""Imports remembered for one person."""
MOST_PEOPLE = 1000
"""People whose imports are remembered."""
AWAITED = 1800.0
"""Seconds during which an unknown import counts as being uploaded: the server calls us only after the whole upload."""


class Imports:
    """The running and recent imports of one chat, by person and by a key that the page has generated."""

    def __init__(self, awaited: float = AWAITED) -> None:
        """`awaited` is for how many seconds an unknown import counts as being uploaded."""
        self._awaited = awaited
        self.places = Places(MOST_IMPORTS, IMPORTS_PER_CLIENT, TOO_MANY_IMPORTS)
        self._guard = threading.Lock()
        self._watches: OrderedDict[str | None, OrderedDict[str, Watch]] = OrderedDict()

    def begin(self, who: str | None, key: str) -> Watch:
        """A watch for an import whose request has arrived; it replaces a finished one with the same key."""
        with self._guard:
            theirs = self._of(who)
            if key in theirs and theirs[key].is_over:
                del theirs[key]
            watch = self._watch(theirs, key)
            watch.is_sent = True
            return watch

    def of(self, who: str | None, key: str) -> Watch:
        """The import with that key. An unknown one counts as being uploaded."""
        with self._guard:
            watch = self._watch(self._of(who), key)
            if not watch.is_sent and watch.age > self._awaited:
                watch.is_over = True
            return watch

    def is_known(self, who: str | None, key: str) -> bool:
        """Whether that import has been requested or begun since the server started."""
        with self._guard:
            return key in self._of(who)

    def _of(self, who: str | None) -> OrderedDict[str, Watch]:
        theirs = self._watches.setdefault(who, OrderedDict())
        self._watches.move_to_end(who)
        while len(self._watches) > MOST_PEOPLE:
            self._watches.popitem(last=False)
        return theirs

    def _watch(self, theirs: OrderedDict[str, Watch], key: str) -> Watch:
        watch = theirs.setdefault(key, Watch(BOUNDS))
        theirs.move_to_end(key)
        while len(theirs) > REMEMBERED:
            theirs.popitem(last=False)
        return watch
