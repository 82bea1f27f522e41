#!/usr/bin/env bash
# dspy 3.4.1 and litellm 1.110.2, beside langchain-core 1.8.3 with langchain-openai 1.7.4 (PyPI): an answer that is taken from a
# cache although it is not the answer to this request.
#
# Guess: a cache of answers distinguishes requests by everything that can change the answer: the messages, the model's name, the
# server that is asked, and options that a server has beyond OpenAI's.
# Seen: dspy, whose cache is on by default and kept on disk, ignores the server's address. litellm's cache ignores it too, and also
# `extra_body` and `extra_headers`, in which servers such as vLLM take switches for thinking or a grammar. So two
# servers that call their model by one name ("default", "llama3") share their answers: after a move to a new server, or in a
# comparison of two, the new one is never asked, and the results are the old one's. A question that is repeated without thinking
# gets the answer with it. Nothing marks an answer as cached in dspy's result. LangChain asks each time.
# What follows: give each server's model a name of its own, or use `cache=False` in dspy and a `namespace` in litellm, when you
# compare servers or options. Count the requests that arrive. litellm also needs fastapi, orjson and soundfile for an answer from
# its cache, which it does not install: the second of two equal questions raises ModuleNotFoundError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile dspy==3.4.1 litellm==1.110.2 langchain-core==1.8.3 \
  langchain-openai==1.7.4 fastapi==0.165.0 orjson==3.13.0 soundfile==0.14.0 2>/dev/null

cat >ask.py <<'PY'
import http.server, json, threading

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        thinking = " after thinking" if request.get("chat_template_kwargs", {}).get("enable_thinking") else ""
        message = {"role": "assistant", "content": f"{self.server.name} answers{thinking}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = json.dumps({"id": "c", "created": 1, "object": "chat.completion", "model": "default", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass

def serve(name):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.name = name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"

ADDRESSES = [serve("the old server"), serve("the new server")]
THINKING = {"chat_template_kwargs": {"enable_thinking": True}}

def with_dspy(address, extra_body):
    import dspy

    return dspy.LM("openai/default", api_base=address, api_key="none", extra_body=extra_body)("Who answers?")[0]

def with_litellm(address, extra_body):
    import litellm

    litellm.cache = litellm.cache or litellm.Cache()
    question = [{"role": "user", "content": "Who answers?"}]
    answer = litellm.completion(
        "openai/default", question, api_base=address, api_key="none", caching=True, extra_body=extra_body)
    return answer.choices[0].message.content

def with_langchain(address, extra_body):
    from langchain_core.caches import InMemoryCache
    from langchain_core.globals import get_llm_cache, set_llm_cache
    from langchain_openai import ChatOpenAI

    set_llm_cache(get_llm_cache() or InMemoryCache())
    return ChatOpenAI(model="default", base_url=address, api_key="none", extra_body=extra_body).invoke("Who answers?").content

for ask in (with_dspy, with_litellm, with_langchain):
    answers = [ask(ADDRESSES[0], THINKING), ask(ADDRESSES[0], {}), ask(ADDRESSES[1], {})]
    print(f"{ask.__name__}: {'; '.join(answers)}", flush=True)
PY
seen=$(DSPY_CACHEDIR="$folder/cache" LITELLM_LOCAL_MODEL_COST_MAP=True timeout 150 env/bin/python -W ignore ask.py 2>err.log)
echo "$seen"
expected="with_dspy: the old server answers after thinking; the old server answers; the old server answers
with_litellm: the old server answers after thinking; the old server answers after thinking; the old server answers after thinking
with_langchain: the old server answers after thinking; the old server answers; the new server answers"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
