#!/usr/bin/env bash
# langgraph-openai-serve 0.31.0 with langchain 1.5.2 and langchain-openai 1.7.4 (PyPI): a LangGraph agent behind OpenAI's API.
#
# Guess: the same agent answers the same, streamed or not. What the model says before it calls a tool ("Let me look.") is part of
# the stream or is left out, and the finish reason is the model's: "length" if the answer was cut off.
# Seen: if the model says anything before a tool call, the streamed answer arrives completely and then ends with an error,
# "Internal server error": the gateway compares all the text that it has streamed with the agent's last message, and they differ.
# Clients report the answer as failed, and may ask for it again, with all its tool calls. Without streaming, or without these
# words, it works. The finish reason is always "stop", so an answer that the token limit has cut off looks complete.
# What follows: tell the model to call its tools without a word, or request answers without streaming. Do not trust "stop" there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langgraph-openai-serve==0.31.0 langchain==1.5.2 langchain-openai==1.7.4 \
  uvicorn==0.54.0 2>/dev/null

cat >serve.py <<'PY'
import http.server, json, threading, time
import openai, uvicorn
from fastapi import FastAPI
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph_openai_serve import GraphConfig, GraphRegistry, LanggraphOpenaiServe

CALL = {"index": 0, "id": "call", "type": "function", "function": {"name": "look", "arguments": "{}"}}

def answer(messages):
    """Yields the model's deltas and returns its finish reason."""
    if messages[-1]["role"] == "tool":
        yield {"content": "It is sunny."}
    elif messages[-1]["content"] == "Explain clouds.":
        yield {"content": "Clouds are"}
        return "length"
    else:
        if messages[-1]["content"] == "Explain, then look.":
            yield {"content": "Let me look. "}
        yield {"tool_calls": [CALL]}
        return "tool_calls"
    return "stop"

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        deltas, reason = [], None
        said = answer(request["messages"])
        while reason is None:
            try:
                deltas.append(next(said))
            except StopIteration as end:
                reason = end.value
        head = {"id": "c", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        if not request.get("stream"):
            message = {"role": "assistant", "content": None, **{name: value for delta in deltas for name, value in delta.items()}}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self.wfile.write(json.dumps({**head, "object": "chat.completion", "choices": [choice]}).encode())
            return
        for delta, finish in (*((delta, None) for delta in deltas), ({}, reason)):
            choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

def look() -> str:
    """Look out of the window."""
    return "sun"

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
agent = create_agent(ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none"), [look])
app = FastAPI()
registry = GraphRegistry(graphs={"agent": GraphConfig(graph=agent, description="Looks out of the window.")})
LanggraphOpenaiServe(registry=registry, app=app).bind_openai_api()
gateway = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
threading.Thread(target=gateway.run, daemon=True).start()
while not gateway.started:
    time.sleep(0.1)
port = gateway.servers[0].sockets[0].getsockname()[1]
client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)

def whole(messages):
    choice = client.chat.completions.create(model="agent", messages=messages).choices[0]
    return f"{choice.message.content!r}, {choice.finish_reason}"

def streamed(messages):
    text, reason = "", None
    try:
        for chunk in client.chat.completions.create(model="agent", messages=messages, stream=True):
            text += chunk.choices[0].delta.content or ""
            reason = chunk.choices[0].finish_reason or reason
    except openai.APIError as error:
        reason = f"{type(error).__name__}: {error.message}"
    return f"{text!r}, {reason}"

for question in ("Look.", "Explain, then look.", "Explain clouds."):
    messages = [{"role": "user", "content": question}]
    print(f"{question}\n  whole: {whole(messages)}\n  streamed: {streamed(messages)}", flush=True)
PY
version='from importlib.metadata import version; print("langgraph-openai-serve", version("langgraph-openai-serve"))'
env/bin/python -c "$version"
seen=$(timeout 100 env/bin/python -W ignore serve.py 2>/dev/null | grep -v '^{')
echo "$seen"
expected=$(cat <<'TEXT'
Look.
  whole: 'It is sunny.', stop
  streamed: 'It is sunny.', stop
Explain, then look.
  whole: 'It is sunny.', stop
  streamed: 'Let me look. It is sunny.', APIError: Internal server error
Explain clouds.
  whole: 'Clouds are', stop
  streamed: 'Clouds are', stop
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
