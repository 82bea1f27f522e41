#!/usr/bin/env bash
# langchain-core 1.8.3 (templates in Mustache) and semantic-kernel 1.45.0, beside pydantic-handlebars 0.2.1 and banks 2.5.1
# (PyPI): a question that is put into a prompt by a template.
#
# Guess: a template for prompts makes text for a model, not HTML, so it inserts a question as it is, or undoes its own escaping.
# Seen: LangChain's `template_format="mustache"`, the format of prompts that are written in LangSmith, escapes for HTML: the model
# is asked about "a &lt; b &amp;&amp; c", and quotes become "&quot;". Its default format does not do that. Semantic Kernel escapes
# the question, and unescapes the prompt once too often: a question about "&lt;" is one about "<", and "what does &amp;lt; stand
# for" is one about "&lt;". That happens in each of its three formats, but only if the question has such an entity, so a test with
# "<" passes. The answer is about something that nobody has asked, and the chat shows the original question.
# What follows: write `{{{question}}}` in LangChain's Mustache. In Semantic Kernel, put questions into the chat history instead of
# a template.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile langchain-core==1.8.3 semantic-kernel==1.45.0 \
  pydantic-handlebars==0.2.1 banks==2.5.1 2>/dev/null

cat >ask.py <<'PY'
import asyncio, http.server, json, threading

QUESTION = "Isn't a < b && c in HTML &lt; or &amp;lt;?"
asked = []

class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"])
        choice = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
        answer = json.dumps({"id": "c", "created": 1, "object": "chat.completion", "model": "m", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()

def langchain(template_format, template):
    from langchain_core.prompts import ChatPromptTemplate

    prompt = ChatPromptTemplate.from_messages([("human", template)], template_format=template_format)
    return prompt.invoke({"question": QUESTION}).messages[0].content

def semantic_kernel(template_format, template):
    from openai import AsyncOpenAI
    from semantic_kernel import Kernel
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
    from semantic_kernel.functions import KernelArguments

    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none")
    kernel = Kernel()
    kernel.add_service(OpenAIChatCompletion(ai_model_id="m", async_client=client))
    asyncio.run(kernel.invoke_prompt(
        template, arguments=KernelArguments(question=QUESTION), template_format=template_format))
    message = asked.pop()
    return message if isinstance(message, str) else message[0]["text"]

def handlebars():
    import pydantic_handlebars

    return pydantic_handlebars.render("{{question}}", {"question": QUESTION})

def banks():
    from banks import Prompt

    return Prompt("{{question}}").text({"question": QUESTION})

print("the question:", QUESTION)
print("langchain, f-string:", langchain("f-string", "{question}"))
print("langchain, mustache:", langchain("mustache", "{{question}}"))
print("semantic-kernel:", semantic_kernel("semantic-kernel", "{{$question}}"))
print("semantic-kernel, handlebars:", semantic_kernel("handlebars", "{{question}}"))
print("semantic-kernel, jinja2:", semantic_kernel("jinja2", "{{question}}"))
print("pydantic-handlebars:", handlebars())
print("banks:", banks())
PY
seen=$(timeout 150 env/bin/python -W ignore ask.py 2>/dev/null)
echo "$seen"
expected="the question: Isn't a < b && c in HTML &lt; or &amp;lt;?
langchain, f-string: Isn't a < b && c in HTML &lt; or &amp;lt;?
langchain, mustache: Isn't a &lt; b &amp;&amp; c in HTML &amp;lt; or &amp;amp;lt;?
semantic-kernel: Isn't a < b && c in HTML < or &lt;?
semantic-kernel, handlebars: Isn't a < b && c in HTML < or &lt;?
semantic-kernel, jinja2: Isn't a < b && c in HTML < or &lt;?
pydantic-handlebars: Isn't a < b && c in HTML &lt; or &amp;lt;?
banks: Isn't a < b && c in HTML &lt; or &amp;lt;?"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
