#!/usr/bin/env bash
# markdown-it-py 4.3.0 (PyPI): lists inside each other.
#
# Guess: a list may stand in as many lists as one likes; if there is a limit (`maxNesting`), what is deeper is shown as text,
# as inline marks that are nested too deep are.
# Seen: the default preset limits nesting to 20 and counts a list and its item, so that the tenth list and all that is in it is
# left out of the HTML, without an error. So is what stands in 20 quotations. A folder's tree as a list gets that far.
# What follows: raise `maxNesting`, and take what is deeper as a paragraph in a rule of one's own before all others.
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
