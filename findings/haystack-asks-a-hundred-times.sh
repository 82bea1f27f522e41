#!/usr/bin/env bash
# haystack-ai 3.4.1, beside pydantic-ai-slim 2.68.0 and openai-agents 0.24.0 (PyPI): a model that returns an empty answer.
#
# Guess: an empty answer ("stop", no text, no tool call), which small models often return after a tool, ends the run with an empty
# answer or with an error, after one retry at most.
# Seen: openai-agents returns an empty answer. pydantic-ai retries once and raises. haystack's Agent repeats the same request until
# its 100 steps are used up, and then returns as if nothing were wrong, except for a line in the log. What should cost one request
# costs a hundred, and the person waits for all of them.
# What follows: set haystack's `max_agent_steps` to about ten, and check whether the Agent's last message has text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check haystack-ai==3.4.1 pydantic-ai-slim==2.68.0 openai-agents==0.24.0 \
  openai==3.57.0 2>/dev/null

cat >ask.py <<'PY'
import asyncio, http.server, json, threading

requests = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        requests.append(self.path)
        choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({**head, "choices": [choice], "usage": usage}).encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"

def look(city: str) -> str:
    """Look how the weather is."""
    return "sunny"

def openai_agents():
    from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("m", openai_client=AsyncOpenAI(base_url=url, api_key="none", max_retries=0))
    return Runner.run_sync(Agent(name="a", model=model, tools=[function_tool(look)]), "Hi").final_output

def pydantic_ai():
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none"))
    return Agent(model, tools=[look]).run_sync("Hi").output

def haystack():
    from haystack.components.agents import Agent
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.tools import create_tool_from_function
    from haystack.utils import Secret

    model = OpenAIChatGenerator(model="m", api_base_url=url, api_key=Secret.from_token("none"), max_retries=0)
    agent = Agent(chat_generator=model, tools=[create_tool_from_function(look)])
    return agent.run(messages=[ChatMessage.from_user("Hi")])["last_message"].text or ""

for framework in (openai_agents, pydantic_ai, haystack):
    requests.clear()
    try:
        end = repr(framework())
    except Exception as error:
        end = type(error).__name__
    print(f"{framework.__name__}: {len(requests)} requests, {end}")
PY
seen=$(HAYSTACK_TELEMETRY_ENABLED=False timeout 300 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
expected="openai_agents: 1 requests, ''
pydantic_ai: 2 requests, UnexpectedModelBehavior
haystack: 100 requests, ''"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
