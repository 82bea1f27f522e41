#!/usr/bin/env bash
# smolagents 1.26.0 (PyPI): a model that simply answers in text is called twenty more times.
#
# Guess: if the model of an agent with tools returns plain text, the agent treats it as the final answer, as the other frameworks
# do. "Hi" costs one request.
# Seen: ToolCallingAgent and CodeAgent accept only a call of final_answer() as an answer. Plain text counts as a failed step, and
# the model is told that it made a mistake. After max_steps (20), it is called once more without tools, and then the very same text
# is the answer. That is 21 requests with a growing history, and nothing in the result says so.
# What follows: for a chat, set max_steps to a small number, and send greetings and small talk directly to the model. Small models
# answer in plain text most of the time.
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
