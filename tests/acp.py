"""The backend over the scripted agent, for tests."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from tests.reading import until
from webchat import create_app
from webchat.backends import Event, Piece
from webchat.backends.acp import AcpBackend
from webchat.fileutil import DiskFolder

AGENT = Path(__file__).with_name("acp_agent.py")


class Agents:
    """Backends over the scripted agent, whose sessions are in one folder; all are closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.records = folder / "agent", folder / "server"
        self.folder.mkdir()
        self.backends: list[AcpBackend] = []

    def command(self, *switches: str) -> list[str]:
        return [sys.executable, str(AGENT), "--folder", str(self.folder), *switches]

    def backend(self, *switches: str, **options: Any) -> AcpBackend:
        return self.over([self.command(*switches)], **options)

    def over(self, commands: list[str] | list[list[str]], **options: Any) -> AcpBackend:
        self.backends.append(AcpBackend(commands, folder=DiskFolder(self.records), **options))
        return self.backends[-1]

    def received(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the requests that the agent received, oldest first."""
        path = self.folder / "received.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [message["params"] for line in lines if (message := json.loads(line)).get("method") == method]

    def seen(self) -> list[dict[str, str]]:
        """The conversation that the agent's model would have been sent last."""
        turns = json.loads((self.folder / "seen.json").read_text())
        return [{"role": role, "content": content} for role, content in turns]

    def close(self) -> None:
        for backend in self.backends:
            backend.close()


@contextmanager
def agents_in(folder: Path) -> Iterator[Agents]:
    agents = Agents(folder)
    try:
        yield agents
    finally:
        agents.close()


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))


def ask(backend: AcpBackend, session_id: str, message: str) -> list[Piece]:
    """The pieces of an answer except its statuses."""
    return [piece for piece in backend.send_message(session_id, message) if not is_status(piece)]


def is_status(piece: Piece) -> bool:
    return isinstance(piece, Event) and piece.kind == "status"


def told(backend: AcpBackend, session_id: str) -> dict[str, Any]:
    """What the agent knows about its session; this question is then one of its prompts."""
    return json.loads(text_of(ask(backend, session_id, "told")))


class Reading:
    """An answer that a thread reads."""

    def __init__(self, backend: AcpBackend, session_id: str, message: str) -> None:
        self.answer = backend.send_message(session_id, message)
        self.pieces: list[Piece] = []
        self.error: Exception | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for piece in self.answer:
                self.pieces.append(piece)
        except Exception as error:
            self.error = error
        self.ended.set()

    def until(self, wanted: Callable[[Piece], bool]) -> Piece:
        """The first such piece, once it has arrived."""
        until(lambda: self.ended.is_set() or any(map(wanted, list(self.pieces))))
        return next(filter(wanted, list(self.pieces)))

    @property
    def text(self) -> str:
        return text_of(self.pieces)


def has_ended(pid: int) -> bool:
    """Whether there is no such process, or only a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextmanager
def chats_in(home: Path, agents: Agents) -> Iterator[Callable[..., Flask]]:
    """Starts chats with scripted agents on this folder: each argument is the switches of one agent."""
    started: list[Flask] = []

    def begin(*agent_switches: str, **values: Any) -> Flask:
        commands = "\n".join(shlex.join(agents.command(*switches.split())) for switches in agent_switches or ("",))
        given = {"WEBCHAT_BACKEND": "acp", "WEBCHAT_AGENT": commands, **values}
        started.append(create_app({"AMPLIFIER_HOME": str(home), "TESTING": True, **given}))
        return started[-1]

    yield begin
    for app in started:
        app.extensions["webchat"].close()
