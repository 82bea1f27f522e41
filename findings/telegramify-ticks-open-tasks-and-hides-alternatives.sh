#!/usr/bin/env bash
# telegramify-markdown 1.4.1, beside chatgpt_md_converter 0.3.12 (PyPI): answers that a bot sends to Telegram.
#
# Guess: these convert a model's Markdown to what Telegram shows. An open task gets an empty box and a done one a ticked box. Two
# bars with blanks on their inner sides stay bars: like stars, they hide nothing unless they touch a word.
# Seen: telegramify-markdown gives an open task ☑, a ticked box, and a done one ✅, another ticked one: a list of what is left to do
# reads as done. "Either a || b, or c || d." is sent as "Either a  b, or c  d.", with "b, or c" hidden as a spoiler and without
# its bars. The other converter keeps both as written, and makes a spoiler only of ||words|| without blanks.
# What follows: put a backslash before bars outside of code, and set the symbols for tasks in the library's configuration.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check telegramify-markdown==1.4.1 chatgpt-md-converter==0.3.12 2>/dev/null

cat >convert.py <<'PY'
import telegramify_markdown
from chatgpt_md_converter import telegram_format

ANSWERS = ["- [ ] buy milk\n- [x] call the plumber", "Either a || b, or c || d.", "Either a \\|\\| b, or c \\|\\| d.", "||hidden||"]


def parts(text, entities):
    """The text, and the parts of it that are set apart. Their places are counted in UTF-16."""
    units = text.encode("utf-16-le")
    marked = [(each.type, units[2 * each.offset :][: 2 * each.length].decode("utf-16-le")) for each in entities]
    return " / ".join(text.splitlines()), *marked


for answer in ANSWERS:
    print(repr(answer))
    print("  telegramify-markdown:", *parts(*telegramify_markdown.convert(answer)))
    print("  chatgpt_md_converter:", " / ".join(telegram_format(answer).splitlines()))
PY
seen=$(timeout 60 env/bin/python -W ignore convert.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
'- [ ] buy milk\n- [x] call the plumber'
  telegramify-markdown: ☑ buy milk / ✅ call the plumber
  chatgpt_md_converter: • [ ] buy milk / • [x] call the plumber
'Either a || b, or c || d.'
  telegramify-markdown: Either a  b, or c  d. ('spoiler', ' b, or c ')
  chatgpt_md_converter: Either a || b, or c || d.
'Either a \\|\\| b, or c \\|\\| d.'
  telegramify-markdown: Either a || b, or c || d.
  chatgpt_md_converter: Either a \|\| b, or c \|\| d.
'||hidden||'
  telegramify-markdown: hidden ('spoiler', 'hidden')
  chatgpt_md_converter: <span class="tg-spoiler">hidden</span>
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
