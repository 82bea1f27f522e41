#!/usr/bin/env bash
# langchain-mistralai 1.1.6, beside langchain-openai 1.7.4 and mistralai 3.7.0 (PyPI): an error sent in the middle of an answer.
#
# Guess: vLLM, llama.cpp and gateways end a stream that fails with `data: {"error": …}`, since status 200 was sent long before. A
# client for such servers raises an error at that point, as it does for an error status.
# Seen: the other two raise, though with different types. ChatMistralAI skips everything that has no choices: half an answer counts
# as the answer, whether streamed, asynchronous or invoked with `streaming=True`, with no error, warning or log. The only sign is
# that its metadata has no finish reason. A chain or an agent continues with that half, and keeps it.
# What follows: with ChatMistralAI, accept an answer as complete only if response_metadata has a finish_reason. For a model on your
# own server, use ChatOpenAI with its base_url.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langchain-mistralai==1.1.6 langchain-openai==1.7.4 \
  mistralai==3.7.0 2>/dev/null

cat >ask.py <<'PY'
import asyncio, json, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from langchain_mistralai import ChatMistralAI
from langchain_openai import ChatOpenAI
from mistralai.client import Mistral

def chunk(text, reason=None):
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

ERROR = {"error": {"message": "out of memory", "type": "server_error", "code": 500}}
EVENTS = {"whole": [chunk("Do not "), chunk("press it.", "stop")], "failed": [chunk("Do not "), chunk("press it"), ERROR]}

class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in EVENTS[asked["model"]]:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"

def join(chunks):
    whole = chunks[0]
    for part in chunks[1:]:
        whole += part
    return f"{whole.text!r}, finish_reason {whole.response_metadata.get('finish_reason')}"

def streamed(case):
    return join(list(ChatMistralAI(endpoint=url, api_key="none", model=case).stream("Hi")))

def asynchronous(case):
    async def ask():
        return [part async for part in ChatMistralAI(endpoint=url, api_key="none", model=case).astream("Hi")]
    return join(asyncio.run(ask()))

def invoked(case):
    return join([ChatMistralAI(endpoint=url, api_key="none", model=case, streaming=True).invoke("Hi")])

def langchain_openai(case):
    return join(list(ChatOpenAI(base_url=f"{url}/v1", api_key="none", model=case, max_retries=0).stream("Hi")))

def mistralai(case):
    events = Mistral(api_key="none", server_url=url).chat.stream(model=case, messages=[{"role": "user", "content": "Hi"}])
    return repr("".join(event.data.choices[0].delta.content for event in events))

for ask in (streamed, asynchronous, invoked, langchain_openai, mistralai):
    for case in EVENTS:
        try:
            result = ask(case)
        except Exception as error:
            result = type(error).__name__
        print(f"{ask.__name__}, {case}: {result}")
PY
seen=$(timeout 60 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
expected="streamed, whole: 'Do not press it.', finish_reason stop
streamed, failed: 'Do not press it', finish_reason None
asynchronous, whole: 'Do not press it.', finish_reason stop
asynchronous, failed: 'Do not press it', finish_reason None
invoked, whole: 'Do not press it.', finish_reason stop
invoked, failed: 'Do not press it', finish_reason None
langchain_openai, whole: 'Do not press it.', finish_reason stop
langchain_openai, failed: APIError
mistralai, whole: 'Do not press it.'
mistralai, failed: ResponseValidationError"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
