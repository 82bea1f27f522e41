"""One visitor without a browser: a persistent connection, and the few requests that measurements need."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlencode

from bench.figures import Wrong
from bench.processes import Server

PATIENCE = 60.0
HTMX = {"HX-Request": "true"}
WHOLE = {"Accept": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: float

    @property
    def text(self) -> str:
        return self.body.decode()


class Visitor:
    """Sends requests to one server, over one connection."""

    def __init__(self, server: Server) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._ask("GET", path, None, headers or {})

    def post(self, path: str, headers: Mapping[str, str] | None = None, **fields: str) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields), {**form, **(headers or {})})

    def new_session(self, headers: Mapping[str, str] | None = None) -> str:
        return str(json.loads(self.post("/api/session", headers).body)["session_id"])

    def say(self, session_id: str, message: str) -> Answer:
        """Send a message to the mock and wait for the whole answer, which is checked."""
        answer = self.post(f"/sessions/{session_id}/messages", WHOLE, message=message)
        if json.loads(answer.body)["response"] != f"Mock response to: {message}":
            raise Wrong(f"the mock's answer is not the right one: {answer.text[:200]}")
        return answer

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        start = time.perf_counter()
        self._connection.request(method, path, body, dict(headers))
        response = self._connection.getresponse()
        data = response.read()
        took = (time.perf_counter() - start) * 1000
        if response.status >= 300:
            raise Wrong(f"{method} {path} was answered with {response.status}: {data[:200]!r}")
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data, took)
