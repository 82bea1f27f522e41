#!/usr/bin/env bash
# shell-gpt 1.5.1 with openai 2.54.0 (PyPI): asking again after an answer that was empty or cut off.
#
# Guess: sgpt caches answers, as its README says, so that the same question is not paid for twice. What it caches are complete
# answers: one that broke off, was cut off at the token limit, or is empty, is requested again when the question is asked again.
# Seen: whatever has arrived when the stream ends is cached, whatever its finish reason, and even if there is none. The same
# question then gets the same half, or the same nothing, without a request, until a hundred other answers have replaced it. The
# model seems to be broken, since it says the same every time. --no-cache requests an answer once, but the next question without
# it gets the old half again, as the two are cached separately.
# What follows: set CACHE_LENGTH=0, or delete the files in CACHE_PATH after an answer that looks cut off. This project caches no
# answers, and "Try again" always asks the model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check shell-gpt==1.5.1 openai==2.54.0 click==8.5.1 typer==0.29.2 distro==1.9.0 \
  2>/dev/null

cat >ask.py <<'PY'
import json, os, subprocess, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "cut off at the limit": [("Mix the flour with", None), (None, "length")],
    "broken off": [("Mix the", None)],
    "empty": [(None, "stop")],
    "complete": [("Mix the flour with water.", None), (None, "stop")],
}
requests, answer = [], []

class Model(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        requests.append(self.rfile.read(int(self.headers["content-length"])))
        body = ""
        for text, reason in ANSWERS[answer[-1]]:
            choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": reason}
            chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            body += f"data: {json.dumps(chunk)}\n\n"
        if answer[-1] != "broken off":
            body += "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "HOME": os.getcwd(), "OPENAI_API_KEY": "k", "API_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1",
        "DEFAULT_MODEL": "m", "PRETTIFY_MARKDOWN": "false", "CACHE_PATH": os.path.abspath("cache"),
        "CHAT_CACHE_PATH": os.path.abspath("chats"),
    }

    def ask(question, kind, *options, **more):
        answer.append(kind)
        before = len(requests)
        command = ["env/bin/sgpt", *options, question]
        text = subprocess.run(
            command, env=os.environ | settings | more, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        ).stdout.strip()
        print(f"  the model's answer is {kind}: {text!r}, {len(requests) - before} request")

    for kind in ("cut off at the limit", "broken off", "empty"):
        question = f"What follows if it is {kind}?"
        print(question)
        ask(question, kind)
        ask(question, "complete")
    print("with --no-cache, and without it again")
    ask(question, "complete", "--no-cache")
    ask(question, "complete")
    print("with CACHE_LENGTH=0")
    for kind in ("empty", "complete"):
        ask("And now?", kind, CACHE_LENGTH="0")

main()
PY
seen=$(timeout 120 env/bin/python -W ignore ask.py)
echo "$seen"
expected=$(cat <<'TEXT'
What follows if it is cut off at the limit?
  the model's answer is cut off at the limit: 'Mix the flour with', 1 request
  the model's answer is complete: 'Mix the flour with', 0 request
What follows if it is broken off?
  the model's answer is broken off: 'Mix the', 1 request
  the model's answer is complete: 'Mix the', 0 request
What follows if it is empty?
  the model's answer is empty: '', 1 request
  the model's answer is complete: '', 0 request
with --no-cache, and without it again
  the model's answer is complete: 'Mix the flour with water.', 1 request
  the model's answer is complete: '', 0 request
with CACHE_LENGTH=0
  the model's answer is empty: '', 1 request
  the model's answer is complete: 'Mix the flour with water.', 1 request
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
