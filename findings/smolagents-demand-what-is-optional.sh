#!/usr/bin/env bash
# smolagents 1.26.0 with mcpadapt 0.1.19 and mcp 1.30.0 (PyPI): optional parameters of a tool.
#
# Guess: a server of the Model Context Protocol declares which parameters are required. The model is told so, passes the others only
# if it needs them, and a call without them is made.
# Seen: the model is told that all parameters are required, even one with a default and one that may be null. A call with only the
# required one, which the server would accept, does not reach it: the model reads "Argument limit is required". It then has to
# invent values, and a search that was meant to look everywhere looks in only one folder. The run has no error.
# What follows: with smolagents, provide tools whose parameters are all required, or wrap them in your own functions. This project
# passes no tools to models; it shows which arguments an agent used, so that invented ones are visible.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "smolagents[mcp,openai]==1.26.0" mcpadapt==0.1.19 mcp==1.30.0 \
  openai==3.57.0 2>/dev/null

cat >server.py <<'PY'
import json, sys

parameters = {
    "words": {"type": "string", "description": "what to look for"},
    "limit": {"type": "integer", "description": "how many at most", "default": 10},
    "folder": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "where", "default": None},
}
schema = {"type": "object", "properties": parameters, "required": ["words"]}
tool = {"name": "search", "description": "searches", "inputSchema": schema}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answer = {"error": {"code": -32601, "message": "unknown method"}}
    if request["method"] == "initialize":
        version, info = request["params"]["protocolVersion"], {"name": "s", "version": "1"}
        answer = {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
    elif request["method"] == "tools/list":
        answer = {"result": {"tools": [tool]}}
    elif request["method"] == "tools/call":
        answer = {"result": {"content": [{"type": "text", "text": f"called with {request['params']['arguments']}"}]}}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}), flush=True)
PY
cat >ask.py <<'PY'
import http.server, json, os, re, sys, threading
from mcp import StdioServerParameters
from smolagents import OpenAIServerModel, ToolCallingAgent, ToolCollection

requests = []
TRIED = [{"words": "tea"}, {"words": "tea", "limit": 10}, {"words": "tea", "limit": 10, "folder": "."}]
CALLS = [*(("search", arguments) for arguments in TRIED), ("final_answer", {"answer": "Done."})]

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        name, arguments = CALLS[len(requests) - 1]
        calls = [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({**head, "choices": choices, "usage": usage}).encode())

    def log_message(self, *arguments):
        pass

models = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=models.serve_forever, daemon=True).start()
command = StdioServerParameters(command=sys.executable, args=[os.path.abspath("server.py")])
model = OpenAIServerModel("m", api_base=f"http://127.0.0.1:{models.server_port}/v1", api_key="none")
with ToolCollection.from_mcp(command, trust_remote_code=True) as collection:
    ToolCallingAgent(tools=[*collection.tools], model=model, verbosity_level=0).run("Look for tea")

search = next(tool["function"] for tool in requests[0]["tools"] if tool["function"]["name"] == "search")
print("told as required:", *search["parameters"]["required"])
for arguments, request in zip(TRIED, requests[1:]):
    print(arguments, "->", re.findall(r"Argument \w+ is required|called with {[^}]*}", json.dumps(request["messages"]))[-1])
PY
seen=$(timeout 100 env/bin/python -W ignore ask.py 2>/dev/null | grep -e told -e '->')
echo "$seen"
expected="told as required: words limit folder
{'words': 'tea'} -> Argument limit is required
{'words': 'tea', 'limit': 10} -> Argument folder is required
{'words': 'tea', 'limit': 10, 'folder': '.'} -> called with {'words': 'tea', 'limit': 10, 'folder': '.'}"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
