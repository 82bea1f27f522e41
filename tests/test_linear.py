"""Rendering takes time in proportion to the text, whatever the text is."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from webchat.render.dialect import outline
from webchat.render.markdown import GrowingMarkdown, markdown
from webchat.render.typed import typed
from webchat.replies.title_text import cleaned

SIZE = 1_000
"""Characters of the smaller text; the larger one has four times as many."""
RATIO = 9
"""The ratio of the processor times: 4 if it is linear, 16 if it is quadratic."""
STEP = 100
"""Characters by which an answer grows."""

SPANS = [
    *(
        "$",
        "$x",
        "$x$ ",
        "$$",
        "$$a",
        r"\(",
        r"\(x\) ",
        r"\[",
        r"\[x\] ",
        r"\begin{align}",
        r"\$",
        r"$\$",
        "$x^{",
        r"\text{",
    ),
    *(
        "<sub>",
        "<sub>x</sub>",
        "<a href='http://a'>",
        "<a href='http://a'>x</a>",
        "<img src='http://a'>",
        "<a ",
        "<img src=''",
        "<a title='",
        "<a title=\"'\" b='\"'",
        "<a href='http://a'>[x]</a>",
        "__init__",
        "2*3*",
        "<kbd>" + "x" * 190,
        "<br>",
        "<u>",
        "<u><b>",
        "<u>x</u>",
        "<",
        "[^1]",
        "[",
        "![",
        "[a](b)",
        "[[a](b)",
        "[x][a]",
        "[](b)",
    ),
    *(
        "**重",
        "~~重~~",
        "*a",
        "**a**",
        "_a_ ",
        "https://a.example/",
        "https://a.example/x，",
        "https://a.example/x数",
        "https://a.example/x数.a",
        "http:",
        "http://[::1]/a",
        "http://[::1",
        "http://999.1.1.1/",
        "$x$$",
        "$x$$y$",
        "[c]()",
        "`",
        "`$",
        "\\",
        "&amp;",
    ),
]
LINES = [
    *(
        "$$",
        r"\[",
        r"\begin{align}",
        "$$x$$",
        r"\[ \frac{a}{b} \]",
        "<details>",
        "<details><summary>s</summary>",
        "</details>",
        "$$\n",
        "$$ x =\n",
        "\\[\n",
        "\\[\n\nx\n\n```\n```\n\n\\]",
        "\\begin{align}\n",
    ),
    *(
        "<details><summary>s</summary>x</details>",
        "[^1]: x",
        "<p>",
        "<p>x</p>",
        "<details>\n" + "<p>x</p>" * 40 + "x\n</details>",
        "<p><p> ",
        "> [!NOTE]",
        "So.\n---",
        "- ```\nx",
        "- a\n  - ```",
        "[a]: http://a",
        "[a]: No.",
        "[a]: http://b",
        "[a]:",
        "```",
        "```a",
        "~~~md",
        "```md\n\n```",
        "a:\n```\nx",
        " ```",
        "1. a",
        "  - x",
        "2. b",
    ),
    *(
        "- a",
        "    - c",
        "> ",
        "> 1. a",
        ">   - b",
        "| a | $x$ |",
        "| `a || b` | $|x|$ | c |",
        "| ` | `` | $ | $a |",
        "|---|---|",
        "# a",
        "text **b** `c` $x$ [d](https://e.example)",
    ),
    *("", "", "- [ ] a", "    a", "Roses, 重要（注意）。"),
]


def cpu(work: Callable[[], object]) -> float:
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def is_linear(render: Callable[[str], object], part: str) -> bool:
    return grows_linearly(render, lambda size: (part * (size // len(part) + 1))[:size])


def grows_linearly(render: Callable[[str], object], text: Callable[[int], str]) -> bool:
    """Whether four times the text takes at most nine times as long, in one of three attempts."""
    small, large = text(SIZE), text(4 * SIZE)
    for attempt in range(3):
        # A different text each time, since the last renderings are cached.
        once = min(cpu(lambda mark=mark: render(f"{mark}\n\n{small}")) for mark in (f"a{attempt}", f"b{attempt}"))
        if cpu(lambda mark=attempt: render(f"{mark}\n\n{large}")) < RATIO * max(once, 0.002):
            return True
    return False


def streamed(text: str) -> None:
    growing = GrowingMarkdown()
    for end in range(STEP, len(text), STEP):
        growing.grow(text[:end])
    growing.grow(text, final=True)


@pytest.mark.parametrize("span", SPANS)
def test_a_line_of_the_same_marks_takes_time_in_proportion(span):
    assert is_linear(markdown, span)


@pytest.mark.parametrize("line", [line for line in LINES if line])
def test_the_same_line_again_and_again_does_so(line):
    assert is_linear(markdown, f"{line}\n")


@pytest.mark.parametrize("behind", ["", "- | b\n"])
def test_many_tables_without_empty_lines_between_do_so(behind):
    table = f"| a | b |\n|---|---|\n{behind}"
    assert grows_linearly(lambda text: outline().parse(text, {}), lambda size: table * (size // 2))


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\\", "x", "1", "#", " #", "`", "~"])
@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("```", "`"),
        ("~~~", "`"),
        ("<details><summary>", "x"),
        ("<details>\n<summary>x", "\n</details>"),
        ("<details>\n<p>", "</p>\n</details>"),
        ("$x", "$"),
        ("$1", "$"),
        ("\\[\nx", "y\n\\]"),
        ("\\[\nx", "\n\\]"),
        ("# ", "y"),
    ],
)
def test_a_mark_and_many_blanks_do_so(begin, blank, end):
    def text(size):
        return f"{begin}{blank * (size // len(blank))}{end}"

    assert grows_linearly(markdown, text)
    assert grows_linearly(typed, text)


@pytest.mark.parametrize(
    ("begin", "blank"), [("```\n", "\n"), ("```\n", "\n`"), ("# x", " "), ("# x", " #"), ("- ", " ")]
)
def test_a_title_does_so(begin, blank):
    def titled(text):
        return cleaned(text.partition("\n\n")[2])

    assert grows_linearly(titled, lambda size: f"{begin}{blank * (4 * size // len(blank))}y")


@given(st.lists(st.sampled_from(LINES), min_size=2, max_size=8).map(lambda lines: "\n".join(lines) + "\n"))
@settings(max_examples=30, derandomize=True, deadline=None)
@example("```a\n```b\n```\n")
@example("```md\n\n```\n$$\n")
@example("1. a\n  - x\n2. b\n  - y\n")
@example("<details>\n```\n")
def test_any_text_does_so(part):
    assert is_linear(markdown, part)


def test_many_unindented_code_blocks_in_a_list_do_so():
    assert grows_linearly(markdown, lambda size: "- ```\n x\n x\n x\n" * (size // 2))


@pytest.mark.parametrize("inner", ["\n```\ncode\n```\n", "a:\n```js\ncode\n```\n", "a\n~~~\n"])
def test_so_does_a_document_with_many_blocks_that_grows(inner):
    def text(size):
        return "```markdown\n" + inner * (4 * size // len(inner))

    def growing(text):
        streamed(text.partition("\n\n")[2])

    assert grows_linearly(growing, text)


@given(st.lists(st.sampled_from(LINES), min_size=2, max_size=5).map(lambda lines: "\n".join(lines) + "\n\nend\n\n"))
@settings(max_examples=8, derandomize=True, deadline=None)
def test_so_does_a_text_that_grows_by_blocks(part):
    closing = "".join(f"\n{mark}\n" for mark in ("```", "~~~", "</details>"))
    assert is_linear(streamed, f"{part}{closing}\n# end\n\n")
