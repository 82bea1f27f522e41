#!/usr/bin/env bash
# litellm 1.110.2 (PyPI): when it streams, it makes up the number of reasoning tokens.
#
# Guess: `usage` contains what the server counted. If a server reports only the total of an answer's tokens, it says nothing about
# reasoning, and neither does litellm, as is the case without streaming.
# Seen: the streamed usage has `completion_tokens_details`, which the server never sent. litellm counts the reasoning with its own
# tokenizer, which is not the model's, and caps the count at the total. Here, all 40 tokens are reasoning and 0 are text, for an
# answer that is longer than its reasoning.
# What follows: behind litellm, show only the total. `reasoning_tokens` and `text_tokens` are meaningful only if the service itself
# counts them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
import litellm

USAGE = {"prompt_tokens": 10, "completion_tokens": 40, "total_tokens": 50}
THOUGHT, ANSWER = "Let me see what this is about. " * 5, "Lisbon is the capital of Portugal. " * 10

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        head = {"id": "c", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            message = {"role": "assistant", "content": ANSWER, "reasoning_content": THOUGHT}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": USAGE}
            self.wfile.write(json.dumps(whole).encode())
            return
        deltas = [{"role": "assistant"}, {"reasoning_content": THOUGHT}, {"content": ANSWER}]
        for delta, finish in (*((delta, None) for delta in deltas), ({}, "stop")):
            self.send({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        self.send({**head, "choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def send(self, chunk):
        self.wfile.write(f"data: {json.dumps({**chunk, 'object': 'chat.completion.chunk'})}\n\n".encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/v1"

def ask(**more):
    messages = [{"role": "user", "content": "Hi"}]
    return litellm.completion(model="openai/m", api_base=base, api_key="none", messages=messages, **more)

def shown(usage):
    counted = usage.model_dump()
    details = counted.get("completion_tokens_details") or {}
    numbers = {name: count for name, count in {**counted, **details}.items() if isinstance(count, int)}
    return ", ".join(f"{name} {numbers[name]}" for name in sorted(numbers))

print("whole:", shown(ask().usage))
chunks = ask(stream=True, stream_options={"include_usage": True})
print("streamed:", *(shown(chunk.usage) for chunk in chunks if getattr(chunk, "usage", None)))
PY
echo "litellm $(env/bin/python -c 'from importlib.metadata import version; print(version("litellm"))')"
seen=$(LITELLM_LOCAL_MODEL_COST_MAP=True timeout 100 env/bin/python ask.py 2>/dev/null | grep tokens)
echo "$seen"
expected="whole: completion_tokens 40, prompt_tokens 10, total_tokens 50
streamed: completion_tokens 40, prompt_tokens 10, reasoning_tokens 40, text_tokens 0, total_tokens 50"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
