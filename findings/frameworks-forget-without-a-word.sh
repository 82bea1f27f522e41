#!/usr/bin/env bash
# agno 3.1.10, strands-agents 1.62.0 and llama-index-core 0.14.25 with llama-index-llms-openai-like 0.8.1 (PyPI): how much of a
# conversation is sent to the model.
#
# Guess: an agent or chat engine that keeps the conversation sends all of it until the model's server says that it is too long, or
# it drops the oldest messages one by one, and reports that.
# Seen: there is no error and no warning, and none of them checks how much the model accepts. agno with `add_history_to_context`
# sends the last three questions, and strands the last 40 messages. LlamaIndex assumes a context of 3,900 tokens for every
# OpenAI-compatible model, and its memory makes room by dropping most of what it holds: one request contains 28 questions, and the
# next one only 2.
# What follows: set `num_history_runs`, `conversation_manager` or `context_window` (and `memory`), and show people where the model's
# memory of their conversation begins. Better, send the history from your own transcript.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check agno==3.1.10 "strands-agents[openai]==1.62.0" \
  llama-index-core==0.14.25 llama-index-llms-openai-like==0.8.1 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading

received = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        received[:] = [message for message in request["messages"] if message["role"] == "user"]
        said = {"role": "assistant", "content": "Noted. " * 20}
        head = {"id": "c", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            self.wfile.write(json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage}).encode())
            return
        for delta, finish in ((said, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"

def agno():
    from agno.agent import Agent
    from agno.db.in_memory import InMemoryDb
    from agno.models.openai.like import OpenAILike

    model = OpenAILike(id="m", base_url=url, api_key="none")
    return Agent(model=model, db=InMemoryDb(), session_id="s", add_history_to_context=True, telemetry=False).run

def strands():
    from strands import Agent
    from strands.models.openai import OpenAIModel

    model = OpenAIModel(client_args={"base_url": url, "api_key": "none"}, model_id="m")
    return Agent(model=model, callback_handler=None)

def llama_index():
    from llama_index.core.chat_engine import SimpleChatEngine
    from llama_index.llms.openai_like import OpenAILike

    model = OpenAILike(model="m", api_base=url, api_key="none", is_chat_model=True)
    return SimpleChatEngine.from_defaults(llm=model).chat

for start in (agno, strands, llama_index):
    ask, sent = start(), []
    for number in range(1, 61):
        ask(f"{number}. This is a question of some thirty words. " + "word " * 20)
        sent.append(len(received))
    most = max(sent)
    print(f"{start.__name__}: at most {most} of 60 questions, then {sent[sent.index(most) + 1]}")
PY
env/bin/python -c 'from importlib.metadata import version
names = ("agno", "strands-agents", "llama-index-core", "llama-index-llms-openai-like")
print(*(f"{name} {version(name)}" for name in names), sep=", ")'
seen=$(timeout 200 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="agno: at most 4 of 60 questions, then 4
strands: at most 21 of 60 questions, then 21
llama_index: at most 28 of 60 questions, then 2"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
