#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0, langchain-openai 1.7.4, agno 3.1.10 and smolagents 1.26.0 (PyPI), beside openai-agents 0.24.0: how many
# tokens an answer used, if the server reports its usage in each chunk.
#
# Guess: a chunk's `usage` covers the answer so far, and the last one counts. OpenAI's API sends only one. Perplexity, Gemini's
# compatible endpoint, some models at Fireworks and vLLM with `continuous_usage_stats` send one in each chunk.
# Seen: only openai-agents uses the last one. The other four add them up: the question is counted once for each chunk, and the
# answer as 1 + 2 + 3 + … tokens. An answer of 400 chunks to a question of 2,000 tokens is reported as 800,000 tokens, and usage
# limits and prices are computed from that.
# What follows: with such a server, take the usage from the last chunk yourself, or use the framework's option for it (pydantic-ai
# has the model setting `openai_continuous_usage_stats`, agno's models have `collect_metrics_on_completion`).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pydantic-ai-slim==2.68.0 langchain-openai==1.7.4 agno==3.1.10 \
  smolagents==1.26.0 openai-agents==0.24.0 openai==3.57.0 2>/dev/null

cat >count.py <<'PY'
import asyncio, http.server, json, threading

WORDS = ["One ", "two ", "three ", "four ", "five."]

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, word in enumerate(WORDS, 1):
            finish = "stop" if number == len(WORDS) else None
            choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": finish}
            usage = {"prompt_tokens": 100, "completion_tokens": number, "total_tokens": 100 + number}
            head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            self.wfile.write(f"data: {json.dumps({**head, 'choices': [choice], 'usage': usage})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"

async def openai_agents():
    from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("m", openai_client=AsyncOpenAI(base_url=url, api_key="none"))
    run = Runner.run_streamed(Agent(name="a", model=model, model_settings=ModelSettings(include_usage=True)), "Count")
    async for _ in run.stream_events():
        pass
    usage = run.context_wrapper.usage
    return usage.input_tokens, usage.output_tokens

async def pydantic_ai():
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none"))
    async with Agent(model).run_stream("Count") as run:
        async for _ in run.stream_text():
            pass
        return run.usage.input_tokens, run.usage.output_tokens

async def langchain():
    from langchain_openai import ChatOpenAI

    whole = None
    async for chunk in ChatOpenAI(model="m", base_url=url, api_key="none").astream("Count"):
        whole = chunk if whole is None else whole + chunk
    return whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]

async def agno():
    from agno.agent import Agent
    from agno.models.openai.like import OpenAILike

    agent = Agent(model=OpenAILike(id="m", base_url=url, api_key="none"), telemetry=False)
    async for event in agent.arun("Count", stream=True, stream_events=True):
        metrics = getattr(event, "metrics", None)
    return metrics.input_tokens, metrics.output_tokens

async def smolagents():
    from smolagents import OpenAIModel
    from smolagents.models import ChatMessage, MessageRole, agglomerate_stream_deltas

    model = OpenAIModel("m", api_base=url, api_key="none")
    question = ChatMessage(MessageRole.USER, [{"type": "text", "text": "Count"}])
    usage = agglomerate_stream_deltas(list(model.generate_stream([question]))).token_usage
    return usage.input_tokens, usage.output_tokens

print("the server's last chunk: question 100, answer 5")
for framework in (openai_agents, pydantic_ai, langchain, agno, smolagents):
    question, answer = asyncio.run(framework())
    print(f"{framework.__name__}: question {question}, answer {answer}")
PY
seen=$(timeout 300 env/bin/python -W ignore count.py 2>/dev/null)
echo "$seen"
expected="the server's last chunk: question 100, answer 5
openai_agents: question 100, answer 5
pydantic_ai: question 500, answer 15
langchain: question 500, answer 15
agno: question 500, answer 15
smolagents: question 500, answer 15"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
