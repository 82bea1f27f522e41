#!/usr/bin/env bash
# semantic-kernel 1.45.0, mcp-haystack 2.1.1 and llama-index-tools-mcp 0.6.0 (PyPI): what a model is told about a tool's result.
#
# Guess: if a server of the Model Context Protocol returns one text, the model gets that text. What the model said before it called
# the tool ("Let me look.") stays in the history ahead of it.
# Seen: none of the three sends the text itself. semantic-kernel sends the Python repr of its object: the text twice, with \n for
# each line break, between field names, so that 30 characters become 229. llama-index sends a similar printout of the protocol's
# object, haystack its JSON with all empty fields. No run shows this. Files that a model reads and writes back get "\n" and
# quotation marks in them, and the history fills up twice as fast. semantic-kernel also drops "Let me look."
# What follows: inspect the request that the model receives. Wrap such tools in your own function that returns the text. This
# project shows a tool's result as the agent passes it on, so that such wrapping is visible on the page.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv first
first/bin/pip install --quiet --disable-pip-version-check "semantic-kernel[mcp]==1.45.0" mcp==1.30.0 openai==3.57.0 2>/dev/null
python3 -m venv second
second/bin/pip install --quiet --disable-pip-version-check haystack-ai==3.4.1 mcp-haystack==2.1.1 llama-index-core==0.14.25 \
  llama-index-tools-mcp==0.6.0 llama-index-llms-openai-like==0.8.1 mcp==2.3.0 openai==2.54.0 2>/dev/null

cat >server.py <<'PY'
import json, sys

tool = {"name": "look", "description": "looks", "inputSchema": {"type": "object", "properties": {}}}
text = 'He said "yes".\nIt is in a.txt.'

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answer = {"error": {"code": -32601, "message": "unknown method"}}
    if request["method"] == "initialize":
        version, info = request["params"]["protocolVersion"], {"name": "s", "version": "1"}
        answer = {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
    elif request["method"] == "tools/list":
        answer = {"result": {"tools": [tool]}}
    elif request["method"] == "tools/call":
        answer = {"result": {"content": [{"type": "text", "text": text}]}}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}), flush=True)
PY
cat >ask.py <<'PY'
import asyncio, http.server, json, os, sys, threading

COMMAND = {"command": sys.executable, "args": [os.path.abspath("server.py")]}
told = {}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told.update({message["role"]: message.get("content") for message in request["messages"]})
        message, asked = {"role": "assistant", "content": "It is there."}, "tool" in told
        if not asked:
            function = {"name": request["tools"][0]["function"]["name"], "arguments": "{}"}
            message["content"] = "Let me look."
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "finish_reason": "stop" if asked else "tool_calls"}
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({**head, "choices": [choice], "usage": usage}).encode())

    def log_message(self, *arguments):
        pass

models = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=models.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{models.server_port}/v1"

async def semantic_kernel():
    from openai import AsyncOpenAI
    from semantic_kernel.agents import ChatCompletionAgent
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
    from semantic_kernel.connectors.mcp import MCPStdioPlugin

    async with MCPStdioPlugin(name="s", description="s", **COMMAND) as plugin:
        service = OpenAIChatCompletion(ai_model_id="m", async_client=AsyncOpenAI(base_url=url, api_key="none"))
        await ChatCompletionAgent(service=service, plugins=[plugin], name="a").get_response(messages="Look")

async def haystack():
    from haystack.components.agents import Agent
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.utils import Secret
    from haystack_integrations.tools.mcp import MCPToolset, StdioServerInfo

    def run():
        toolset = MCPToolset(StdioServerInfo(**COMMAND), eager_connect=True)
        try:
            model = OpenAIChatGenerator(model="m", api_base_url=url, api_key=Secret.from_token("none"))
            Agent(chat_generator=model, tools=toolset).run(messages=[ChatMessage.from_user("Look")])
        finally:
            toolset.close()
    await asyncio.to_thread(run)

async def llama_index():
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.llms.openai_like import OpenAILike
    from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

    client = BasicMCPClient(COMMAND["command"], args=COMMAND["args"])
    tools = await McpToolSpec(client=client).to_tool_list_async()
    model = OpenAILike(model="m", api_base=url, api_key="none", is_chat_model=True, is_function_calling_model=True)
    await FunctionAgent(tools=tools, llm=model, streaming=False).run("Look")

for name in sys.argv[1:]:
    told.clear()
    asyncio.run(globals()[name]())
    print(f"{name}: {told['assistant'] or 'nothing'} / {told['tool']}", flush=True)
PY
seen=$(timeout 200 first/bin/python -W ignore ask.py semantic_kernel 2>/dev/null
  HAYSTACK_TELEMETRY_ENABLED=False timeout 200 second/bin/python -W ignore ask.py haystack llama_index 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
semantic_kernel: nothing / [TextContent(inner_content=TextContent(type='text', text='He said "yes".\nIt is in a.txt.', annotations=None, meta=None), ai_model_id=None, metadata={}, content_type='text', text='He said "yes".\nIt is in a.txt.', encoding=None)]
haystack: Let me look. / {"_meta":null,"content":[{"type":"text","text":"He said \"yes\".\nIt is in a.txt.","annotations":null,"_meta":null}],"structuredContent":null,"isError":false,"resultType":"complete"}
llama_index: Let me look. / meta=None content=[TextContent(type='text', text='He said "yes".\nIt is in a.txt.', annotations=None, meta=None)] structured_content=None is_error=False result_type='complete'
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
