"""The updates of a growing answer turn the page's HTML into the new one, and contain only additions."""

from __future__ import annotations

from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tab import grow
from tests.test_render import LINES
from webchat.render.growth import Growth, growth
from webchat.render.markdown import GrowingMarkdown

ROWS = ["| a | b |\n|---|---|\n", "| 1 | `2` |\n", "| *x* | y & z |\n", "- one\n", "- two\n  - three\n", "```python\n"]
TEXTS = st.one_of(
    st.lists(st.sampled_from([f"{line}\n" for line in LINES] + ROWS), max_size=20).map("".join),
    st.text(alphabet="ab*_`#>-|:[]()!~&<\n\t1. \U0001f642\u0627", max_size=80),
)


def page_of(html: str) -> BeautifulSoup:
    # In any other element, the parser collapses several line ends into one.
    return BeautifulSoup(f"<pre>{html}</pre>", "html.parser").pre


@given(TEXTS, st.lists(st.integers(0, 300), max_size=16))
@settings(max_examples=300, derandomize=True)
@example("- a\n\n- b\n\n  c\n\nd *e* `f`\n\n> g\n> - h\n", list(range(60)))
@example("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nc", list(range(60)))
@example("```python\nx = 1\n\ny = '&<'\n```\n\na", list(range(40)))
def test_a_page_that_takes_each_growth_has_the_html_of_the_whole_text(text, cuts):
    growing, page, done, tail, shown = GrowingMarkdown(), page_of(""), "", "", 0
    for end in [*sorted({min(cut, len(text)) for cut in cuts}), None]:
        growing.grow(text[:end], final=end is None)
        finished = "".join(growing.since(shown))
        found = growth(tail, finished + str(growing.tail))
        if found:
            grow(page, found.path, found.elements, found.letters, *found.added)
        done, tail, shown = done + finished, str(growing.tail), growing.shown
        assert page.decode_contents() == page_of(done + tail).decode_contents()


def test_text_that_grows_is_appended_to_its_element():
    assert growth("<p>a</p>\n", "<p>a b</p>\n") == Growth((0,), 0, 0, (" b",))
    assert growth("<ul>\n<li>a</li>\n</ul>\n", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n").added == ("<li>b</li>\n",)


def test_rows_of_a_table_are_sent_once():
    rows = [f"<tr>\n<td>{number}</td>\n</tr>\n" for number in range(500)]
    before, after = ("<table><tbody>" + "".join(rows[:count]) + "</tbody></table>\n" for count in (499, 500))
    assert growth(before, after).added == (rows[-1],)


def test_nothing_is_cut_within_a_tag_or_a_character():
    assert growth("<p>a &lt;</p>", "<p>a &lt;&amp;</p>").added == ("&amp;",)
    assert growth("<p>&amp;</p>", "<p>&amp;amp;</p>").added == ("amp;",)
    assert growth("<p>&lt;</p>", "<p>&lsquo;</p>") == Growth((0,), 0, 1, ("&lsquo;",))
    assert growth('<p title="a">', '<p title="ab">').elements == 1


def test_letters_are_counted_as_browsers_do():
    assert growth("<p>a \U0001f642b</p>", "<p>a <b>c</b></p>") == Growth((0,), 0, 3, ("<b>c</b>",))


def test_formulas_are_sent_whole():
    before, after = (f"<p>a <math><mi>{x}</mi><mo>+</mo></math></p>" for x in "xy")
    assert growth(before, after) == Growth((0,), 1, 0, ("<math><mi>y</mi><mo>+</mo></math>",))


def test_the_same_is_no_growth():
    assert growth("<p>a</p>", "<p>a</p>") is None
