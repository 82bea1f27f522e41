#!/usr/bin/env bash
# mdit-py-plugins 0.7.0 with markdown-it-py 4.3.0 (PyPI): its plugin texmath with TeX's brackets, which models use for formulas.
#
# Guess: `\[ … \]` is a formula wherever it appears, and the text after it on its line is kept.
# Seen: at the beginning of a line, the rest of that line is missing from the HTML, even whole sentences, without an error. Inside a
# sentence, or below one, it is not recognized as a formula, and its backslashes are gone: `so \[ x \]` becomes "so [ x ]". In a
# block quote, the formula contains the quote's ">".
# What follows: handle both kinds of brackets in one inline rule ahead of `escape`, so that the text around them is ordinary text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdown-it-py==4.3.0 mdit-py-plugins==0.7.0 2>/dev/null

cat >brackets.py <<'PY'
from markdown_it import MarkdownIt
from mdit_py_plugins.texmath import texmath_plugin

TEXTS = [r"so \(x\) is.", r"\[ x \]", r"\[ x \] where x is **large**.", r"so \[ x \] is", "so:\n\\[\nx\n\\]", "> \\[\n> x\n> \\]"]
markdown = MarkdownIt("commonmark").use(texmath_plugin, delimiters="brackets")
for text in TEXTS:
    print(repr(text), "->", " ".join(markdown.render(text).split()))
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("markdown-it-py", "mdit-py-plugins")), sep=", ")'
seen=$(timeout 60 env/bin/python brackets.py)
echo "$seen"
expected=$(cat <<'TEXT'
'so \\(x\\) is.' -> <p>so <eq>x</eq> is.</p>
'\\[ x \\]' -> <section> <eqn> x </eqn> </section>
'\\[ x \\] where x is **large**.' -> <section> <eqn> x </eqn> </section>
'so \\[ x \\] is' -> <p>so [ x ] is</p>
'so:\n\\[\nx\n\\]' -> <p>so: [ x ]</p>
'> \\[\n> x\n> \\]' -> <blockquote> <section> <eqn> &gt; x &gt; </eqn> </section> </blockquote>
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
