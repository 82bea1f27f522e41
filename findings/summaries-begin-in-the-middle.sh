#!/usr/bin/env bash
# langchain 1.5.2 with langchain-openai 1.7.4, beside strands-agents 1.62.0 (PyPI): a conversation that is summarized when it
# becomes too long.
#
# Guess: old messages are replaced by a summary so that nothing important is lost. Whatever is taken out of the conversation is
# given to the model that writes the summary, all at once or in portions.
# Seen: strands does so. LangChain's SummarizationMiddleware gives it only the last 4,000 tokens of what is taken out
# (`trim_tokens_to_summarize`), whatever limit triggers it. The rest is deleted unread, with no warning: here, 21 of the 31 people
# that the summary should cover, from the first one on. With a limit of 100,000 tokens, it is nearly everything. The summary
# begins in the middle, and is presented to the model as one of the whole conversation.
# What follows: set `trim_tokens_to_summarize=None`, or to what the summarizing model can read. Test with a fact from the first
# question.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langchain==1.5.2 langchain-openai==1.7.4 strands-agents==1.62.0 2>/dev/null

cat >summarize.py <<'PY'
import http.server, json, threading

PEOPLE = [f"person {number:02}" for number in range(1, 41)]
requests = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        requests.append(json.dumps(request["messages"]))
        head = {"id": "c", "created": 1, "model": "m"}
        message = {"role": "assistant", "content": "Noted."}
        if request.get("stream"):
            chunk = {**head, "object": "chat.completion.chunk"}
            chunks = [{"index": 0, "delta": message, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": "stop"}]
            text = "".join(f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n" for choice in chunks) + "data: [DONE]\n\n"
        else:
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            text = json.dumps({**head, "object": "chat.completion", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/v1"
TALK = [turn for name in PEOPLE for turn in (
    ("user", f"Please note {name}. " + "This is what there is to know. " * 40), ("assistant", "Noted. " * 40))]

def langchain():
    from langchain.agents import create_agent
    from langchain.agents.middleware import SummarizationMiddleware
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="m", base_url=base, api_key="none")
    summaries = SummarizationMiddleware(model=model, trigger=("tokens", 10_000))
    create_agent(model, middleware=[summaries]).invoke({"messages": [*TALK, ("user", "Whom have you noted?")]})
    return requests[-1]

def strands():
    from strands import Agent
    from strands.agent.conversation_manager import SummarizingConversationManager
    from strands.models.openai import OpenAIModel

    model = OpenAIModel(client_args={"base_url": base, "api_key": "none"}, model_id="m")
    messages = [{"role": role, "content": [{"text": text}]} for role, text in TALK]
    agent = Agent(model, messages, conversation_manager=SummarizingConversationManager(), callback_handler=None)
    agent.conversation_manager.reduce_context(agent)
    return json.dumps(agent.messages)

for talk in (strands, langchain):
    requests.clear()
    kept = talk()
    removed = [name for name in PEOPLE if name not in kept]
    read = [name for name in removed if name in requests[0]]
    told = f"the summarizing model was told of {len(read)}, from {read[0]}"
    print(f"{talk.__name__}: {len(removed)} people removed, {told}", flush=True)
PY
seen=$(OTEL_SDK_DISABLED=true timeout 150 env/bin/python -W ignore summarize.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
strands: 12 people removed, the summarizing model was told of 12, from person 01
langchain: 31 people removed, the summarizing model was told of 10, from person 22
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
