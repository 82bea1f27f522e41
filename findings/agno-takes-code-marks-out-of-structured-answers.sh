#!/usr/bin/env bash
# agno 3.1.10 (PyPI), beside langchain-core 1.8.3 and instructor 1.17.0: a structured answer whose text contains code.
#
# Guess: for a model without a mode for structured output, a framework asks for JSON, and reads it whether or not it comes in a
# Markdown fence, as models often send it. The values stay what they are, and what cannot be read is an error.
# Seen: langchain-core and instructor return the values. agno removes every ``` from a fenced answer, also inside its strings: of
# an explanation with a code block, the marks are gone and the code is part of the text. The object is valid, and nothing says
# that it was changed. If the string has a block marked ```json, everything before it is cut off and nothing can be read:
# `content` is then the raw text, a str instead of the model's class, and the status is "completed". The same JSON without a fence
# is read correctly.
# What follows: check isinstance(response.content, YourClass). Tell the model not to put its answer in a fence, or parse it
# yourself: run the agent without output_schema and pass the text to one of the others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check agno==3.1.10 openai==3.3.0 langchain-core==1.8.3 \
  instructor==1.17.0 2>/dev/null

cat >explain.py <<'PY'
import http.server, json, logging, threading
from agno.agent import Agent
from agno.models.openai.like import OpenAILike
from instructor.utils import extract_json_from_codeblock
from langchain_core.output_parsers import PydanticOutputParser
from pydantic import BaseModel

class Answer(BaseModel):
    title: str
    text: str

TEXTS = {"python": "Like this:\n```python\nprint(1)\n```\nThat is all.", "json": "Like this:\n```json\n[1]\n```\nThat is all."}
ANSWERS = {f"{name}, {form}": (text, before + json.dumps({"title": "T", "text": text}) + after)
           for name, text in TEXTS.items() for form, before, after in (("bare", "", ""), ("fenced", "```json\n", "\n```"))}

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": ANSWERS[request["messages"][-1]["content"]][1]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
model = OpenAILike(id="m", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none")
logging.disable()

def agno(name, answer):
    response = Agent(model=model, output_schema=Answer, telemetry=False).run(name)
    statuses.add(response.status.value)
    return response.content

def langchain(name, answer):
    return PydanticOutputParser(pydantic_object=Answer).parse(answer)

def instructor(name, answer):
    return Answer.model_validate_json(extract_json_from_codeblock(answer))

statuses = set()
for name, (text, answer) in ANSWERS.items():
    for read in (langchain, instructor, agno):
        content = read(name, answer)
        result = f"a {type(content).__name__}" if not isinstance(content, Answer) else repr(content.text)
        print(f"{name}, {read.__name__}: {'as written' if isinstance(content, Answer) and content.text == text else result}")
print("agno's statuses:", *statuses)
PY
seen=$(timeout 100 env/bin/python -W ignore explain.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
python, bare, langchain: as written
python, bare, instructor: as written
python, bare, agno: as written
python, fenced, langchain: as written
python, fenced, instructor: as written
python, fenced, agno: 'Like this:\npython\nprint(1)\n\nThat is all.'
json, bare, langchain: as written
json, bare, instructor: as written
json, bare, agno: as written
json, fenced, langchain: as written
json, fenced, instructor: as written
json, fenced, agno: a str
agno's statuses: COMPLETED
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
