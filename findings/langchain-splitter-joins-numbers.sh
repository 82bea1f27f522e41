#!/usr/bin/env bash
# langchain-text-splitters 1.1.3, beside semantic-text-splitter 0.33.1 (PyPI): a Markdown document that is split at its headings,
# so that a model can be given parts of it.
#
# Guess: a splitter only cuts. The parts, put together, are the document, except for the blanks and headings at the cuts.
# Seen: MarkdownHeaderTextSplitter takes the blanks off the beginning of every line, in code too, and removes each character that
# Python does not call printable. That includes the no-break space, which French and carefully set texts have in numbers and
# before units, and the space of Japanese and Chinese. "2 1/2 cups" becomes "21/2 cups", "12 500 euros" is "12500 euros", the body
# of an `if` leaves it, and items of an inner list become items of the outer one. There is no warning, and the model quotes the
# new text as the source's. The same package's ExperimentalMarkdownSyntaxTextSplitter keeps everything.
# What follows: use that, or another splitter, and compare "".join(parts) with the document once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile langchain-text-splitters==1.1.3 langchain-core==1.8.3 \
  semantic-text-splitter==0.33.1 2>/dev/null

cat >split.py <<'PY'
from langchain_text_splitters import ExperimentalMarkdownSyntaxTextSplitter, MarkdownHeaderTextSplitter
from semantic_text_splitter import MarkdownSplitter

DOCUMENT = """# Bread
Take 2\u00a01/2 cups.
- Flour
    - from rye
```python
if warm:
    bake()
eat()
```
"""
HEADINGS = [("#", "heading")]
SPLITS = {
    "MarkdownHeaderTextSplitter": MarkdownHeaderTextSplitter(HEADINGS).split_text(DOCUMENT),
    "ExperimentalMarkdownSyntaxTextSplitter": ExperimentalMarkdownSyntaxTextSplitter(HEADINGS).split_text(DOCUMENT),
}
PARTS = {name: [part.page_content for part in parts] for name, parts in SPLITS.items()}
PARTS["semantic-text-splitter"] = MarkdownSplitter(1000).chunks(DOCUMENT)
for name, parts in PARTS.items():
    lines = [line.rstrip() for line in "\n".join(parts).replace("\u00a0", "_").split("\n") if line.strip()]
    print(f"{name}: {' | '.join(line for line in lines if not line.startswith(('#', '```')))}")
PY
seen=$(timeout 60 env/bin/python -W ignore split.py)
echo "$seen"
expected="MarkdownHeaderTextSplitter: Take 21/2 cups. | - Flour | - from rye | if warm: | bake() | eat()
ExperimentalMarkdownSyntaxTextSplitter: Take 2_1/2 cups. | - Flour |     - from rye | if warm: |     bake() | eat()
semantic-text-splitter: Take 2_1/2 cups. | - Flour |     - from rye | if warm: |     bake() | eat()"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
