#!/usr/bin/env bash
# @tryfabric/martian 1.2.4, beside marklassian 1.2.1 (npm): an answer with prices that is saved in Notion.
#
# Guess: martian turns Markdown into Notion's blocks. Dollars are text, as in CommonMark, or begin a formula only where one can
# begin and end, as Pandoc and GitHub have it: no blank inside of the dollars, no digit behind the second.
# Seen: two prices in one paragraph, list item or table cell make a formula: "It costs $5 today and $10 tomorrow." is kept as "It
# costs ", the equation "5 today and " and "10 tomorrow.", which Notion sets as letters in italics, without blanks. Both
# dollars are gone, so that the currency is too. TeX's brackets, which many models use for formulas, are no formula: of \(x^2\)
# only "(x^2)" is left. No option turns this off. marklassian, which does the same for Jira, keeps prices.
# What follows: put a backslash before each dollar that is followed by a digit, and turn \( \) into dollars, before you convert.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @tryfabric/martian@1.2.4 marklassian@1.2.1 2>/dev/null

cat >save.mjs <<'JS'
import martian from '@tryfabric/martian'
import { markdownToAdf } from 'marklassian'

const ANSWERS = [
  'It costs $5 today and $10 tomorrow.',
  '- from $5 to $10',
  '| Plan | Price |\n|---|---|\n| Team | $5 (was $10) |',
  'It costs \\$5 today and \\$10 tomorrow.',
  'The area is \\(x^2\\).',
]

function words(node) {
  if (Array.isArray(node)) return node.map(words).join('')
  if (node?.type === 'equation') return `[formula ${node.equation.expression}]`
  if (node?.type === 'text') return node.text.content ?? node.text
  return node && typeof node === 'object' ? Object.values(node).map(words).join('') : ''
}

for (const answer of ANSWERS) {
  console.log(JSON.stringify(answer))
  console.log('  martian:', words(martian.markdownToBlocks(answer)))
  console.log('  marklassian:', words(markdownToAdf(answer).content))
}
JS
seen=$(timeout 60 node save.mjs)
echo "$seen"
expected=$(cat <<'SEEN'
"It costs $5 today and $10 tomorrow."
  martian: It costs [formula 5 today and ]10 tomorrow.
  marklassian: It costs $5 today and $10 tomorrow.
"- from $5 to $10"
  martian: from [formula 5 to ]10
  marklassian: from $5 to $10
"| Plan | Price |\n|---|---|\n| Team | $5 (was $10) |"
  martian: PlanPriceTeam[formula 5 (was ]10)
  marklassian: PlanPriceTeam$5 (was $10)
"It costs \\$5 today and \\$10 tomorrow."
  martian: It costs $5 today and $10 tomorrow.
  marklassian: It costs $5 today and $10 tomorrow.
"The area is \\(x^2\\)."
  martian: The area is (x^2).
  marklassian: The area is (x^2).
SEEN
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
