#!/usr/bin/env bash
# fasta2a 2.1.1 with pydantic-ai-slim 2.68.0, and a2a-sdk 1.3.0 as its client (PyPI): a Pydantic AI agent served over A2A.
#
# Guess: agent_to_a2a() serves several people at once, as every web server for models does, since their time is spent waiting for
# the model. CancelTask stops the run. The protocol's own SDK reads the answers, as the server's card says that it speaks A2A 1.0.
# Seen: there is one worker, and it runs one task to its end before it begins the next: the second person waits for the first
# one's answer, and the third for both. A cancellation is put into the same queue, and does nothing: CancelTask returns when the
# run has ended, with the state "completed", and the model has written everything. a2a-sdk fails with a ParseError at each task,
# whether streamed or not: the server's times have no time zone, which the SDK's format requires. curl and fasta2a's own client
# work.
# What follows: pass a lifespan of your own that enters run() of several AgentWorkers with the same broker. Show no Stop button,
# since a cancellation does not reach the model then, either. For clients with a2a-sdk, pass a Storage that writes times with a
# time zone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "fasta2a[pydantic-ai]==2.1.1" pydantic-ai-slim==2.68.0 \
  a2a-sdk==1.3.0 uvicorn==0.54.0 httpx==0.28.1 2>/dev/null

cat >serve.py <<'PY'
import asyncio, json, socket, threading, time, uuid
import httpx, uvicorn
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, SendMessageRequest
from fasta2a.pydantic_ai import agent_to_a2a
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel

written = []

async def words(messages, info):
    for number in range(10):
        written.append(messages[-1].parts[-1].content)
        yield f"{number} "
        await asyncio.sleep(0.1)

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{free.getsockname()[1]}"
app = agent_to_a2a(Agent(FunctionModel(stream_function=words)), name="agent", url=url)
server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=int(url.split(":")[-1]), log_level="critical"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started:
    time.sleep(0.1)

def request(method, **params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

async def stream(client, question):
    message = {"role": "ROLE_USER", "messageId": uuid.uuid4().hex, "parts": [{"text": question}]}
    async with client.stream("POST", url, json=request("SendStreamingMessage", message=message)) as response:
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                yield json.loads(line[5:])["result"]

async def ask(client, question):
    async for event in stream(client, question):
        pass

async def cancel(client):
    async for event in stream(client, "Stop?"):
        task = event.get("task", {}).get("id") or task
        if "artifactUpdate" in event:
            state = (await client.post(url, json=request("CancelTask", id=task))).json()["result"]["status"]["state"]
            return f"CancelTask returns {state} after {written.count('Stop?')} of 10 words"

async def with_sdk(client, streaming):
    card = await A2ACardResolver(client, url).get_agent_card()
    sdk = ClientFactory(ClientConfig(httpx_client=client, streaming=streaming)).create(card)
    message = Message(role=Role.ROLE_USER, message_id=uuid.uuid4().hex, parts=[Part(text="Hi")])
    try:
        return [event async for event in sdk.send_message(SendMessageRequest(message=message))][-1]
    except Exception as error:
        return f"{type(error).__name__}: {str(error).split(':')[0]}"

async def main():
    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(ask(client, "Ann"), ask(client, "Ben"))
        turns = [name for name, before in zip(written, ["", *written]) if name != before]
        print("two at the same time, the model writes for:", "one, then the other" if len(turns) == 2 else turns)
        print(await cancel(client))
        for streaming in (False, True):
            print(f"a2a-sdk, {'streamed' if streaming else 'whole'}: {await with_sdk(client, streaming)}")

asyncio.run(main())
PY
seen=$(timeout 100 env/bin/python -W ignore serve.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
two at the same time, the model writes for: one, then the other
CancelTask returns TASK_STATE_COMPLETED after 10 of 10 words
a2a-sdk, whole: ParseError: Failed to parse status field
a2a-sdk, streamed: ParseError: Failed to parse status field
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
