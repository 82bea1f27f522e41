#!/usr/bin/env bash
# llama-index-core 0.14.25 with llama-index-workflows 2.26.1 and llama-index-llms-openai-like 0.8.1 (PyPI): an agent's Context does
# not hold the conversation.
#
# Guess: passing `ctx = Context(agent)` to each run() is what makes an agent remember, as its documentation shows. Only a run
# without it starts from scratch.
# Seen: with the same Context, the model receives each question alone: what was said before is dropped, with no error. The only sign
# is an UnserializableKeyWarning that calls itself expected. If a memory object is passed to each run(), the conversation is
# included.
# What follows: keep a `Memory` for each conversation and pass `memory=` each time, with or without a Context. A test has to ask a
# second question, and check what was sent to the model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check llama-index-core==0.14.25 llama-index-workflows==2.26.1 \
  llama-index-llms-openai-like==0.8.1 2>/dev/null

cat >ask.py <<'PY'
import asyncio, http.server, json, threading
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import Memory
from llama_index.core.workflow import Context
from llama_index.llms.openai_like import OpenAILike

received = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        received[:] = [message["content"] for message in request["messages"] if message["role"] == "user"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta, finish in (({"role": "assistant", "content": "Noted."}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()

def look() -> str:
    """Look around."""
    return "nothing"

async def ask(name, **kept):
    model = OpenAILike(
        model="m", api_base=f"http://127.0.0.1:{server.server_port}/v1", api_key="none",
        is_chat_model=True, is_function_calling_model=True,
    )
    agent = FunctionAgent(tools=[look], llm=model)
    if "ctx" in kept:
        kept["ctx"] = Context(agent)
    for question in ("My name is Ada.", "I live in Turin.", "Who am I?"):
        await agent.run(question, **kept)
    print(f"{name}: the model was sent {received}")

async def main():
    await ask("nothing kept")
    await ask("a Context", ctx=None)
    await ask("a Memory", memory=Memory.from_defaults(session_id="s"))
    await ask("both", ctx=None, memory=Memory.from_defaults(session_id="s"))

asyncio.run(main())
PY
env/bin/python -c 'from importlib.metadata import version
names = ("llama-index-core", "llama-index-workflows", "llama-index-llms-openai-like")
print(*(f"{name} {version(name)}" for name in names), sep=", ")'
seen=$(timeout 100 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="nothing kept: the model was sent ['Who am I?']
a Context: the model was sent ['Who am I?']
a Memory: the model was sent ['My name is Ada.', 'I live in Turin.', 'Who am I?']
both: the model was sent ['My name is Ada.', 'I live in Turin.', 'Who am I?']"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
