#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0 (PyPI), with openai 3.57.0: a stream ends at text that precedes a tool call.
#
# Guess: run_stream_sync().stream_text() returns the same text as run_sync(), only piece by piece: "Let me look.", then the tool
# call, then the answer that the model writes from its result.
# Seen: the first text counts as the final result, although a tool call follows in the same answer. The tool is run, with all its
# side effects, but its result is never sent to the model. The stream ends after "Let me look." without an error, and nobody sees
# the answer. run_sync() with the same model sends the result and returns the answer.
# What follows: for a chat, use run_stream_events() or iterate over agent.iter(), which continue to the end. Models often say a few
# words before they call a tool.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pydantic-ai-slim==2.68.0 openai==3.57.0 2>/dev/null

cat >ask.py <<'PY'
import asyncio, http.server, json, threading
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
requests, calls = [], []

def answer(messages):
    if messages[-1]["role"] == "tool":
        return {"role": "assistant", "content": "It is 42."}, "stop"
    return {"role": "assistant", "content": "Let me look. ", "tool_calls": [CALL]}, "tool_calls"

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        requests.append(request)
        said, reason = answer(request["messages"])
        head = {"id": "c", "created": 1, "model": "m"}
        self.send_response(200)
        if not request.get("stream"):
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            choice = {"index": 0, "message": said, "finish_reason": reason}
            self.wfile.write(json.dumps({**head, "object": "chat.completion", "choices": [choice]}).encode())
            return
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta, finish in (({**said, "tool_calls": None}, None), ({**said, "content": None}, None), ({}, reason)):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
provider = OpenAIProvider(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none")
agent = Agent(OpenAIChatModel("m", provider=provider))

@agent.tool_plain
def look() -> str:
    calls.append("look")
    return "42"

async def events():
    text = []
    async with agent.run_stream_events("How many?") as stream:
        async for event in stream:
            if event.event_kind == "part_start" and event.part.part_kind == "text":
                text.append(event.part.content)
            if event.event_kind == "part_delta" and event.delta.part_delta_kind == "text":
                text.append(event.delta.content_delta)
    return "".join(text)

WAYS = {
    "run_sync": lambda: agent.run_sync("How many?").output,
    "run_stream_sync": lambda: "".join(agent.run_stream_sync("How many?").stream_text(delta=True)),
    "run_stream_events": lambda: asyncio.run(events()),
}
for name, ask in WAYS.items():
    requests.clear(), calls.clear()
    print(f"{name}: {ask().strip()!r}; tool run {len(calls)} times, model asked {len(requests)} times")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("pydantic-ai-slim", "openai")), sep=", ")'
seen=$(timeout 90 env/bin/python ask.py)
echo "$seen"
expected="run_sync: 'It is 42.'; tool run 1 times, model asked 2 times
run_stream_sync: 'Let me look.'; tool run 1 times, model asked 1 times
run_stream_events: 'Let me look. It is 42.'; tool run 1 times, model asked 2 times"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
