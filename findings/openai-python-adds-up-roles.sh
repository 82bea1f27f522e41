#!/usr/bin/env bash
# openai 3.57.0 (PyPI): chat.completions.stream() concatenates the pieces of every field, even of fields that repeat.
#
# Guess: the helper that collects a stream knows its fields: `content` grows piece by piece, while `role` is a name that a server
# may repeat in each chunk (several do). So the collected message has the role "assistant" and can be sent back unchanged.
# Seen: every string of a delta except `type` is appended to the earlier value. Three chunks with a role make it
# "assistantassistantassistant", without an error, and that is sent to the server with the next question if the message is kept in
# the history. If a list has entries without `index`, such as a gateway's `reasoning_details`, the helper fails with a bare
# RuntimeError at the second piece. Plain `stream=True` returns all of it.
# What follows: with a server other than OpenAI's own, collect the chunks of `stream=True` yourself, and keep only the fields you
# know. Or set the role again before you send the message back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai==3.57.0 2>/dev/null

cat >collect.py <<'PY'
import http.server, json, threading
import openai

STREAMS = {
    "role in each chunk": [
        {"role": "assistant", "content": "Hel"}, {"role": "assistant", "content": "lo"}, {"role": "assistant"},
    ],
    "reasoning details": [
        {"role": "assistant", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "m."}]}, {"content": "Hello"},
    ],
}
roles_received = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        roles_received[:] = [message["role"] for message in request["messages"]]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        deltas = STREAMS[request["model"]]
        for number, delta in enumerate(deltas, 1):
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if number == len(deltas) else None}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)

def ask(model, messages):
    with client.chat.completions.stream(model=model, messages=messages) as stream:
        return stream.get_final_completion().choices[0].message

def ask_plainly(model):
    stream = client.chat.completions.create(model=model, messages=[], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

for model in STREAMS:
    print(f"{model}, stream=True: {ask_plainly(model)}")
    history = [{"role": "user", "content": "Hi"}]
    try:
        history.append(ask(model, history))
        print(f"{model}, stream(): {history[-1].content}, said by {history[-1].role}")
        ask(model, [*history, {"role": "user", "content": "Again"}])
        print(f"roles in the next request: {', '.join(roles_received)}")
    except RuntimeError as error:
        print(f"{model}, stream(): {type(error).__name__}: {str(error).split(';')[0]}")
PY
echo "openai $(env/bin/python -c 'import openai; print(openai.__version__)')"
seen=$(timeout 60 env/bin/python -W ignore collect.py)
echo "$seen"
expected="role in each chunk, stream=True: Hello
role in each chunk, stream(): Hello, said by assistantassistantassistant
roles in the next request: user, assistantassistantassistant, user
reasoning details, stream=True: Hello
reasoning details, stream(): RuntimeError: Expected list delta entry to have an \`index\` key"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
