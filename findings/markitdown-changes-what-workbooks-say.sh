#!/usr/bin/env bash
# markitdown 0.1.9 with pandas 3.1.1 and openpyxl 3.1.5 (PyPI): a workbook that is turned into text for a model.
#
# Guess: the text has what the cells have. A cell that is text in the workbook stays as it is, an empty cell stays empty, and a bar
# in a cell gets a backslash, as in what the same library makes of a CSV file.
# Seen: Namibia's code "NA" becomes NaN, and so do the words "None" and "n/a": the model is told that there is nothing. An empty
# cell is NaN as well, and turns all the column's whole numbers into 3.0. Postal codes that are text, "01067", lose their zero.
# A small number writes its whole column as 1.234500e+03. A bar moves what follows into the next column. The sheet goes
# through pandas, which guesses types, and no option of markitdown reaches it. The CSV file of the same table is right.
# What follows: save sheets as CSV first, or read them with openpyxl and write the table yourself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "markitdown[xlsx]==0.1.9" pandas==3.1.1 openpyxl==3.1.5 2>/dev/null

cat >convert.py <<'PY'
import csv

import openpyxl
from markitdown import MarkItDown

ROWS = [
    ["Place", "Country", "Post", "Offices", "Price", "Note"],
    ["Windhoek", "NA", "01067", 3, 1234.5, "None"],
    ["Oslo", "NO", "00150", None, 0.0000002, "a|b"],
]
book = openpyxl.Workbook()
for row in ROWS:
    book.active.append(row)
book.save("table.xlsx")
with open("table.csv", "w", newline="") as file:
    csv.writer(file).writerows(ROWS)
for name in ("table.xlsx", "table.csv"):
    print(name)
    print(MarkItDown().convert(name).text_content)
PY
seen=$(timeout 200 env/bin/python -W ignore convert.py 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
table.xlsx
## Sheet
| Place | Country | Post | Offices | Price | Note |
| --- | --- | --- | --- | --- | --- |
| Windhoek | NaN | 1067 | 3.0 | 1.234500e+03 | NaN |
| Oslo | NO | 150 | NaN | 2.000000e-07 | a|b |
table.csv
| Place | Country | Post | Offices | Price | Note |
| --- | --- | --- | --- | --- | --- |
| Windhoek | NA | 01067 | 3 | 1234.5 | None |
| Oslo | NO | 00150 |  | 2e-07 | a\|b |
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
