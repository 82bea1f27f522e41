#!/usr/bin/env bash
# latex2mathml 3.81.1, beside math-core 0.9.0 (PyPI): formulas of several lines.
#
# Guess: `aligned`, in which models write most derivations, becomes a table, as `align*` does. What the library does not know is
# an error, so that a page can show the LaTeX instead.
# Seen: there is no error. `aligned`, `alignedat` and `dcases` become a single row: each "&" is shown as a character of the
# formula, and the lines are separated by <mspace linebreak="newline">, which Chromium ignores: "a&=bc&=d". These "&" are not
# escaped, either, so the result is no XML, and a program that builds a document from it fails. In `\operatorname*{arg\,min}_x`,
# the star is shown, and the name becomes a product of letters. An unknown command is shown with its backslash, and its arguments
# as a product. math-core converts these, or raises a LatexError.
# What follows: replace `aligned` by `split`, which it knows, and treat a result as failed if it contains "<mi>&" or "<mi>\".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check latex2mathml==3.81.1 math-core==0.9.0 2>/dev/null

cat >convert.py <<'PY'
import html, re
import latex2mathml.converter
from math_core import LatexError, LatexToMathML

FORMULAS = [
    r"\begin{align*} a &= b \\ c &= d \end{align*}",
    r"\begin{split} a &= b \\ c &= d \end{split}",
    r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
    r"f = \begin{dcases} 1 & x > 0 \\ 2 & x < 0 \end{dcases}",
    r"\operatorname*{arg\,min}_x f",
    r"\SI{5}{m}",
]

def shown(mathml):
    text = html.unescape(re.sub("<[^>]*>", "", mathml.replace("<mi>&</mi>", "<mi>&amp;</mi>")))
    visible = re.sub("[\u2061-\u2064]|[ \n]", "", text)
    return f"{visible!a} in {mathml.count('<mtr')} rows"

def with_math_core(latex):
    try:
        return shown(LatexToMathML().convert_with_local_state(latex, displaystyle=True))
    except LatexError:
        return "LatexError"

for latex in FORMULAS:
    print(latex)
    print("  latex2mathml:", shown(latex2mathml.converter.convert(latex)))
    print("  math-core:", with_math_core(latex))
PY
seen=$(timeout 60 env/bin/python -W ignore convert.py)
echo "$seen"
expected=$(cat <<'TEXT'
\begin{align*} a &= b \\ c &= d \end{align*}
  latex2mathml: 'a=bc=d' in 2 rows
  math-core: 'a=bc=d' in 2 rows
\begin{split} a &= b \\ c &= d \end{split}
  latex2mathml: 'a=bc=d' in 2 rows
  math-core: LatexError
\begin{aligned} a &= b \\ c &= d \end{aligned}
  latex2mathml: 'a&=bc&=d' in 0 rows
  math-core: 'a=bc=d' in 2 rows
f = \begin{dcases} 1 & x > 0 \\ 2 & x < 0 \end{dcases}
  latex2mathml: 'f=1&x>02&x<0' in 0 rows
  math-core: 'f={1x>02x<0' in 2 rows
\operatorname*{arg\,min}_x f
  latex2mathml: '*argminxf' in 0 rows
  math-core: 'arg\u2009minxf' in 0 rows
\SI{5}{m}
  latex2mathml: '\\SI5m' in 0 rows
  math-core: LatexError
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
