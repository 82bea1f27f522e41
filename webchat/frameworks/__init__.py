"""Adapts agents of well-known frameworks to ChatModelBackend. Imports no framework: an agent brings its own.

    backend = ChatModelBackend(webchat.frameworks.pydantic_ai(agent))

Each question is sent with the whole conversation, so an agent's own memory is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from webchat.backends import HistoryItem, Piece
from webchat.frameworks import answers
from webchat.frameworks.answers import Pieces
from webchat.frameworks.pieces import Foreign

Answer = Callable[[Foreign, Sequence[HistoryItem]], Pieces | Iterator[Piece | None]]


class AgentModel:
    """A ChatModel over an agent of a framework."""

    notice = None

    def __init__(self, agent: Foreign, method: str, answer: Answer, *, sees: bool | None = False) -> None:
        """`sees` is None if the agent accepts pictures and its model decides.

        Raises TypeError for an agent without the method that `answer` calls.
        """
        if not hasattr(agent, method):
            raise TypeError(f"{type(agent).__name__} is no agent of this framework: it has no {method!r}")
        self._agent, self._answer, self.sees = agent, answer, sees

    @property
    def label(self) -> str:
        return str(getattr(self._agent, "name", None) or type(self._agent).__name__)

    def stream(self, messages: Sequence[HistoryItem]) -> Pieces | Iterator[Piece | None]:
        return self._answer(self._agent, messages)


def pydantic_ai(agent: Foreign) -> AgentModel:
    """For `pydantic_ai.Agent`."""
    return AgentModel(agent, "run_stream_events", answers.pydantic_ai, sees=None)


def openai_agents(agent: Foreign) -> AgentModel:
    """For `agents.Agent` of the OpenAI Agents SDK."""
    return AgentModel(agent, "handoffs", answers.openai_agents, sees=None)


def langgraph(graph: Foreign) -> AgentModel:
    """For a compiled graph whose state has `messages`, like those of `langchain.agents.create_agent`."""
    return AgentModel(graph, "astream", answers.langgraph, sees=None)


def langchain(runnable: Foreign) -> AgentModel:
    """For a chat model of LangChain, or any runnable that takes messages and returns messages or text."""
    return AgentModel(runnable, "astream", answers.langchain, sees=None)


def agno(agent: Foreign) -> AgentModel:
    """For `agno.agent.Agent` and `agno.team.Team`."""
    return AgentModel(agent, "arun", answers.agno)


def smolagents(agent: Foreign) -> AgentModel:
    """For `ToolCallingAgent` and `CodeAgent`; each answer uses a copy of the agent, with its own memory."""
    return AgentModel(agent, "write_memory_to_messages", answers.smolagents)
