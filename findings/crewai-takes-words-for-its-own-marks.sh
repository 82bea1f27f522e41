#!/usr/bin/env bash
# crewai 1.15.30 (PyPI): an answer in which a line begins with "Observation:" or "Final Answer:".
#
# Guess: an agent without tools returns what its model wrote. Markers from its own prompt could matter only if it had told the
# model about them, and it would then have the server stop there, so that nobody pays for the rest.
# Seen: the model is told of no markers and the server of no stop sequence, yet the answer is cut afterwards: a line that begins
# with "Observation:" is dropped with everything after it, and an agent without tools returns only what follows the last "Final
# Answer:". A lab report ends before its first observation, and two exercises with their answers become "6". Nothing in the result
# says so. LLM.call() returns the whole text.
# What follows: for a chat without tools, call the LLM rather than an agent. With an agent, forbid both phrases in its prompt, and
# treat an answer that ends oddly as cut off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check crewai==1.15.30 2>/dev/null

cat >ask.py <<'PY'
import json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_STORAGE_DIR": os.getcwd(), "HOME": os.getcwd(),
}
from crewai import LLM, Agent
from crewai.tools import tool

ANSWERS = {
    "report": "The report.\n\nObservation: it boils at 95 degrees.\n\nConclusion: we are on a hill.",
    "exercises": "1. 2 + 2\nFinal Answer: 4\n\n2. 3 + 3\nFinal Answer: 6",
    "in a line": "My observation: it boils. Observation: it cools.",
}
asked = []

class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        message = {"role": "assistant", "content": ANSWERS[asked[-1]["model"]]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass

@tool
def look(city: str) -> str:
    """Look how the weather is."""
    return "sunny"

server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
lines = []
for case, answer in ANSWERS.items():
    llm = LLM(model=case, provider="openai", base_url=url, api_key="none")
    for tools in ([], [look]):
        agent = Agent(role="Writer", goal="Write", backstory="A writer.", llm=llm, tools=tools)
        lines.append(f"{case}, {len(tools)} tools: {agent.kickoff('Write.').raw!r}")
    lines.append(f"{case}, without an agent: {'whole' if llm.call('Write.') == answer else 'cut'}")
prompts = json.dumps([request["messages"] for request in asked if not request.get("tools")])
lines.append(f"stop asked for: {any('stop' in request for request in asked)}")
lines.append(f"told of marks: {'Observation' in prompts or 'Final Answer' in prompts}")
print("\n".join(lines), file=sys.stderr)
PY
seen=$(timeout 120 env/bin/python -W ignore ask.py 2>&1 >/dev/null | grep -E '^(report|exercises|in a line|stop|told)' || true)
echo "$seen"
expected="report, 0 tools: 'The report.'
report, 1 tools: 'The report.'
report, without an agent: whole
exercises, 0 tools: '6'
exercises, 1 tools: '1. 2 + 2\\nFinal Answer: 4\\n\\n2. 3 + 3\\nFinal Answer: 6'
exercises, without an agent: whole
in a line, 0 tools: 'My observation: it boils. Observation: it cools.'
in a line, 1 tools: 'My observation: it boils. Observation: it cools.'
in a line, without an agent: whole
stop asked for: False
told of marks: False"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
