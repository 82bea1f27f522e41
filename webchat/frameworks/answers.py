"""Converts the answers of each framework's agents into pieces. Recognises events by the frameworks' names for them."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from copy import copy

from webchat.backends import Event, HistoryItem, Piece
from webchat.errors import BackendUnavailable
from webchat.frameworks.pictures import as_chat, as_responses, for_pydantic_ai
from webchat.frameworks.pieces import Foreign, ToolCalls, field, messages_in, package_of, parts, reasoning, system, text

Pieces = AsyncGenerator[Piece | None, None]
FAILED = "The agent failed to answer. Try again; the log has more."
NOT_HERE = "The agent wants an approval, which cannot be given here."
FINAL_TOOL = "final_answer"
"""The tool whose input is the answer itself."""


async def pydantic_ai(agent: Foreign, messages: Sequence[HistoryItem]) -> Pieces:
    of = package_of(agent, "ModelRequest")
    *earlier, question = [message for message in for_pydantic_ai(of, messages) if message["role"] != "system"]
    options: dict[str, Foreign] = {"instructions": system(messages) or None, "infer_name": False}
    # With a history, the agent's own system prompt would be left out, so add it again.
    if reinject := getattr(sys.modules.get(f"{of.__name__}.capabilities"), "ReinjectSystemPrompt", None):
        options["capabilities"] = [reinject()]
    calls = ToolCalls()
    run = agent.run_stream_events(question["content"], message_history=_pydantic_history(of, earlier), **options)
    async with run as events:
        async for event in events:
            part: Foreign = field(event, "part", "delta")
            kind = field(part, "part_kind", "part_delta_kind")
            match event.event_kind, kind:
                case "part_start", "text" | "thinking":
                    yield part.content if kind == "text" else reasoning(part.content)
                case "part_delta", "text" | "thinking":
                    yield part.content_delta if kind == "text" else reasoning(part.content_delta)
                case ("function_tool_call", _) | ("part_end", "builtin-tool-call"):
                    yield calls.begin(part.tool_call_id, part.tool_name, part.args)
                case ("function_tool_result", _) | ("part_start", "builtin-tool-return"):
                    failed = kind == "retry-prompt" or getattr(part, "outcome", "success") != "success"
                    yield calls.end(part.tool_call_id, part.content, failed=failed)
                case "agent_run_result", _ if not isinstance(event.result.output, str):
                    yield text(event.result.output)


def _pydantic_history(of: Foreign, messages: Sequence[HistoryItem]) -> list[Foreign]:
    return [
        of.ModelRequest([of.UserPromptPart(message["content"])])
        if message["role"] == "user"
        else of.ModelResponse([of.TextPart(message["content"])])
        for message in messages
    ]


async def openai_agents(agent: Foreign, messages: Sequence[HistoryItem]) -> Pieces:
    calls = ToolCalls()
    run = package_of(agent, "Runner").Runner.run_streamed(agent, as_responses(messages))
    try:
        async for event in run.stream_events():
            match field(field(event, "data"), "type") or field(event, "name"):
                case "response.output_text.delta" | "response.refusal.delta":
                    yield event.data.delta
                case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                    yield reasoning(event.data.delta)
                case "tool_called" | "handoff_requested":
                    call = event.item.raw_item
                    name, given = field(call, "name", "type"), field(call, "arguments", "action")
                    yield calls.begin(field(call, "call_id", "id"), name, given)
                case "tool_output" | "handoff_occured" | "handoff_occurred":
                    call = event.item.raw_item
                    yield calls.end(field(call, "call_id", "id"), field(call, "output"))
    finally:
        if not run.is_complete:
            run.cancel()


async def langgraph(graph: Foreign, messages: Sequence[HistoryItem]) -> Pieces:
    calls = ToolCalls()
    # A graph with a checkpointer needs a thread id, here a new one, since the whole conversation is sent anyway.
    config = {"configurable": {"thread_id": str(uuid.uuid4())}}
    stream = graph.astream({"messages": as_chat(messages)}, config, stream_mode=["messages", "updates"])
    async with aclosing(stream) as events:
        async for mode, event in events:
            if mode == "messages":
                message, metadata = event
                if message.type in ("AIMessageChunk", "ai") and metadata.get("langgraph_node") != "tools":
                    for piece in parts(message):
                        yield piece
                continue
            if "__interrupt__" in event:
                yield Event("note", NOT_HERE)
            for message in messages_in(event):
                for call in getattr(message, "tool_calls", ()):
                    yield calls.begin(call["id"], call["name"], call["args"])
                if getattr(message, "type", "") == "tool":
                    failed = getattr(message, "status", "") == "error"
                    yield calls.end(message.tool_call_id, message.content, failed=failed)


async def langchain(runnable: Foreign, messages: Sequence[HistoryItem]) -> Pieces:
    async with aclosing(runnable.astream(as_chat(messages))) as chunks:
        async for chunk in chunks:
            for piece in parts(chunk) if hasattr(chunk, "content") else (chunk,):
                yield piece


async def agno(agent: Foreign, messages: Sequence[HistoryItem]) -> Pieces:
    calls = ToolCalls()
    own = "Team" if hasattr(agent, "members") else ""
    stream = agent.arun(list(messages), stream=True, stream_events=True)
    async with aclosing(stream) as events:
        async for event in events:
            match event.event.removeprefix(own):
                case "RunContent" | "ReasoningContentDelta":
                    yield reasoning(getattr(event, "reasoning_content", None))
                    yield text(event.content)
                case "RunError":
                    raise BackendUnavailable(FAILED)
                case "RunPaused":
                    yield Event("note", NOT_HERE)
            match event.event.removeprefix("Team"):
                case "ToolCallStarted":
                    yield calls.begin(event.tool.tool_call_id, event.tool.tool_name, event.tool.tool_args)
                case "ToolCallCompleted" | "ToolCallError":
                    failed = bool(event.tool.tool_call_error)
                    yield calls.end(event.tool.tool_call_id, event.tool.result, failed=failed)


def smolagents(agent: Foreign, messages: Sequence[HistoryItem]) -> Iterator[Piece | None]:
    agent = _own_copy(agent, messages)
    calls = ToolCalls()
    run = agent.run(messages[-1]["content"], stream=True, reset=False)
    try:
        for event in run:
            yield None  # a stop takes effect here, before the next step or tool
            match type(event).__name__:
                case "ChatMessageStreamDelta":
                    yield reasoning(event.content)
                case "ToolCall" if event.name != FINAL_TOOL:
                    yield calls.begin(event.id, event.name, event.arguments)
                case "ToolOutput" if event.tool_call.name != FINAL_TOOL:
                    yield calls.end(event.id, event.observation)
                case "ActionStep":
                    if not getattr(agent, "stream_outputs", False):
                        yield reasoning(text(event.model_output))
                    result = event.error.message if event.error else event.observations
                    yield from calls.end_all(result, failed=bool(event.error))
                case "FinalAnswerStep":
                    yield text(event.output)
    finally:
        with suppress(RuntimeError):  # it yields once more when it is closed
            run.close()


def _own_copy(agent: Foreign, messages: Sequence[HistoryItem]) -> Foreign:
    """A copy of a smolagents agent that remembers this conversation; the state of its Python code is not shared."""
    memory = package_of(agent, "TaskStep", "memory")
    timing = package_of(agent, "Timing", "monitoring").Timing(start_time=0.0, end_time=0.0)
    agent = copy(agent)
    agent.instructions = "\n\n".join(filter(None, (agent.instructions, system(messages))))
    agent.memory = memory.AgentMemory(agent.system_prompt)
    for number, message in enumerate(messages[:-1]):
        if message["role"] == "user":
            agent.memory.steps.append(memory.TaskStep(message["content"]))
        elif message["role"] == "assistant":
            agent.memory.steps.append(memory.ActionStep(number, timing, model_output=message["content"]))
    if getattr(agent, "executor_type", "") == "local":
        agent.python_executor = agent.create_python_executor()
    return agent
