"""A chat over each real agent that is installed, whose model follows a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.real_agents.agents import AGENTS, FOLDER, RealAgent
from tests.real_agents.chat import Chat
from tests.real_agents.model import Model


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "agent" in metafunc.fixturenames:
        # Session-scoped, so that pytest runs all tests of one agent before those of the next.
        metafunc.parametrize("agent", [_param(agent) for agent in AGENTS.values()], ids=list(AGENTS), scope="session")


def _param(agent: RealAgent) -> object:
    reason = f"{agent.name} is not in {FOLDER}: .ci/agents installs it"
    return pytest.param(agent, marks=[] if agent.path.exists() else [pytest.mark.skip(reason)])


@pytest.fixture(scope="session")
def begin(agent: RealAgent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Chat]]:
    """Gives chats with the agent, each with folders and a model of its own; the agent starts when it is needed."""
    with ExitStack() as begun:

        def begin() -> Chat:
            model = begun.enter_context(agent.model(agent.shell))
            chat = Chat(agent, model, tmp_path_factory.mktemp(agent.name))
            begun.callback(chat.close)
            return chat

        yield begin


@pytest.fixture(scope="session")
def shared(agent: RealAgent) -> list[Chat]:
    """The chat that tests share, because an agent takes seconds to start; empty if the next test has to begin one."""
    return []


@pytest.fixture
def chat(shared: list[Chat], begin: Callable[[], Chat]) -> Iterator[Chat]:
    """A chat whose agent is running and may have sessions. Its folder is empty again."""
    if not shared:
        begun = begin()
        # On a busy machine the start takes as long as a test may wait for all that the agent does after it.
        begun.say(begun.new_session(), "Hello.")
        shared.append(begun)
    shared[0].clear()
    yield shared[0]
    if not shared[0].becomes_idle():  # left by a failed test
        shared.pop().close()


@pytest.fixture
def model(chat: Chat) -> Model:
    return chat.model


@pytest.fixture
def session_id(chat: Chat) -> str:
    return chat.new_session()
