"""HTML tables in answers are tables: their structure is taken, and everything else in them is text or Markdown."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from webchat.render.markdown import GrowingMarkdown, markdown

PLAIN = "<table>\n<tr><th>A</th><th>B</th></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>"
INDENTED = """<table border="1" style="width: 100%">
  <thead>
    <tr>
      <th scope="col">A</th>

      <th>B</th>
    </tr>
  </thead>
  <tbody>
    <tr><td align="right">1</td>
      <td><p>2</p></td></tr>
  </tbody>
</table>"""
ONE_LINE = "<TABLE><TR><TH>A<TH>B<TR><TD>1<TD>2</TABLE>"
ALIKE = [PLAIN, INDENTED, ONE_LINE, PLAIN.removesuffix("</table>"), PLAIN.removesuffix("</td></tr>\n</table>")]


def soup_of(text: str) -> BeautifulSoup:
    """The text as HTML, which is the same however it grows."""
    whole = markdown(text)
    for size in (1, 7, 40):
        growing = GrowingMarkdown()
        for end in range(0, len(text), size):
            growing.grow(text[:end])
        growing.grow(text, final=True)
        assert "".join(growing.blocks) == whole, size
    return BeautifulSoup(whole, "html.parser")


def rows_of(soup: BeautifulSoup) -> list[list[str]]:
    return [[cell.decode_contents() for cell in row.select("th, td")] for row in soup.select("tr")]


@pytest.mark.parametrize("text", ALIKE)
def test_an_html_table_is_a_table(text):
    soup = soup_of(text)
    assert rows_of(soup) == [["A", "B"], ["1", "2"]]
    assert [cell.get_text() for cell in soup.select("div.table thead th")] == ["A", "B"]
    assert soup.get_text().split() == ["A", "B", "1", "2"]


@pytest.mark.parametrize("text", ALIKE[:3])
@pytest.mark.parametrize(
    "around", ["Here:\n{}\nEnd.", "Here:\n\n{}\n\nEnd.", "> {}\n\nEnd.", "- Here:\n\n  {}\n\nEnd.", "{0}\n{0}\nEnd."]
)
def test_it_may_follow_text_or_be_in_a_list_or_quotation(text, around):
    margin = {">": "\n> ", "-": "\n  "}.get(around[0], "\n")
    soup = soup_of(around.format(text.replace("\n", margin)))
    assert rows_of(soup)[:2] == [["A", "B"], ["1", "2"]]
    assert soup.select("p")[-1].get_text() == "End."
    assert "<" not in soup.get_text()


def test_cells_may_span_others():
    cells = soup_of(
        "<table>\n<tr><td rowspan=\"2\">a</td><td colspan='3' class=x>b</td><td COLSPAN=10>c</td></tr>\n</table>"
    ).select("td")
    spans = [(cell.get("rowspan"), cell.get("colspan")) for cell in cells]
    assert spans == [("2", None), (None, "3"), (None, "10")]
    assert {name for cell in cells for name in cell.attrs} == {"rowspan", "colspan"}


@pytest.mark.parametrize("span", ["0", "-1", "1000", "x", "", "1e9"])
def test_other_spans_are_none(span):
    assert soup_of(f'<table><tr><td colspan="{span}">a</td></tr></table>').td.attrs == {}


def test_cells_contain_markdown():
    cell = soup_of("<table><tr><td>**a**<br>`b` $x$ H<sub>2</sub>O <ul><li>c</li></ul></td></tr></table>").td
    assert [each.name for each in cell.find_all(["strong", "br", "code", "math", "sub", "li"])] == [
        *("strong", "br", "code", "math", "sub", "li")
    ]


def test_nothing_in_a_table_is_lost():
    soup = soup_of("<table><caption>Title</caption>\n<tr>x<td>a</td>y</tr>\nz</table> behind\nmore")
    assert soup.get_text().split() == ["Title", "x", "a", "y", "z", "behind", "more"]
    assert soup.p.get_text() == "Title"


@pytest.mark.parametrize(
    "tag", ["<script>alert(1)</script>", "<img src=x onerror=y>", "<style>*{}</style>", "<button class=copy>"]
)
def test_other_tags_in_cells_are_text(tag):
    assert soup_of(f"<table><tr><td onclick=x>{tag}</td></tr></table>").td.get_text() == tag


@pytest.mark.parametrize(
    "text",
    [
        "<table> is an element.",
        "<table>\n\n<tr><td>a</td></tr>\n",
        "<table>\nis an element\n",
        "The <table>\n<tr>",
        "<table",
        "<tr><td>a</td></tr>",
        "`<table><tr><td>a</td></tr></table>`",
        "```html\n<table>\n<tr><td>a</td></tr>\n</table>\n```",
        "    <table>\n    <tr><td>a</td></tr>\n",
        "- <table>\n<tr><td>a</td></tr>\n",
    ],
)
def test_other_mentions_stay_text(text):
    soup = soup_of(text)
    assert not soup.select("table")
    assert "<t" in soup.get_text()
