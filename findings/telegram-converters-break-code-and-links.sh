#!/usr/bin/env bash
# chatgpt_md_converter 0.3.12 and md2tgmd 0.3.10, beside telegramify-markdown 1.4.1 (PyPI): code and links for Telegram.
#
# Guess: all three know CommonMark's code, which models write in every form: a fence of tildes, and two back quotes around code that
# has one. The address of a link may have parentheses, as many of Wikipedia's do.
# Seen: chatgpt_md_converter takes a fence of tildes for words that are struck out: the code stands crossed out in the message. Of
# code between two back quotes it leaves a quote as text, and makes code of the rest of the line. It ends an address at the first
# closing parenthesis, so that the link leads to a page that does not exist. md2tgmd escapes both kinds of code as text; in an
# address it escapes the opening parenthesis instead of the closing one, at which Telegram then ends it as well.
# telegramify-markdown, which parses Markdown, does all three.
# What follows: rewrite fences and addresses (%28, %29) before you convert, or use a converter that is built on a parser.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check chatgpt-md-converter==0.3.12 md2tgmd==0.3.10 \
  telegramify-markdown==1.4.1 2>/dev/null

cat >convert.py <<'PY'
import md2tgmd
import telegramify_markdown
from chatgpt_md_converter import telegram_format

ANSWERS = ["~~~\nx = 1\n~~~", "Write ``a`b`` now.", "See [Ada](https://example.org/Ada_(language)) first."]


def entities(answer):
    text, found = telegramify_markdown.convert(answer)
    return *text.splitlines(), *((each.type, text[each.offset :][: each.length], each.url or "") for each in found)


for answer in ANSWERS:
    print(repr(answer))
    print("  chatgpt_md_converter:", *telegram_format(answer).splitlines())
    print("  md2tgmd:", *md2tgmd.escape(answer).splitlines())
    print("  telegramify-markdown:", *entities(answer))
PY
seen=$(timeout 60 env/bin/python -W ignore convert.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
'~~~\nx = 1\n~~~'
  chatgpt_md_converter: <s>~ x = 1 ~</s>
  md2tgmd: \~\~\~ x \= 1 \~\~\~
  telegramify-markdown: x = 1 ('pre', 'x = 1', '')
'Write ``a`b`` now.'
  chatgpt_md_converter: Write `<code>a</code>b`<code> now.</code>
  md2tgmd: Write \`\`a\`b\`\` now\.
  telegramify-markdown: Write a`b now. ('code', 'a`b', '')
'See [Ada](https://example.org/Ada_(language)) first.'
  chatgpt_md_converter: See <a href="https://example.org/Ada_(language">Ada</a>) first.
  md2tgmd: See [Ada](https://example\.org/Ada\_\(language)\) first\.
  telegramify-markdown: See Ada first. ('text_link', 'Ada', 'https://example.org/Ada_(language)')
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
