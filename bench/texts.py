"""Texts as models write them: prose, lists, a table and code, the same at every run."""

from __future__ import annotations

import re

_SECTION = """## Reading a large file

A file that does not fit into memory is read *row by row*: the reader keeps one row, counts what it needs and lets go
of it. That is slower than reading everything at once, by a little, and it works with **any** size. What matters most
is not to build a list on the way, since a list keeps every row alive until the very end of the program.

- Open the file with `newline=""`, so that line ends inside of quoted fields stay as they are.
- Take the names of the columns from the first row, and check them before anything else is done.
- Count in a dictionary, and write the result when the last row has been read.

```python
import csv
from collections import Counter

def count_by(path, column):
    with open(path, newline="", encoding="utf-8") as file:
        return Counter(row[column] for row in csv.DictReader(file))
```

| way | memory | time |
|---|---|---|
| all at once | grows with the file | 4.1 s |
| row by row | stays the same | 5.3 s |

1. Measure first, with the real file and not with a small one that somebody made up.
2. Change one thing, measure again, and keep what helped.

"""


_FUNCTION = """def step_{0}(rows, column):
    total = sum(int(row[column]) for row in rows if row[column])
    return total / max(1, len(rows))  # row {0}

"""
_ROW = "| {0} | `row_{0}` | counts what **came** in | *{0}* |\n"


def essay(words: int) -> list[str]:
    """That many words of Markdown as pieces, each with the space or line end behind it."""
    return _pieces(_SECTION * (words // 100 + 1))[:words]


def code(words: int) -> list[str]:
    """The same as one block of code."""
    functions = "".join(_FUNCTION.format(number) for number in range(words // 20 + 1))
    return [*_pieces(f"Here it is:\n\n```python\n{functions}")[: words - 1], "\n```\n"]


def table(words: int) -> list[str]:
    """The same as one table."""
    rows = "".join(_ROW.format(number) for number in range(words // 10 + 1))
    return _pieces(f"Here it is:\n\n| number | name | use | cost |\n|---|---|---|---:|\n{rows}")[:words]


SHAPES = {"essay": essay, "code": code, "table": table}


def _pieces(text: str) -> list[str]:
    return re.findall(r"\S+\s+", text)


def answer(number: int) -> str:
    """An answer of about 190 words, unlike any with another number."""
    return f"Answer {number} of many.\n\n{_SECTION}"
