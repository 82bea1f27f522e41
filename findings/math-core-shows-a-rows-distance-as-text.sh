#!/usr/bin/env bash
# math-core 0.9.0 (PyPI): options in brackets in LaTeX's tables, `\\[4pt]` for the spacing of a row and `[t]` for the table's
# position.
#
# Guess: they are applied or ignored, or LatexError reports that they are not supported, as it does for every unknown command.
# Seen: they become part of the formula, without an error: "[4pt]" is multiplied by the next row, and "[t]" with the first one.
# Models write the spacing in most systems of equations with fractions.
# What follows: remove both before you convert a formula. Catching LatexError is not enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check math-core==0.9.0 2>/dev/null

cat >rows.py <<'PY'
import re

from math_core import LatexError, LatexToMathML

FORMULAS = [
    r"\begin{aligned} a \\ b \end{aligned}", r"\begin{aligned} a \\[4pt] b \end{aligned}",
    r"\begin{aligned}[t] a \\ b \end{aligned}", r"\begin{cases} a \\[1ex] b \end{cases}", r"\unknown a",
]
for formula in FORMULAS:
    try:
        html = LatexToMathML(fancy_error=False).convert_with_local_state(formula, displaystyle=True)
        rows = [re.sub("<[^>]*>", "", row) for row in re.findall(r"<mtr>(.*?)</mtr>", html)]
        print(formula, "->", " / ".join(rows))
    except LatexError as error:
        print(formula, "->", error)
PY
env/bin/python -c 'from importlib.metadata import version; print("math-core", version("math-core"))'
seen=$(timeout 60 env/bin/python rows.py)
echo "$seen"
expected=$(cat <<'TEXT'
\begin{aligned} a \\ b \end{aligned} -> a / b
\begin{aligned} a \\[4pt] b \end{aligned} -> a / [4pt]b
\begin{aligned}[t] a \\ b \end{aligned} -> [t]a / b
\begin{cases} a \\[1ex] b \end{cases} -> a / [1ex]b
\unknown a -> 0: Unknown command "\unknown".
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
