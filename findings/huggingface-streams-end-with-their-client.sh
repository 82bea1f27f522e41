#!/usr/bin/env bash
# huggingface_hub 2.4.0, beside openai 2.8.1 and groq 1.7.0 (PyPI): a stream whose client is not kept in a variable.
#
# Guess: what `chat_completion(stream=True)` returns keeps open what it reads from, as a file keeps its descriptor. A function may
# make a client, ask and return the stream, or loop over InferenceClient(…).chat_completion(…) in one line.
# Seen: the client holds the response, not the stream. Once Python has freed the client, which it does as soon as the function
# returns, the connection is closed: the first piece raises httpx's StreamClosed, which speaks of streams that are read twice and
# not of a client. With huggingface_hub 0.36.0 the same lines work. With the clients of OpenAI and Groq they work, too.
# What follows: keep the client as long as the stream, in a module or beside it, or loop over the stream inside of the function.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
count=0
for set in "huggingface_hub==0.36.0" "huggingface_hub==2.4.0 openai==2.8.1 groq==1.7.0"; do
  python3 -m venv "env$((++count))"
  # shellcheck disable=SC2086
  "env$count/bin/pip" install --quiet --disable-pip-version-check $set 2>/dev/null
done

cat >ask.py <<'PY'
import importlib.metadata
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUESTION = [{"role": "user", "content": "Hello?"}]


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for text in ("Good ", "morning."):
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        chunk["choices"][0] |= {"delta": {}, "finish_reason": "stop"}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
server.handle_error = lambda *_: None  # a reader that has left
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/v1"


def client_of(package):
    if package == "huggingface_hub":
        from huggingface_hub import InferenceClient

        return InferenceClient(base_url=address, api_key="k")
    if package == "openai":
        from openai import OpenAI as Client
    else:
        from groq import Groq as Client
    return Client(base_url=address, api_key="k")


def stream_of(client):
    return client.chat.completions.create(model="m", messages=QUESTION, stream=True)


def tell(package, how, stream):
    said = []
    try:
        for chunk in stream:
            said.append(chunk.choices[0].delta.content or "")
        ended = "whole"
    except Exception as error:
        ended = type(error).__name__
    print(f"{package} {importlib.metadata.version(package)}, client {how}: {''.join(said)!r}, {ended}")


for package in sys.argv[1:]:
    client = client_of(package)
    tell(package, "kept", stream_of(client))
    tell(package, "not kept", stream_of(client_of(package)))
PY
seen=$(timeout 60 env1/bin/python -W ignore ask.py huggingface_hub; timeout 60 env2/bin/python -W ignore ask.py huggingface_hub openai groq)
echo "$seen"
expected=$(cat <<'TEXT'
huggingface_hub 0.36.0, client kept: 'Good morning.', whole
huggingface_hub 0.36.0, client not kept: 'Good morning.', whole
huggingface_hub 2.4.0, client kept: 'Good morning.', whole
huggingface_hub 2.4.0, client not kept: '', StreamClosed
openai 2.8.1, client kept: 'Good morning.', whole
openai 2.8.1, client not kept: 'Good morning.', whole
groq 1.7.0, client kept: 'Good morning.', whole
groq 1.7.0, client not kept: 'Good morning.', whole
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
