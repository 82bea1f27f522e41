#!/usr/bin/env bash
# smolagents 1.26.0 with mcpadapt 0.1.19, and a server made with mcp 1.30.0 (PyPI): a tool that returns a list.
#
# Guess: the agent gets the whole list. The server sends each item as a separate text block, and all of them again as
# `structuredContent`, so that both kinds of clients get everything.
# Seen: the agent gets only the first item: of three files it knows one, and it says so with confidence. The log has "using the
# first one" at the level WARNING; the run has no error. The same is true of every result with several blocks: of a text, a file's
# content and another text, only the first text arrives.
# What follows: connect with `structured_output=True`, which passes `structuredContent` on if there is any. A server that should
# work with all clients should put its answer into one text block.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "smolagents[mcp]==1.26.0" mcpadapt==0.1.19 mcp==1.30.0 2>/dev/null

cat >server.py <<'PY'
from mcp.server.fastmcp import FastMCP
from mcp.types import EmbeddedResource, TextContent, TextResourceContents

server = FastMCP("files", log_level="ERROR")

@server.tool()
def names(folder: str) -> list[str]:
    """The names of the files in a folder."""
    return ["january.csv", "february.csv", "march.csv"]

@server.tool()
def read(name: str) -> list:
    """A file's content."""
    content = TextResourceContents(uri=f"file:///{name}", mimeType="text/csv", text="day,sum\n1,20")
    return [TextContent(type="text", text=f"Here is {name}:"), EmbeddedResource(type="resource", resource=content)]

server.run()
PY
cat >ask.py <<'PY'
import sys
from mcp import StdioServerParameters
from smolagents import MCPClient

for options in ({}, {"structured_output": True}):
    with MCPClient(StdioServerParameters(command=sys.executable, args=["server.py"]), **options) as tools:
        results = {tool.name: tool(**{argument: "x" for argument in tool.inputs}) for tool in tools}
    print(f"options {options}: names {results['names']}, read {results['read']}")
PY
seen=$(timeout 200 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
expected="options {}: names january.csv, read Here is x:
options {'structured_output': True}: names {'result': ['january.csv', 'february.csv', 'march.csv']}, read Here is x:"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
