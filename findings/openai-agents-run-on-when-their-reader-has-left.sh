#!/usr/bin/env bash
# openai-agents 0.24.0 with openai 3.57.0 (PyPI): a streamed run continues when nobody reads it any more, and so do its tools.
#
# Guess: run_streamed() does its work as its events are read. Leaving the loop over stream_events(), or closing that generator, ends
# the run, as it ends a plain stream of the OpenAI client. A tool that has not been called yet is not called.
# Seen: the run is a separate task. After `break`, the model's answer is read to its end, the tool that it calls is run (here, a
# mail is sent), and both are kept in the session, as if the person had seen them. aclose() does not end it either: it waits for the
# whole run, including the second request to the model. Only cancel() on the result ends it at once.
# What follows: for a Stop button and for a closed page, call result.cancel(). `break` and `finally: await events.aclose()` are not
# enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openai-agents==0.24.0 openai==3.57.0 2>/dev/null

cat >leave.py <<'PY'
import asyncio, http.server, json, threading
from agents import Agent, OpenAIChatCompletionsModel, Runner, SQLiteSession, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
reader_left = threading.Event()
events = []

class Model(http.server.BaseHTTPRequestHandler):
    """Writes two words, goes on when the reader has left, and then wants to send a mail."""

    def do_POST(self):
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "send_mail", "arguments": "{}"}}
        last = {"tool_calls": [call]} if messages[-1]["content"] == "Hi" else {}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.send({"role": "assistant", "content": "Two"})
        self.send({"content": " words"})
        reader_left.wait(20)
        try:
            for _ in range(20):
                self.send({"content": "."})
            self.send(last)
            self.send({}, "tool_calls" if last else "stop")
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass

    def send(self, delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()

@function_tool
async def send_mail() -> str:
    """Send the mail."""
    events.append("the mail is sent")
    return "sent"

def is_text(event):
    return event.type == "raw_response_event" and event.data.type == "response.output_text.delta"

async def leave(way):
    events.clear()
    reader_left.clear()
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
    agent = Agent(name="a", tools=[send_mail], model=OpenAIChatCompletionsModel("m", openai_client=client))
    session = SQLiteSession(way)
    run = Runner.run_streamed(agent, "Hi", session=session)
    pieces = run.stream_events()
    async for event in pieces:
        if is_text(event):
            break
    if way == "aclose()":
        closing = asyncio.create_task(pieces.aclose())
        await asyncio.sleep(0.5)
    elif way == "cancel()":
        run.cancel()
    reader_left.set()
    await ended(session)
    kept = [item.get("role") or item["type"] for item in await session.get_items()]
    print(f"{way}: {', '.join(events) or 'no mail'}; the session holds {', '.join(kept)}")

async def ended(session):
    """Until the whole run of four steps is in the session, or six seconds."""
    for _ in range(60):
        await asyncio.sleep(0.1)
        if len(await session.get_items()) == 5:
            break

async def main():
    for way in ("break", "aclose()", "cancel()"):
        await leave(way)

asyncio.run(main())
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("openai-agents", "openai")), sep=", ")'
seen=$(timeout 120 env/bin/python leave.py 2>/dev/null)
echo "$seen"
expected="break: the mail is sent; the session holds user, assistant, function_call, function_call_output
aclose(): the mail is sent; the session holds user, assistant, function_call, function_call_output, assistant
cancel(): no mail; the session holds user"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
