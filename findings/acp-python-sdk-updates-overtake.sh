#!/usr/bin/env bash
# agent-client-protocol 0.12.1 (PyPI): session updates may be handled out of order.
#
# Guess: a client's session_update() is called for one update at a time, in the order in which the agent sent them, so it can safely
# await something (a lock, a file, a bounded queue).
# Seen: each notification runs in its own task. If the handler awaits, later updates overtake earlier ones, and the words of an
# answer are reordered. prompt() returns only after all of them have been handled.
# What follows: in session_update(), append to a queue without awaiting anything, and let a single consumer do the rest.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check agent-client-protocol==0.12.1 2>/dev/null

cat >agent.py <<'PY'
import json, sys

def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

RESULTS = {"initialize": {"protocolVersion": 1}, "session/new": {"sessionId": "s"}, "session/prompt": {"stopReason": "end_turn"}}
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "session/prompt":
        for word in ("one", "two", "three"):
            content = {"type": "text", "text": word}
            update = {"sessionUpdate": "agent_message_chunk", "content": content}
            send(method="session/update", params={"sessionId": "s", "update": update})
    send(id=request["id"], result=RESULTS[request["method"]])
PY
cat >client.py <<'PY'
import asyncio, sys
from acp import spawn_agent_process, text_block

class Client:
    def __init__(self):
        self.words = []

    def on_connect(self, connection):
        pass

    async def session_update(self, session_id, update, **more):
        if not self.words and update.content.text == "one":
            await asyncio.sleep(0.2)  # the first word takes longer to handle
        self.words.append(update.content.text)

async def main():
    client = Client()
    async with spawn_agent_process(client, sys.executable, "agent.py") as (connection, _):
        await connection.initialize(protocol_version=1)
        session = await connection.new_session(cwd="/", mcp_servers=[])
        await connection.prompt(prompt=[text_block("count")], session_id=session.session_id)
    print(*client.words)

asyncio.run(main())
PY
seen=$(timeout 60 env/bin/python client.py)
echo "agent-client-protocol $(env/bin/python -c 'from importlib.metadata import version; print(version("agent-client-protocol"))')"
echo "written: one two three"
echo "handled: $seen"
[ "$seen" = "two three one" ] || { echo "This has changed."; exit 1; }
