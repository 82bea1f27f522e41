#!/usr/bin/env bash
# markdown-it-py 4.3.0 (PyPI): nested lists.
#
# Guess: lists can be nested as deeply as you like. If there is a limit (`maxNesting`), whatever is deeper is shown as text, as is
# the case for inline markup that is nested too deeply.
# Seen: the default preset limits nesting to 20, and counts both a list and its item, so the tenth list and everything in it is
# missing from the HTML, without an error. The same happens to text inside 20 block quotes. A folder tree written as a list can be
# that deep.
# What follows: raise `maxNesting`, and add a rule of your own ahead of all others that treats anything deeper as a paragraph.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdown-it-py==4.3.0 2>/dev/null

cat >lists.py <<'PY'
import re

from markdown_it import MarkdownIt

TREE = "\n".join("  " * depth + f"- folder{depth + 1}" for depth in range(12))
for preset in ("commonmark", "js-default"):
    html = MarkdownIt(preset).render(TREE)
    print(f"{preset}: {len(re.findall('folder', html))} of 12 folders")
for depth in (19, 20):
    print(f"{depth} quotations: {'shown' if 'text' in MarkdownIt('commonmark').render('> ' * depth + 'text') else 'lost'}")
PY
env/bin/python -c 'from importlib.metadata import version; print("markdown-it-py", version("markdown-it-py"))'
seen=$(timeout 60 env/bin/python lists.py)
echo "$seen"
expected="commonmark: 9 of 12 folders
js-default: 12 of 12 folders
19 quotations: shown
20 quotations: lost"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
