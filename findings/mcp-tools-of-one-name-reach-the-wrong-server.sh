#!/usr/bin/env bash
# langchain 1.5.2 with langchain-openai 1.7.4 and langchain-mcp-adapters 0.3.2, and autogen-ext 0.7.5 with autogen-agentchat
# 0.7.5, beside smolagents 1.26.0 (PyPI): two servers with a tool of the same name.
#
# Guess: two servers of the Model Context Protocol may both have a tool "write", as the same server does if it runs once for each
# folder. An agent gets the names with a prefix, or there is an error before the first request.
# Seen: smolagents raises. LangChain tells the model about the tool of the server that comes last, and silently leaves out the
# other. AutoGen tells it about both, under one name, with their descriptions, and calls the first server whichever the model
# means: what was meant for "home" is written at "work". The result is a success. Model servers that check for this refuse the
# request.
# What follows: compare the names of all servers yourself before you make the agent. In LangChain, set `tool_name_prefix=True`. In
# AutoGen, rename the tools (McpWorkbench takes `tool_overrides`), or give each agent only one of such servers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langchain==1.5.2 langchain-openai==1.7.4 langchain-mcp-adapters==0.3.2 \
  autogen-agentchat==0.7.5 "autogen-ext[mcp,openai]==0.7.5" "smolagents[mcp]==1.26.0" mcp==1.30.0 2>/dev/null

cat >server.py <<'PY'
import json, sys

place = sys.argv[1]
TOOL = {"name": "write", "description": f"Writes at {place}.", "inputSchema": {"type": "object", "properties": {}}}
ANSWERS = {"tools/list": {"tools": [TOOL]}, "tools/call": {"content": [{"type": "text", "text": f"written at {place}"}]}}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answer = {"error": {"code": -32601, "message": "unknown method"}}
    if request["method"] == "initialize":
        version, info = request["params"]["protocolVersion"], {"name": place, "version": "1"}
        answer = {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
    elif request["method"] in ANSWERS:
        answer = {"result": ANSWERS[request["method"]]}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}), flush=True)
PY
cat >ask.py <<'PY'
import asyncio, json, os, re, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVERS = {place: {"command": sys.executable, "args": [os.path.abspath("server.py"), place]} for place in ("work", "home")}
told, results = [], []

class Model(BaseHTTPRequestHandler):
    """A model that calls its first tool, and repeats what the tool returned."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        told[:] = [tool["function"]["description"] for tool in request["tools"]]
        results[:] = re.findall("written at [a-z]+", json.dumps(request["messages"]))
        call = {"index": 0, "id": "call1", "type": "function", "function": {"name": "write", "arguments": "{}"}}
        message = {"content": results[-1]} if results else {"content": None, "tool_calls": [call]}
        choice = {"index": 0, "finish_reason": "stop" if results else "tool_calls"}
        usage = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 1)
        answer = {"id": "a", "created": 1, "model": "m", "usage": usage}
        self.send_response(200)
        if request.get("stream"):
            answer |= {"object": "chat.completion.chunk", "choices": [choice | {"delta": {"role": "assistant", **message}}]}
            self.send_header("content-type", "text/event-stream")
            body = f"data: {json.dumps(answer)}\n\ndata: [DONE]\n\n".encode()
        else:
            answer |= {"object": "chat.completion", "choices": [choice | {"message": {"role": "assistant", **message}}]}
            self.send_header("content-type", "application/json")
            body = json.dumps(answer).encode()
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

async def langchain(url):
    from langchain.agents import create_agent
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_openai import ChatOpenAI

    client = MultiServerMCPClient({place: {**server, "transport": "stdio"} for place, server in SERVERS.items()})
    agent = create_agent(ChatOpenAI(model="m", base_url=url, api_key="k"), await client.get_tools())
    await agent.ainvoke({"messages": [("user", "Write it down at home.")]})

async def autogen(url):
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient
    from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams

    able = dict(vision=False, function_calling=True, json_output=False, family="unknown", structured_output=False)
    model = OpenAIChatCompletionClient(model="m", base_url=url, api_key="k", model_info=able)
    work, home = (McpWorkbench(StdioServerParams(**server)) for server in SERVERS.values())
    async with work, home:
        result = await AssistantAgent("a", model, workbench=[work, home]).run(task="Write it down at home.")
    results[:] = [result.messages[-1].content]

async def smolagents(url):
    from mcp import StdioServerParameters
    from smolagents import MCPClient, ToolCallingAgent

    def make():
        with MCPClient([StdioServerParameters(**server) for server in SERVERS.values()]) as tools:
            ToolCallingAgent(tools=tools, model=None)
    await asyncio.to_thread(make)

def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in sys.argv[1:]:
        try:
            asyncio.run(globals()[name](f"http://127.0.0.1:{server.server_port}/v1"))
            print(f"{name}: the model is told {told}, and its call of write is {results[-1]!r}")
        except ValueError as error:
            print(f"{name}: {error}")

main()
PY
seen=$(timeout 120 env/bin/python -W ignore ask.py smolagents langchain autogen 2>/dev/null)
echo "$seen"
expected="smolagents: Each tool or managed_agent should have a unique name! You passed these duplicate names: ['write', 'write']
langchain: the model is told ['Writes at home.'], and its call of write is 'written at home'
autogen: the model is told ['Writes at work.', 'Writes at home.'], and its call of write is 'written at work'"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
