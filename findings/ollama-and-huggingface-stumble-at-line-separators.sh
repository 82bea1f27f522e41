#!/usr/bin/env bash
# ollama 0.6.3 and huggingface_hub 2.4.0 (PyPI), beside openai 3.57.0 and httpx-sse 0.4.3: an answer that contains U+2028.
#
# Guess: JSON strings may contain U+2028, U+2029 and U+0085 unescaped. The usual serializers of Rust and C++ do not escape them,
# Go's does not escape U+0085, and a client that reads lines splits them at "\n". A model writes such a character when it repeats
# text that was pasted from a word processor.
# Seen: openai and httpx-sse return it. ollama and huggingface_hub read with httpx's iter_lines(), which splits wherever
# str.splitlines() does: the answer fails at that chunk with a bare JSONDecodeError, which is not one of their own errors. Without
# streaming, both are right.
# What follows: split the bytes of a stream at "\n" and "\r" only, and decode afterwards. A server that such clients connect to
# should escape the three characters (json.dumps does by default). With these clients, catch ValueError as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ollama==0.6.3 huggingface_hub==2.4.0 openai==3.57.0 \
  httpx-sse==0.4.3 httpx==0.28.1 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
import httpx, httpx_sse, huggingface_hub, ollama, openai

CHARACTERS = {"U+2028": "\u2028", "U+0085": "\x85", "U+00A0": "\xa0"}
QUESTION = [{"role": "user", "content": "Hi"}]

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.streamed = json.loads(self.rfile.read(int(self.headers["Content-Length"]))).get("stream")
        self.said = {"role": "assistant", "content": f"one{character}two"}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if self.streamed else "application/json")
        self.end_headers()
        body = self.ollama() if self.path == "/api/chat" else self.openai()
        self.wfile.write(body.encode())

    def ollama(self):
        return json.dumps({"model": "m", "message": self.said, "done": True}, ensure_ascii=False) + "\n"

    def openai(self):
        choice = {"index": 0, "delta" if self.streamed else "message": self.said, "finish_reason": "stop"}
        kind = "chat.completion.chunk" if self.streamed else "chat.completion"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        whole = {"id": "c", "object": kind, "created": 1, "model": "m", "choices": [choice], "usage": usage}
        text = json.dumps(whole, ensure_ascii=False)
        return f"data: {text}\n\ndata: [DONE]\n\n" if self.streamed else text

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

def ollama_client(stream):
    answer = ollama.Client(host=base).chat(model="m", messages=QUESTION, stream=stream)
    return "".join(each.message.content for each in (answer if stream else [answer]))

def hugging_face(stream):
    client = huggingface_hub.InferenceClient(base_url=base, api_key="none")
    return text_of(client.chat_completion(messages=QUESTION, stream=stream), stream)

def openai_python(stream):
    client = openai.OpenAI(base_url=base, api_key="none")
    return text_of(client.chat.completions.create(model="m", messages=QUESTION, stream=stream), stream)

def text_of(answer, stream):
    if not stream:
        return answer.choices[0].message.content
    return "".join(chunk.choices[0].delta.content for chunk in answer)

def httpx_sse_client(stream):
    if not stream:
        return httpx.post(base, json={}).json()["choices"][0]["message"]["content"]
    with httpx.Client() as client, httpx_sse.connect_sse(client, "POST", base, json={"stream": True}) as source:
        return json.loads(next(source.iter_sse()).data)["choices"][0]["delta"]["content"]

def shown(ask, stream):
    try:
        return "right" if ask(stream) == f"one{character}two" else "wrong"
    except ValueError as error:
        return type(error).__name__

for ask in (ollama_client, hugging_face, openai_python, httpx_sse_client):
    for name, character in CHARACTERS.items():
        print(f"{ask.__name__}, {name}: {shown(ask, False)}, streamed {shown(ask, True)}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("ollama", "huggingface_hub", "openai", "httpx-sse")), sep=", ")'
seen=$(timeout 100 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="ollama_client, U+2028: right, streamed JSONDecodeError
ollama_client, U+0085: right, streamed JSONDecodeError
ollama_client, U+00A0: right, streamed right
hugging_face, U+2028: right, streamed JSONDecodeError
hugging_face, U+0085: right, streamed JSONDecodeError
hugging_face, U+00A0: right, streamed right
openai_python, U+2028: right, streamed right
openai_python, U+0085: right, streamed right
openai_python, U+00A0: right, streamed right
httpx_sse_client, U+2028: right, streamed right
httpx_sse_client, U+0085: right, streamed right
httpx_sse_client, U+00A0: right, streamed right"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
