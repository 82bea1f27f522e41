#!/usr/bin/env bash
# langchain 1.5.2 with langchain-openai 1.7.4, and llama-index-core 0.14.25 with llama-index-llms-openai-like 0.8.1 (PyPI), beside
# openai-agents 0.24.0 and pydantic-ai-slim 2.68.0: a truncated tool call is run.
#
# Guess: if an answer ends at the token limit ("length") in the middle of a tool call's arguments, an agent does not run the tool,
# since what arrived is not valid JSON. LangChain's documentation has `invalid_tool_calls` for exactly that.
# Seen: openai-agents and pydantic-ai reject it. LangChain rejects it only if the model is not streamed. If it is streamed, as it is
# for any page that shows words as they arrive, LangChain closes what is open and drops what is incomplete. LlamaIndex does the
# same. The tool runs without `dry_run`, which the model was just writing: here, files are deleted that should only have been
# listed.
# What follows: give tools no optional argument that makes them more careful; make the harmless behavior the default. In LangChain,
# check `response_metadata["finish_reason"]` in a middleware, before the tools run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv first
first/bin/pip install --quiet --disable-pip-version-check langchain==1.5.2 langgraph==1.2.24 langchain-openai==1.7.4 \
  openai-agents==0.24.0 pydantic-ai-slim==2.68.0 openai==3.57.0 2>/dev/null
python3 -m venv second
second/bin/pip install --quiet --disable-pip-version-check llama-index-core==0.14.25 llama-index-llms-openai-like==0.8.1 2>/dev/null

cat >cut.py <<'PY'
import asyncio, http.server, json, sys, threading

ARGUMENTS = '{"folder": "/srv/old", "dry_r'  # of {"folder": "/srv/old", "dry_run": true}
HEAD = {"id": "c", "created": 1, "model": "m"}
ran = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "delete_files", "arguments": ARGUMENTS}}
        said, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "length"
        if any(message["role"] == "tool" for message in request["messages"]):
            said, reason = {"role": "assistant", "content": "Done."}, "stop"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": reason}
            self.wfile.write(json.dumps({**HEAD, "object": "chat.completion", "choices": [choice]}).encode())
            return
        for delta, finish in ((said, None), ({}, reason)):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"

def delete_files(folder: str, dry_run: bool = False) -> str:
    """Delete the files in a folder, or only list them."""
    ran.append(f"delete_files({folder!r}, dry_run={dry_run})")
    return "ok"

def agent_of_langchain():
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    return create_agent(ChatOpenAI(model="m", base_url=url, api_key="none", max_retries=0), [delete_files])

async def langchain():
    await agent_of_langchain().ainvoke({"messages": [("user", "Go")]})

async def langchain_streamed():
    async for _ in agent_of_langchain().astream({"messages": [("user", "Go")]}, stream_mode="messages"):
        pass

async def openai_agents_streamed():
    from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("m", openai_client=AsyncOpenAI(base_url=url, api_key="none", max_retries=0))
    async for _ in Runner.run_streamed(Agent(name="a", model=model, tools=[function_tool(delete_files)]), "Go").stream_events():
        pass

async def pydantic_ai_streamed():
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none"))
    async with Agent(model, tools=[delete_files]).run_stream_events("Go") as events:
        async for _ in events:
            pass

async def llama_index_streamed():
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.llms.openai_like import OpenAILike

    model = OpenAILike(model="m", api_base=url, api_key="none", is_chat_model=True, is_function_calling_model=True)
    await FunctionAgent(llm=model, tools=[delete_files]).run("Go")

for name in sys.argv[1:]:
    ran.clear()
    asyncio.run(globals()[name]())
    print(f"{name}: ran {', '.join(ran) or 'nothing'}")
PY
seen=$(timeout 200 first/bin/python -W ignore cut.py openai_agents_streamed pydantic_ai_streamed langchain langchain_streamed 2>/dev/null
  timeout 200 second/bin/python -W ignore cut.py llama_index_streamed 2>/dev/null)
echo "$seen"
expected="openai_agents_streamed: ran nothing
pydantic_ai_streamed: ran nothing
langchain: ran nothing
langchain_streamed: ran delete_files('/srv/old', dry_run=False)
llama_index_streamed: ran delete_files('/srv/old', dry_run=False)"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
