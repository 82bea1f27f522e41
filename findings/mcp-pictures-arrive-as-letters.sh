#!/usr/bin/env bash
# openai-agents 0.24.0, langchain-deepseek 1.1.1 with langchain-mcp-adapters 0.3.2, semantic-kernel 1.45.0, autogen-ext 0.7.5,
# mcp-haystack 2.1.1 and llama-index-tools-mcp 0.6.0, beside langchain-openai 1.7.4 (PyPI): a tool that returns an image.
#
# Guess: if a server of the Model Context Protocol returns a text and an image, the model gets the image, or is told that there was
# one that it cannot see.
# Seen: langchain-openai passes it on. openai-agents drops it silently: the model reads "Here it is:" and nothing else. The other
# five write the image's base64 into the text. The 9 KB here are 12,000 characters; a screenshot of 300 KB is 400,000, which is more
# than many models can read. The question then fails as too long, or is very expensive, and the model has seen nothing. The base64
# stays in the history and is sent with each further question.
# What follows: with these, let tools save images and return their names, or replace `image` blocks before they reach the framework.
# In this project, an image that a tool returned is shown on the page, and is not sent to a model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv first
first/bin/pip install --quiet --disable-pip-version-check openai-agents==0.24.0 langchain==1.5.2 langchain-openai==1.7.4 \
  langchain-deepseek==1.1.1 langchain-mcp-adapters==0.3.2 langgraph==1.2.24 mcp==1.30.0 openai==3.57.0 2>/dev/null
python3 -m venv second
second/bin/pip install --quiet --disable-pip-version-check "semantic-kernel[mcp]==1.45.0" "autogen-ext[mcp,openai]==0.7.5" \
  autogen-agentchat==0.7.5 mcp==1.30.0 openai==3.57.0 2>/dev/null
python3 -m venv third
third/bin/pip install --quiet --disable-pip-version-check haystack-ai==3.4.1 mcp-haystack==2.1.1 llama-index-core==0.14.25 \
  llama-index-tools-mcp==0.6.0 llama-index-llms-openai-like==0.8.1 mcp==2.3.0 openai==2.54.0 2>/dev/null

cat >server.py <<'PY'
import base64, json, random, struct, sys, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

rows = b"".join(b"\0" + random.Random(row).randbytes(150) for row in range(60))
header = struct.pack(">IIBBBBB", 50, 60, 8, 2, 0, 0, 0)
picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
blocks = [{"type": "text", "text": "Here it is:"},
          {"type": "image", "data": base64.b64encode(picture).decode(), "mimeType": "image/png"}]
tool = {"name": "look", "description": "takes a picture", "inputSchema": {"type": "object", "properties": {}}}

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
        answer = {"result": {"content": blocks}}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}), flush=True)
PY
cat >ask.py <<'PY'
import asyncio, http.server, json, os, re, sys, threading

COMMAND = {"command": sys.executable, "args": [os.path.abspath("server.py")]}
last = {}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = any(message["role"] == "tool" for message in request["messages"])
        message = {"role": "assistant", "content": "Nice."}
        if asked:
            last["messages"] = request["messages"]
        else:
            function = {"name": request["tools"][0]["function"]["name"], "arguments": "{}"}
            calls = [{"id": "call_1", "type": "function", "function": function}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
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

async def openai_agents():
    from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
    from agents.mcp import MCPServerStdio
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    async with MCPServerStdio(params=COMMAND) as server:
        model = OpenAIChatCompletionsModel("m", openai_client=AsyncOpenAI(base_url=url, api_key="none"))
        await Runner.run(Agent(name="a", model=model, mcp_servers=[server]), "Look")

async def langchain(model):
    from langchain.agents import create_agent
    from langchain_mcp_adapters.client import MultiServerMCPClient

    tools = await MultiServerMCPClient({"s": {**COMMAND, "transport": "stdio"}}).get_tools()
    await create_agent(model, tools).ainvoke({"messages": [("user", "Look")]})

async def langchain_openai():
    from langchain_openai import ChatOpenAI

    await langchain(ChatOpenAI(model="m", base_url=url, api_key="none"))

async def langchain_deepseek():
    from langchain_deepseek import ChatDeepSeek

    await langchain(ChatDeepSeek(model="m", api_base=url, api_key="none"))

async def semantic_kernel():
    from openai import AsyncOpenAI
    from semantic_kernel.agents import ChatCompletionAgent
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
    from semantic_kernel.connectors.mcp import MCPStdioPlugin

    async with MCPStdioPlugin(name="s", description="s", **COMMAND) as plugin:
        service = OpenAIChatCompletion(ai_model_id="m", async_client=AsyncOpenAI(base_url=url, api_key="none"))
        await ChatCompletionAgent(service=service, plugins=[plugin], name="a").get_response(messages="Look")

async def autogen():
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient
    from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams

    info = {"vision": True, "function_calling": True, "json_output": False, "family": "unknown", "structured_output": False}
    model = OpenAIChatCompletionClient(model="m", base_url=url, api_key="none", model_info=info)
    async with McpWorkbench(StdioServerParams(**COMMAND)) as workbench:
        await AssistantAgent("a", model_client=model, workbench=workbench, reflect_on_tool_use=True).run(task="Look")

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

def told(messages):
    contents = [message["content"] for message in messages if message["role"] in ("user", "tool")]
    if any(part["type"] == "image_url" for content in contents if isinstance(content, list) for part in content):
        return "a picture"
    letters = max(map(len, re.findall("[A-Za-z0-9+/]{100,}", json.dumps(contents))), default=0)
    return f"{round(letters, -3)} letters" if letters else "nothing of it"

for name in sys.argv[1:]:
    asyncio.run(globals()[name]())
    print(f"{name}: {told(last.pop('messages'))}", flush=True)
PY
seen=$(timeout 200 first/bin/python -W ignore ask.py langchain_openai openai_agents langchain_deepseek 2>/dev/null
  timeout 200 second/bin/python -W ignore ask.py semantic_kernel autogen 2>/dev/null
  HAYSTACK_TELEMETRY_ENABLED=False timeout 200 third/bin/python -W ignore ask.py haystack llama_index 2>/dev/null)
echo "$seen"
expected="langchain_openai: a picture
openai_agents: nothing of it
langchain_deepseek: 12000 letters
semantic_kernel: 12000 letters
autogen: 12000 letters
haystack: 12000 letters
llama_index: 12000 letters"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
