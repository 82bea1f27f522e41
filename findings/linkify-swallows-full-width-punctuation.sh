#!/usr/bin/env bash
# markdown-it-py 4.3.0 with linkify-it-py 2.2.0 (PyPI): where a URL in Chinese or Japanese text ends.
#
# Guess: a bare URL ends before full-width punctuation, as it does before ". " or ")" in English. A model that answers in Chinese
# puts no space after it.
# Seen: that is true only for a URL without a path. After a path, the full stop, the comma, the bracket and all the words after
# them, up to the next space, become part of the link. The link leads nowhere, and half of the sentence is underlined.
# What follows: for answers in these languages, end the match at the first full-width punctuation mark in a custom rule, or write
# URLs as `<https://…>`, which works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdown-it-py==4.3.0 linkify-it-py==2.2.0 2>/dev/null

cat >links.py <<'PY'
from markdown_it import MarkdownIt

TEXTS = [
    "See https://example.com/a.", "(https://example.com/a)", "见 https://example.com。谢谢",
    "见 https://example.com/a。谢谢",
    "（见 https://example.com/a）然后", "「https://example.com/a」です",
    "https://example.com/a，然后", "见 <https://example.com/a>。谢谢",
]
markdown = MarkdownIt("commonmark", {"linkify": True}).enable("linkify")
for text in TEXTS:
    (inline,) = [token for token in markdown.parse(text) if token.type == "inline"]
    links = [after.content for before, after in zip(inline.children, inline.children[1:]) if before.type == "link_open"]
    print(f"{text} -> {links[0]}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("markdown-it-py", "linkify-it-py")), sep=", ")'
seen=$(timeout 60 env/bin/python links.py)
echo "$seen"
expected="See https://example.com/a. -> https://example.com/a
(https://example.com/a) -> https://example.com/a
见 https://example.com。谢谢 -> https://example.com
见 https://example.com/a。谢谢 -> https://example.com/a。谢谢
（见 https://example.com/a）然后 -> https://example.com/a）然后
「https://example.com/a」です -> https://example.com/a」です
https://example.com/a，然后 -> https://example.com/a，然后
见 <https://example.com/a>。谢谢 -> https://example.com/a"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
