#!/usr/bin/env bash
# anthropic 2.14.0 (PyPI): the input of a truncated tool call is completed, and looks like a complete one.
#
# Guess: if the answer ends at max_tokens in the middle of a tool call's JSON, the collected block has no usable input: an error is
# raised, as json.loads() would, or the raw text is returned.
# Seen: messages.stream() parses the JSON leniently: it closes open objects and lists, and drops a key or string that is incomplete.
# get_final_message() returns a plain dict with the arguments that happened to arrive first, and raises no error. Only the stop
# reason of the whole message, "max_tokens", shows that `dry_run` or half of the list is missing.
# What follows: check stop_reason before running any tool, and run none if it is "max_tokens". Optional arguments that make a tool
# more careful may be the ones that are lost.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check anthropic==2.14.0 2>/dev/null

cat >call.py <<'PY'
import http.server, json, threading
import anthropic

WHOLE = '{"folders": ["/srv/old", "/srv/new"], "pattern": "*.tmp", "dry_run": true}'
CUTS = [len(WHOLE), WHOLE.index("_run"), WHOLE.index(".tmp"), WHOLE.index("/new")]

def events(arguments, stop_reason):
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None,
               "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    yield {"type": "message_start", "message": message}
    block = {"type": "tool_use", "id": "t", "name": "delete_files", "input": {}}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    delta = {"type": "input_json_delta", "partial_json": arguments}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        cut = int(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"])
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events(WHOLE[:cut], "tool_use" if cut == len(WHOLE) else "max_tokens"):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
question = [{"role": "user", "content": "Which temporary files would go?"}]
for cut in CUTS:
    with client.messages.stream(model=str(cut), max_tokens=9, messages=question) as stream:
        message = stream.get_final_message()
    print(f"sent {WHOLE[:cut]}\n  got {json.dumps(message.content[0].input)}, {message.stop_reason}")
PY
echo "anthropic $(env/bin/python -c 'import anthropic; print(anthropic.__version__)')"
seen=$(timeout 60 env/bin/python call.py)
echo "$seen"
expected='sent {"folders": ["/srv/old", "/srv/new"], "pattern": "*.tmp", "dry_run": true}
  got {"folders": ["/srv/old", "/srv/new"], "pattern": "*.tmp", "dry_run": true}, tool_use
sent {"folders": ["/srv/old", "/srv/new"], "pattern": "*.tmp", "dry
  got {"folders": ["/srv/old", "/srv/new"], "pattern": "*.tmp"}, max_tokens
sent {"folders": ["/srv/old", "/srv/new"], "pattern": "*
  got {"folders": ["/srv/old", "/srv/new"]}, max_tokens
sent {"folders": ["/srv/old", "/srv
  got {"folders": ["/srv/old"]}, max_tokens'
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
