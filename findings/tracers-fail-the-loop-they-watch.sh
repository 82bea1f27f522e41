#!/usr/bin/env bash
# posthog 7.91.1 and agentops 0.4.21, beside ddtrace 4.16.0, langsmith 0.14.17 and braintrust 0.48.1 (PyPI), with openai 3.57.0:
# what happens to a streamed answer that is traced.
#
# Guess: a tracer only watches. The request stays the same, the application gets the same chunks, and leaving a stream (`with`,
# close()) ends the request to the model.
# Seen: posthog and agentops request the usage, which the application did not, and pass it on: the last chunk has no choices, and the
# usual loop, `chunk.choices[0].delta.content`, fails with an IndexError after the last word. The person has read the answer, and it
# is not kept. Tests without the tracer pass. ddtrace requests it, too, but keeps that chunk to itself; the other two do not. The
# stream that agentops returns has no close(), and leaving its `with` ends nothing: after a Stop, the model writes on to the end.
# What follows: skip chunks without choices in every loop, whoever made the client. Where a Stop must save tokens, do not trace that
# client with agentops.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check posthog==7.91.1 agentops==0.4.21 ddtrace==4.16.0 langsmith==0.14.17 \
  braintrust==0.48.1 openai==3.57.0 2>/dev/null

cat >trace.py <<'PY'
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from openai import OpenAI

asked = {}
ended = threading.Event()

class Server(BaseHTTPRequestHandler):
    """The model, and the place where the tracers send what they have seen."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        if not self.path.endswith("/chat/completions"):
            self.end_headers()
            self.wfile.write(b"{}")
            return
        asked.clear()
        asked.update(json.loads(body), sent=0)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for number in range(20):
                self.write([{"index": 0, "delta": {"role": "assistant", "content": "so "}, "finish_reason": None}])
                asked["sent"] += 1
                time.sleep(0.05)
            self.write([{"index": 0, "delta": {}, "finish_reason": "stop"}])
            if "stream_options" in asked:
                self.write([], usage={"prompt_tokens": 1, "completion_tokens": 20, "total_tokens": 21})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass
        ended.set()

    do_GET = do_PUT = do_POST

    def write(self, choices, **fields):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **fields}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"

def plain():
    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)

def posthog():
    from posthog import Posthog
    from posthog.ai.openai import OpenAI

    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, posthog_client=Posthog("none", host=address))

def agentops():
    import agentops

    agentops.init(api_key="00000000-0000-0000-0000-000000000000", endpoint=address, exporter_endpoint=address)
    return plain()

def ddtrace():
    os.environ["DD_TRACE_AGENT_URL"] = address
    from ddtrace import patch

    patch(openai=True)
    return plain()

def langsmith():
    os.environ |= {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": address, "LANGSMITH_API_KEY": "none"}
    from langsmith.wrappers import wrap_openai

    return wrap_openai(plain())

def braintrust():
    from braintrust import wrap_openai

    return wrap_openai(plain())

def loop(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

def leave(stream):
    with stream:
        next(iter(stream))

def close(stream):
    next(iter(stream))
    stream.close()

name = sys.argv[1]
client = globals()[name]()
results = []
for use in (loop, leave, close):
    ended.clear()
    stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
    try:
        use(stream)
        result = ""
    except Exception as error:
        result = f" {type(error).__name__},"
    ended.wait(30)
    results.append(f"{use.__name__}{result} {'all' if asked['sent'] == 20 else 'part'} sent")
print(f"{name}: {'; '.join(results)}; usage {'asked for' if 'stream_options' in asked else 'not asked for'}", flush=True)
os._exit(0)
PY
names="plain posthog agentops ddtrace langsmith braintrust"
seen=$(for name in $names; do timeout 60 env/bin/python -W ignore trace.py $name 2>/dev/null; done)
echo "$seen"
expected="plain: loop all sent; leave part sent; close part sent; usage not asked for
posthog: loop IndexError, all sent; leave part sent; close part sent; usage asked for
agentops: loop IndexError, all sent; leave all sent; close AttributeError, all sent; usage asked for
ddtrace: loop all sent; leave part sent; close part sent; usage asked for
langsmith: loop all sent; leave part sent; close part sent; usage not asked for
braintrust: loop all sent; leave part sent; close part sent; usage not asked for"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
