#!/usr/bin/env bash
# haystack-ai 3.4.1 with python-docx 1.2.0, and docx2txt 0.9, beside mammoth 1.13.0 (PyPI): a contract that a chat should read.
#
# Guess: a reader of Word files returns the text that Word shows: a form with what was filled in, a tracked change as it now
# reads, and a text box once.
# Seen: python-docx's `text`, on which haystack's DOCXToDocument is built, leaves out whatever somebody has filled into a form's
# fields (content controls), and everything that was inserted or moved while changes were tracked. "Rent: 900 euros", changed to
# 950, is "Rent: euros", the tenant has no name, and a new clause does not exist. docx2txt, which the loaders of LangChain and
# LlamaIndex use, has all of these, but returns a moved clause at both places, and each text box twice. There is no warning, and
# the rest is right, so a model answers from half a contract. mammoth returns what Word shows.
# What follows: accept all changes before you upload a file, or convert it first, with mammoth or to PDF. This project does not
# read Word files.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check haystack-ai==3.4.1 python-docx==1.2.0 docx2txt==0.9 \
  mammoth==1.13.0 2>/dev/null

cat >read.py <<'PY'
import docx, docx2txt, mammoth
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from haystack.components.converters import DOCXToDocument

SPACES = nsdecls("w", "wp", "a") + (
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:schemas-microsoft-com:vml"'
)

def run(text):
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'

def field(content):
    return f"<w:sdt><w:sdtPr/><w:sdtContent>{content}</w:sdtContent></w:sdt>"

def paragraph(*content):
    return f"<w:p>{''.join(content)}</w:p>"

def changed(kind, number, content):
    return f'<w:{kind} w:id="{number}" w:author="A" w:date="2026-01-01T00:00:00Z">{content}</w:{kind}>'

BOX = paragraph(run("Pay by Friday."))
SHAPE = f"<wps:wsp><wps:cNvSpPr/><wps:spPr/><wps:txbx><w:txbxContent>{BOX}</w:txbxContent></wps:txbx><wps:bodyPr/></wps:wsp>"
PARAGRAPHS = [
    paragraph(run("Tenant: "), field(run("Ann Lee"))),
    field(paragraph(run("Deposit: 1,800 euros"))),
    paragraph(
        run("Rent: "), changed("del", 1, "<w:r><w:delText>900</w:delText></w:r>"), changed("ins", 2, run("950")), run(" euros")
    ),
    paragraph(changed("ins", 3, run("No pets."))),
    paragraph(changed("moveFrom", 4, run("Notice: 3 months."))),
    paragraph(run("Keys: 2.")),
    paragraph(changed("moveTo", 5, run("Notice: 3 months."))),
    paragraph(
        '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:inline><wp:extent cx="9" cy="9"/>'
        '<wp:docPr id="1" name="b"/><a:graphic>'
        '<a:graphicData uri="http://schemas.microsoft.com/office/word/2010/wordprocessingShape">'
        f"{SHAPE}</a:graphicData></a:graphic></wp:inline></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>"
        f"<w:txbxContent>{BOX}</w:txbxContent></v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    ),
]

def lines(text):
    return " / ".join(" ".join(line.split()) for line in text.splitlines() if line.strip())

def main():
    document = docx.Document()
    for xml in PARAGRAPHS:
        document.element.body.insert(-1, parse_xml(xml.replace(">", f" {SPACES}>", 1)))
    document.save("contract.docx")
    with open("contract.docx", "rb") as file:
        print("mammoth:", lines(mammoth.extract_raw_text(file).value))
    print("python-docx:", lines("\n".join(part.text for part in docx.Document("contract.docx").paragraphs)))
    print("haystack:", lines(DOCXToDocument().run(sources=["contract.docx"])["documents"][0].content))
    print("docx2txt:", lines(docx2txt.process("contract.docx")).replace(" / Pay", "\n  Pay", 1))

main()
PY
seen=$(timeout 60 env/bin/python -W ignore read.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
mammoth: Tenant: Ann Lee / Deposit: 1,800 euros / Rent: 950 euros / No pets. / Keys: 2. / Notice: 3 months. / Pay by Friday.
python-docx: Tenant: / Rent: euros / Keys: 2.
haystack: Tenant: / Rent: euros / Keys: 2. / Pay by Friday.
docx2txt: Tenant: Ann Lee / Deposit: 1,800 euros / Rent: 950 euros / No pets. / Notice: 3 months. / Keys: 2. / Notice: 3 months.
  Pay by Friday. / Pay by Friday.
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
