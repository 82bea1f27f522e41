#!/usr/bin/env bash
# panel 1.9.4 (PyPI): what a model is told about an answer that failed.
#
# Guess: if the callback of a ChatInterface raises, the page shows the error. serialize(), which exports the conversation for the
# next request to the model, contains what the person and the model said, as it leaves out the page's own help text.
# Seen: the error becomes a message whose author is "Exception", and serialize() makes an assistant of every author that it does
# not know. The model is told that it said "Encountered `ConnectionError(…)`. Set `callback_exception='verbose'` to see the full
# traceback." With "verbose", it is the whole traceback, with paths and lines of code. This is sent with every further question,
# and the failed question counts as answered. After half an answer, there are two messages of the assistant in a row, which some
# chat templates refuse.
# What follows: call serialize(exclude_users=["help", "exception"]). In this project, an error belongs to the answer and is never
# sent to a model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check panel==1.9.4 2>/dev/null

cat >chat.py <<'PY'
import panel

def answers(contents, user, instance):
    if contents == "Capital of Spain?":
        raise ConnectionError("no model server")
    if contents == "And its rivers?":
        yield "The longest one is"
        raise ConnectionError("no model server")
    yield "Paris."

def converse(title, questions, exclude=None, **settings):
    chat = panel.chat.ChatInterface(callback=answers, **settings)
    for question in questions:
        chat.send(question, user="User", respond=True)
    messages = chat.serialize(exclude_users=exclude)
    print(f"== {title}")
    for message in messages:
        first, *others = message["content"].splitlines()
        print(f"{message['role']}: {first}{' … and a traceback' if others else ''}")

converse("the default", ["Capital of Spain?", "And of France?"])
converse("after half an answer", ["And its rivers?", "And of France?"])
converse("verbose", ["Capital of Spain?"], callback_exception="verbose")
converse("as advised", ["Capital of Spain?", "And of France?"], ["help", "exception"])
PY
echo "panel $(env/bin/python -c 'from importlib.metadata import version; print(version("panel"))')"
seen=$(timeout 100 env/bin/python -W ignore chat.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
== the default
user: Capital of Spain?
assistant: Encountered `ConnectionError('no model server')`. Set `callback_exception='verbose'` to see the full traceback.
user: And of France?
assistant: Paris.
== after half an answer
user: And its rivers?
assistant: The longest one is
assistant: Encountered `ConnectionError('no model server')`. Set `callback_exception='verbose'` to see the full traceback.
user: And of France?
assistant: Paris.
== verbose
user: Capital of Spain?
assistant: ```python … and a traceback
== as advised
user: Capital of Spain?
user: And of France?
assistant: Paris.
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
