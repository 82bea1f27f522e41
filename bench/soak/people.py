"""One person who does everything that a person can do, in any order, and checks the responses."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from bench.soak.ledger import Ledger

FINE = {200, 303, 404, 409, 422, 429, 503}
"""Expected statuses: done, gone meanwhile, still answering, not possible now, too many, a failed model."""
PATIENCE = 60.0
"""Seconds within which the server (not the model) must respond."""
KEPT = 12
"""Sessions that a person keeps using."""
WHOLE = {"Accept": "application/json"}
TEXT = {"Accept": "text/plain"}


class Person:
    """Acts until `until`, by the monotonic clock. `may_die`: the server may be killed meanwhile without a complaint."""

    def __init__(self, number: int, url: str, model: str, ledger: Ledger, *, may_die: bool = False) -> None:
        self._number, self._model, self._ledger, self._may_die = number, model, ledger, may_die
        self._random = random.Random(number)
        self._client = httpx.Client(base_url=url, timeout=PATIENCE)
        self._sessions: list[str] = []
        self._said = 0
        self._begun = time.time_ns()

    def run(self, until: float) -> None:
        actions: dict[Callable[[], object], int] = {
            self.start: 10,
            self.send: 30,
            self.ask_in_text: 8,
            self.read_and_drop: 12,
            self.read_slowly: 3,
            self.reload: 20,
            self.stop: 6,
            self.retry: 8,
            self.search: 5,
            self.export: 3,
            self.rename: 2,
            self.delete: 3,
            self.change_settings: 2,
        }
        with self._client:
            while time.monotonic() < until:
                [action] = self._random.choices([*actions], [*actions.values()])
                try:
                    action()
                except (httpx.HTTPError, OSError) as error:
                    if self._may_die:
                        return
                    self._ledger.complain(f"{action.__name__}: {type(error).__name__}")
                self._ledger.did(action.__name__)

    # What a person does

    def start(self) -> None:
        text = self._text()
        answer = self._post("/messages", message=text)
        if answer.status_code == 303:
            session_id = urlsplit(answer.headers["Location"]).path.rpartition("/")[2]
            self._sessions = [*self._sessions[-KEPT:], session_id]
            self._ledger.sent(text, session_id)
        else:
            self._ledger.not_sent(text)

    def send(self) -> None:
        session_id, text = self._session(), self._text()
        answer = self._post(f"/sessions/{session_id}/messages", message=text)
        if answer.status_code == 303:
            self._ledger.sent(text, session_id)
        else:
            self._ledger.not_sent(text)

    def ask_in_text(self) -> None:
        """A script's question; half of the answers are not read to the end."""
        path, fields = f"/sessions/{self._session()}/messages", {"message": self._text()}
        with self._client.stream("POST", path, data=fields, headers=TEXT) as answer:
            self._look_at(answer)
            end = time.monotonic() + self._random.choice((0.2, PATIENCE))
            with suppress(httpx.RemoteProtocolError):  # an answer that failed breaks off
                for _ in answer.iter_raw():
                    if time.monotonic() > end:
                        return

    def read_and_drop(self) -> None:
        """A page's stream, left after a while."""
        session_id = self._session()
        end = time.monotonic() + self._random.uniform(0, 2)
        with self._client.stream("GET", "/events", params={"session": session_id}) as answer:
            self._look_at(answer)
            with suppress(httpx.ReadTimeout):
                for _ in answer.iter_raw():
                    if time.monotonic() > end:
                        return

    def read_slowly(self) -> None:
        """A reader with a very slow connection: ten bytes now and then."""
        parts = urlsplit(str(self._client.base_url))
        path = self._random.choice((f"/sessions/{self._session()}", f"/events?session={self._session()}"))
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.connect((str(parts.hostname), parts.port or 80))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            for _ in range(15):
                if not connection.recv(10):
                    return
                time.sleep(0.2)

    def reload(self) -> None:
        for path in ("/", f"/sessions/{self._session()}", "/sessions", "/apps/settings/"):
            self._get(path)

    def stop(self) -> None:
        self._post(f"/sessions/{self._session()}/stop")

    def retry(self) -> None:
        session_id = self._session()
        answer = self._get(f"/sessions/{session_id}", WHOLE)
        messages = answer.json().get("messages") if answer.status_code == 200 else None
        if messages:
            self._post(f"/sessions/{session_id}/messages/{messages[-1]['id']}/retry")

    def search(self) -> None:
        self._get(f"/sessions?q=token{self._random.randrange(60)}")

    def export(self) -> None:
        self._get(f"/sessions/{self._session()}/export?format={self._random.choice(('jsonl', 'md', 'html'))}")

    def rename(self) -> None:
        self._post(f"/sessions/{self._session()}/rename", title=f"Renamed {self._random.random()}")

    def delete(self) -> None:
        """Move to the trash, then delete permanently."""
        session_id = self._session()
        self._sessions = [kept for kept in self._sessions if kept != session_id]
        self._ledger.gone.add(session_id)
        self._post(f"/sessions/{session_id}/delete")
        self._post(f"/sessions/{session_id}/purge")

    def change_settings(self) -> None:
        """The first person sets an address without a model server, and then the right one again."""
        if self._number:
            self._get("/apps/settings/")
            return
        for address in ("http://127.0.0.1:9/v1", "http://no-such-computer.invalid/v1", self._model):
            self._post("/apps/settings/", base_url=address)
            time.sleep(0.3)

    # How

    def _text(self) -> str:
        self._said += 1
        return f"message {self._begun}.{self._number}.{self._said}"

    def _session(self) -> str:
        if not self._sessions:
            self.start()
        return self._random.choice(self._sessions or ["none"])

    def _get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._look_at(self._client.get(path, headers=headers))

    def _post(self, path: str, **fields: str) -> httpx.Response:
        return self._look_at(self._client.post(path, data=fields))

    def _look_at(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code not in FINE:
            self._ledger.complain(f"{answer.request.method} {answer.url.path[:40]} gave {answer.status_code}")
        return answer
