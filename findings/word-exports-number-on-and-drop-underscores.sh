#!/usr/bin/env bash
# htmldocx 0.0.6, html2docx 1.6.0 and md2word 0.2.4, beside html-for-docx 1.2.1 (PyPI), with Markdown 3.11.3 and python-docx
# 1.2.0: an answer that is exported to Word.
#
# Guess: a list in Word begins with its own number, as in the browser, and a name such as `my_file_name` keeps its underscores.
# Seen: htmldocx and html2docx give all items one style, and Word numbers through the whole document: the second list begins with
# 3, and "repeat step 1" means something else. md2word, which numbers them correctly, takes the underscores out of names
# ("my_file_name" becomes "myfilename", which CommonMark would leave alone) and shows its own placeholders instead of a generic
# type: "List<String>" in backticks is "⟦CODE⟧List⟦/CODE⟧". None of them warns. html-for-docx has all of this right.
# What follows: read an export with two lists, a name in snake case and a type in angle brackets before you choose a library.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile htmldocx==0.0.6 html2docx==1.6.0 md2word==0.2.4 \
  html-for-docx==1.2.1 markdown==3.11.3 python-docx==1.2.0 2>/dev/null

cat >export.py <<'PY'
import collections, docx, html2docx, html4docx, htmldocx, markdown, md2word

ANSWER = """To install:

1. get it
2. unpack it

To start:

1. open my_file_name
2. make a `List<String>`
"""
PAGE = markdown.markdown(ANSWER)

def with_htmldocx(path):
    htmldocx.HtmlToDocx().parse_html_string(PAGE).save(path)

def with_html2docx(path):
    with open(path, "wb") as file:
        file.write(html2docx.html2docx(PAGE, title="Answer").getvalue())

def with_md2word(path):
    md2word.convert(ANSWER, path)

def with_html_for_docx(path):
    html4docx.HtmlToDocx().parse_html_string(PAGE).save(path)

def shown(path):
    """The items as Word numbers them: each numbering counts on through the document."""
    counts = collections.Counter()
    for paragraph in docx.Document(path).paragraphs:
        numbering = paragraph._p.xpath("./w:pPr/w:numPr/w:numId/@w:val") or paragraph.style.element.xpath(
            "./w:pPr/w:numPr/w:numId/@w:val")
        if numbering:
            counts[numbering[0]] += 1
            yield f"{counts[numbering[0]]}. {paragraph.text}"

for export in (with_htmldocx, with_html2docx, with_md2word, with_html_for_docx):
    export("answer.docx")
    print(f"{export.__name__}: {' | '.join(shown('answer.docx'))}")
PY
seen=$(PYTHONIOENCODING=utf-8 timeout 90 env/bin/python -W ignore export.py 2>/dev/null | grep -v '^\[INFO\]')
echo "$seen"
expected="with_htmldocx: 1. get it | 2. unpack it | 3. open my_file_name | 4. make a List<String>
with_html2docx: 1. get it | 2. unpack it | 3. open my_file_name | 4. make a List<String>
with_md2word: 1. get it | 2. unpack it | 1. open myfilename | 2. make a ⟦CODE⟧List⟦/CODE⟧
with_html_for_docx: 1. get it | 2. unpack it | 1. open my_file_name | 2. make a List<String>"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
