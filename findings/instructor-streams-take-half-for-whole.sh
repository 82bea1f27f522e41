#!/usr/bin/env bash
# instructor 1.17.0 with openai 3.3.0 (PyPI): if streamed, a truncated structured answer passes as complete.
#
# Guess: an answer that ends with finish_reason "length" raises IncompleteOutputException, whether it is streamed or not. At the
# latest, the last object of create_partial() is validated against the model, which has required fields.
# Seen: only create() raises. create_partial() ends as if nothing had happened: its last object has half of a list, half of a word,
# and None in a required field. create_iterable() drops the incomplete object, and the person sees fewer objects.
# What follows: validate the last object of create_partial() against the real class (half a list of strings still passes), and check
# the finish reason. The chunks of a stream that you request yourself contain it; these helpers do not expose it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check instructor==1.17.0 openai==3.3.0 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
import instructor, openai, pydantic

PLAN = '{"city": "Turin", "steps": ["pack", "book the tr'
PLANS = '{"tasks": [{"city": "Turin", "steps": [], "agreed": false}, {"city": "Lis'

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        function = {"name": request["tools"][0]["function"]["name"], "arguments": request["model"]}
        said = {"role": "assistant", "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
        head = {"id": "c", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": "length"}
            self.wfile.write(json.dumps({**head, "object": "chat.completion", "choices": [choice]}).encode())
            return
        for delta, finish in ((said, None), ({}, "length")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
plain = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
client = instructor.from_openai(plain)

class Plan(pydantic.BaseModel):
    city: str
    steps: list[str]
    agreed: bool

def ask(method, answer):
    return method(model=answer, response_model=Plan, messages=[{"role": "user", "content": "Plan"}])

WAYS = {
    "create": lambda: ask(client.create, PLAN),
    "create_partial": lambda: list(ask(client.create_partial, PLAN))[-1].model_dump(),
    "create_iterable": lambda: [plan.model_dump() for plan in ask(client.create_iterable, PLANS)],
}
for name, way in WAYS.items():
    try:
        print(f"{name}: {way()}")
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("instructor", "openai")), sep=", ")'
seen=$(timeout 100 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="create: IncompleteOutputException
create_partial: {'city': 'Turin', 'steps': ['pack', 'book the tr'], 'agreed': None}
create_iterable: [{'city': 'Turin', 'steps': [], 'agreed': False}]"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
