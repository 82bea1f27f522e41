"""Commands at a terminal, over a scripted model: in a folder, or at a server on it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server
from tests.preloaded import ForkedProcess, Preloaded
from tests.reading import until
from tests.scripted_server import DONE, Answer, ScriptedServer, Step, ended, sends

JSON = {"Accept": "application/json"}
MODEL = ("--backend", "openai", "--model", "m")


class Running:
    """A running command: what it has printed so far, in `output` and `errors`."""

    def __init__(self, process: ForkedProcess) -> None:
        self.process = process
        self._texts = {"output": b"", "errors": b""}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream.fileno()), daemon=True)
            for name, stream in (("output", self.process.stdout), ("errors", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, number: int) -> None:
        while data := os.read(number, 65536):
            self._texts[name] += data

    @property
    def output(self) -> str:
        return self._texts["output"].decode()

    @property
    def errors(self) -> str:
        return self._texts["errors"].decode()

    def until(self, text: str) -> None:
        """Wait until it has printed this."""
        until(lambda: text in self.output + self.errors, patience=60)

    def ctrl_c(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output and standard error."""
        code = self.process.wait(timeout=60)
        for reader in self._readers:
            reader.join(timeout=30)
        return code, self.output, self.errors


class Terminal:
    """Runs `webchat …` as a program of its own, on a folder or at a server."""

    def __init__(self, preloaded: Preloaded, where: Sequence[str], who: Sequence[str] = ()) -> None:
        """`where` are the options that select the chat, `who` those that select the backend."""
        self._preloaded, self.where, self.who = preloaded, where, who
        self._started: list[Running] = []

    def arguments(self, name: str, *arguments: str) -> list[str]:
        answering = self.who if name in ("ask", "chat") else ()
        return [name, *self.where, *answering, *arguments]

    def command(self, name: str, *arguments: str) -> list[str]:
        """The command line for a new interpreter."""
        return [sys.executable, "-m", "webchat", *self.arguments(name, *arguments)]

    def start(self, name: str, *arguments: str) -> Running:
        """Start it, with nothing piped in."""
        self._started.append(Running(self._preloaded.start(self.arguments(name, *arguments), os.environ)))
        return self._started[-1]

    def run(self, name: str, *arguments: str) -> tuple[int, str, str]:
        """Run it to its end: exit code, standard output and standard error."""
        return self.start(name, *arguments).end()

    def pipe(self, given: bytes, name: str, *arguments: str) -> tuple[int, str, str]:
        """The same with this on standard input; it must fit into a pipe."""
        reader, writer = os.pipe()
        os.write(writer, given)
        os.close(writer)
        self._started.append(Running(self._preloaded.start(self.arguments(name, *arguments), os.environ, stdin=reader)))
        os.close(reader)
        return self._started[-1].end()

    def typed(self, name: str, *arguments: str) -> Callable[[int, Mapping[str, str]], ForkedProcess]:
        """Starts it at a terminal, for `Typing`."""
        return lambda terminal, env: self._preloaded.start(
            self.arguments(name, *arguments), env, stdin=terminal, stdout=terminal, stderr=terminal
        )

    def close(self) -> None:
        for running in self._started:
            running.process.kill()
            running.end()


def whole(*steps: Step) -> Answer:
    """A complete answer of these steps."""
    return sends(*steps, ended(), DONE)


def last_messages(beside: httpx.Client) -> list[dict[str, Any]]:
    """The messages of the current session."""
    current = beside.get("/api/session").json()["session_id"]
    return beside.get(f"/sessions/{current}").json()["messages"]


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    """A scripted model server."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What an answer may wait for; opened at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def model_server(serve: Callable[..., Server], model: ScriptedServer) -> Server:
    """A chat on this test's folder whose answers come from `model`."""
    return serve(*MODEL, "--base-url", model.url)


@pytest.fixture
def beside(model_server: Server) -> Iterator[httpx.Client]:
    """A client of it, like a page that is open beside the terminal."""
    with httpx.Client(base_url=model_server.url, headers=JSON) as client:
        yield client


@pytest.fixture(params=["folder", "server"])
def terminal(
    request: pytest.FixtureRequest, home: Path, model_server: Server, model: ScriptedServer, preloaded: Preloaded
) -> Iterator[Terminal]:
    """Commands on the folder that the server uses, or at the server."""
    at_server = request.param == "server"
    where = ["--url", model_server.url] if at_server else ["--home", str(home)]
    terminal = Terminal(preloaded, where, () if at_server else [*MODEL, "--base-url", model.url])
    yield terminal
    terminal.close()
