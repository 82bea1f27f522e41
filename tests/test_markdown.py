"""Markdown as models write it, where CommonMark reads it differently from what was meant."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from webchat.render.markdown import GrowingMarkdown, markdown


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(markdown(text), "html.parser")


def shown(text: str) -> str:
    return soup_of(text).get_text().strip()


# Emphasis beside scripts without spaces


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
        ("ข้อความ**(สำคัญ)**ต่อไป", "strong", "(สำคัญ)"),
        ("ព័ត៌មាន**“សំខាន់”**បន្ត", "strong", "“សំខាន់”"),
        ("အချက်**(အရေး)**ဆက်", "strong", "(အရေး)"),
        ('ה**"מילה"**הזאת', "strong", '"מילה"'),
        ("**ملاحظة:**النص", "strong", "ملاحظة:"),
        ("यह**(महत्वपूर्ण)**है", "strong", "(महत्वपूर्ण)"),
    ],
)
def test_emphasis_ends_beside_letters_and_marks_of_scripts_without_spaces(text, tag, marked):
    assert soup_of(text).select_one(tag).get_text() == marked


@pytest.mark.parametrize(
    "text", ["2*3*4", "10*20*30 x*y*z", "a*b* c", "__init__.py", "a.__class__.__name__", "the __main__ block"]
)
def test_products_and_names_of_python_are_no_emphasis(text):
    assert shown(text) == text


def test_a_product_may_be_emphasised():
    assert str(soup_of("**a*b*c** *x*").p) == "<p><strong>a*b*c</strong> <em>x</em></p>"


@pytest.mark.parametrize("text", ["*a*b", "un**a**b", "**a**b", "__a__", "__main_page__", "_**a**_", "*2*", "x *a*"])
def test_what_begins_and_ends_a_word_is_emphasis(text):
    assert soup_of(text).select("em, strong")


@pytest.mark.parametrize("text", ["3~5天", "2 * 3 * 4", "a * b", "snake_case_name", "重_要_な", '**"x"**y', "4** 5"])
def test_what_is_no_emphasis_elsewhere_is_none(text):
    assert shown(text) == text


# Lines below a text, and quotations with a name


@pytest.mark.parametrize("text", ["It works.\n---\nMore", "a\nb\n---\nc", "**Do this:**\n---", "如下：\n---\n"])
def test_dashes_below_a_sentence_or_several_lines_are_a_line(text):
    soup = soup_of(text)
    assert soup.p.find_next_sibling().name == "hr"
    assert not soup.select("h3, h4")


@pytest.mark.parametrize(
    ("text", "tag"), [("Title\n---\nx", "h4"), ("What is it?\n---\nx", "h4"), ("It.\n===\nx", "h3")]
)
def test_an_underlined_title_is_a_heading(text, tag):
    assert soup_of(text).select(tag)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> [!NOTE]\n> *Text*", "Note\nText"),
        ("> [!Tip] Text", "Tip Text"),
        ("> [!warning]-\n>\n> - Text", "Warning\n\nText"),
        ("- > [!CAUTION]  \n  > Text", "Caution\nText"),
    ],
)
def test_a_quotation_that_is_a_note_says_so_in_bold(text, expected):
    quotation = soup_of(text).blockquote
    assert quotation.strong.get_text() == expected.split()[0]
    assert quotation.get_text().strip() == expected


@pytest.mark.parametrize("text", ["[!NOTE]", "> [!NOTES]", "> see [!NOTE]", "> [!NOTE]x", "> \\[!NOTE]"])
def test_other_text_in_such_brackets_is_shown(text):
    assert shown(text) == text.removeprefix("> ").replace("\\", "")


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
        ("«https://example.com/a»", "https://example.com/a"),
        ("‹https://example.com/a›", "https://example.com/a"),
        ("انظر https://example.com/a، ثم", "https://example.com/a"),
        ("هل https://example.com/a؟", "https://example.com/a"),
        ("देखें https://example.com/a।", "https://example.com/a"),
        ("https://example.com/a—it", "https://example.com/a"),
        ("(see https://example.com/a.)", "https://example.com/a"),
        ("「https://example.com/a.」", "https://example.com/a"),
        ("https://example.com/a`b`", "https://example.com/a"),
        ("https://example.com/a–b", "https://example.com/a%E2%80%93b"),
        ("**https://example.com/a**bold", "https://example.com/a"),
        ("_https://example.com/a_", "https://example.com/a"),
        ("~~https://example.com/a~~", "https://example.com/a"),
        ("https://example.com/~ada/x_y_", "https://example.com/~ada/x_y_"),
        ("https://zh.wikipedia.org/wiki/数学", "https://zh.wikipedia.org/wiki/%E6%95%B0%E5%AD%A6"),
        ("访问https://example.com查看文档", "https://example.com"),
        ("见https://example.com/a查看README.md", "https://example.com/a"),
        ("见https://example.com/a和/或 README", "https://example.com/a"),
        ("https://example.com/?a=1を見る。", "https://example.com/?a=1"),
        ("https://example.com/a查看，然后", "https://example.com/a"),
        ("http://localhost:8000에서 봅니다", "http://localhost:8000"),
        ("http://localhost:8000，", "http://localhost:8000"),
        ("https://example.com/aได้…", "https://example.com/a"),
        ("https://a.example/?q=a数", "https://a.example/?q=a%E6%95%B0"),
        ("见https://a.example/?q=a数 见", "https://a.example/?q=a%E6%95%B0"),
        ("https://a.example/b/2024年12月\nb", "https://a.example/b/2024%E5%B9%B412%E6%9C%88"),
        ("（https://a.example/my数）", "https://a.example/my%E6%95%B0"),
        ("**https://a.example/my数**", "https://a.example/my%E6%95%B0"),
        ("https://a.example/my数/学 b", "https://a.example/my%E6%95%B0/%E5%AD%A6"),
        ("mailto:ada@a.example请", "mailto:ada@a.example"),
        ("**https://example.com/a**查看", "https://example.com/a"),
        ("https://example.com/a１", "https://example.com/a%EF%BC%91"),
        ("https://example.com/数＿学", "https://example.com/%E6%95%B0"),
        ("https://example.com/a→b", "https://example.com/a"),
        ("https://example.com/a﹐b", "https://example.com/a"),
        ("https://example.com/a※b", "https://example.com/a"),
        ("https://zh.wikipedia.org/wiki/C语言", "https://zh.wikipedia.org/wiki/C%E8%AF%AD%E8%A8%80"),
        ("https://a.example/数/C语", "https://a.example/%E6%95%B0/C%E8%AF%AD"),
        ("https://a.example/Q3数.pdf", "https://a.example/Q3%E6%95%B0.pdf"),
        ("https://a.example/C语/a", "https://a.example/C%E8%AF%AD/a"),
        ("https://my例え.jp/", "https://xn--my-s73as50l.jp/"),
        ("https://例え.jp/", "https://xn--r8jz45g.jp/"),
    ],
)
def test_an_address_ends_before_marks_that_are_no_part_of_it(text, address):
    assert soup_of(text).select_one("a")["href"] == address


@pytest.mark.parametrize(
    "address",
    ["http://[::1]:8000/", "http://[::1]", "https://[2001:db8::1]:443/a_b?c=d", "http://[::ffff:10.0.0.1]/#x"],
)
def test_a_numeric_address_is_one(address):
    for text in (address, f"See {address}.", f"({address})", f"**{address}**", f"<{address}>", f"[x]({address})"):
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
        ("a [c]() b", "a [c]() b"),
        ("`a[i]()` and a[i]()", "a[i]() and a[i]()"),
        ("![c]()", "![c]()"),
        ("[*c*](<>)", "[c]()"),
        ("[app](http://localhost:PORT/)", "app (http://localhost:PORT/)"),
        ("see http://localhost:PORT/ now", "see http://localhost:PORT/ now"),
        ("(https://api.example.com:<port>/v1)", "(https://api.example.com:<port>/v1)"),
        ("[app](https://<host>/a)", "app (https://<host>/a)"),
        ("![](http://)", "http://"),
        ("http://999.1.1.1/ and http://[::1].x", "http://999.1.1.1/ and http://[::1].x"),
        ("http://[zz]/ and http://[1:2]/ and http://[::1", "http://[zz]/ and http://[1:2]/ and http://[::1"),
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


@pytest.mark.parametrize("text", ["a<br>b", "a<br>\nb", "a<br/>  \n  b"])
def test_a_break_at_the_end_of_a_line_is_one(text):
    assert str(soup_of(text).p) == "<p>a<br/>b</p>"


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
        ("<u>a *b*</u>", "u", "a b"),
        ("<ins>a</ins>", "u", "a"),
        ("<mark>a</mark> <small>b</small>", "mark", "a"),
        ("<b>a</b>", "strong", "a"),
        ("<strong>a</strong>", "strong", "a"),
        ("<i>a</i> <em>b</em>", "em", "a"),
        ("<s>a</s> <strike>b</strike>", "s", "a"),
        ("<code>a_b_c &lt;*d*></code>", "code", "a_b_c <*d*>"),
        ("<kbd><kbd>Ctrl</kbd>+<kbd>C</kbd></kbd>", "kbd", "Ctrl+C"),
        ("<sup>a<sub>b</sub></sup>", "sup sub", "b"),
        ("<b>a <i>b</i></b>", "strong em", "b"),
        ("<sub >x</sub >", "sub", "x"),
        ("<details><summary><b>a</b></summary>\n\nb\n\n</details>", "summary strong", "a"),
    ],
)
def test_the_tags_that_markdown_has_no_marks_for(text, tag, inner):
    assert soup_of(text).select_one(tag).get_text() == inner


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [
        ("```python print(1)\n```", "python", "print(1)\n"),
        ("```python print(1)\n```\n\nmore", "python", "print(1)\n"),
        ("- ```sh ls  -l\n  ```", "sh", "ls  -l\n"),
        ("```python print(1)\nprint(2)\n```", "python print(1)", "print(2)\n"),
        ('```py title="a.py"\nx\n```', 'py title="a.py"', "x\n"),
        ("```python\tprint(1)\n```", "python", "print(1)\n"),
        ("```python print(1)\n\n```", "python", "print(1)\n"),
        ("```python x = 1\n```", "python", "x = 1\n"),
        ("```py\n```", "py", ""),
        ('```py title="a.py"\n```', 'py title="a.py"', ""),
        ("```{.py .numberLines}\n```", "{.py .numberLines}", ""),
        ("```py " + "x" * 200 + "\ny\n```", "py " + "x" * 37, "y\n"),
    ],
)
def test_what_is_behind_a_fence_is_shown(text, language, code):
    block = soup_of(text).figure
    assert block.span.get_text() == language
    assert block.code.get_text() == code


@pytest.mark.parametrize(
    "text",
    [
        "<sub>",
        "</sub>",
        "<a href='https://a.example'",
        "<a name='x'>y</a>",
        "<a href=''>x</a>",
        "<img>",
        "<img alt='x'>",
        "a </kbd> b <kbd>",
        "<sub>x</sup>",
        "<sub onclick=x>y</sub>",
        "<a>x</a>",
        "<u></u>",
        "<br clear=all>",
    ],
)
def test_other_tags_stay_text(text):
    assert shown(text) == text


@pytest.mark.parametrize("text", ["`H<sub>2</sub>O<br>`", "```\nH<sub>2</sub>O<br>\n```", "    H<sub>2</sub>O<br>"])
def test_tags_in_code_stay_text(text):
    assert soup_of(text).code.get_text().strip() == "H<sub>2</sub>O<br>"


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ('<a href="https://a.example/?b=1&amp;c=2" target="_blank">d *e*</a>', "https://a.example/?b=1&c=2", "d e"),
        ("<A class='x' HREF='https://a.example'>b</A>", "https://a.example", "b"),
        ("| <a href='https://a.example'>b</a> |\n|---|", "https://a.example", "b"),
        ("<a href='https://a.example'>https://b.example</a>", "https://a.example", "https://b.example"),
        ("<img src='https://a.example/b.png' alt='a &lt; b' width='3'/>", "https://a.example/b.png", "a < b"),
        ("<img src='https://a.example/b.png'>", "https://a.example/b.png", "picture"),
        ('<a href="https://a.example" title="5 > 3">b</a>', "https://a.example", "b"),
        ("<a title=\"a > <b> ' href='c'\" href='https://a.example'>b</a>", "https://a.example", "b"),
        ("<img alt='5 > 3' src='https://a.example'>", "https://a.example", "5 > 3"),
        ("<a href='https://a.example'>[1]</a>", "https://a.example", "[1]"),
    ],
)
def test_links_and_pictures_as_html_are_what_they_would_be_otherwise(text, address, name):
    (link,) = soup_of(text).select("a")
    assert (link["href"], link.get_text()) == (address, name)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a=1&region=eu&timestamp=5&currency=EUR&copy", "a=1&region=eu&timestamp=5&currency=EUR&copy"),
        ("a=1&amp;region;&#38;b=%20&#x26;c", "a=1&region;&b=%20&c"),
    ],
)
def test_only_character_references_with_a_semicolon_are_decoded_in_tags(written, meant):
    address = f"https://a.example/?{written}"
    link, picture = soup_of(f"<a href='{address}'>b</a> <img src='{address}'>").select("a")
    assert link["href"] == picture["href"] == f"https://a.example/?{meant}"
    assert shown(f"<code>{written}</code>") == meant


@pytest.mark.parametrize(
    "inner",
    [
        "[c](https://b.example)",
        "![c](https://b.example)",
        "*[c][d]*",
        "[d]",
        "<img src='https://b.example'>",
        "<https://b.example>",
        "<a href='https://b.example'>c</a>",
    ],
)
def test_a_link_as_html_around_another_or_a_picture_stays_text(inner):
    definition = "[d]: https://b.example" if "[d]" in inner else ""
    soup = soup_of(f'<a href="https://a.example">x {inner}</a>\n\n{definition}')
    assert [link["href"] for link in soup.select("a")] == ["https://a.example", "https://b.example"]
    assert soup.p.get_text().startswith('<a href="https://a.example">x ')


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<a href='src/main.py'>main</a>", "main (src/main.py)"), ("<img src='x.png' alt='y'>", "y (x.png)")],
)
def test_the_target_of_such_a_link_may_be_a_file(text, expected):
    assert shown(text) == expected
    assert not soup_of(text).select("a")


# A document in a code block


DOCUMENT = """```markdown
# Setup

```bash
npm install
```

Then:

```js
run()
```
Done.
```

After it."""


def test_a_document_with_code_blocks_in_a_code_block_is_one_block():
    soup = soup_of(DOCUMENT)
    (code,) = soup.select("pre code")
    assert code.get_text() == DOCUMENT.partition("\n")[2].removesuffix("```\n\nAfter it.")
    assert soup.find_all("p")[-1].get_text() == "After it."


@pytest.mark.parametrize("opening", ["```md", "```text", "```", "~~~markdown", "```` markdown", "> ```md", "- ```md"])
def test_so_it_is_whatever_the_outer_block_is_called(opening):
    outer = opening.lstrip("> -")
    mark = outer[: len(outer) - len(outer.lstrip("`~"))]
    lines = [outer, "# a", f"{mark}bash", "npm", mark, "b", mark, "", "c"]
    prefix = {">": "> ", "-": "  "}.get(opening[0], "")
    text = "\n".join(prefix + line if number else opening for number, line in enumerate(lines))
    (code,) = soup_of(text).select("pre code")
    assert code.get_text() == f"# a\n{mark}bash\nnpm\n{mark}\nb\n"


BARE = """```markdown
# Setup

```
npm install
```

Then run:
```
npm start

npm test
```

1. Check

   ```
   npm doctor
   ```

```bash
npm stop
```

```
bye
```
Done.
```

After it.

```
another
```
"""


@pytest.mark.parametrize("language", ["markdown", "Markdown", "md", "mdx", "md title=a", "README.md"])
def test_inner_blocks_of_a_document_need_no_language(language):
    soup = soup_of(BARE.replace("markdown", language, 1))
    document, another = soup.select("pre code")
    assert document.get_text() == BARE.partition("\n")[2].partition("```\n\nAfter")[0]
    assert another.get_text() == "another\n"
    assert [each.get_text() for each in soup.select("p")] == ["After it."]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("```md\n# a\n```\n\nb\n\n```\nc\n```", ["# a\n", "c\n"]),
        ("```md\n# a\n```\nRun:\n```\nc\n```\nd", ["# a\n", "c\n"]),
        ("```md\n# a\n\n```\n\nb\n\n```\nc\n```\nd", ["# a\n\n", "c\n"]),
        ("```md\n# a\n\n```\nb\n\n```\nc\n```\nd\n```\ne\n```", ["# a\n\n", "c\n", "e\n"]),
        ("```md\n# a\n\n```\nb\n\n```js\nc\n```\nd", ["# a\n\n", "c\n"]),
        ("```md\n```py\na\n```\nb\n\n```\nc\n\nd", ["```py\na\n```\nb\n\n"]),
        ("```\na\n\n```\nb\n```\nc\n```", ["a\n\n", "c\n"]),
        ("```py\na:\n```\nb\n\n```py\nc\n```", ["a:\n", "c\n"]),
        ("```md\na\n\n```\nb\n\n```\n```\nc", ["a\n\n```\nb\n\n```\n"]),
        ("- ```md\n  a\n\n  ```\n  b\n  ```\n  ```\n- c", ["a\n\n```\nb\n```\n"]),
        ("> ```md\n> a\n>\n> ```\n> b\n> ```\n> ```\n\nc", ["a\n\n```\nb\n```\n"]),
        ("- ```md\n  a\n\n  ```\n- b\n\n  ```\n  c\n  ```", ["a\n\n", "c\n"]),
    ],
)
def test_a_bare_fence_closes_a_document_unless_all_fences_say_that_it_opens_a_block(text, codes):
    assert [code.get_text() for code in soup_of(text).select("pre code")] == codes


@pytest.mark.parametrize("text", [DOCUMENT, BARE, BARE.replace("After it.", ""), BARE[:-40]])
def test_a_document_that_grows_is_at_every_place_what_it_would_be_at_once(text):
    assert_grows_alike(text)


FENCE_LINES = ["```", "```js", "~~~", "````", "", "", "a", "b:", " ", " ```", "    ```", "> ```", "- ```", "`` `"]


@pytest.mark.parametrize("begin", ["```md\n", "```\n", "  ~~~md a`b`\n", "- ```\n", "> ```md\n"])
@given(st.lists(st.sampled_from(FENCE_LINES), max_size=12).map("\n".join))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_so_is_any_other_block_with_fences(begin, text):
    assert_grows_alike(begin + text)


def assert_grows_alike(text):
    for step in (1, 7, len(text)):
        growing = GrowingMarkdown()
        for end in range(0, len(text), step):
            growing.grow(text[:end])
            assert growing.tail == growing.unfinished(text[growing.shown : end])
        growing.grow(text, final=True)
        assert "".join(growing.blocks) == markdown(text)
    for end in range(len(text)):
        growing = GrowingMarkdown()
        growing.grow(text[:end])
        finished = list(growing.blocks)
        growing.grow(text, final=True)
        assert growing.blocks[: len(finished)] == finished
        assert "".join(growing.blocks) == markdown(text)


def test_a_block_that_nothing_closes_ends_where_it_would_without_another_in_it():
    soup = soup_of("```js\na\n```bash\nb\n```\n\nprose **bold**\n")
    assert soup.select_one("pre code").get_text() == "a\n```bash\nb\n"
    assert soup.strong


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("````md\n```py\nx\n```\n````\ny", ["```py\nx\n```\n"]),
        ("~~~md\n```py\nx\n```\n~~~\ny", ["```py\nx\n```\n"]),
        ("```py\n'''\n    ```py\n    x\n    ```\n'''\n```\ny", ["'''\n    ```py\n    x\n    ```\n'''\n"]),
        ("```a\nx\n```\n\n```b\ny\n```", ["x\n", "y\n"]),
        ("- x\n\n  ```py\n  y\n  ```\n- z", ["y\n"]),
    ],
)
def test_blocks_that_need_no_such_help_are_as_they_were(text, codes):
    assert [code.get_text() for code in soup_of(text).select("pre code")] == codes


@pytest.mark.parametrize("end", ["  ```", "```", "   ```"])
@pytest.mark.parametrize("mark", ["- ", "1. "])
def test_a_block_in_a_list_may_have_code_that_is_not_indented(mark, end):
    indent = " " * len(mark)
    soup = soup_of(f"{mark}a\n{indent}```sh\nnpm\n\n{indent}b\n{end}\n{mark.replace('1', '2')}c\n\nd")
    (code,) = soup.select("li pre code")
    assert code.get_text() == "npm\n\nb\n"
    assert [item.find(string=True).strip() or item.p.get_text() for item in soup.select("li")] == ["a", "c"]
    assert soup.find_all("p", recursive=False)[-1].get_text() == "d"


@pytest.mark.parametrize(
    "text", ["- ```sh\n  a\n- b\n\nc", "- ```sh\n  a\n- b\n\n```js\nc\n```", "- ```sh\n  a\n  ```\nb\n```"]
)
def test_a_block_in_a_list_that_nothing_closes_ends_with_its_item(text):
    assert soup_of(text).select_one("pre code").get_text().strip() == "a"


@pytest.mark.parametrize(
    ("text", "codes", "plain"),
    [
        (
            "1. do\n   ```\n   foo\n\nbar text\n\n2. b\n   ```\n   x\n   ```\n",
            ["foo\n\n", "x\n"],
            ["do", "bar text", "b"],
        ),
        ("- ```\n  code\n\nParagraph\n\n```\nmore\n```\n", ["code\n\n", "more\n"], ["Paragraph"]),
        ("- ```bash\n  ls\n- b\n  ```\n", ["ls\n", ""], ["b"]),
        ("- ```\n\n  ls\nb\n```\n", ["\nls\n", ""], ["b"]),
        ("- ```\nls\n- b\n- ```\n  x\n  ```\n", ["", "x\n"], ["ls", "b"]),
    ],
)
def test_what_follows_an_indented_block_in_a_list_is_no_code(text, codes, plain):
    soup = soup_of(text)
    assert [code.extract().get_text() for code in soup.select("pre code")] == codes
    for figure in soup.select("figure"):
        figure.extract()
    assert [*filter(None, soup.get_text("\n").split("\n"))] == plain


@pytest.mark.parametrize("language", ["text", "txt", "plaintext", "out.txt"])
def test_prose_between_two_blocks_of_plain_text_is_no_code(language):
    soup = soup_of(f"```{language}\nOut:\n\n```\nThen\n```\nls\n```\nend")
    assert [code.get_text() for code in soup.select("pre code")] == ["Out:\n\n", "ls\n"]
    assert [each.get_text() for each in soup.select("p")] == ["Then", "end"]


@pytest.mark.parametrize("info", ["python:src/a.py", "python,ignore", "python{1,3}", "python title=a"])
def test_code_is_highlighted_whatever_follows_its_language(info):
    assert soup_of(f"```{info}\nimport a\n```").select("code span.kn")


# Lists whose inner lists are indented by two


def outline_of(text: str) -> list:
    """The lists as nested Python lists of their items' first words."""

    def items(node):
        found = []
        for item in node.find_all("li", recursive=False):
            inner = [items(child) for child in item.find_all(["ul", "ol"], recursive=False)]
            first = item.find(string=True).strip() or item.p.get_text()
            found.append([first, *inner])
        return found

    return [items(node) for node in soup_of(text).find_all(["ul", "ol"], recursive=False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. a\n  - x\n2. b", [[["a", [["x"]]], ["b"]]]),
        ("1. a\n  - x\n  - y\n2. b\n  - z", [[["a", [["x"], ["y"]]], ["b", [["z"]]]]]),
        ("1. a\n\n  - x\n\n2. b", [[["a", [["x"]]], ["b"]]]),
        ("10. a\n  * x\n11. b", [[["a", [["x"]]], ["b"]]]),
        ("1. a\n  - x\n    - y\n2. b", [[["a", [["x", [["y"]]]]], ["b"]]]),
        ("1) a\n  1. x\n2) b", [[["a", [["x"]]], ["b"]]]),
        ("- o\n  1. a\n    - x\n  2. b", [[["o", [["a", [["x"]]], ["b"]]]]]),
        ("1. a\n   - x\n2. b", [[["a", [["x"]]], ["b"]]]),
        ("1. a\n - x\n - y\n2. b", [[["a", [["x"], ["y"]]], ["b"]]]),
        ("1. a\n  1. x\n  2. y\n2. b\n  1. z\n3. c", [[["a", [["x"], ["y"]]], ["b", [["z"]]], ["c"]]]),
        ("1. a\n\n  1. x\n\n  2. y\n\n2. b", [[["a", [["x"], ["y"]]], ["b"]]]),
        ("1. a\n  1. x\n     - y\n  2. z\n2. b", [[["a", [["x", [["y"]]], ["z"]]], ["b"]]]),
        ("- o\n  1. a\n    1. x\n  2. b", [[["o", [["a", [["x"]]], ["b"]]]]]),
        ("1. a\n  2. b\n  3. c", [[["a"], ["b"], ["c"]]]),
        ("1. a\n\n  2. b\n\n  3. c\n\n4. d", [[["a"], ["b"], ["c"], ["d"]]]),
        ("1. a\n  2. b\n  1. x\n3. c", [[["a"], ["b", [["x"]]], ["c"]]]),
        (" 9. a\n10. b\n 11. c", [[["a"], ["b"], ["c"]]]),
        ("1. a\n- x\n2. b", [[["a"]], [["x"]], [["b"]]]),
        ("1. a\n\ntext\n\n  - x", [[["a"]], [["x"]]]),
    ],
)
def test_an_inner_list_indented_by_two_belongs_to_its_item(text, expected):
    assert outline_of(text) == expected


def test_it_does_so_in_a_quotation():
    assert len(soup_of("> 1. a\n>   - x\n> 2. b").select("blockquote > ol")) == 1


def test_the_numbers_go_on():
    (numbers,) = soup_of("3. a\n  - x\n4. b").select("ol")
    assert numbers["start"] == "3"
    assert len(numbers.find_all("li", recursive=False)) == 2


def test_an_inner_list_has_its_own_numbers():
    outer, inner, _ = soup_of("> 1. a\n>   3. x\n>   4. y\n> 2. b\n>   1. z").select("blockquote ol")
    assert (outer.get("start"), inner["start"]) == (None, "3")
    assert [item.find(string=True).strip() for item in outer.find_all("li", recursive=False)] == ["a", "b"]


@pytest.mark.parametrize("depth", [5, 10, 19, 20, 21, 30])
def test_nothing_in_lists_in_lists_is_lost(depth):
    text = "\n".join("  " * level + f"- level{level}" for level in range(depth)) + "\n\nend"
    assert re.findall(r"level\d+|end", shown(text)) == [f"level{level}" for level in range(depth)] + ["end"]
    assert len(soup_of(text).select("li")) == min(depth, 20)


@pytest.mark.parametrize("depth", [5, 19, 20, 40, 41, 200])
def test_nothing_in_quotations_in_quotations_is_lost(depth):
    assert "deep" in shown("> " * depth + "deep")
    assert len(soup_of("> " * depth + "deep").select("blockquote")) == min(depth, 40)


# Definitions at the end


def test_a_reference_is_found_wherever_it_is_defined():
    link = soup_of("See [docs][1] and [more].\n\ntext\n\n[1]: https://a.example/b\n[more]: https://c.example").a
    assert (link.get_text(), link["href"]) == ("docs", "https://a.example/b")


def test_a_reference_to_nothing_is_shown_as_it_was_written():
    assert shown("See [docs][1] and [^1].") == "See [docs][1] and [^1]."


@pytest.mark.parametrize(
    "text",
    [
        "[Bob]: No.",
        "[Ann]: Is it done?\n[Bob]: No.\n[Ann]: Oh",
        "[Ann] [Bob]\n\n[Bob]: No.",
        "[Bob]:\nNo",
        "[09:14]: started",
        "[Total]: 12.50",
        "[path]: <folder>",
        "[main.py]: src/main.py",
        "[Ann]: /help 'me'",
        "[Ann]: #1",
        "[when]: 09:14",
        "[note]: LATER:today",
    ],
)
def test_a_line_that_defines_no_address_is_shown_as_it_was_written(text):
    assert shown(text).split() == text.split()


def test_such_lines_are_items_of_a_list():
    items = soup_of("- [09:14]: started\n- [09:15]: ended").select("li")
    assert [item.get_text().strip() for item in items] == ["[09:14]: started", "[09:15]: ended"]


def test_the_first_definition_of_a_label_counts():
    text = "[a]: no\n\n[a]: https://a.example/1\n[a]: https://a.example/2\n\n[a]"
    assert soup_of(text).select("a")[-1]["href"] == "https://a.example/1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]: https://a.example/b", "[1]: https://a.example/b"),
        ("As they say.\n\n[1]: https://a.example/b\n\nEnd", "As they say. [1]: https://a.example/b End"),
        (
            "As in 【1】.\n\n[1]: https://a.example\n[2]: https://b.example 'B'\n",
            "As in 【1】. [1]: https://a.example [2]: https://b.example 'B'",
        ),
        ("`[1]`\n\n- a\n\n  [1]: https://a.example", "[1] a [1]: https://a.example"),
        ("See [docs][2].\n\n[1]: https://a.example\n[2]: https://b.example", "See docs. [1]: https://a.example"),
        ("> x\n>\n> [1]: https://a.example\n> 'x\n> y'", "x [1]: https://a.example 'x y'"),
        ("[a](https://b.example)\n\n[a]: https://a.example", "a [a]: https://a.example"),
        ("[a]\n\n[a]: https://b.example\n\n[A]: https://a.example 'T'", "a [A]: https://a.example 'T'"),
        ("[a]: https://b.example\n[a]: https://a.example\n\n> [a]", "[a]: https://a.example a"),
        ("[a]: https://b.example\n\nb\n\n[a]: https://a.example", "[a]: https://b.example b [a]: https://a.example"),
    ],
)
def test_an_address_that_nothing_refers_to_is_shown_where_it_is_defined(text, expected):
    assert " ".join(shown(text).split()) == expected
    assert "https://a.example" in [link["href"].removesuffix("/b") for link in soup_of(text).select("a")]


@pytest.mark.parametrize("use", ["[a]", "[b][a]", "[a][]", "![b][a]", "> - **[A]**", "| [a] |\n|---|", "[![a]](x)"])
def test_an_address_that_something_refers_to_is_not_shown_again(use):
    definition = "[a]: https://a.example"
    for text in (f"{definition}\n\n{use}\n", f"{use}\n\n{definition}", f"{use}\n\nmore\n\n{definition}\n\nend"):
        assert "]:" not in shown(text)


def test_a_definition_is_shown_only_when_nothing_can_refer_to_it_any_more():
    text = "[1]: https://a.example\n\nOne.\n\n[2]: https://b.example\n\nTwo, as [1] says.\n"
    growing = GrowingMarkdown()
    for end in range(len(text)):
        growing.grow(text[:end])
    assert "b.example" not in "".join(growing.blocks) + growing.tail
    growing.grow(text, final=True)
    assert "[2]: <a" in "".join(growing.blocks) == markdown(text)


def test_a_picture_may_be_defined_by_its_content():
    assert shown("![plot][p]\n\n[p]: <data:image/png;base64,AAAA>") == shown("![plot](data:image/png;base64,AAAA)")


def test_a_footnote_is_marked_in_the_text_and_shown_where_it_was_written():
    soup = soup_of("It grew.[^1] It fell.[^note]\n\n[^1]: By *half*.\n[^note]: https://a.example/b")
    assert [each.get_text() for each in soup.select("p sup")] == ["[1]", "[note]"]
    notes = soup.select("div.footnote")
    assert [note.get_text(" ", strip=True) for note in notes] == ["[1] By half .", "[note] https://a.example/b"]
    assert notes[0].em
    assert notes[1].a["href"] == "https://a.example/b"


def test_a_footnote_may_have_several_paragraphs():
    (note,) = soup_of("a[^1]\n\n[^1]: one\n\n    two\n\nthree").select("div.footnote")
    assert [each.get_text() for each in note.select("p")] == ["one", "two"]


@pytest.mark.parametrize("text", ["[^0-9]+", "use [^a] to negate", "`[^1]`\n\n[^2]: x"])
def test_what_looks_like_a_footnote_and_is_none_stays_text(text):
    assert not soup_of(text).select("p sup")


def test_the_end_of_a_text_that_has_grown_renders_nothing_again_that_is_finished():
    text = "One.\n\nTwo.\n\nThree, at the very end"
    growing = GrowingMarkdown()
    growing.grow(text[:-8])
    finished = [*growing.blocks]
    assert len(finished) == 2
    assert markdown(text, growing) == "".join(growing.blocks) == markdown(text)
    assert all(now is before for now, before in zip(growing.blocks, finished, strict=False))


def test_what_comes_at_the_end_changes_only_what_waited_for_it():
    text = "See [docs][1].\n\nplain [x]\n\nIt grew.[^1]\n\n[1]: https://a.example/b\n[^1]: By half.\n\nend\n"
    growing = GrowingMarkdown()
    growing.grow(text)
    streamed = list(growing.blocks)
    assert "[docs][1]" in streamed[0]
    growing.grow(text, final=True)
    assert "".join(growing.blocks) == markdown(text)
    changed = [number for number, block in enumerate(streamed) if growing.blocks[number] != block]
    assert changed == [0, 2]


# Folded text


@pytest.mark.parametrize(
    "text",
    [
        "<details>\n<summary>More *here*</summary>\n\nBody **bold**\n\n- a\n\n</details>\n\nAfter",
        "<details><summary>More *here*</summary>\n\nBody **bold**\n\n- a\n</details>\n\nAfter",
        "<details>\n  <summary>\n  More *here*\n  </summary>\n\nBody **bold**\n\n- a\n</details>\nAfter",
        "text\n<details open>\n<summary>More *here*</summary>\nBody **bold**\n- a\n\n</details>\n\nAfter",
        "<details class='x' open>\n<summary style='y'>More *here*</summary>\nBody **bold**\n- a\n\n</details>\n\nAfter",
        "<DETAILS>\n\n<SUMMARY>More *here*</SUMMARY>\n\nBody **bold**\n\n- a\n</DETAILS>\n\nAfter",
    ],
)
def test_details_are_folded_text(text):
    soup = soup_of(text)
    (details,) = soup.select("details")
    assert details.summary.get_text().strip() == "More here"
    assert details.summary.em
    assert details.select_one("p > strong").get_text() == "bold"
    assert details.li
    assert not details.has_attr("open")
    assert soup.find_all("p")[-1].get_text() == "After"
    assert not soup.find_all("p")[-1].find_parent("details")


@pytest.mark.parametrize("summary", ["<summary>More</summary>", "<summary>\n> More\n> </summary>"])
@pytest.mark.parametrize("between", ["", "\n>", "\n>\n>"])
def test_details_in_a_quotation(summary, between):
    details = soup_of(f"> <details>{between}\n> {summary}\n> Body\n>\n> - a\n> </details>\n\nAfter").blockquote.details
    assert (details.summary.get_text(), details.p.get_text(), details.li.get_text()) == ("More", "Body", "a")


def test_details_without_a_summary_have_one_all_the_same():
    details = soup_of("<details>\n\nx\n\n</details>").details
    assert (details.summary.get_text(), details.p.get_text()) == ("Details", "x")


@pytest.mark.parametrize("summary", ["<summary></summary>", "<summary>\n\n</summary>", "<SUMMARY class=x> </SUMMARY>"])
@pytest.mark.parametrize("between", ["", "\n", "\n\n"])
def test_details_with_an_empty_summary_have_one_all_the_same(summary, between):
    details = soup_of(f"<details>{between}{summary}\n\nx\n\n</details>").details
    assert (details.summary.get_text(), details.p.get_text()) == ("Details", "x")


def test_tags_of_blocks_in_details_are_not_shown():
    text = (
        "<details><summary><h3>a</h3></summary>\n<p>\n\n```py\n<p>\n```\n\n</p>\n<div class='x'>\nb\n</div>\n"
        "<p>c *d*</p>\n<p></p>\n- e\n  <p>f</p>\n\n"
        "<details>\n<center>g</center>\n</details>\n</details>\n\n<p>h</p>"
    )
    soup = soup_of(text)
    for figure in soup.select("figcaption"):
        figure.decompose()
    assert soup.get_text("|", strip=True).replace("\n", "|") == "a|<|p|>|b|c|d|e|<p>f</p>|Details|g|<p>h</p>"


@pytest.mark.parametrize(
    ("line", "paragraphs"),
    [
        ("<p>one</p><p>two</p>", ["one", "two"]),
        ("<P class='x'>one</P> <div>*two*</div>", ["one", "two"]),
        ("<div><p>one</p></div>", ["one"]),
        ("<p>one `<p>`</p><p></p>", ["one <p>"]),
        ("<p>one</p> and <p>two</p>", ["<p>one</p> and <p>two</p>"]),
    ],
)
def test_paragraphs_on_one_line_in_details_are_shown_one_by_one(line, paragraphs):
    details = soup_of(f"<details>\n{line}\n</details>").details
    assert [paragraph.get_text() for paragraph in details.select("p")] == paragraphs


def test_details_on_one_line():
    details = soup_of("<details><summary>Answer</summary>It is **42**.</details>").details
    assert (details.summary.get_text(), details.p.get_text()) == ("Answer", "It is 42.")


def test_details_in_details():
    text = (
        "<details>\n<summary>a</summary>\n\n<details>\n<summary>b</summary>\n\nx\n\n</details>\n\ny\n\n</details>\n\nz"
    )
    soup = soup_of(text)
    assert [each.get_text() for each in soup.select("details > details > summary")] == ["b"]
    assert [each.get_text() for each in soup.select("details > p")] == ["x", "y"]
    assert soup.find_all("p", recursive=False)[-1].get_text() == "z"


def test_an_end_in_code_is_none():
    (details,) = soup_of("<details>\n\n```html\n</details>\n```\n\nx\n\n</details>\n\ny").select("details")
    assert details.code.get_text() == "</details>\n"
    assert details.p.get_text() == "x"


def test_details_in_a_list():
    assert soup_of("- a\n\n  <details>\n  <summary>s</summary>\n\n  x\n\n  </details>\n- b").select("li details > p")


@pytest.mark.parametrize("text", ["</details>", "<summary>x</summary>", "a <details> b", "<details-x>", "<details"])
def test_what_is_no_folded_text_stays_text(text):
    assert shown(text) == text
    assert not soup_of(text).select("details, summary")


def test_an_unfinished_one_is_open_while_it_is_written():
    growing = GrowingMarkdown()
    growing.grow("<details>\n<summary>s</summary>\n\nx\n")
    assert "<details open" in growing.tail
    growing.grow("<details>\n<summary>s</summary>\n\nx\n\n</details>\n\ny\n")
    assert "<details>" in growing.blocks[0]


# Tables


def rows_of(text: str) -> list[list[str]]:
    """The cells' texts; of a formula its source."""
    soup = soup_of(text)
    for formula in soup.select("math"):
        formula.replace_with(formula.annotation.get_text())
    for copy in soup.select("button"):
        copy.decompose()
    return [[cell.get_text().strip() for cell in row.select("th, td")] for row in soup.select("tr")]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| `a || b` | or |", ["a || b", "or"]),
        ("`a || b` | or", ["a || b", "or"]),
        ("| ``a ` | b`` | c |", ["a ` | b", "c"]),
        (r"| `a \|| b` | or |", ["a || b", "or"]),
        ("| $|x|$ | size |", ["|x|", "size"]),
        (r"| \(|x|\) | $P(A|B)$ |", ["|x|", "P(A|B)"]),
        (r"| $$|x|$$ | \[|y|\] |", ["|x|", "|y|"]),
        (r"| `a\|b` | c |", ["a|b", "c"]),
        ("| `a | b` |", ["`a", "b`"]),
        ("| $5 | 6$ |", ["$5", "6$"]),
    ],
)
@pytest.mark.parametrize("outer", ["{}", "- {}", "> {}"])
def test_pipes_in_code_and_formulas_end_no_cell(row, cells, outer):
    indent = "> " if outer[0] == ">" else " " * (len(outer) - 2)
    for lines in (["| a | b |", "|---|---|", row], [row, "|---|---|", row]):
        found = rows_of(outer.format(f"\n{indent}".join(lines)))
        assert found[1:] == [cells]
        assert found[0] in (["a", "b"], cells)


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| 1 | 2 | 3 | 4 |", ["1", "2 | 3 | 4"]),
        ("| 1 | 2 | | |", ["1", "2"]),
        ("| $5 | $6 | 7 |", ["$5", "$6 | 7"]),
        ("| 1 | `2 | 3 |", ["1", "`2 | 3"]),
        ("| 1 |", ["1", ""]),
    ],
)
def test_nothing_in_a_row_with_too_many_cells_is_lost(row, cells):
    assert rows_of(f"| a | b |\n|---|---|\n{row}\n")[1] == cells


@pytest.mark.parametrize(("before", "behind"), [("", ""), ("> ", "> "), ("- ", "  ")])
def test_a_table_with_outer_pipes_ends_before_a_line_without_any(before, behind):
    soup = soup_of(f"{before}| a |\n{behind}|---|\n{behind}| 1 |\n{behind}Text *b*\n{behind}more")
    assert [row.get_text().strip() for row in soup.select("tr")] == ["a", "1"]
    assert soup.em.find_parent("table") is None


@pytest.mark.parametrize("before", ["- a\n- b", "1. a\n   - b", "> b", "- > b", "b", "> - b"])
def test_a_table_begins_right_behind_another_block(before):
    soup = soup_of(f"{before}\n| `x|y` | z |\n|---|---|\n| 1 | 2 |")
    assert [row.get_text(" ", strip=True) for row in soup.select("tr")] == ["x|y z", "1 2"]
    assert soup.table.find_parent(["ul", "ol", "blockquote"]) is None


RULED = "| Item | Cost |\n|---|---|\n| A | 1 |\n| B | 2 |\n|---|---|\n| Total | 3 |\n"


@pytest.mark.parametrize(
    ("before", "behind"), [("", ""), ("> ", "> "), ("- ", "  "), ("- a\n- b\n\n", ""), ("> a\n", "")]
)
def test_a_rule_between_the_rows_of_a_table_does_not_divide_it(before, behind):
    soup = soup_of(before + RULED.strip().replace("\n", f"\n{behind}"))
    assert [row.get_text(" ", strip=True) for row in soup.select("table")[0].select("tr")][3:] == ["--- ---", "Total 3"]
    assert len(soup.select("table")) == 1


@pytest.mark.parametrize("text", [RULED, f"{RULED}Text\n{RULED}", f"- a\n{RULED}\nb", f"> a\n{RULED}\n\n{RULED}"])
def test_such_a_table_that_grows_is_at_every_place_what_it_would_be_at_once(text):
    for end in range(len(text) + 1):
        growing = GrowingMarkdown()
        for place in range(end):
            growing.grow(text[:place])
        growing.grow(text[:end], final=True)
        assert "".join(growing.blocks) == markdown(text[:end])


def test_a_table_without_outer_pipes_goes_on_without_any():
    assert rows_of("a | b\n--|--\n1\n2") == [["a", "b"], ["1", ""], ["2", ""]]


@pytest.mark.parametrize("text", ["| `a || b` | or |", "| `a || b` | or |\n|---|"])
def test_what_is_no_table_stays_text(text):
    assert not soup_of(text).select("table")


@pytest.mark.parametrize(("mark", "block"), [("- ", "li"), ("1. ", "li"), ("> ", "blockquote")])
def test_a_table_in_another_block_does_not_begin_before_it(mark, block):
    more = mark if mark == "> " else " " * len(mark)
    soup = soup_of(f"{mark}a | b\n{more}--|--\n{more}1 | 2")
    assert soup.select_one(f"{block} th").get_text() == "a"
