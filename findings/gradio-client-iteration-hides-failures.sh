#!/usr/bin/env bash
# gradio_client 2.7.2 with gradio 6.31.0 (PyPI): iterating over a job does not report that it failed, and may yield nothing.
#
# Guess: `for piece in client.submit(…)` yields what the function yields, and raises if the function raises. A function that returns
# its answer instead of yielding gives one piece.
# Seen: if the function raises after two pieces, the loop ends after two pieces as if they were the whole answer, and the job's
# status is FINISHED. Only result() raises. If the function does not yield, the loop yields nothing at all, although result() has
# the answer.
# What follows: always call job.result() after the loop. It raises the error if there was one, and returns the answer if there was
# nothing to iterate over.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check gradio==6.31.0 gradio-client==2.7.2 2>/dev/null

cat >ask.py <<'PY'
import time
import gradio
from gradio_client import Client

def whole(message, history):
    yield "Hel"
    time.sleep(0.2)
    yield "Hello"

def fails(message, history):
    yield "Hel"
    time.sleep(0.2)
    yield "Hello"
    time.sleep(0.2)
    raise gradio.Error("overloaded")

def returns(message, history):
    return "Hello"

with gradio.Blocks() as chats:
    for function in (whole, fails, returns):
        gradio.ChatInterface(function, api_name=function.__name__)
chats.launch(prevent_thread_lock=True, quiet=True)
client = Client(chats.local_url, verbose=False)
for name in ("whole", "fails", "returns"):
    job = client.submit("Hi", api_name=f"/{name}")
    pieces = list(job)
    try:
        result = job.result(timeout=20)
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print(f"{name}: pieces {pieces}, status {job.status().code.name}, result() {result}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("gradio_client", "gradio")), sep=", ")'
seen=$(GRADIO_ANALYTICS_ENABLED=False HF_HUB_OFFLINE=1 timeout 100 env/bin/python ask.py 2>/dev/null)
echo "$seen"
expected="whole: pieces ['Hel', 'Hello'], status FINISHED, result() Hello
fails: pieces ['Hel', 'Hello'], status FINISHED, result() AppError: overloaded
returns: pieces [], status FINISHED, result() Hello"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
