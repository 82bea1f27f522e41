"""A stand-in for the embedded model's process, without a model: it answers and fails as scripted."""

from __future__ import annotations

import sys

import pytest

from webchat.backends.local import LocalModel

STAND_IN = r'''
"""Plays the model's process: says "You said: …"; to "hang" a first word and then nothing; to "crash" it is gone, to
"die" after a first word."""
import json, os, resource, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder, mode = sys.argv[1:]
key = json.loads(sys.stdin.readline())["key"]
if os.path.exists(folder + "/mended"):
    mode = "works"
if mode == "dies":
    print("out of memory, says the stand-in", file=sys.stderr)
    os._exit(9)
if mode == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "hungry":
    resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))
    bytearray(2**30)
if mode == "loads for ever":
    open(folder + "/loading", "w").close()
    sys.stdin.read()
if mode == "stuck":
    sys.stdin.read()
    os._exit(0)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_GET(self): self.whole({"default_generation_settings": {"n_ctx": 600}})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer " + key:
            self.send_error(401)
        elif self.path.endswith("/input_tokens"):
            self.whole({"input_tokens": sum(len(m["content"]) for m in body["messages"])})
        else:
            self.answer(body)
    def answer(self, body):
        with open(folder + "/asked", "w") as file:
            json.dump(body, file)
        said = body["messages"][-1]["content"]
        if said == "crash":
            os._exit(9)
        if mode == "full":
            self.whole({"error": {"code": 400, "type": "exceed_context_size_error", "message": "too long"}}, 400)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word in ("You ", "said: ", said):
            self.event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
            if said == "die":
                self.wfile.flush()
                os._exit(9)
            if said == "hang" or mode == "endless":
                self.connection.recv(1)
                return
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True
    def event(self, data): self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
    def whole(self, data, status=200):
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"address": "http://127.0.0.1:%d" % server.server_port}), flush=True)
sys.stdin.read()
'''


@pytest.fixture
def stand_in(tmp_path):
    """Builds embedded models whose process is the stand-in; ends them with the test."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF")
    built = []

    def build(mode="works", **options):
        program = [sys.executable, "-I", str(script), str(tmp_path), mode]
        built.append(LocalModel(options.pop("model", weights), tmp_path, program=program, **options))
        return built[-1]

    yield build
    for model in built:
        model.close()
