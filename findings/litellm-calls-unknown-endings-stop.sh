#!/usr/bin/env bash
# litellm 1.110.2 (PyPI): finish reasons that it does not know become "stop".
#
# Guess: the server's finish_reason is passed on, or an unknown one is marked as such, so that you can tell a truncated answer from
# a complete one.
# Seen: everything that is not in its table is reported as "stop", streamed or not: DeepSeek's documented
# `insufficient_system_resource`, Mistral's `model_length` and Z.ai's `network_error`. All three mean that the answer is incomplete.
# It happens even with litellm's own provider for the service, and the answer looks complete.
# What follows: behind litellm, "stop" does not mean that an answer is complete. If that matters, call these services directly, or
# compare the token count with the limit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
import litellm

CASES = [
    "openai/length", "deepseek/length", "mistral/length",
    "deepseek/insufficient_system_resource", "mistral/model_length", "openai/network_error",
]

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        head, reason = {"id": "c", "created": 1, "model": "m"}, request["model"]
        said = {"role": "assistant", "content": "The answer is"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": reason}
            usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            self.wfile.write(json.dumps(whole).encode())
            return
        for delta, finish in ((said, None), ({}, reason)):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/v1"

def ask(model, stream):
    messages = [{"role": "user", "content": "Hi"}]
    return litellm.completion(model=model, api_base=base, api_key="none", messages=messages, stream=stream)

for model in CASES:
    whole = ask(model, stream=False).choices[0].finish_reason
    streamed = list(ask(model, stream=True))[-1].choices[0].finish_reason
    print(f"{model}: {whole}, streamed {streamed}")
PY
echo "litellm $(env/bin/python -c 'from importlib.metadata import version; print(version("litellm"))')"
seen=$(LITELLM_LOCAL_MODEL_COST_MAP=True timeout 100 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="openai/length: length, streamed length
deepseek/length: length, streamed length
mistral/length: length, streamed length
deepseek/insufficient_system_resource: stop, streamed stop
mistral/model_length: stop, streamed stop
openai/network_error: stop, streamed stop"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
