#!/usr/bin/env bash
# openai-agents 0.24.0 (PyPI), with openai 3.57.0: run_sync() from a new thread fails every second time.
#
# Guess: Runner.run_sync() is the blocking API, so a web server may call it from whatever thread handles a request, with one agent
# and one client that are created at startup, as the OpenAI client's documentation advises.
# Seen: each thread gets its own event loop, while the client's pool keeps the connection of the previous loop. Every second call
# fails with "bound to a different event loop". The one after it works, since the failure has emptied the pool. A test with one
# question passes.
# What follows: run all agents on one event loop, in one thread that lives as long as the server (asyncio.run_coroutine_threadsafe),
# or create a client for each answer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai-agents==0.24.0 openai==3.57.0 2>/dev/null

cat >ask.py <<'PY'
import asyncio, http.server, json, threading
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
MESSAGE = {"role": "assistant", "content": "Hello"}
ANSWER = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}).encode()

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as by any real server

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()

def agent():
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
    return Agent(name="a", model=OpenAIChatCompletionsModel("m", openai_client=client))

def in_a_new_thread(ask):
    answers = []

    def run():
        try:
            answers.append(ask())
        except Exception as error:
            answers.append(f"{type(error).__name__}: … {str(error)[-31:]}")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return answers[0]

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
shared, on_one_loop = agent(), agent()
WAYS = {
    "run_sync": lambda: Runner.run_sync(shared, "Hi").final_output,
    "one loop": lambda: asyncio.run_coroutine_threadsafe(Runner.run(on_one_loop, "Hi"), loop).result().final_output,
}
for name, ask in WAYS.items():
    for number in range(1, 5):
        print(f"{name}, thread {number}: {in_a_new_thread(ask)}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("openai-agents", "openai")), sep=", ")'
seen=$(timeout 90 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="run_sync, thread 1: Hello
run_sync, thread 2: RuntimeError: … bound to a different event loop
run_sync, thread 3: Hello
run_sync, thread 4: RuntimeError: … bound to a different event loop
one loop, thread 1: Hello
one loop, thread 2: Hello
one loop, thread 3: Hello
one loop, thread 4: Hello"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
