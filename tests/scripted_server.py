"""A scripted OpenAI-compatible server on a loopback port, with faults, which notices when a client hangs up.

with ScriptedServer() as server:
    server.script(says("Hel", "lo"), refuses(429, {"error": {"message": "busy"}}, {"Retry-After": "7"}))
    model = OpenAIModel(server.url, "scripted-model")
"""

from __future__ import annotations

import json
import queue
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SILENCE = object()
DONE = b"data: [DONE]\n\n"
EVENT_STREAM = {"Content-Type": "text/event-stream"}
PATIENCE = 60.0
"""Seconds that a step may wait: longer than any test takes, even on a busy machine."""

Step = Any
"""str: a piece of text; dict: a JSON event; bytes: sent unchanged; float: a pause in seconds; threading.Event: wait
until it is set; SILENCE: send nothing until the client hangs up."""


@dataclass(frozen=True)
class Answer:
    """The response to one request. `ends` is "whole", "cut" (closed at once) or "reset"."""

    steps: Sequence[Step] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: EVENT_STREAM)
    before: Sequence[Step] = ()
    chunked: bool = True
    ends: str = "whole"


def says(*pieces: str, delay: float = 0.0, finish: str = "stop", usage: Mapping[str, int] | None = None) -> Answer:
    """A good answer; `delay` is the time between two pieces, in seconds."""
    steps = [step for piece in pieces for step in (piece, delay)][:-1]
    tail = [ended(finish), *([{"choices": [], "usage": usage}] if usage else []), DONE]
    return Answer([*steps, *tail])


def sends(*steps: Step, **kept: Any) -> Answer:
    """These steps and nothing else, in an event stream."""
    return Answer(steps, **kept)


def calls(id: str, name: str, arguments: Mapping[str, Any], said: str = "") -> Answer:
    """A good answer that ends with a tool call."""
    call = {"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return Answer([*([said] if said else []), delta(tool_calls=[call]), ended("tool_calls"), DONE])


def refuses(status: int, body: Any = "", headers: Mapping[str, str] | None = None) -> Answer:
    """A status with a body: JSON, or text as HTML."""
    is_text = isinstance(body, str)
    kind = "text/html" if is_text else "application/json"
    content = body if is_text else json.dumps(body)
    return Answer([content.encode()], status, {"Content-Type": kind, **(headers or {})})


def delta(**fields: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def ended(finish: str = "stop") -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}


@dataclass
class Request:
    """A client's request; `gone` is set if it hung up before the answer's end."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None
    gone: threading.Event = field(default_factory=threading.Event)

    def wait_until_gone(self) -> bool:
        return self.gone.wait(PATIENCE)


class ScriptedServer:
    """Answers chat completions with the scripted answers, one for each request, then with `default`."""

    def __init__(self) -> None:
        self.models = ["scripted-model"]
        self.models_answer: Answer | None = None
        self.facts: dict[str, Any] = {}
        """The responses at other paths than the API's: an Answer, or JSON."""
        self.default = says("Hello", " there.")
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._answers: deque[Answer] = deque()
        self._arrived: queue.Queue[Request] = queue.Queue()
        self._http = _Listener(self)

    def __enter__(self) -> ScriptedServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._http.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/v1"

    @property
    def questions(self) -> list[Any]:
        """The bodies of the chat completion requests so far."""
        return [request.body for request in self.requests if request.path.endswith("/chat/completions")]

    def script(self, *answers: Answer) -> None:
        self._answers.extend(answers)

    def forget(self) -> None:
        """Drop the answers that nobody has asked for."""
        self._answers.clear()

    def next_request(self) -> Request:
        """Waits for the next request that no earlier call has returned."""
        return self._arrived.get(timeout=PATIENCE)

    def answer_to(self, request: Request) -> Answer:
        self.requests.append(request)
        self._arrived.put(request)
        if request.path.partition("?")[0] in self.facts:
            told = self.facts[request.path.partition("?")[0]]
            return told if isinstance(told, Answer) else refuses(200, told)
        if request.path.endswith("/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            return self.models_answer or refuses(200, listed)
        if not request.path.endswith("/v1/chat/completions"):
            return refuses(404, {"error": {"message": "no such address"}})
        return self._answers.popleft() if self._answers else self.default


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: ScriptedServer) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), _Handler)

    def shutdown_request(self, request: Any) -> None:
        """Close without a shutdown, which an answer that is cut or reset must not send."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are expected here, not an error."""


class _Gone(Exception):
    """The client has hung up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        self._respond(None)

    def do_POST(self) -> None:
        self._respond(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: object) -> None:
        pass

    def _respond(self, body: Any) -> None:
        self.close_connection = True
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        request = Request(self.command, self.path, headers, body)
        answer = self.server.script.answer_to(request)
        try:
            self._play(answer)
        except (_Gone, ConnectionError):
            request.gone.set()

    def _play(self, answer: Answer) -> None:
        for step in answer.before:
            self._step(step, answer)
        self._head(answer)
        for step in answer.steps:
            self._step(step, answer)
        if answer.ends == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif answer.ends == "whole" and answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header(*(("Transfer-Encoding", "chunked") if answer.chunked else ("Connection", "close")))
        self.end_headers()

    def _step(self, step: Step, answer: Answer) -> None:
        if step is SILENCE:
            self._wait(self.server.script.closing, PATIENCE)
        elif isinstance(step, threading.Event):
            self._wait(step, PATIENCE)
        elif isinstance(step, float):
            self._wait(self.server.script.closing, step)
        else:
            self._send(_bytes(step), answer.chunked)

    def _send(self, content: bytes, chunked: bool) -> None:
        if content:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content) if chunked else content)

    def _wait(self, reason: threading.Event, seconds: float) -> None:
        """Wait until `reason`, the time or the server's end, whichever is first.

        Raises _Gone if the client hangs up.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not reason.is_set():
            if self.server.script.closing.is_set():
                raise _Gone
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.005))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise _Gone


def _bytes(step: Step) -> bytes:
    if isinstance(step, bytes):
        return step
    event = delta(content=step) if isinstance(step, str) else step
    return b"data: %s\n\n" % json.dumps(event).encode()
