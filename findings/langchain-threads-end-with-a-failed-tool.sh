#!/usr/bin/env bash
# langchain 1.5.2 with langgraph 1.2.24 and langchain-openai 1.7.4 (PyPI): a tool that fails or is stopped makes its thread
# unusable.
#
# Guess: if a tool raises, create_agent() tells the model, as other frameworks do, or the run fails. Either way, and also after a
# stop, the thread accepts the next question, since the checkpointer keeps the last good state.
# Seen: the run fails, and the checkpoint contains the model's tool call without a result. Every further question is sent with it,
# and a server that checks that each call has a result (OpenAI's does) rejects them all with 400. One network error in a tool, or
# one press of Stop while it runs, and the conversation is over.
# What follows: let tools return their errors (with a middleware that defines wrap_tool_call). After a failure or a stop, send a
# ToolMessage for each call that has no result, ahead of the next question.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langchain==1.5.2 langgraph==1.2.24 langchain-openai==1.7.4 2>/dev/null

cat >ask.py <<'PY'
import asyncio, http.server, json, threading
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

class Model(http.server.BaseHTTPRequestHandler):
    """Calls the tool that a question names, and refuses calls without a result, as OpenAI's API does."""

    def do_POST(self):
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        called = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
        answered = {message["tool_call_id"] for message in messages if message["role"] == "tool"}
        if called - answered:
            return self.answer(400, {"error": {"message": "tool_calls must be followed by tool messages"}})
        call = {"id": f"c{len(messages)}", "type": "function", "function": {"name": messages[-1]["content"], "arguments": "{}"}}
        said = {"role": "assistant", "content": "" if messages[-1]["content"] in ("breaks", "waits") else "Hello."}
        calls = {} if said["content"] else {"tool_calls": [call]}
        choice = {"index": 0, "message": said | calls, "finish_reason": "tool_calls" if calls else "stop"}
        self.answer(200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
started = asyncio.Event()

@tool
async def breaks() -> str:
    """Break."""
    raise ConnectionError("the search engine does not answer")

@tool
async def waits() -> str:
    """Wait."""
    started.set()
    await asyncio.sleep(60)

def thread(name):
    return {"configurable": {"thread_id": name}}

async def ask(agent, name, question, *before):
    task = asyncio.create_task(agent.ainvoke({"messages": [*before, ("user", question)]}, thread(name)))
    if question == "waits":
        await started.wait()
        task.cancel()
    try:
        return (await task)["messages"][-1].content
    except asyncio.CancelledError:
        return "stopped"
    except ConnectionError as error:
        return type(error).__name__
    except Exception as error:
        return f"refused with {error.status_code}"

async def main():
    model = ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{server.server_port}", api_key="none", max_retries=0)
    agent = create_agent(model, tools=[breaks, waits], checkpointer=InMemorySaver())
    for first in ("Hi", "breaks", "waits"):
        answers = [await ask(agent, first, question) for question in (first, "And now?", "And now?")]
        print(f"{first}: {', '.join(answers)}")
    (call,) = (await agent.aget_state(thread("waits"))).values["messages"][1].tool_calls
    result = ToolMessage("It was stopped.", tool_call_id=call["id"])
    print(f"waits, asked with a result: {await ask(agent, 'waits', 'And now?', result)}")

asyncio.run(main())
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("langchain", "langgraph", "langchain-openai")), sep=", ")'
seen=$(timeout 100 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="Hi: Hello., Hello., Hello.
breaks: ConnectionError, refused with 400, refused with 400
waits: stopped, refused with 400, refused with 400
waits, asked with a result: Hello."
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
