"""HTML that a chat has exported is shown with the words, numbers and signs that it had."""

from __future__ import annotations

import re
from html import unescape

import pytest
from bs4 import BeautifulSoup

from webchat.archive.html_text import as_markdown
from webchat.render.markdown import markdown


@pytest.mark.parametrize(
    "html",
    [
        "<p>2*3*4 is 24, `make` and _init_ are words, C:\\*.py too</p>",
        "<p># no heading</p><p>1. no list</p><p>- no list</p><p>&gt; no quotation</p><p>-5 and 2.5</p>",
        "<p>Take a List&lt;String&gt;, then cd &lt;folder&gt;</p>",
        "<p>Write <code>a`b</code>, <code>`c`</code> and <code>d*e_f*</code></p>",
        "<p>in <b>bold_face</b> and <i>2*3</i></p>",
        "<p>__init__, __a__b__, _ and a__b are names, ~~so~~ is text</p>",
        "<p>https://x.y/_a_ and (https://x.y/__b) _c_</p>",
        "<p><a href='https://x.y'>https://x.y/_a_</a></p>",
        "<p>see [text](https://x.y), ![picture](https://x.y/p.png) and [text](/etc)</p>",
        "<p>[1]: https://x.y</p><p>see [1] and [a][1]</p>",
        "<p>as [^1] says</p><p>[^1]: a note</p>",
        "<p>It costs $5, [text](https://x.y), or $6</p>",
        "<p>&lt;https://x.y&gt; &lt;a@b.c&gt; 10&lt;sup&gt;6&lt;/sup&gt; &amp;lt; &amp;#65; https://x.y/?a=1&amp;lt=2</p>",
        "<p>&lt;details&gt;&lt;summary&gt;a&lt;/summary&gt;</p><p>b</p><p>&lt;/details&gt;</p>",
        "<p><a href='https://x.y'>a] [b](https://z.w) c [d</a> e</p>",
        "<p>f(x)[1](y) and list[int]: a type</p>",
    ],
)
def test_its_text_is_shown_as_it_was(html):
    assert _words(str(markdown(as_markdown(html)))) == _words(html)


def test_powers_stay_powers():
    html = "<p>10<sup>6</sup> H<sub>2</sub>O</p>"
    assert str(markdown(as_markdown(html))).strip() == html


def test_a_list_keeps_its_first_number():
    assert '<ol start="3">' in str(markdown(as_markdown('<ol start="3"><li>pour</li><li>wait</li></ol>')))
    assert as_markdown('<ol start="x"><li>pour</li></ol>') == "1. pour"


@pytest.mark.parametrize(
    "address",
    ["https://en.wikipedia.org/wiki/Mercury_(planet)", "https://x.y/_next/static", "http://x.y/a_", "https://x.y/a*b"],
)
def test_an_address_is_a_link_to_itself(address):
    assert as_markdown(f"<p>See {address}</p>") == f"See {address}"
    assert f'<a href="{address}"' in str(markdown(as_markdown(f"<p>See {address} *</p>")))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Use <code>foo for it.</p><p>All the rest.</p>", "Use `foo for it.`\n\nAll the rest."),
        ("Use <code>foo", "Use `foo`"),
        ("<ul><li><code>a</li><li>b</li></ul>", "- `a`\n- b"),
        ("<table><tr><td><code>a</td><td>b</td></tr></table>", "| `a` | b |\n|---|---|"),
        ("<code>a<br>b</code>", "`a b`"),
        ("<code><a href='https://x.y'>x</a></code>", "`x`"),
        ("<a href='https://x.y'>see <code>x</a></code> there", "[see `x`](<https://x.y>) there"),
        ("<a href='https://x.y'><code>x</code></a>", "[`x`](<https://x.y>)"),
        ("<pre><a href='https://x.y'>x</a> y</pre>", "```\nx y\n```"),
        ("<p>a</p><pre>all the rest", "a\n\n```\nall the rest\n```"),
        ("<pre>a<pre>b</pre>", "```\na\n```\n\n```\nb\n```"),
    ],
)
def test_code_without_an_end_and_marks_in_code_lose_no_text(html, text):
    assert as_markdown(html) == text


def test_a_table_is_a_table_with_each_cell_on_one_line():
    html = (
        "<p>So:</p><table> <thead><tr><th>A</th><th>B|C</th></tr></thead>\n<tbody>\n <tr>\n "
        "<td><p>one</p><p>two</p></td>"
        "<td><code>x|y</code><ul><li>a</li><li>b</li></ul></td></tr> <tr><td>3<td># no heading</tr></tbody></table>"
        "<p>Then.</p>"
    )
    shown = BeautifulSoup(markdown(as_markdown(html)), "html.parser")
    assert [[cell.get_text("/") for cell in row.select("td, th")] for row in shown.select("tr")] == [
        ["A", "B|C"],
        ["one/two", "x|y/- a/- b"],
        ["3", "# no heading"],
    ]
    assert [found.get_text() for found in shown.select("p")] == ["So:", "Then."]
    assert as_markdown("<table><tr><td>a") == "| a |\n|---|"
    assert as_markdown("<td>a</td><tr>b</table>c") == "a\nb\n\nc"


def _cells(html: str) -> list[list[str]]:
    shown = BeautifulSoup(markdown(as_markdown(html)), "html.parser")
    assert not shown.select("p")
    return [[cell.decode_contents() for cell in row.select("td, th")] for row in shown.select("tr")]


def test_code_in_a_cell_is_a_span_for_each_line():
    html = "<table><tr><td>So:<pre>x = 1 | 2\n\n  y = `2`\n</pre>then</td><td><pre>a<br>b</td></tr></table>"
    ((first, second),) = _cells(html)
    assert re.sub("<br ?/?>", "/", first) == "So:/<code>x = 1 | 2</code>/<code>  y = `2`</code>/then"
    assert re.sub("<br ?/?>", "/", second) == "<code>a</code>/<code>b</code>"


def test_a_table_in_a_cell_is_lines_of_text():
    inner = "<table><tr><th>b|c</th><th>d</th></tr><tr><td>1</td><td><pre>2\n3</pre></td></tr></table>"
    html = f"<table><tr><td>a{inner}e</td><td>f</td></tr><tr><td>{inner}</td><td></td></tr></table>"
    lines = "b|c d/1 <code>2</code>/<code>3</code>"
    shown = [[re.sub("<br ?/?>", "/", cell) for cell in row] for row in _cells(html)]
    assert shown == [[f"a/{lines}/e", "f"], [lines, ""]]


def test_a_link_without_an_end_ends_with_its_cell():
    html = "<table><tr><td><a href='https://x.y'>t</td><td>u</td></tr></table>end</a>"
    assert as_markdown(html) == "| [t](<https://x.y>) | u |\n|---|---|\n\nend"
    assert as_markdown("<p><a href='https://x.y'>t") == "[t](<https://x.y>)"


def test_formulas_keep_their_signs():
    assert as_markdown("<p>with $x_1$: [x_1](/y)</p>") == "with $x_1$: [x_1\\](/y)"
    assert as_markdown("<p>so $a_1*b_2*c$ and \\(x_1*y*z\\)</p>") == "so $a_1*b_2*c$ and \\(x_1*y*z\\)"


def _words(html: str) -> list[str]:
    return unescape(re.sub("<[^>]*>", "", re.sub("</p>|</li>", " ", html))).split()
