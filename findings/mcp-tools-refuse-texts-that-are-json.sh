#!/usr/bin/env bash
# mcp 1.30.0 and 2.3.0, beside fastmcp 4.1.6 (PyPI): a tool whose optional text happens to be JSON.
#
# Guess: a parameter of the type `str | None` receives the string that the model sent, as one of the type `str` does. An argument
# is parsed only if it is a string where the schema demands something else.
# Seen: the official SDK's servers parse every string that is sent for any type other than exactly `str`. The text "null" arrives
# as None, so the tool behaves as if nothing had been said. A text that is a JSON object, such as a settings file to be saved, is
# rejected: "Input should be a valid string", which it is. The model is told to send what it has sent. With `str | list[str]`, a
# text becomes a list. If the type is `str`, everything is as it was sent, so a tool breaks when its parameter becomes optional.
# fastmcp leaves all of them alone.
# What follows: write `text: str = ""` for an optional text, and test a tool that stores text with "null" and "{}".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv old
old/bin/pip install --quiet --disable-pip-version-check --no-compile mcp==1.30.0 2>/dev/null
python3 -m venv new
new/bin/pip install --quiet --disable-pip-version-check --no-compile mcp==2.3.0 fastmcp==4.1.6 2>/dev/null

cat >server.py <<'PY'
import sys

if sys.argv[1].startswith("fastmcp"):
    from fastmcp import FastMCP as Server
elif sys.argv[1] == "mcp==1.30.0":
    from mcp.server.fastmcp import FastMCP as Server
else:
    from mcp.server.mcpserver import MCPServer as Server

server = Server("notes")

@server.tool()
def required(text: str) -> str:
    return repr(text)

@server.tool()
def optional(text: str | None = None) -> str:
    return repr(text)

@server.tool()
def several(text: str | list[str]) -> str:
    return repr(text)

server.run()
PY
cat >call.py <<'PY'
import asyncio, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    server = StdioServerParameters(command=sys.executable, args=["server.py", sys.argv[1]])
    async with stdio_client(server, errlog=open("server.log", "w")) as streams, ClientSession(*streams) as session:
        await session.initialize()
        for tool in ("required", "optional", "several"):
            told = []
            for text in ("null", '{"dark": true}', '["a", "b"]'):
                result = await session.call_tool(tool, {"text": text})
                said = result.content[0].text
                told.append("rejected: not a valid string" if "should be a valid string" in said else said)
            print(f"{sys.argv[1]}, {tool}: {'; '.join(told)}")

asyncio.run(main())
PY
seen=$(timeout 30 old/bin/python call.py mcp==1.30.0
for package in mcp==2.3.0 fastmcp==4.1.6; do timeout 30 new/bin/python call.py "$package"; done)
echo "$seen"
expected=$(for package in mcp==1.30.0 mcp==2.3.0; do cat <<TEXT
$package, required: 'null'; '{"dark": true}'; '["a", "b"]'
$package, optional: None; rejected: not a valid string; rejected: not a valid string
$package, several: rejected: not a valid string; rejected: not a valid string; ['a', 'b']
TEXT
done
for tool in required optional several; do echo "fastmcp==4.1.6, $tool: 'null'; '{\"dark\": true}'; '[\"a\", \"b\"]'"; done)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
