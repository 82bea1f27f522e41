#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0 and agno 3.1.10, beside openai-agents 0.24.0 (PyPI): an answer that mentions `<think>`.
#
# Guess: models without a field for their reasoning put it first, so a framework recognises `<think>` only at the beginning of an
# answer. An answer about such models or their templates may mention the tags, especially in a code span.
# Seen: pydantic-ai recognises the tags anywhere and drops what is between them. agno also drops what is before them, so that only
# the end is left. Streamed, agno shows everything, and pydantic-ai depends on the pieces: a tag counts if it arrives in one piece,
# as it does from models for which it is a single token. Then a lone `<think>` swallows the rest of the answer. There is no error:
# the same answer is complete in one place and has a hole in another.
# What follows: for models that report their reasoning in a field, set other tags in pydantic-ai's profile (`thinking_tags`), and
# stream with agno. This project does not treat a tag in code or within a line as reasoning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pydantic-ai-slim==2.68.0 agno==3.1.10 openai-agents==0.24.0 \
  openai==3.57.0 2>/dev/null

cat >ask.py <<'PY'
import asyncio, json, re, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "both tags": "Sure. Models write `<think>` first, then `</think>`, then the answer.",
    "one tag": "Begin your answer with `<think>`. Then write the plan.",
}

class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if asked.get("stream") else "application/json")
        self.end_headers()
        if asked.get("stream"):
            form, answer = asked["model"].split(", ")
            pieces = re.findall(r"</?think>|." if form == "tags" else ".{1,3}", ANSWERS[answer])
            for piece in (*pieces, None):
                delta = {"role": "assistant", "content": piece} if piece else {}
                self.send("chat.completion.chunk", delta=delta, finish_reason=None if piece else "stop")
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            text = ANSWERS[asked["model"].split(", ")[1]]
            self.send("chat.completion", message={"role": "assistant", "content": text}, finish_reason="stop")

    def send(self, kind, **choice):
        answer = {"id": "c", "object": kind, "created": 1, "model": "m", "choices": [{"index": 0, **choice}]}
        data = json.dumps(answer)
        self.wfile.write((f"data: {data}\n\n" if kind.endswith("chunk") else data).encode())

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"

def pydantic_ai(model, stream):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel(model, provider=OpenAIProvider(base_url=url, api_key="none")))

    async def streamed():
        async with agent.run_stream("Hi") as result:
            return await result.get_output()
    return asyncio.run(streamed()) if stream else agent.run_sync("Hi").output

def agno(model, stream):
    from agno.agent import Agent
    from agno.models.openai.like import OpenAILike

    agent = Agent(model=OpenAILike(id=model, base_url=url, api_key="none"), telemetry=False)
    if not stream:
        return agent.run("Hi").content
    return "".join(event.content or "" for event in agent.run("Hi", stream=True) if event.event == "RunContent")

def openai_agents(model, stream):
    from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=url, api_key="none")
    agent = Agent(name="a", model=OpenAIChatCompletionsModel(model, client))

    async def streamed():
        result = Runner.run_streamed(agent, "Hi")
        async for _ in result.stream_events():
            pass
        return result.final_output
    return asyncio.run(streamed()) if stream else Runner.run_sync(agent, "Hi").final_output

for ask in (pydantic_ai, agno, openai_agents):
    for answer, text in ANSWERS.items():
        for form in ("whole", "pieces", "tags"):
            seen = ask(f"{form}, {answer}", form != "whole")
            print(f"{ask.__name__}, {answer}, {form}: {'as written' if seen == text else seen}")
PY
seen=$(timeout 90 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
expected='pydantic_ai, both tags, whole: Sure. Models write ``, then the answer.
pydantic_ai, both tags, pieces: as written
pydantic_ai, both tags, tags: Sure. Models write ``, then the answer.
pydantic_ai, one tag, whole: Begin your answer with ``. Then write the plan.
pydantic_ai, one tag, pieces: as written
pydantic_ai, one tag, tags: Begin your answer with `
agno, both tags, whole: `, then the answer.
agno, both tags, pieces: as written
agno, both tags, tags: as written
agno, one tag, whole: as written
agno, one tag, pieces: as written
agno, one tag, tags: as written
openai_agents, both tags, whole: as written
openai_agents, both tags, pieces: as written
openai_agents, both tags, tags: as written
openai_agents, one tag, whole: as written
openai_agents, one tag, pieces: as written
openai_agents, one tag, tags: as written'
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
