#!/usr/bin/env bash
# acpbox 0.2.3 (PyPI), which puts an agent of the Agent Client Protocol behind OpenAI's API: the question after a Stop.
#
# Guess: if the reader of a streamed answer leaves, the gateway sends session/cancel, as an editor's Stop button does. Either way,
# each question gets a session of its own, and its answer contains what the agent sent for that session.
# Seen: nothing is cancelled, and the agent goes on writing. All questions share one pipe to the agent, and the gateway treats
# every message in it as part of the answer that it is just streaming, whatever the session id says. The rest of the stopped
# answer arrives within the next one, word by word between its own words, whoever asked for it, and is kept with it.
# What follows: behind acpbox, let every answer end before the next question, or connect to the agent itself: the protocol has
# session ids so that a client can tell answers apart. This project does that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check acpbox==0.2.3 openai==3.57.0 2>/dev/null

cat >agent.py <<'PY'
import json, sys, threading, time

cancelled = set()

def send(**fields):
    print(json.dumps({"jsonrpc": "2.0", **fields}), flush=True)

def answer(request, session, word):
    for number in range(1, 9):
        if session in cancelled:
            break
        content = {"type": "text", "text": f"{word}{number} "}
        send(method="session/update", params={
            "sessionId": session, "update": {"sessionUpdate": "agent_message_chunk", "content": content}})
        time.sleep(0.2)
    send(id=request, result={"stopReason": "cancelled" if session in cancelled else "end_turn"})

sessions = 0
for line in sys.stdin:
    message = json.loads(line)
    method, params = message["method"], message["params"]
    with open("methods", "a") as file:
        file.write(method + "\n")
    if method == "session/prompt":
        word = params["prompt"][-1]["text"].split()[-1]
        threading.Thread(target=answer, args=(message["id"], params["sessionId"], word)).start()
    elif method == "session/cancel":
        cancelled.add(params["sessionId"])
    elif method == "session/new":
        sessions += 1
        send(id=message["id"], result={"sessionId": f"session-{sessions}"})
    else:
        send(id=message["id"], result={"protocolVersion": 1, "agentCapabilities": {}} if method == "initialize" else {})
PY
cat >ask.py <<'PY'
import json, os, socket, subprocess, sys, time
import openai

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
settings = {"ACPBOX_ACP_COMMAND": json.dumps([sys.executable, os.path.abspath("agent.py")]), "ACPBOX_ACP_WORKSPACE": os.getcwd(),
            "ACPBOX_GATEWAY_HOST": "127.0.0.1", "ACPBOX_GATEWAY_PORT": str(port)}
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
gateway = subprocess.Popen(["env/bin/acpbox"], env={**os.environ, **settings}, **quiet)
client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)

def ask(word, pieces=None):
    messages = [{"role": "user", "content": f"Count {word}"}]
    said = []
    with client.chat.completions.create(model="m", messages=messages, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                said.append(chunk.choices[0].delta.content.strip())
            if len(said) == pieces:
                break
    return said

try:
    for _ in range(150):
        try:
            client.models.list()
            break
        except openai.OpenAIError:
            time.sleep(0.2)
    print("stopped:", *ask("sheep", pieces=2))
    said = ask("stars")
    mine = [piece for piece in said if "stars" in piece]
    print(f"next: all of its own: {len(mine) == 8}; of the stopped one: {any('sheep' in piece for piece in said)}")
    print("an example:", *said, file=sys.stderr)
    with open("methods") as file:
        print("session/cancel sent:", "session/cancel\n" in file.readlines())
finally:
    gateway.terminate()
    gateway.wait(20)
PY
echo "acpbox $(env/bin/python -c 'from importlib.metadata import version; print(version("acpbox"))')"
seen=$(timeout 90 env/bin/python -W ignore ask.py)
echo "$seen"
expected="stopped: sheep1 sheep2
next: all of its own: True; of the stopped one: True
session/cancel sent: False"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
