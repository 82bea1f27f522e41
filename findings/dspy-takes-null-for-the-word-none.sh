#!/usr/bin/env bash
# dspy 3.4.1 (PyPI): an answer in JSON or XML whose value is not the text that was asked for.
#
# Guess: a signature says that the answer is a text. If a model writes null or a list instead, that is refused, as JSONAdapter
# refuses a missing field, and Predict asks again; a missing answer is None at the worst.
# Seen: it becomes a text. null is the word "None", which a page then shows as the model's answer and a test for an empty answer
# lets through. A list is written as Python writes it, in brackets and quotes, and so is what XMLAdapter makes of two answers
# in a row. For every other type the value is checked: the same null is an error where a number is asked for. ChatAdapter
# ends a text at the first line that looks like one of its marks, also of a field that the signature does not have.
# What follows: check in your program for the words "None" and for brackets at both ends, or ask for `str | None`, which keeps null.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check dspy==3.4.1 2>/dev/null

cat >parse.py <<'PY'
import dspy
from dspy.adapters import ChatAdapter, JSONAdapter, XMLAdapter


class Said(dspy.Signature):
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Counted(dspy.Signature):
    question: str = dspy.InputField()
    answer: int = dspy.OutputField()


class Perhaps(dspy.Signature):
    question: str = dspy.InputField()
    answer: str | None = dspy.OutputField()


def tell(adapter, signature, text):
    try:
        said = repr(adapter.parse(signature, text)["answer"])
    except Exception as error:
        said = type(error).__name__
    print(f"{type(adapter).__name__}, {signature.__name__}, {text!r}: {said}")


tell(JSONAdapter(), Said, '{"answer": null}')
tell(JSONAdapter(), Said, '{"answer": ["Oslo", "Bergen"]}')
tell(JSONAdapter(), Said, '{"reply": "Oslo"}')
tell(JSONAdapter(), Counted, '{"answer": null}')
tell(JSONAdapter(), Perhaps, '{"answer": null}')
tell(XMLAdapter(), Said, "<answer>Oslo</answer>\n<answer>Bergen</answer>")
tell(ChatAdapter(), Said, "[[ ## answer ## ]]\nBegin with\n[[ ## topic ## ]]\nand go on.\n\n[[ ## completed ## ]]")
PY
seen=$(timeout 200 env/bin/python -W ignore parse.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
JSONAdapter, Said, '{"answer": null}': 'None'
JSONAdapter, Said, '{"answer": ["Oslo", "Bergen"]}': "['Oslo', 'Bergen']"
JSONAdapter, Said, '{"reply": "Oslo"}': AdapterParseError
JSONAdapter, Counted, '{"answer": null}': AdapterParseError
JSONAdapter, Perhaps, '{"answer": null}': None
XMLAdapter, Said, '<answer>Oslo</answer>\n<answer>Bergen</answer>': "['Oslo', 'Bergen']"
ChatAdapter, Said, '[[ ## answer ## ]]\nBegin with\n[[ ## topic ## ]]\nand go on.\n\n[[ ## completed ## ]]': 'Begin with'
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
