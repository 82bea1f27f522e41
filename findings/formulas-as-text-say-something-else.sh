#!/usr/bin/env bash
# pylatexenc 2.11 and unicodeit 0.7.5, beside flatlatex 0.15 and telegramify-markdown 1.4.1 (PyPI): LaTeX that is turned into
# plain text, for a terminal, a mail or a message.
#
# Guess: the text has the formula's value: brackets appear where a fraction or an exponent needs them, and commands that are not
# known are left as they are, so that nobody is misled.
# Seen: pylatexenc writes (a+b)/c as "a+b/c" and a cube root as a square root, and drops commands that it does not know: "x is not
# y" becomes "x y", "not p" becomes "p", and "5 choose 2" is "52". unicodeit replaces the beginnings of longer commands: \left is
# "≤ft", \log is "łog", and of e to the power of -x/2, the slash is wrong. Neither raises an error, and most results look like
# formulas. The other two add brackets, or show the command.
# What follows: show the LaTeX itself where there is no room for a formula, or use a converter that leaves unknown commands as
# they are, and test it with a fraction, a root, \neg and \left. This project shows formulas as MathML, and as LaTeX in a
# terminal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pylatexenc==2.11 unicodeit==0.7.5 flatlatex==0.15 \
  telegramify-markdown==1.4.1 2>/dev/null

cat >convert.py <<'PY'
import flatlatex, telegramify_markdown, unicodeit
from pylatexenc.latex2text import LatexNodes2Text

CONVERTERS = {
    "pylatexenc": LatexNodes2Text().latex_to_text,
    "unicodeit": unicodeit.replace,
    "flatlatex": flatlatex.converter().convert,
    "telegramify": lambda formula: telegramify_markdown.convert(f"${formula}$")[0],
}
FORMULAS = (
    r"\frac{a+b}{c}", r"\sqrt[3]{8}", r"x \ne y", r"\neg p", r"\binom{5}{2}", r"\cot x", r"\left( a \right)", r"\log x", r"e^{-x/2}"
)

for formula in FORMULAS:
    print(formula)
    for name, convert in CONVERTERS.items():
        print(f"  {name}: {convert(formula)}")
PY
seen=$(timeout 60 env/bin/python -W ignore convert.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
\frac{a+b}{c}
  pylatexenc: a+b/c
  unicodeit: \frac{a+b}{c}
  flatlatex: (a+b)/c
  telegramify: (a+b)/c
\sqrt[3]{8}
  pylatexenc: √(8)
  unicodeit: ∛{8}
  flatlatex: √[3]8
  telegramify: ∛8̅
x \ne y
  pylatexenc: x y
  unicodeit: x ≠ y
  flatlatex: x\ney
  telegramify: x \ne y
\neg p
  pylatexenc: p
  unicodeit: ¬ p
  flatlatex: ¬p
  telegramify: ¬ p
\binom{5}{2}
  pylatexenc: 52
  unicodeit: \binom{5}{2}
  flatlatex: binom(5,2)
  telegramify: C(5,2)
\cot x
  pylatexenc: x
  unicodeit: \cot x
  flatlatex: \cotx
  telegramify: cot x
\left( a \right)
  pylatexenc: ( a )
  unicodeit: ≤ft( a \right)
  flatlatex: \left(a\right)
  telegramify: ( a )
\log x
  pylatexenc: logx
  unicodeit: łog x
  flatlatex: \logx
  telegramify: log x
e^{-x/2}
  pylatexenc: e^-x/2
  unicodeit: e⁻ˣ^/²
  flatlatex: e^(-x/2)
  telegramify: e^(-x/2)
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
