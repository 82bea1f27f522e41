"""Markdown as models write it: what CommonMark reads otherwise than it was meant."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from webchat.render.markdown import markdown


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(markdown(text), "html.parser")


def shown(text: str) -> str:
    return soup_of(text).get_text().strip()


# Emphasis beside Chinese, Japanese and Korean


@pytest.mark.parametrize(
    ("text", "tag", "marked"),
    [
        ("**重要（注意）。**次の文", "strong", "重要（注意）。"),
        ("这是**“重点”**内容", "strong", "“重点”"),
        ("これは**「重要」**です。", "strong", "「重要」"),
        ("이것은 **'중요'**합니다", "strong", "'중요'"),
        ("使用**`pip install`**安装", "strong", "pip install"),
        ("这是*“斜体”*字", "em", "“斜体”"),
        ("旧价~~（100元）~~新价", "s", "（100元）"),
        ("**注意：**请先备份", "strong", "注意："),
        ("**𠮟る。**次", "strong", "𠮟る。"),
    ],
)
def test_emphasis_ends_beside_letters_and_marks_of_east_asia(text, tag, marked):
    assert soup_of(text).select_one(tag).get_text() == marked


@pytest.mark.parametrize("text", ["3~5天", "2 * 3 * 4", "a * b", "snake_case_name", "重_要_な", '**"x"**y', "4** 5"])
def test_what_is_no_emphasis_elsewhere_is_none(text):
    assert shown(text) == text


# Links and what follows them


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("见 https://example.com/a，谢谢", "https://example.com/a"),
        ("见 https://example.com/a。谢谢", "https://example.com/a"),
        ("（https://example.com/a）然后", "https://example.com/a"),
        ("「https://example.com/a」です", "https://example.com/a"),
        ("“https://example.com/a”。", "https://example.com/a"),
        ("https://example.com/a、https://example.com/b", "https://example.com/a"),
        ("**https://example.com/a**bold", "https://example.com/a"),
        ("_https://example.com/a_", "https://example.com/a"),
        ("~~https://example.com/a~~", "https://example.com/a"),
        ("https://example.com/~ada/x_y_", "https://example.com/~ada/x_y_"),
        ("https://zh.wikipedia.org/wiki/数学", "https://zh.wikipedia.org/wiki/%E6%95%B0%E5%AD%A6"),
    ],
)
def test_an_address_ends_before_marks_that_are_no_part_of_it(text, address):
    assert soup_of(text).select_one("a")["href"] == address


# Targets that the browser cannot follow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[main.py:42](src/main.py#L42)", "main.py:42 (src/main.py#L42)"),
        ("[main.py](/home/ada/main.py)", "main.py (/home/ada/main.py)"),
        ("[the file](file:///home/ada/a%20b.py)", "the file (file:///home/ada/a b.py)"),
        ("[data.csv](sandbox:/mnt/data/data.csv)", "data.csv (sandbox:/mnt/data/data.csv)"),
        ("[src/main.py](src/main.py)", "src/main.py"),
        ("[`src/main.py`](src/main.py)", "src/main.py"),
        ("[数据](./数据.csv)", "数据 (./数据.csv)"),
        ("[](src/main.py)", "src/main.py"),
        ("[top](#top)", "top (#top)"),
        ("![a cat](images/cat.png)", "a cat (images/cat.png)"),
        ("![](images/cat.png)", "images/cat.png"),
        ("![dot](data:image/png;base64,iVBORw0KGgo)", "dot (data:image/png)"),
        ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
        ("[x](src/a.py 'title')", "x (src/a.py)"),
        ("the type <key:value> of it", "the type <key:value> of it"),
    ],
)
def test_a_target_that_cannot_be_followed_is_readable_and_takes_no_focus(text, expected):
    assert shown(text) == expected
    assert not soup_of(text).select("a")


def test_a_link_without_a_text_shows_its_address():
    assert soup_of("[](https://example.com/a)").select_one("a").get_text() == "https://example.com/a"


def test_a_badge_is_one_link_with_its_text():
    (link,) = soup_of("[![build](https://img.example/b.svg)](https://example.com/ci)").select("a")
    assert (link.get_text(), link["href"]) == ("build", "https://example.com/ci")


def test_a_picture_in_a_link_without_a_text_leaves_none_empty():
    (link,) = soup_of("[![](https://img.example/b.svg)](https://example.com/ci)").select("a")
    assert link.get_text() == "picture"


def test_a_picture_in_a_link_to_a_file_is_the_link():
    soup = soup_of("[![chart](https://img.example/c.png)](out/c.png)")
    assert soup.select_one("a")["href"] == "https://img.example/c.png"
    assert soup.get_text().strip() == "chart (out/c.png)"


# Lines and the few tags that models write


def test_a_line_break_is_a_line_break():
    assert [str(each) for each in soup_of("Roses are red,\nViolets are blue").select("br")] == ["<br/>"]


@pytest.mark.parametrize("tag", ["<br>", "<br/>", "<br />", "<BR>"])
def test_a_break_in_a_cell_is_one(tag):
    cell = soup_of(f"| a |\n|---|\n| one{tag}two |").select_one("td")
    assert cell.br
    assert cell.get_text() == "onetwo"


@pytest.mark.parametrize(
    ("text", "tag", "inner"),
    [
        ("H<sub>2</sub>O", "sub", "2"),
        ("x<sup>*n*</sup>", "sup em", "n"),
        ("Press <kbd>Ctrl</kbd>+<kbd>C</kbd>", "kbd", "Ctrl"),
        ("<KBD>Esc</KBD>", "kbd", "Esc"),
        ("| CO<sub>2</sub> |\n|---|", "th sub", "2"),
        ("<sup>[1](https://example.com)</sup>", "sup a", "1"),
    ],
)
def test_the_tags_that_markdown_has_no_marks_for(text, tag, inner):
    assert soup_of(text).select_one(tag).get_text() == inner


@pytest.mark.parametrize(
    "text",
    ["<sub>", "</sub>", "a </kbd> b <kbd>", "<sub>x</sup>", "<sub onclick=x>y</sub>", "<b>x</b>", "<br clear=all>"],
)
def test_other_tags_stay_text(text):
    assert shown(text) == text


@pytest.mark.parametrize("text", ["`H<sub>2</sub>O<br>`", "```\nH<sub>2</sub>O<br>\n```", "    H<sub>2</sub>O<br>"])
def test_tags_in_code_stay_text(text):
    assert soup_of(text).code.get_text().strip() == "H<sub>2</sub>O<br>"
