#!/usr/bin/env bash
# llm 0.36 and autogen-agentchat 0.7.5 (PyPI): code that is taken out of an answer to be saved or run.
#
# Guess: both find code blocks as a Markdown reader does: whatever the language is called, and without the indentation of a list
# when the block belongs to a step. `llm -x` prints the first block, and the whole answer only if it has no code.
# Seen: llm accepts letters, digits and underscores as a language. A block in C++ (or C#, Objective-C, `python title="a.py"`) is
# not seen as a beginning, so that `llm -x` prints the whole answer with its fences, or, if another block follows, takes the end
# of the first for a beginning and prints the prose between the two. A block in a step is passed over for the next one, which
# is the wrong code. AutoGen's CodeExecutorAgent takes that block, but with its indentation, which Python refuses, and it takes
# a fence that is shown in a docstring for the end of the code. Neither of the two warns.
# What follows: parse the answer with a CommonMark parser and take its fences. In a prompt for `llm -x`, ask for nothing but a
# block in a language of plain letters (cpp), and look at the first line before you run it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in llm==0.36 autogen-agentchat==0.7.5; do
  python3 -m venv "${package%%=*}"
  "${package%%=*}/bin/pip" install --quiet --disable-pip-version-check --no-compile "$package" 2>/dev/null
done

cat >answers.py <<'PY'
ANSWERS = {
    "python": "Write it:\n\n```python\nprint(1)\n```",
    "c++": "Write it:\n\n```c++\nint main() {}\n```",
    "c++ and sh": "Write it:\n\n```c++\nint main() {}\n```\n\nThen compile it:\n\n```sh\ng++ a.cc\n```",
    "in a step": (
        "1. Write it:\n\n   ```python\n   for n in (1, 2):\n       print(n)\n   ```\n\n2. Run it:\n\n```sh\npython a.py\n```"),
    "docstring": '```python\ndef f():\n    """Use:\n\n    ```\n    f()\n    ```\n    """\n    return 1\n```',
}
PY
cat >with_llm.py <<'PY'
import http.server, json, os, subprocess, threading
from answers import ANSWERS

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": ANSWERS[request["messages"][-1]["content"]]}
        answer = json.dumps({
            "id": "c", "object": "chat.completion", "created": 1, "model": "local",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open("extra-openai-models.yaml", "w", encoding="utf-8") as file:
    file.write(f"- model_id: local\n  model_name: local\n  api_base: http://127.0.0.1:{server.server_port}/v1\n")
for name in ANSWERS:
    command = ["llm/bin/llm", "--model", "local", "--key", "none", "--extract", name]
    answer = subprocess.run(command, env={**os.environ, "LLM_USER_PATH": os.getcwd()}, capture_output=True, text=True, check=True)
    print(f"llm, {name}: {answer.stdout.strip()!r}")
PY
cat >with_autogen.py <<'PY'
import asyncio
from answers import ANSWERS
from autogen_agentchat.agents import CodeExecutorAgent
from autogen_agentchat.messages import TextMessage
from autogen_core.code_executor import CodeExecutor

class Executor(CodeExecutor):
    """Only collects what the agent would run."""

    async def _nothing(self):
        pass

    start = stop = restart = _nothing

    async def execute_code_blocks(self, code_blocks, cancellation_token):
        raise NotImplementedError

async def main():
    agent = CodeExecutorAgent("coder", code_executor=Executor())
    for name in ("python", "in a step", "docstring"):
        blocks = await agent.extract_code_blocks_from_messages([TextMessage(content=ANSWERS[name], source="model")])
        print(f"autogen, {name}: {[block.code.rstrip() for block in blocks]}")

asyncio.run(main())
PY
seen=$(timeout 60 llm/bin/python with_llm.py; timeout 60 autogen-agentchat/bin/python -W ignore with_autogen.py)
echo "$seen"
expected=$(cat <<'SEEN'
llm, python: 'print(1)'
llm, c++: 'Write it:\n\n```c++\nint main() {}\n```'
llm, c++ and sh: 'Then compile it:\n\n```sh\ng++ a.cc'
llm, in a step: 'python a.py'
llm, docstring: 'def f():\n    """Use:\n\n    ```\n    f()\n    ```\n    """\n    return 1'
autogen, python: ['print(1)']
autogen, in a step: ['   for n in (1, 2):\n       print(n)', 'python a.py']
autogen, docstring: ['def f():\n    """Use:']
SEEN
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
