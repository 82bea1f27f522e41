#!/usr/bin/env bash
# openai-agents 0.24.0 with SQLiteSession, langgraph 1.2.24 with langchain-openai 1.7.4, autogen-agentchat 0.7.5 with autogen-ext
# 0.7.5 and llama-index-core 0.14.25 with llama-index-llms-openai-like 0.8.1, beside agno 3.1.10 (PyPI): "Try again" after a failed
# answer.
#
# Guess: the history keeps only questions that were answered. If the model's server fails and the same question is asked again, the
# model receives it once.
# Seen: only agno does that. The other four keep the question of the failed run, and send it twice in a row. Most models cope, but
# the chat templates of Gemma and of older Mistral models require alternating roles, and servers that use them refuse the request.
# After one failure, every further question fails, since both copies stay in the history.
# What follows: after an error, remove the question (SQLiteSession.pop_item(), RemoveMessage, model_context or memory), or keep the
# history yourself and pass it with each question.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv first
first/bin/pip install --quiet --disable-pip-version-check openai-agents==0.24.0 langgraph==1.2.24 langchain-openai==1.7.4 \
  autogen-agentchat==0.7.5 "autogen-ext[openai]==0.7.5" agno==3.1.10 openai==3.57.0 2>/dev/null
python3 -m venv second
second/bin/pip install --quiet --disable-pip-version-check llama-index-core==0.14.25 llama-index-llms-openai-like==0.8.1 2>/dev/null

cat >again.py <<'PY'
import asyncio, http.server, json, sys, threading

received = []

class Model(http.server.BaseHTTPRequestHandler):
    """Fails once, then answers, but only if the roles alternate, as the template of Gemma has it."""

    def do_POST(self):
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        roles = [message["role"] for message in messages if message["role"] != "system"]
        received.append(roles)
        if len(received) == 1:
            return self.answer(503, {"error": {"message": "out of memory"}})
        if any(first == second for first, second in zip(roles, roles[1:])):
            return self.answer(400, {"error": {"message": "Conversation roles must alternate user/assistant"}})
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        self.answer(200, {**head, "choices": [choice], "usage": usage})

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"

def agno():
    from agno.agent import Agent
    from agno.db.in_memory import InMemoryDb
    from agno.models.openai.like import OpenAILike

    model = OpenAILike(id="m", base_url=url, api_key="none", max_retries=0)
    agent = Agent(model=model, db=InMemoryDb(), session_id="s", add_history_to_context=True, telemetry=False)

    async def ask(question):
        answer = await agent.arun(question)
        return answer.content if answer.status.value == "COMPLETED" else "error"
    return ask

def openai_agents():
    from agents import Agent, OpenAIChatCompletionsModel, Runner, SQLiteSession, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    model = OpenAIChatCompletionsModel("m", openai_client=AsyncOpenAI(base_url=url, api_key="none", max_retries=0))
    agent, session = Agent(name="a", model=model), SQLiteSession("s")

    async def ask(question):
        return (await Runner.run(agent, question, session=session)).final_output
    return ask

def langgraph():
    from langchain_openai import ChatOpenAI
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import MessagesState, StateGraph

    model = ChatOpenAI(model="m", base_url=url, api_key="none", max_retries=0)

    async def answer(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer).set_entry_point("answer").compile(InMemorySaver())

    async def ask(question):
        thread = {"configurable": {"thread_id": "t"}}
        return (await graph.ainvoke({"messages": [("user", question)]}, thread))["messages"][-1].content
    return ask

def autogen():
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    able = {name: False for name in ("vision", "function_calling", "json_output", "structured_output")}
    client = OpenAIChatCompletionClient(model="m", base_url=url, api_key="none", max_retries=0,
                                        model_info={**able, "family": "unknown"})
    agent = AssistantAgent("a", model_client=client)

    async def ask(question):
        return (await agent.run(task=question)).messages[-1].content
    return ask

def llama_index():
    from llama_index.core.chat_engine import SimpleChatEngine
    from llama_index.llms.openai_like import OpenAILike

    model = OpenAILike(model="m", api_base=url, api_key="none", is_chat_model=True, max_retries=0)
    engine = SimpleChatEngine.from_defaults(llm=model)

    async def ask(question):
        return str(await engine.achat(question))
    return ask

async def main(start):
    received.clear()
    ask, answers = start(), []
    for question in ("Hi", "Hi", "Are you there?"):
        try:
            answers.append(await ask(question))
        except Exception:
            answers.append("error")
    print(f"{start.__name__}: {', '.join(answers)}; sent at the second: {', '.join(received[1])}")

for name in sys.argv[1:]:
    asyncio.run(main(globals()[name]))
PY
seen=$(timeout 200 first/bin/python -W ignore again.py agno openai_agents langgraph autogen 2>/dev/null | grep ";"
  timeout 200 second/bin/python -W ignore again.py llama_index 2>/dev/null)
echo "$seen"
expected="agno: error, Hello., Hello.; sent at the second: user
openai_agents: error, error, error; sent at the second: user, user
langgraph: error, error, error; sent at the second: user, user
autogen: error, error, error; sent at the second: user, user
llama_index: error, error, error; sent at the second: user, user"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
