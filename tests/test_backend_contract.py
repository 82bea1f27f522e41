"""The backends that need no model file fulfil the contract of every backend."""

from __future__ import annotations

import pytest

from tests.acp import agents_in
from tests.backend_contract import BackendContract, Case, ModelContract
from tests.scripted_server import SILENCE, ScriptedServer, sends
from webchat.backends import MockBackend
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.openai import OpenAIModel


class TestMock(BackendContract):
    @pytest.fixture
    def case(self):
        return Case(MockBackend(), MockBackend(delay=600.0))


class TestFunction(ModelContract):
    @pytest.fixture
    def case(self):
        asked = []

        def echo(messages):
            asked.append(messages)
            yield "You said: "
            yield messages[-1]["content"]

        def endless(messages):
            while True:
                yield "on and "

        return Case(ChatModelBackend(echo), ChatModelBackend(endless), lambda: asked[-1])


class TestAsynchronousFunction(ModelContract):
    @pytest.fixture
    def case(self):
        asked = []

        async def echo(messages):
            asked.append(messages)
            yield "You said: "
            yield messages[-1]["content"]

        async def endless(messages):
            while True:
                yield "on and "

        return Case(ChatModelBackend(echo), ChatModelBackend(endless), lambda: asked[-1])


class TestOpenAI(ModelContract):
    @pytest.fixture
    def case(self):
        with ScriptedServer() as server, ScriptedServer() as silent:
            silent.default = sends("Once upon", SILENCE)
            backends = [ChatModelBackend(OpenAIModel(at.url, "scripted-model")) for at in (server, silent)]
            yield Case(*backends, lambda: server.questions[-1]["messages"])
            for backend in backends:
                backend.close()


class TestAcp(ModelContract):
    @pytest.fixture
    def case(self, tmp_path, monkeypatch):
        (tmp_path / "work").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path))
        with agents_in(tmp_path) as agents:
            yield Case(agents.backend(), agents.backend("--endless"), agents.seen)
