#!/usr/bin/env bash
# markdown-to-mrkdwn 0.3.3 and md2mrkdwn 0.4.5, beside slackify-markdown 0.2.4 (PyPI): answers that a bot sends to Slack.
#
# Guess: these convert Markdown to Slack's own markup. Code stays as it is, between back quotes and in a fence, also in a fence
# that belongs to a step of a list. A star between spaces is no emphasis in Markdown, so it stays a star.
# Seen: the first two turn "2 * 3 * 4" into "2 _ 3 _ 4", since they take any two stars for emphasis. markdown-to-mrkdwn protects
# only fences that begin at the margin: in a step of a list, `rm *.log *.tmp` becomes "rm _.log _.tmp". Between back quotes,
# `a*b*c` becomes `a_b_c`, and `**options` loses a star to a bold word further on. The message still looks like code, and people
# copy it. slackify-markdown parses Markdown, and changes none of this.
# What follows: use a converter that is built on a parser. If you can't, convert only what is outside of code yourself, and check
# a list of steps with code as well as a single fence.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check markdown-to-mrkdwn==0.3.3 md2mrkdwn==0.4.5 \
  slackify-markdown==0.2.4 2>/dev/null

cat >convert.py <<'PY'
import md2mrkdwn
from markdown_to_mrkdwn import SlackMarkdownConverter
from slackify_markdown import slackify_markdown

CONVERTERS = {
    "markdown-to-mrkdwn": SlackMarkdownConverter().convert, "md2mrkdwn": md2mrkdwn.convert, "slackify-markdown": slackify_markdown
}
ANSWERS = {
    "a sum": "So 2 * 3 * 4 is 24.",
    "code in a line": "Write `a*b*c`, and `**options` or **nothing**.",
    "code in a step": "1. Clean up:\n\n   ```sh\n   rm *.log *.tmp\n   ```\n2. Start it.",
}

for title, answer in ANSWERS.items():
    print(title)
    for name, convert in CONVERTERS.items():
        lines = [line.strip() for line in convert(answer).splitlines()]
        print(f"  {name}: {' / '.join(line for line in lines if line and not line.startswith('```'))}")
PY
seen=$(timeout 60 env/bin/python -W ignore convert.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
a sum
  markdown-to-mrkdwn: So 2 _ 3 _ 4 is 24.
  md2mrkdwn: So 2 _ 3 _ 4 is 24.
  slackify-markdown: So 2 * 3 * 4 is 24.
code in a line
  markdown-to-mrkdwn: Write `a_b_c`, and `*options` or *nothing**.
  md2mrkdwn: Write `a*b*c`, and `**options` or *nothing*.
  slackify-markdown: Write `a*b*c`, and `**options` or *nothing*.
code in a step
  markdown-to-mrkdwn: 1. Clean up: / rm _.log _.tmp / 2. Start it.
  md2mrkdwn: 1. Clean up: / rm *.log *.tmp / 2. Start it.
  slackify-markdown: 1.  Clean up: / rm *.log *.tmp / 2.  Start it.
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
