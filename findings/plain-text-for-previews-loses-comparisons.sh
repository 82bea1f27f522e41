#!/usr/bin/env bash
# remove-markdown 0.7.0 and markdown-to-text 0.1.1 (npm): an answer as plain text, for a preview, a notification or a voice.
#
# Guess: Markdown's marks go and the words stay. What is between back quotes or in a fence is code, in which nothing is a mark.
# Seen: both take everything between < and > for a tag, although no tag begins with a blank: "3 < 5, but 7 > 6" becomes "3  6", and
# of "if a < b and c > d, stop" only "if a  d, stop" is left, in code as in words. The condition is gone, and what is left
# can still be read. In code, emphasis and links are taken out as well: `__init__.py` becomes init.py, `2*3*4` 234 and `f[i](x)`
# fi; comments lose their #, and markdown-to-text leaves a back quote behind the code and takes the underscores from my_file_name.
# What follows: parse the answer (markdown-it, micromark, marked) and collect the text of its nodes, with code as it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund remove-markdown@0.7.0 markdown-to-text@0.1.1 2>/dev/null

cat >preview.cjs <<'JS'
const removeMarkdown = require('remove-markdown')
const markdownToText = require('markdown-to-text').default

const ANSWERS = [
  'This is **bold**, and `code`.',
  '3 < 5, but 7 > 6',
  'if a < b and c > d, stop',
  'Rename my_file_name of today.',
  'Set `__all__` in `__init__.py`.',
  'Type `2*3*4` or `f[i](x)`.',
  '```python\n# Guard\nif a < b:\n    c = d > e\n```',
]
for (const answer of ANSWERS) {
  const [first, second] = [removeMarkdown, markdownToText].map((convert) => JSON.stringify(convert(answer)))
  console.log(`${JSON.stringify(answer)} -> ${first === second ? first : `${first}, ${second}`}`)
}
JS
seen=$(timeout 60 node preview.cjs)
echo "$seen"
expected=$(cat <<'SEEN'
"This is **bold**, and `code`." -> "This is bold, and code."
"3 < 5, but 7 > 6" -> "3  6"
"if a < b and c > d, stop" -> "if a  d, stop"
"Rename my_file_name of today." -> "Rename my_file_name of today.", "Rename myfilename of today."
"Set `__all__` in `__init__.py`." -> "Set all in init.py."
"Type `2*3*4` or `f[i](x)`." -> "Type 234 or fi."
"```python\n# Guard\nif a < b:\n    c = d > e\n```" -> "Guard\nif a  e", "Guard\nif a  e\n`"
SEEN
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
