#!/usr/bin/env bash
# rich 15.0.0 and textual 8.2.8 (PyPI): angle brackets in an answer that is shown in a terminal.
#
# Guess: a terminal cannot render HTML, so its Markdown shows a tag as plain text: `List<String>` outside of a code span, or "cd
# <folder>" in an instruction.
# Seen: everything that has the form of a tag is dropped without a trace: "A List of names", "cd , then make", "#include ", and "a<b
# and c>d" becomes "ad". A block that begins with a tag is dropped with all its text, up to the next blank line. Both libraries do
# this, and terminal chats are built on them.
# What follows: parse answers with `html` switched off (textual takes a `parser_factory`; in rich, set `parsed` of a Markdown object
# to the tokens of your own MarkdownIt), or escape "<" outside of code before you show the answer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check rich==15.0.0 textual==8.2.8 2>/dev/null

cat >show.py <<'PY'
import asyncio, io
from rich.console import Console
from rich.markdown import Markdown
from textual.app import App
from textual.widgets import Markdown as MarkdownWidget
from textual.widgets.markdown import MarkdownBlock

TEXTS = [
    "A List<String> of names.", "cd <folder>, then make.", "Begin with #include <vector> here.", "So a<b and c>d hold.",
    "<summary>\nThree tests fail.\n</summary>", "A `List<String>` of names.",
]

def rich(text):
    console = Console(file=io.StringIO(), width=60)
    console.print(Markdown(text))
    return console.file.getvalue()

def textual(text):
    class Chat(App):
        def compose(self):
            yield MarkdownWidget(text)

    async def words():
        async with Chat().run_test(size=(60, 10)) as pilot:
            await pilot.pause()
            return " ".join(str(block.render()) for block in pilot.app.query(MarkdownBlock))
    return asyncio.run(words())

for text in TEXTS:
    print(" | ".join(" ".join(shown.split()) or "(nothing)" for shown in (text, rich(text), textual(text))))
PY
seen=$(timeout 60 env/bin/python -W ignore show.py 2>/dev/null)
echo "written | rich | textual"
echo "$seen"
expected="A List<String> of names. | A List of names. | A List of names.
cd <folder>, then make. | cd , then make. | cd , then make.
Begin with #include <vector> here. | Begin with #include here. | Begin with #include here.
So a<b and c>d hold. | So ad hold. | So ad hold.
<summary> Three tests fail. </summary> | (nothing) | (nothing)
A \`List<String>\` of names. | A List<String> of names. | A List<String> of names."
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
