"""A chat over each real agent that is installed, whose model follows a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_agents.agents import AGENTS, FOLDER, RealAgent
from tests.real_agents.chat import Chat
from tests.real_agents.model import Model


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "agent" in metafunc.fixturenames:
        metafunc.parametrize("agent", [_param(agent) for agent in AGENTS.values()], ids=list(AGENTS))


def _param(agent: RealAgent) -> object:
    reason = f"{agent.name} is not in {FOLDER}: .ci/agents installs it"
    return pytest.param(agent, marks=[] if agent.path.exists() else [pytest.mark.skip(reason)])


@pytest.fixture
def model(agent: RealAgent) -> Iterator[Model]:
    with agent.model(agent.shell) as model:
        yield model


@pytest.fixture
def chat(agent: RealAgent, model: Model, tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(agent, model, tmp_path)
    yield chat
    chat.close()


@pytest.fixture
def session_id(chat: Chat) -> str:
    return chat.new_session()
