#!/usr/bin/env bash
# langgraph 1.2.24 (with langchain-openai 1.7.4) and agno 3.1.10, beside openai-agents 0.24.0 and pydantic-ai-slim 2.68.0 (PyPI): a
# model that calls the same tool again and again.
#
# Guess: every agent framework ends a run after some number of rounds by default: openai-agents after 10, pydantic-ai after 50,
# langgraph after its well-known 25 steps, agno after some number as well, or at least at its tool_call_limit.
# Seen: the first two do. langgraph's create_react_agent() and agno's Agent are still running after 60 rounds, and end here only
# because the scripted model gives up. agno's tool_call_limit does not end the run either: it refuses to run the tool, and calls the
# model again. Small local models do get into such loops, and every round is paid for.
# What follows: set `{"recursion_limit": 25}` in langgraph's config. With agno, count the rounds yourself (in a tool hook, or at the
# model server), and make sure that Stop reaches the run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langgraph==1.2.24 langchain-openai==1.7.4 agno==3.1.10 \
  openai-agents==0.24.0 pydantic-ai-slim==2.68.0 openai==3.57.0 2>/dev/null

cat >loop.py <<'PY'
import http.server, json, threading

PATIENCE = 60
requests = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        requests.append(self.path)
        call = {"id": f"call_{len(requests)}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        said, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        if len(requests) > PATIENCE:
            said, reason = {"role": "assistant", "content": "I give up."}, "stop"
        choice = {"index": 0, "message": said, "finish_reason": reason}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({**head, "choices": [choice], "usage": usage}).encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

def look() -> str:
    """Look whether it is ready."""
    return "not yet"

def openai_agents():
    from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("m", openai_client=AsyncOpenAI(base_url=base, api_key="none"))
    return Runner.run_sync(Agent(name="a", model=model, tools=[function_tool(look)]), "Ready?").final_output

def pydantic_ai():
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=base, api_key="none"))
    return Agent(model, tools=[look]).run_sync("Ready?").output

def langgraph(config=None):
    from langchain_openai import ChatOpenAI
    from langgraph.prebuilt import create_react_agent

    agent = create_react_agent(ChatOpenAI(model="m", base_url=base, api_key="none"), [look])
    return agent.invoke({"messages": [("user", "Ready?")]}, config)["messages"][-1].content

def langgraph_with_a_limit():
    return langgraph({"recursion_limit": 25})

def agno(**limits):
    from agno.agent import Agent
    from agno.models.openai.like import OpenAILike

    model = OpenAILike(id="m", base_url=base, api_key="none")
    return Agent(model=model, tools=[look], telemetry=False, **limits).run("Ready?").content

def agno_with_a_limit():
    return agno(tool_call_limit=10)

for run in (openai_agents, pydantic_ai, langgraph, langgraph_with_a_limit, agno, agno_with_a_limit):
    requests.clear()
    try:
        end = run()
    except Exception as error:
        end = type(error).__name__
    print(f"{run.__name__}: {len(requests)} requests, {end}")
PY
env/bin/python -c 'from importlib.metadata import version
names = ("openai-agents", "pydantic-ai-slim", "langgraph", "langgraph-prebuilt", "agno")
print(*(f"{name} {version(name)}" for name in names), sep=", ")'
seen=$(timeout 150 env/bin/python -W ignore loop.py 2>/dev/null)
echo "$seen"
expected="openai_agents: 10 requests, MaxTurnsExceeded
pydantic_ai: 50 requests, UsageLimitExceeded
langgraph: 61 requests, I give up.
langgraph_with_a_limit: 13 requests, GraphRecursionError
agno: 61 requests, I give up.
agno_with_a_limit: 61 requests, I give up."
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
