#!/usr/bin/env bash
# ollama 0.6.3 with langchain-ollama 1.1.0 and agno 3.1.10, beside openai 3.57.0 (PyPI): what a model is told about a tool whose
# arguments have fields of their own, or may be left out.
#
# Guess: a tool's JSON Schema is passed on as it is. Ollama's client has typed classes for tools, but it accepts dicts, too, and a
# keyword that these classes do not know is either passed on or an error.
# Seen: the client rebuilds the schema from its own classes and silently drops the rest: an argument's `properties`, `anyOf`,
# `$ref` and `default`, and every limit. A guest with a name and an age becomes "object" without fields or, as a reference,
# nothing at all, so the model has to invent the fields, and its call fails. A number that may be left out (`int | None`) loses
# its type. Only the items of a list stay complete. openai, with which Ollama's /v1 can be used, sends everything.
# What follows: for this client, give tools plain arguments, `nights: int = 0` rather than `int | None`, or put a single object
# into a list. Or use the framework's OpenAI client with Ollama's /v1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ollama==0.6.3 langchain-ollama==1.1.0 agno==3.1.10 \
  openai==3.57.0 2>/dev/null

cat >ask.py <<'PY'
import json, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import ollama
from pydantic import BaseModel

told = []

class Server(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if request.get("tools"):
            told.append(request["tools"][0]["function"]["parameters"])
        message = {"role": "assistant", "content": "Hello."}
        answer = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": True, "done_reason": "stop"}
        if self.path.startswith("/v1"):
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Guest(BaseModel):
    name: str
    age: int

def book(guest: Guest, others: list[Guest], nights: int | None = None) -> str:
    """Book a room."""
    return "booked"

def schema():
    def field(kind):
        return {"type": kind}
    guest = {"type": "object", "properties": {"name": field("string"), "age": field("integer")}, "required": ["name", "age"]}
    nights = {"anyOf": [field("integer"), field("null")], "default": None}
    arguments = {"guest": guest, "others": {"type": "array", "items": guest}, "nights": nights, "host": {"$ref": "#/$defs/Guest"}}
    parameters = {"type": "object", "$defs": {"Guest": guest}, "properties": arguments, "required": ["guest"]}
    return {"type": "function", "function": {"name": "book", "description": "Book a room.", "parameters": parameters}}

def plain(url):
    ollama.Client(url).chat(model="m", messages=[{"role": "user", "content": "Hi"}], tools=[schema()])

def openai(url):
    from openai import OpenAI

    client = OpenAI(base_url=url + "/v1", api_key="ollama")
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], tools=[schema()])

def langchain(url):
    from langchain_core.tools import tool
    from langchain_ollama import ChatOllama

    ChatOllama(model="m", base_url=url).bind_tools([tool(book)]).invoke("Hi")

def agno(url):
    from agno.agent import Agent
    from agno.models.ollama import Ollama

    Agent(model=Ollama(id="m", host=url), tools=[book], telemetry=False).run("Hi")

def resolved(schema, definitions):
    """What a schema says of an argument, as far as a model can know it."""
    if "$ref" in schema:
        return resolved(definitions[schema["$ref"].split("/")[-1]], definitions)
    parts = [str(schema.get("type", "anything" if "anyOf" not in schema else ""))]
    parts += ["or".join(f" {part['type']} " for part in schema.get("anyOf", [])).strip()]
    parts += [f"of {resolved(schema['items'], definitions)}"] if "items" in schema else []
    parts += [f"with {', '.join(schema['properties'])}"] if "properties" in schema else []
    return " ".join(filter(None, parts))

def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for ask in (plain, langchain, agno, openai):
        ask(f"http://127.0.0.1:{server.server_port}")
        definitions = told[-1].get("$defs", {})
        for name, schema in told[-1]["properties"].items():
            print(f"{ask.__name__}, {name}: {resolved(schema, definitions)}")

main()
PY
seen=$(timeout 120 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
expected="plain, guest: object
plain, others: array of object with name, age
plain, nights: anything
plain, host: anything
langchain, guest: object
langchain, others: array of object with name, age
langchain, nights: anything
agno, guest: object
agno, others: array of object with name, age
agno, nights: anything
openai, guest: object with name, age
openai, others: array of object with name, age
openai, nights: integer or null
openai, host: object with name, age"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
