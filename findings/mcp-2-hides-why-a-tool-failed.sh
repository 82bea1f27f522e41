#!/usr/bin/env bash
# mcp 2.3.0 (PyPI), beside mcp 1.30.0 and fastmcp 4.1.6: what a model is told about a tool that raised.
#
# Guess: an exception in a tool becomes a result with `isError` and the exception's text, as the protocol's section on tools
# advises, so that the model can correct its call. A program that migrates from mcp 1 to mcp 2 needs a new import and nothing else.
# Seen: that is true of mcp 1 and fastmcp. In mcp 2, the model reads "Error executing tool look" and nothing else, whatever was
# raised: "no such city: Rom, did you mean Rome?" does not arrive. Only wrong arguments and ToolError keep their text. A test that
# checks only `isError` does not notice, and models repeat the same call.
# What follows: raise `ToolError` from mcp.server.mcpserver.exceptions for everything that the model should know, and review every
# `raise` that a tool can reach before you move to mcp 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in mcp==1.30.0 mcp==2.3.0 fastmcp==4.1.6; do
  python3 -m venv "$package"
  "$package/bin/pip" install --quiet --disable-pip-version-check "$package" 2>/dev/null
done

cat >server.py <<'PY'
try:
    from mcp.server import MCPServer as Server
    from mcp.server.mcpserver.exceptions import ToolError
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server
    from mcp.server.fastmcp.exceptions import ToolError
try:
    from fastmcp import FastMCP as Server
    from fastmcp.exceptions import ToolError
except ImportError:
    pass

server = Server("weather")

@server.tool()
def look(city: str) -> str:
    raise ValueError(f"no such city: {city}, did you mean Rome?")

@server.tool()
def look_again(city: str) -> str:
    raise ToolError(f"no such city: {city}, did you mean Rome?")

server.run("stdio")
PY
cat >ask.py <<'PY'
import asyncio, sys
from mcp import ClientSession, StdioServerParameters, stdio_client

async def main():
    async with stdio_client(StdioServerParameters(command=sys.executable, args=["server.py"])) as streams:
        async with ClientSession(*streams) as session:
            await session.initialize()
            for tool in ("look", "look_again"):
                result = await session.call_tool(tool, {"city": "Rom"})
                failed = getattr(result, "is_error", None) or getattr(result, "isError", None)
                print(f"  {tool}: error {failed}, {result.content[0].text}")

asyncio.run(main())
PY
seen=$(for package in mcp==1.30.0 fastmcp==4.1.6 mcp==2.3.0; do
  echo "$package"
  timeout 60 "$package/bin/python" ask.py 2>/dev/null
done)
echo "$seen"
expected="mcp==1.30.0
  look: error True, Error executing tool look: no such city: Rom, did you mean Rome?
  look_again: error True, Error executing tool look_again: no such city: Rom, did you mean Rome?
fastmcp==4.1.6
  look: error True, Error calling tool 'look': no such city: Rom, did you mean Rome?
  look_again: error True, no such city: Rom, did you mean Rome?
mcp==2.3.0
  look: error True, Error executing tool look
  look_again: error True, Error executing tool look_again: no such city: Rom, did you mean Rome?"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
