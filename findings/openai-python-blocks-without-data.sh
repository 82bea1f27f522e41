#!/usr/bin/env bash
# openai 3.57.0 and httpx-sse 0.4.3 (PyPI), beside sseclient-py 1.9.0: event streams with a block that has no data.
#
# Guess: a block with only `retry: 3000` or `id: 1` sets the reconnection time or the last event's id, and is not an event: "if the
# data buffer is an empty string, set the data buffer and the event type buffer to the empty string and return", says the HTML
# standard.
# Seen: httpx-sse returns an event with empty data. The openai package tries to parse it as JSON: the answer fails at that block
# with a JSONDecodeError, which is not an openai.OpenAIError. sseclient-py skips the block, and all three skip comments.
# What follows: a server or proxy that OpenAI clients connect to must not send `retry:` or `id:` on its own. Put them into a block
# that has data, and keep the connection open with comments. With httpx-sse, skip events whose data is empty.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai==3.57.0 httpx==0.28.1 httpx-sse==0.4.3 \
  requests==2.33.1 sseclient-py==1.9.0 2>/dev/null

cat >read.py <<'PY'
import http.server, json, threading
import httpx, httpx_sse, openai, requests, sseclient

BLOCKS = {"comment": ": still here", "retry": "retry: 3000", "id": "id: 1"}

def chunks():
    for word in ("Hel", "lo"):
        yield {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
               "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"{BLOCKS[self.path.split('/')[1]]}\n\n".encode())
        for chunk in chunks():
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

def openai_python(url):
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    stream = client.chat.completions.create(model="m", messages=[], stream=True)
    return "".join(chunk.choices[0].delta.content for chunk in stream)

def httpx_sse_client(url):
    with httpx.Client() as client, httpx_sse.connect_sse(client, "POST", url, json={}) as source:
        return f"{sum(not event.data for event in source.iter_sse())} empty"

def sseclient_py(url):
    response = requests.post(url, json={}, stream=True)
    return f"{sum(not event.data for event in sseclient.SSEClient(response).events())} empty"

for read in (openai_python, httpx_sse_client, sseclient_py):
    results = []
    for block in BLOCKS:
        try:
            results.append(f"{block}: {read(f'{base}/{block}')}")
        except ValueError as error:
            kind = "an" if isinstance(error, openai.OpenAIError) else "no"
            results.append(f"{block}: {type(error).__name__}, {kind} OpenAIError")
    print(f"{read.__name__}: {'; '.join(results)}")
PY
seen=$(timeout 90 env/bin/python read.py)
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("openai", "httpx-sse", "sseclient-py")), sep=", ")'
echo "$seen"
expected="openai_python: comment: Hello; retry: JSONDecodeError, no OpenAIError; id: JSONDecodeError, no OpenAIError
httpx_sse_client: comment: 0 empty; retry: 1 empty; id: 1 empty
sseclient_py: comment: 0 empty; retry: 0 empty; id: 0 empty"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
