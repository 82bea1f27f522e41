#!/usr/bin/env bash
# a2a-sdk 1.3.0 and strands-agents 1.62.0 (with a2a-sdk 0.3.26), beside agent-framework-a2a 1.0.0b261022 (PyPI): an answer
# that an agent has streamed over A2A.
#
# Guess: an agent sends its answer as an artifact, piece by piece with `append`. The SDK's get_artifact_text() and
# get_stream_response_text() return the text that the pieces make up, both for each piece and for the task that collects them.
# Seen: each piece remains a separate part of the task, and both functions join parts with a line break. While it streams, the text
# is right. Requested without streaming, or fetched later with get_task(), it has a line break after every token, in the middle of
# words and of code. strands' A2AAgent prints its result that way even if it was streamed. agent-framework joins without separators.
# What follows: pass `delimiter=""` to the SDK's helpers, and join the blocks of strands' message yourself. An agent that streams
# can send its artifact once more at the end as a single part without `append`, which replaces the pieces.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
for name in sdk strands framework; do python3 -m venv $name; done
pip="bin/pip install --quiet --disable-pip-version-check"
sdk/$pip "a2a-sdk[http-server]==1.3.0" uvicorn==0.54.0 2>/dev/null
strands/$pip "strands-agents[a2a]==1.62.0" a2a-sdk==0.3.26 2>/dev/null
framework/$pip agent-framework-a2a==1.0.0b261022 agent-framework-core==1.23.0 2>/dev/null

cat >agent.py <<'PY'
import socket
import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette

PIECES = ["for", " name", " in na", "mes:\n", "    pri", "nt(name)"]

class Writer(AgentExecutor):
    async def execute(self, context, queue):
        task = new_task_from_user_message(context.message)
        await queue.enqueue_event(task)
        updater = TaskUpdater(queue, task.id, task.context_id)
        await updater.start_work()
        for number, piece in enumerate(PIECES, 1):
            await updater.add_artifact(
                [new_text_part(piece)], artifact_id="answer", append=number > 1, last_chunk=number == len(PIECES)
            )
        await updater.complete()

    async def cancel(self, context, queue):
        raise NotImplementedError

listener = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
card = AgentCard(
    name="writer", description="Writes code.", version="1", capabilities=AgentCapabilities(streaming=True),
    default_input_modes=["text/plain"], default_output_modes=["text/plain"],
    skills=[AgentSkill(id="write", name="Write", description="Writes code.", tags=["code"])],
    supported_interfaces=[
        AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version) for version in ("1.0", "0.3")
    ],
)
handler = DefaultRequestHandler(Writer(), InMemoryTaskStore(), card)
routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True)]
print(url.rstrip("/"), flush=True)
uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error")).run(sockets=[listener])
PY
cat >sdk.py <<'PY'
import asyncio, sys
from a2a.client import ClientConfig, create_client
from a2a.helpers import get_artifact_text, get_stream_response_text, new_text_message
from a2a.types.a2a_pb2 import GetTaskRequest, Role, SendMessageRequest

async def ask(streaming):
    client = await create_client(sys.argv[1], client_config=ClientConfig(streaming=streaming))
    question = SendMessageRequest(message=new_text_message("Go", role=Role.ROLE_USER))
    answers = [answer async for answer in client.send_message(question)]
    print(f"a2a-sdk, streaming {streaming}:", repr("".join(map(get_stream_response_text, answers))))
    task = await client.get_task(GetTaskRequest(id=answers[0].task.id))
    print("a2a-sdk, looked up:", repr(get_artifact_text(task.artifacts[0])))

for streaming in (True, False):
    asyncio.run(ask(streaming))
PY
cat >strands.py <<'PY'
import sys
sys.path.pop(0)
from strands.agent.a2a_agent import A2AAgent

result = A2AAgent(endpoint=sys.argv[1])("Go")
print("strands, streamed:", repr(str(result)))
PY
cat >framework.py <<'PY'
import asyncio, sys
from agent_framework_a2a import A2AAgent

async def ask():
    result = await A2AAgent(name="writer", url=sys.argv[1]).run("Go")
    print("agent-framework, streamed:", repr(result.text))

asyncio.run(ask())
PY
mkfifo started
sdk/bin/python -W ignore agent.py >started 2>/dev/null &
read -r url <started
seen=$(for name in sdk strands framework; do timeout 60 $name/bin/python -W ignore $name.py "$url" 2>/dev/null; done)
echo "$seen"
broken='for\n name\n in na\nmes:\n\n    pri\nnt(name)'
expected="a2a-sdk, streaming True: 'for name in names:\n    print(name)'
a2a-sdk, looked up: '$broken'
a2a-sdk, streaming False: '$broken'
a2a-sdk, looked up: '$broken'
strands, streamed: '$broken\n'
agent-framework, streamed: 'for name in names:\n    print(name)'"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
