#!/usr/bin/env bash
# starlette 1.10.0 and sse-starlette 3.7.0 under uvicorn 0.54.0 (PyPI): a sync generator outlives its reader.
#
# Guess: StreamingResponse and EventSourceResponse treat both kinds of generators the same way: when the browser tab is closed, the
# generator is closed too and its `finally` runs, so a request to a model made inside it ends as well.
# Seen: an async generator is closed at once. A sync generator, which runs in a thread, is not iterated any further, but nobody
# closes it: a reference cycle keeps it alive until the garbage collector runs, which may take very long on a quiet server.
# What follows: stream an answer from an async generator, or close the sync one in your own response class. Otherwise the model
# keeps writing for somebody who has left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check starlette==1.10.0 sse-starlette==3.7.0 \
  uvicorn==0.54.0 2>/dev/null

cat >leave.py <<'PY'
import asyncio, gc, socket, threading, time, uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

gc.disable()  # so that a collection happens at one known moment
closed = set()

def plain(name):
    try:
        while True:
            yield "data: word\n\n"
            time.sleep(0.05)
    finally:
        closed.add(name)

async def coroutine(name):
    try:
        while True:
            yield "data: word\n\n"
            await asyncio.sleep(0.05)
    finally:
        closed.add(name)

def route(response, generator):
    name = f"{response.__name__}, {'async' if generator is coroutine else 'plain'} generator"
    return name, Route("/" + str(len(ROUTES)), lambda request: response(generator(name)))

ROUTES = []
for response in (StreamingResponse, EventSourceResponse):
    for generator in (coroutine, plain):
        ROUTES.append(route(response, generator))

listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(Starlette(routes=[each for _, each in ROUTES]), log_level="critical"))
threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
for name, each in ROUTES:
    with socket.create_connection(listener.getsockname(), 20) as reader:
        reader.sendall(f"GET {each.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        while b"word" not in received:
            received += reader.recv(4096)
    end = time.monotonic() + 5
    while name not in closed and time.monotonic() < end:
        time.sleep(0.05)
    before = "closed" if name in closed else "open after 5 s"
    gc.collect()
    print(f"{name}: {before}, {'closed' if name in closed else 'open'} after a collection")
PY
seen=$(timeout 90 env/bin/python leave.py)
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("starlette", "sse-starlette", "uvicorn")), sep=", ")'
echo "$seen"
expected="StreamingResponse, async generator: closed, closed after a collection
StreamingResponse, plain generator: open after 5 s, closed after a collection
EventSourceResponse, async generator: closed, closed after a collection
EventSourceResponse, plain generator: open after 5 s, closed after a collection"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
