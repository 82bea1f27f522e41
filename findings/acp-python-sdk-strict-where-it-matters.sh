#!/usr/bin/env bash
# agent-client-protocol 0.12.1 (PyPI): an unknown stop reason fails a prompt whose answer has arrived completely.
#
# Guess: names that a client does not know yet are all treated the same way, as the protocol's extensibility suggests: they are
# ignored, or passed on unchanged.
# Seen: there are three behaviors. An unknown tool kind or tool status is passed on. An unknown session update is dropped, with a
# traceback in the log. An unknown stop reason makes prompt() raise a ValidationError after all of the text has been delivered: a
# client that trusts the call reports a complete answer as failed.
# What follows: treat an answer as ended once the response has arrived, whatever it contains. If you need the reason, take it from
# the error's input.
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

WORD = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "done"}}
TOOL = {"sessionUpdate": "tool_call", "toolCallId": "t", "title": "Look", "status": "completed"}
CASES = {
    "tool kind": ({**TOOL, "kind": "browse"}, "end_turn"),
    "tool status": ({**TOOL, "status": "skipped"}, "end_turn"),
    "session update": ({"sessionUpdate": "weather_update"}, "end_turn"),
    "stop reason": (None, "budget_exhausted"),
}
extra, reason = CASES[sys.argv[1]]
RESULTS = {"initialize": {"protocolVersion": 1}, "session/new": {"sessionId": "s"}, "session/prompt": {"stopReason": reason}}
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "session/prompt":
        for update in filter(None, (extra, WORD)):
            send(method="session/update", params={"sessionId": "s", "update": update})
    send(id=request["id"], result=RESULTS[request["method"]])
PY
cat >client.py <<'PY'
import asyncio, logging, sys
from acp import spawn_agent_process, text_block

class Client:
    def __init__(self):
        self.updates = []

    def on_connect(self, connection):
        pass

    async def session_update(self, session_id, update, **more):
        self.updates.append(update.session_update)

class Tracebacks(logging.Handler):
    count = 0

    def emit(self, record):
        Tracebacks.count += bool(record.exc_info)

logging.getLogger().addHandler(Tracebacks())

async def main(case):
    client = Client()
    async with spawn_agent_process(client, sys.executable, "agent.py", case) as (connection, _):
        await connection.initialize(protocol_version=1)
        session = await connection.new_session(cwd="/", mcp_servers=[])
        try:
            ended = (await connection.prompt(prompt=[text_block("go")], session_id=session.session_id)).stop_reason
        except Exception as error:
            ended = type(error).__name__
    print(f"{case}: {', '.join(client.updates)}; {ended}; {Tracebacks.count} tracebacks")

asyncio.run(main(sys.argv[1]))
PY
echo "agent-client-protocol $(env/bin/python -c 'from importlib.metadata import version; print(version("agent-client-protocol"))'), with one unknown name each:"
seen=$(for case in "tool kind" "tool status" "session update" "stop reason"; do timeout 60 env/bin/python client.py "$case"; done)
echo "$seen"
expected="tool kind: tool_call, agent_message_chunk; end_turn; 0 tracebacks
tool status: tool_call, agent_message_chunk; end_turn; 0 tracebacks
session update: agent_message_chunk; end_turn; 1 tracebacks
stop reason: agent_message_chunk; ValidationError; 0 tracebacks"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
