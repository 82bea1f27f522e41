#!/usr/bin/env bash
# anthropic 2.14.0 (PyPI): what a stream raises if the answer fails after its first words.
#
# Guess: errors before an answer and within it are reported in the same way: "overloaded" is an OverloadedError with status 529, a
# broken connection is an APIConnectionError, and an answer that ends without message_stop is an error, too. Then a single
# `except anthropic.APIError` and the status are enough to decide about a retry.
# Seen: the error event becomes a plain APIStatusError with status_code 200. A broken connection raises httpx2's
# RemoteProtocolError, which is neither an anthropic.AnthropicError nor an httpx error. If the stream simply ends, nothing is
# raised: get_final_message() returns what has arrived, with stop_reason None.
# What follows: in a stream, check error.body["error"]["type"] rather than the status. Catch httpx2.HTTPError as well, and treat an
# answer as complete only if stop_reason is set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check anthropic==2.14.0 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading
import anthropic

OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None,
           "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
WORDS = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
]
CASES = ["overloaded at once", "overloaded later", "connection broken off", "stream just ends"]

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        case = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.close_connection = True
        if case == "overloaded at once":
            body = json.dumps(OVERLOADED).encode()
            self.send_response(529)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in [*WORDS, OVERLOADED] if case == "overloaded later" else WORDS:
            piece = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if case != "connection broken off":
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
for case in CASES:
    words = []
    try:
        with client.messages.stream(model=case, max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream:
            words.extend(stream.text_stream)
            end = f"no error, stop_reason {stream.get_final_message().stop_reason}"
    except Exception as error:
        module = type(error).__module__.split(".")[0].strip("_")
        end = f"{module}.{type(error).__name__}, status {getattr(error, 'status_code', None)}"
    print(f"{case}: {''.join(words) or 'no words'}; {end}")
PY
echo "anthropic $(env/bin/python -c 'import anthropic; print(anthropic.__version__)')"
seen=$(timeout 60 env/bin/python ask.py)
echo "$seen"
expected="overloaded at once: no words; anthropic.OverloadedError, status 529
overloaded later: Hel; anthropic.APIStatusError, status 200
connection broken off: Hel; httpx2.RemoteProtocolError, status None
stream just ends: Hel; no error, stop_reason None"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
