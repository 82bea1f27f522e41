"""A chat over a real agent, for tests."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tests.reading import until
from tests.real_agents.agents import RealAgent
from tests.real_agents.model import Model, Said
from webchat.backends.acp import AcpBackend
from webchat.chat.message import Message
from webchat.chat.parts import Permission
from webchat.conventions import WEB_CHAT_AGENT_SESSIONS_FILENAME
from webchat.fileutil import DiskFolder
from webchat.manager import WebChatSessionManager

PATIENCE = 60.0
"""Seconds that an agent may take for any step; on a busy machine some start slowly."""
IDLE_WITHIN = 10.0
"""Seconds that an answer whose message has ended may take to be forgotten."""
LOGGED = 15
"""Lines of the agent's log that a failure shows."""


class Chat:
    """A chat with an agent, its files in one folder and the agent's in another; it can be restarted."""

    def __init__(self, agent: RealAgent, model: Model, folder: Path) -> None:
        self.agent, self.model, self.folder = agent, model, folder
        self.work, home = folder / "work", folder / "agent"
        for path in (self.work, home):
            path.mkdir()
        self.files = folder / "chat"
        self.environ = agent.environ(home, model.url)
        self._managers: list[WebChatSessionManager] = []
        self.begin()

    def begin(self, name: str | None = None) -> None:
        """Start a new server, in the same folder as the last one; with a name, in that one from now on."""
        if name:
            self.files = self.folder / name
        self.backend = AcpBackend([self.agent.command], folder=DiskFolder(self.files), environ=self.environ)
        self.manager = WebChatSessionManager(self.backend, self.files / "web-chat-sessions.json")
        self._managers.append(self.manager)

    def clear(self) -> None:
        """Empty the agent's working folder and the model's script."""
        for path in self.work.iterdir():
            path.unlink()
        self.model.anew()

    def new_session(self) -> str:
        return self.manager.create_session(str(self.work)).session_id

    def say(self, session_id: str, message: str) -> str:
        """The whole answer."""
        return self.manager.send_message(message, session_id) or ""

    def begin_answer(self, session_id: str, message: str, said: str) -> None:
        """Begin an answer; returns once this text has arrived."""
        self.manager.post_message(session_id, message)
        self._wait(session_id, lambda answer: said in answer.content)

    def last(self, session_id: str) -> Message:
        return self.manager.conversation(session_id).last

    def ended(self, session_id: str) -> Message:
        """The last answer, once it has ended."""
        self._wait(session_id, lambda answer: not answer.in_flight)
        return self.last(session_id)

    def becomes_idle(self) -> bool:
        """Whether no answer is in flight, or soon none; the manager is busy for a moment after an answer's end."""
        with suppress(AssertionError):
            until(lambda: not self.manager.answers_in_flight, IDLE_WITHIN)
            return True
        return False

    def question(self, session_id: str) -> Permission:
        """What the agent asks the person."""
        self._wait(session_id, lambda answer: answer.questions or not answer.in_flight)
        [asked] = self.last(session_id).questions
        return asked

    def choose(self, session_id: str, kind: str) -> None:
        """Answer the agent's question with its first option of this kind."""
        asked = self.question(session_id)
        chosen = next(option for option in asked.options if option.kind == kind)
        self.manager.answer_permission(session_id, asked.id, chosen.id)

    def transcript(self, session_id: str) -> list[Said]:
        """What the person sees; how trailing white space reaches the model differs between agents."""
        return [(message.role, message.content.rstrip()) for message in self.manager.conversation(session_id).messages]

    def agents_session(self, session_id: str) -> str:
        """The id of the agent's session that has this conversation."""
        records = json.loads((self.files / WEB_CHAT_AGENT_SESSIONS_FILENAME).read_text())
        return records[session_id]["agent_session"]

    def kill_agent(self) -> None:
        """Kill the agent's processes with SIGKILL."""
        for pid in self.agent_processes():
            with suppress(ProcessLookupError):  # it has ended together with another one
                os.kill(pid, signal.SIGKILL)

    def agent_processes(self) -> list[int]:
        """The processes with the agent's home folder: the agent and everything that it started."""
        return list(_with(self.environ["HOME"]))

    def close(self) -> None:
        for manager in self._managers:
            manager.close()

    def _wait(self, session_id: str, condition: Callable[[Message], object]) -> None:
        """Wait until the last answer fulfils the condition; a failure tells how far everyone has come."""
        try:
            until(lambda: condition(self.last(session_id)), PATIENCE)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self._account(session_id)])) from None

    def account(self) -> Iterator[str]:
        """How far the model and the agent have come, for a failure."""
        yield f"at {datetime.now(UTC):%H:%M:%S} UTC, load {os.getloadavg()}"
        yield f"the model: {self.model.account()}"
        yield f"the agent: processes {self.agent_processes()}"
        for path in sorted(Path(self.environ["HOME"]).rglob("*.log"), key=_modified)[-1:]:
            yield f"the end of {path}:"
            with suppress(FileNotFoundError):
                yield from (line[:300] for line in path.read_text(errors="replace").splitlines()[-LOGGED:])

    def _account(self, session_id: str) -> Iterator[str]:
        last = self.last(session_id)
        yield f"the answer: {last.status}, {last.content!r}, {last.error}; its parts: {last.parts}"
        yield from self.account()


def _modified(path: Path) -> float:
    """When the file was written last; 0 if the agent has removed it meanwhile."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _with(home: str) -> Iterator[int]:
    """The processes whose home folder this is."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
        except OSError:  # it has ended, or belongs to another user
            continue
        if f"HOME={home}".encode() in variables:
            yield int(path.parent.name)
