"""Wakes readers: at once for changes of this server, and by NOTIFY for changes of other servers."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from urllib.parse import quote, unquote

from webchat import threads
from webchat.errors import NoThreads
from webchat.storage.polling_bus import PollingBus
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.leases import IS_ALIVE, PostgresLeases
from webchat.storage.postgres.link import CHANNEL, Link
from webchat.storage.postgres.session_rows import person_of

log = logging.getLogger(__name__)
GATHERS = 0.05
"""Seconds to collect notifications before they are sent: PostgreSQL serialises transactions that notify."""
LOOK = 1.0
"""Seconds between two polls of the followed sessions: a dead server sends nothing."""
LOOK_AT_LISTS = 60.0
"""Seconds between two polls of all lists: a server may die before it sends the notification of a change."""
LONGEST = 7_000
"""Characters of one notification; PostgreSQL takes 8,000 bytes."""
LIST, DOCUMENT = "*", "+"
"""Prefixes of the name of a person whose list has changed, and of a changed document. No session's id begins like
this."""


class PostgresBus(PollingBus):
    """See `webchat.storage.protocols.Bus`.

    Notifications name the changed sessions; their readers then read the changes.

    A notification is sent after the write, not in its transaction: transactions that notify wait for each other. If a
    server dies before sending it, readers see the change at their next poll.
    """

    def __init__(
        self,
        database: Database,
        leases: PostgresLeases,
        asked: Callable[[str], None],
        document_changed: Callable[[str], None],
        beat: Callable[[], None],
    ) -> None:
        """`asked` is called with each session that another server has changed: it may have left a request for us.

        `document_changed` is called with each document that another server has changed, "" for all; `beat` is called
        regularly while the connection to the database works.
        """
        super().__init__(self.version, self._seen)
        self._changes: Counter[str] = Counter()
        """The number of known changes of each person's list of sessions."""
        self._gaps = 0
        """The number of times that notifications may have been missed."""
        self._database, self._asked_for, self._document_changed = database, asked, document_changed
        self.link = Link(database, leases, self._heard, self._has_joined, beat)
        self._is_closed = False
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start without threads, under a new name: after a fork the threads belong to the parent."""
        self.forget_readers()
        self.link.begin_anew()
        self._name = uuid.uuid4().hex[:8]
        self._looked, self._states = float("-inf"), dict[str, object]()
        self._asked_all = time.monotonic()
        self._outbox: set[str] = set()
        self._wanted = threading.Event()
        self._sending = threading.Lock()
        self._is_sender_there = False

    def start(self) -> None:
        super().start()
        self.link.start()
        self._start_sender()

    def publish(self, session_id: str, *, urgent: bool) -> None:
        super().publish(session_id, urgent=urgent)
        self._database.then(lambda: self._send(session_id))

    def version(self, owner: str | None) -> object:
        """See `webchat.storage.protocols.Sessions.version`."""
        return self._gaps, self._changes[person_of(owner)]

    def list_changed(self, people: Collection[str]) -> None:
        """Tell all servers that these people's lists of sessions have changed."""
        self._changes.update(people)
        for person in people:
            self._send(LIST + quote(person, safe=""))

    def document_changed(self, name: str) -> None:
        """Tell all servers at once that this document has changed."""
        self._outbox.add(DOCUMENT + quote(name, safe=""))
        self._flush()

    def close(self) -> None:
        self._is_closed = True
        self._wanted.set()
        self._flush()
        self.link.close()
        super().close()

    # Sending

    def _send(self, name: str) -> None:
        self._outbox.add(name)
        if self._is_sender_there:
            self._wanted.set()
        else:  # in a command, which may end before a thread could send it
            self._flush()

    def _start_sender(self) -> None:
        with self._sending:
            if not self._is_sender_there:
                with suppress(NoThreads):  # without it every caller sends its own
                    threads.start(self._keep_sending, "notify")
                    self._is_sender_there = True

    def _keep_sending(self) -> None:
        while not self._is_closed:
            self._wanted.wait()
            self._wanted.clear()
            self._flush()
            time.sleep(GATHERS)

    def _flush(self) -> None:
        with self._sending:
            names = [self._outbox.pop() for _ in range(len(self._outbox))]
            if not names:
                return
            try:
                self._database.rows(
                    "SELECT pg_notify(%s, told) FROM unnest(%s::text[]) AS told", (CHANNEL, [*self._letters(names)])
                )
            except OSError:
                log.debug("other servers could not be notified of a change", exc_info=True)
                self._outbox.update(names)  # sent again with the next one

    def _letters(self, names: Collection[str]) -> Iterator[str]:
        letter = self._name
        for name in names:
            if len(letter) + len(name) >= LONGEST:
                yield letter
                letter = self._name
            letter += f" {name}"
        yield letter

    # Receiving

    def _heard(self, letter: str) -> None:
        sender, *names = letter.split(" ")
        if sender == self._name:
            return
        for name in names:
            if name.startswith(LIST):
                self._changes[unquote(name.removeprefix(LIST))] += 1
            elif name.startswith(DOCUMENT):
                self._document_changed(unquote(name.removeprefix(DOCUMENT)))
            else:
                self._asked_for(name)
                self.poke(name)

    def _has_joined(self) -> None:
        """Notifications sent while there was no connection are lost: wake all readers."""
        self._gaps += 1
        self._looked = float("-inf")
        self._document_changed("")
        self.publish_all(urgent=False)

    def _seen(self, session_ids: Collection[str]) -> Mapping[str, object]:
        """The states of these sessions, as they were at most `LOOK` seconds ago."""
        now = time.monotonic()
        if now - self._asked_all >= LOOK_AT_LISTS:
            self._asked_all = now
            self._gaps += 1
        if session_ids and now - self._looked >= LOOK:
            self._looked = now
            rows = self._database.rows(
                f"""SELECT c.session_id, incarnation, lines, reply, records, q.version, {IS_ALIVE}
                FROM webchat.conversations AS c LEFT JOIN webchat.queues AS q USING (session_id)
                WHERE c.session_id = ANY(%s)""",
                ([*session_ids],),
            )
            self._states = {row[0]: tuple(row[1:]) for row in rows}
        return self._states
