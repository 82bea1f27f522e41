#!/usr/bin/env bash
# litellm 1.110.2, beside langchain-anthropic 1.7.10 and agno 3.1.10 (PyPI): what replaces messages that Claude's API rejects.
#
# Guess: Anthropic's API accepts no empty text and no system message between others. A library drops the empty message, and moves
# the instructions to the top or raises an error; it makes nothing up.
# Seen: the other two do that. litellm adds sentences of its own: an answer that was stopped before its first word becomes "[System:
# Empty message content sanitised to satisfy protocol]", spoken by Claude, and a picture sent without words comes with that
# sentence, spoken by the person. Instructions in the middle become the beginning of the person's next question, below an "Operator
# note". The model reads these as part of the conversation, and may answer or repeat them.
# What follows: drop messages and parts without text before litellm gets them, and put all instructions into the first message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 langchain-anthropic==1.7.10 agno==3.1.10 \
  anthropic==2.14.0 2>/dev/null

cat >ask.py <<'PY'
import json, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import litellm
from agno.models.anthropic import Claude
from agno.models.message import Message
from langchain_anthropic import ChatAnthropic

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
TALKS = {
    "stopped answer": [("user", "Hi."), ("assistant", ""), ("user", "Go on.")],
    "instructions": [("system", "Be brief."), ("user", "Hi."), ("assistant", "Hello."), ("system", "Be kind."), ("user", "Go on.")],
    "picture": [("user", [{"type": "text", "text": ""}, PICTURE])],
}
asked = []

class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = {
            "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "Yes."}],
            "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"

def with_litellm(talk):
    messages = [{"role": role, "content": content} for role, content in talk]
    litellm.completion("anthropic/claude-sonnet-4-5", api_base=url, api_key="none", messages=messages, max_tokens=9)

def with_langchain(talk):
    ChatAnthropic(model="claude-sonnet-4-5", base_url=url, api_key="none").invoke(list(talk))

def with_agno(talk):
    model = Claude(id="claude-sonnet-4-5", api_key="none", client_params={"base_url": url})
    model.response(messages=[Message(role=role, content=content) for role, content in talk])

def said(content):
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return " + ".join(part.get("text", f"({part['type']})") for part in parts)

def told(request):
    system = [f"system: {said(request['system'])}"] if request.get("system") else []
    return " / ".join([*system, *(f"{message['role']}: {said(message['content'])}" for message in request["messages"])])

for name, talk in TALKS.items():
    for ask in (with_litellm, with_langchain, with_agno):
        if name == "picture" and ask is with_agno:
            continue  # it takes pictures in a field of its own
        try:
            ask(talk)
            result = told(asked[-1])
        except ValueError as error:
            result = f"ValueError: {error}"
        print(f"{name}, {ask.__name__}: {result}")
PY
seen=$(LITELLM_LOCAL_MODEL_COST_MAP=True timeout 90 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
note="Operator note (not from the user): the following was originally a mid-conversation system-role reminder."
made="[System: Empty message content sanitised to satisfy protocol]"
expected="stopped answer, with_litellm: user: Hi. / assistant: $made / user: Go on.
stopped answer, with_langchain: user: Hi. / user: Go on.
stopped answer, with_agno: user: Hi. + Go on.
instructions, with_litellm: system: Be brief. / user: Hi. / assistant: Hello. / user: $note + Be kind. + Go on.
instructions, with_langchain: ValueError: Received multiple non-consecutive system messages.
instructions, with_agno: system: Be brief. Be kind. / user: Hi. / assistant: Hello. / user: Go on.
picture, with_litellm: user: $made + (image)
picture, with_langchain: user: (image)"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
