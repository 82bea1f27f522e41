#!/usr/bin/env bash
# litellm 1.110.2, beside langchain-core 1.8.3 (PyPI): trim_messages(), which makes a conversation fit into a model's context.
#
# Guess: whole messages are dropped, oldest first, and a tool call together with its result. If the last question alone is too
# long, there is an error, or its end is cut off.
# Seen: a message at the limit is cut in the middle, and its halves are joined by "..", even within words and numbers. Of a pasted
# table of 200 rows, the model reads the beginning and the end, and adds those up; nothing says so. A tool's result is kept without
# the call it answers, which OpenAI's and Anthropic's servers refuse: the question fails because it was shortened. The function of
# the same name in langchain-core cuts no message, and with `start_on="human"` it begins at a question.
# What follows: drop whole turns yourself, counting with litellm.token_counter(), and tell people if a question is too long.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check litellm==1.110.2 langchain-core==1.8.3 2>/dev/null

cat >trim.py <<'PY'
from langchain_core.messages import trim_messages as langchain_trim
from litellm import token_counter
from litellm.utils import trim_messages

CALL = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How warm is it? " * 60},
    {"role": "assistant", "content": "Let me look.", "tool_calls": CALL},
    {"role": "tool", "tool_call_id": "c1", "content": "20 degrees " * 60},
    {"role": "assistant", "content": "It is warm."},
    {"role": "user", "content": "And tomorrow?"},
]
TABLE = [{"role": "user", "content": "Add up: " + " ".join(f"row{row}={row + 1000}" for row in range(1, 201))}]

def count(messages):
    return token_counter(model="m", messages=messages)

def roles(messages):
    return " ".join(message["role"] for message in messages)

print("litellm, talk:", roles(trim_messages(TALK, model="m", max_tokens=200)))
(question,) = trim_messages(TABLE, model="m", max_tokens=600)
cut = question["content"].index("..")
print(f"litellm, table: {question['content'][:16]!r}, {question['content'][cut - 12:cut + 14]!r}, {question['content'][-11:]!r}")

def langchain_roles(messages, limit):
    def counter(kept):
        return 4 * sum(len(message.text.split()) for message in kept)
    kept = langchain_trim(messages, max_tokens=limit, token_counter=counter, start_on="human", include_system=True)
    return " ".join(message.type for message in kept) or "nothing"

print("langchain, talk:", langchain_roles(TALK, 520))
print("langchain, table:", langchain_roles(TABLE, 600))
PY
seen=$(LITELLM_LOCAL_MODEL_COST_MAP=True timeout 60 env/bin/python -W ignore trim.py 2>/dev/null)
echo "$seen"
expected="litellm, talk: system tool assistant user
litellm, table: 'Add up: row1=100', ' row61=1061 ..ow145=1145 r', 'row200=1200'
langchain, talk: system human
langchain, table: nothing"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
