#!/usr/bin/env bash
# litellm 1.110.2 (PyPI): a refusal is lost when it is streamed, and so is text that is sent as parts.
#
# Guess: what an OpenAI-compatible server sends in `delta.refusal` is passed on, as `message.refusal` is without streaming.
# Seen: all chunks of the streamed answer are empty, and it ends with "stop": the model seems to have said nothing. The same happens
# to a `content` that is a list of text parts, which is an error without streaming.
# What follows: behind litellm, an empty answer may be a refusal. Say that the answer was empty, and offer a retry. If it matters,
# do not stream.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
import litellm

CASES = {
    "text": [{"content": "Hel"}, {"content": "lo"}],
    "a refusal": [{"refusal": "I cannot "}, {"refusal": "do that."}],
    "text parts": [{"content": [{"type": "text", "text": "Hello"}]}],
}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        head, deltas = {"id": "c", "created": 1, "model": "m"}, CASES[request["messages"][0]["content"]]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            message = {"role": "assistant", "content": None}
            for delta in deltas:
                for name, value in delta.items():
                    message[name] = message.get(name) + value if message.get(name) else value
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            self.wfile.write(json.dumps(whole).encode())
            return
        for delta, finish in (({"role": "assistant"}, None), *((delta, None) for delta in deltas), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/v1"

def ask(case, stream):
    messages = [{"role": "user", "content": case}]
    return litellm.completion(model="openai/m", api_base=base, api_key="none", messages=messages, stream=stream)

def said(parts):
    fields = [part.model_dump() for part in parts]
    found = {name: "".join(each.get(name) or "" for each in fields) for name in ("content", "refusal")}
    return {name: text for name, text in found.items() if text} or "nothing"

for case in CASES:
    try:
        whole = said([ask(case, stream=False).choices[0].message])
    except Exception as error:
        whole = type(error).__name__
    chunks = list(ask(case, stream=True))
    streamed, reason = said(chunk.choices[0].delta for chunk in chunks), chunks[-1].choices[0].finish_reason
    print(f"{case}: {whole}, streamed {streamed}, {reason}")
PY
echo "litellm $(env/bin/python -c 'from importlib.metadata import version; print(version("litellm"))')"
seen=$(LITELLM_LOCAL_MODEL_COST_MAP=True timeout 100 env/bin/python ask.py 2>/dev/null | grep streamed)
echo "$seen"
expected="text: {'content': 'Hello'}, streamed {'content': 'Hello'}, stop
a refusal: {'refusal': 'I cannot do that.'}, streamed nothing, stop
text parts: InternalServerError, streamed nothing, stop"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
