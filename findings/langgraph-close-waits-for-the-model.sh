#!/usr/bin/env bash
# langgraph 1.2.24 with langchain-openai 1.7.4 (PyPI): closing a stream waits until the model has finished.
#
# Guess: closing the generator of graph.stream(…, stream_mode="messages") stops the run: the request to the model is aborted, as it
# is when you close the generator of a client library, and close() returns.
# Seen: close() blocks until the model has written its whole answer: here, the stream is closed after the first of 30 chunks, and
# close() waits for the last. Nothing tells the model server to stop.
# What follows: a Stop button must not wait for close(). End the answer on the page first, and close the stream in a separate
# thread. To really stop the model, use an async graph, run as a task that you cancel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langgraph==1.2.24 langchain-openai==1.7.4 \
  openai==3.57.0 2>/dev/null

cat >stop.py <<'PY'
import asyncio, http.server, json, threading, time
from langchain_openai import ChatOpenAI
from langgraph.graph import MessagesState, StateGraph

PIECES = 30
written, ended = [], threading.Event()

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for number in range(PIECES):
                choice = {"index": 0, "delta": {"content": f"{number} "}, "finish_reason": None}
                chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                written.append(number)
                time.sleep(0.2)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass
        ended.set()

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
model = ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)

def answer(state):
    return {"messages": [model.invoke(state["messages"])]}

async def answer_async(state):
    return {"messages": [await model.ainvoke(state["messages"])]}

def graph(node):
    return StateGraph(MessagesState).add_node("answer", node).set_entry_point("answer").compile()

QUESTION = {"messages": [("user", "Count")]}

def close():
    stream = graph(answer).stream(QUESTION, stream_mode="messages")
    next(stream)
    stream.close()

async def cancel():
    first = asyncio.Event()

    async def read():
        async for _ in graph(answer_async).astream(QUESTION, stream_mode="messages"):
            first.set()

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

for name, stop in (("close()", close), ("cancel a task", lambda: asyncio.run(cancel()))):
    written.clear(), ended.clear()
    stop()
    returned = "before" if len(written) < PIECES else "after"
    assert ended.wait(30)
    wrote = "all" if len(written) == PIECES else "a part"
    print(f"{name}: returned {returned} the last piece, the model wrote {wrote}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("langgraph", "langchain-openai")), sep=", ")'
seen=$(timeout 100 env/bin/python stop.py 2>/dev/null)
echo "$seen"
expected="close(): returned after the last piece, the model wrote all
cancel a task: returned before the last piece, the model wrote a part"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
