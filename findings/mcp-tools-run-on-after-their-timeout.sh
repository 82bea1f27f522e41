#!/usr/bin/env bash
# openai-agents 0.24.0 with mcp 1.30.0, beside the same with mcp 2.3.0 (PyPI): a tool that takes longer than its client waits.
#
# Guess: if a call of a tool times out, the client cancels it, as the protocol says it should (notifications/cancelled), and as
# the user's Stop does. The tool, an async function that sleeps, is stopped before it does its work. The model may then try again.
# Seen: mcp 1.30.0 only stops listening. The tool runs on, and its mail is sent. openai-agents tells the model "An error occurred
# while running the tool. Please try again.", it does, and the mail is sent again, while the user reads that it could not be. The
# client waits for five seconds unless it is told otherwise, so a slow mail server is enough. mcp 2.3.0 cancels the call, and no
# mail is sent. openai-agents accepts both versions: which one is installed depends on the other packages.
# What follows: install mcp 2, or set `client_session_timeout_seconds` well above what the slowest tool takes, and make tools that
# act idempotent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 1.30.0 2.3.0; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check --no-compile openai-agents==0.24.0 openai==3.57.0 \
    mcp=="$version" 2>/dev/null
done

cat >server.py <<'PY'
import asyncio, sys

try:
    from mcp.server.fastmcp import FastMCP as Server
except ImportError:
    from mcp.server.mcpserver import MCPServer as Server

server = Server("mails")

@server.tool()
async def send_mail() -> str:
    await asyncio.sleep(14)
    with open(sys.argv[1], "a") as mails:
        mails.write("sent\n")
    return "sent"

server.run()
PY
cat >ask.py <<'PY'
import asyncio, http.server, json, pathlib, sys, threading
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

VERSION = sys.argv[1]
mails = pathlib.Path(f"mails-{VERSION}")
told = []

class Model(http.server.BaseHTTPRequestHandler):
    """Sends the mail, and tries once more if that has failed."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told[:] = [str(message["content"]) for message in request["messages"] if message["role"] == "tool"]
        call = {"id": f"call{len(told)}", "type": "function", "function": {"name": "send_mail", "arguments": "{}"}}
        again = len(told) < 2
        message = {"role": "assistant", "tool_calls": [call]} if again else {"role": "assistant", "content": "I could not."}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if again else "stop"}
        answer = json.dumps({"id": "c", "created": 1, "object": "chat.completion", "model": "m", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()

async def main():
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none")
    command = {"command": sys.executable, "args": ["server.py", str(mails)]}
    async with MCPServerStdio(command, client_session_timeout_seconds=10) as tools:
        agent = Agent("assistant", model=OpenAIChatCompletionsModel("m", client), mcp_servers=[tools])
        answer = (await Runner.run(agent, "Send the mail.")).final_output
        await asyncio.sleep(6)
    failed = sum("Please try again" in one for one in told)
    sent = len(mails.read_text().split()) if mails.exists() else 0
    print(f"mcp {VERSION}: {failed} calls failed, the answer is {answer!r}, {sent} mails were sent")

asyncio.run(main())
PY
for version in 1.30.0 2.3.0; do timeout 80 "$version/bin/python" -W ignore ask.py "$version" >"$version.seen" 2>"$version.log" & done
wait
seen=$(cat 1.30.0.seen 2.3.0.seen)
echo "$seen"
expected="mcp 1.30.0: 2 calls failed, the answer is 'I could not.', 2 mails were sent
mcp 2.3.0: 2 calls failed, the answer is 'I could not.', 0 mails were sent"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
