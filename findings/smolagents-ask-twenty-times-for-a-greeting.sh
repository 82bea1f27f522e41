#!/usr/bin/env bash
# smolagents 1.26.0 (PyPI): a model that just answers in words is asked twenty more times.
#
# Guess: an agent with tools that gets plain text from its model takes it for the final answer, as the other
# frameworks do; "Hi" costs one request.
# Seen: ToolCallingAgent and CodeAgent take only a call of final_answer() for an answer. Plain text counts as a failed
# step, the model is told of its mistake, and after max_steps (20) it is asked once more without tools: the very same
# text then is the answer. 21 requests with a growing history, and nothing in the result says so.
# What follows: for a chat give the agent a small max_steps, and let greetings and small talk go to the model
# directly; small models answer in words most of the time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "smolagents[openai]==1.26.0" openai==2.54.0 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool

sizes = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sizes.append(len(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]))
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({**head, "choices": [choice], "usage": usage}).encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()

@tool
def look() -> str:
    """Look around."""
    return "nothing"

for kind in (ToolCallingAgent, CodeAgent):
    for limits in ({}, {"max_steps": 2}):
        sizes.clear()
        model = OpenAIModel(model_id="m", api_base=f"http://127.0.0.1:{server.server_port}", api_key="none")
        answer = kind(tools=[look], model=model, verbosity_level=-1, **limits).run("Hi")
        grown = "more messages in the last" if sizes[-1] > sizes[0] else "no more in the last"
        print(f"{kind.__name__}{limits or ''}: {answer!r} after {len(sizes)} requests, {grown}")
PY
echo "smolagents $(env/bin/python -c 'from importlib.metadata import version; print(version("smolagents"))')"
seen=$(timeout 120 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="ToolCallingAgent: 'Hello!' after 21 requests, more messages in the last
ToolCallingAgent{'max_steps': 2}: 'Hello!' after 3 requests, more messages in the last
CodeAgent: 'Hello!' after 21 requests, more messages in the last
CodeAgent{'max_steps': 2}: 'Hello!' after 3 requests, more messages in the last"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
