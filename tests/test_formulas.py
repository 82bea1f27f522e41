"""Formulas are rendered, with their source; text that only looks like a formula stays text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formulas import FORMULAS
from webchat.archive import style as archive_style
from webchat.archive.readable import as_html
from webchat.chat.message import Message
from webchat.render.formulas import LONGEST
from webchat.render.markdown import GrowingMarkdown, markdown
from webchat.render.tex import DEEPEST, mathml
from webchat.session_store import WebChatSession
from webchat.web import resources

TABLE = r"\begin{array}{|l|r|}\hline a & b \\ \hline\end{array} \color{red} x \! \cancel{y}"


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(markdown(text), "html.parser")


def sources(text: str) -> list[str]:
    """The formulas' sources, as their annotations have them."""
    return [each.get_text() for each in soup_of(text).select("annotation")]


# What counts as a formula


def test_formulas_of_schools_and_papers_are_made():
    assert len(FORMULAS) == len(set(FORMULAS)) >= 60
    assert [formula for formula in FORMULAS if not soup_of(f"$${formula}$$").select("math[display=block]")] == []
    assert [formula for formula in FORMULAS if sources(f"$${formula}$$") != [formula]] == []


@pytest.mark.parametrize(
    ("text", "source", "display"),
    [
        (r"so \(\theta\) is", r"\theta", False),
        (r"so $x*y*z$ is", "x*y*z", False),
        (r"so $a_1 + b_1$, then", "a_1 + b_1", False),
        ("$f(x)$", "f(x)", False),
        ("($x$)", "x", False),
        ("**$x$**", "x", False),
        ("| a | $x_1$ |\n|---|---|", "x_1", False),
        (r"- $\alpha$", r"\alpha", False),
        (r"# $\beta$", r"\beta", False),
        (r"25\% is $\$80$", r"\$80", False),
        ("设$x$为实数", "x", False),
        ("函数$f(x)$。", "f(x)", False),
        ("값$x_1$는", "x_1", False),
        ("при$x>0$верно", "x>0", False),
        (r"当$x=\text{最大}$时", r"x=\text{最大}", False),
        ("the $n$th", "n", False),
        ("all $x_i$s.", "x_i", False),
        ("the $(n+1)$st", "(n+1)", False),
        (r"at $20^{\circ}$C", r"20^{\circ}", False),
        (r"5$\mu$m", r"\mu", False),
        (r"a 2$\times$2 matrix", r"\times", False),
        ("so $`x_1`$ is", "x_1", False),
        ("```math\nx\n```", "x", True),
        ("- so:\n  ```math\n  x\n  ```", "x", True),
        ("$$x$$", "x", True),
        ("so $$ x $$ is", "x", True),
        ("$$\nx\n$$", "x", True),
        (r"\[ x \]", "x", True),
        ("\\[\nx\n\\]", "x", True),
        ("so:\n\\[\nx\n\\]\nthen", "x", True),
        ("> $$\n> x\n> $$", "x", True),
        ("1. so\n\n   \\[\n   x\n   \\]", "x", True),
        ("\\begin{align}\na &= b\n\\end{align}", "\\begin{align}\na &= b\n\\end{align}", True),
        (r"\begin{pmatrix}1\end{pmatrix}", r"\begin{pmatrix}1\end{pmatrix}", True),
        ("$$\na\n\n- b\n\n= c\n$$", "a\n\n- b\n\n= c", True),
        ("$$ a =\n\nb $$", "a =\n\nb", True),
        ("\\[\n\na\n\n\\]\n\nso", "a", True),
        ("> \\[\n> a\n>\n> b\n> \\]", "a\n\nb", True),
        ("1. so\n\n   $$\n   a\n\n   b\n   $$", "a\n\nb", True),
        ("\\begin{align}\na\n\nb\n\\end{align}", "\\begin{align}\na\n\nb\n\\end{align}", True),
    ],
)
def test_a_formula_is_found(text, source, display):
    (formula,) = soup_of(text).select("math")
    assert formula.annotation.get_text() == source
    assert (formula.get("display") == "block") is display


def test_formulas_may_stand_side_by_side():
    assert sources("$x$$y$") == ["x", "y"]
    assert sources(r"so $x_1$$y$$\alpha$, and **$a$$b$**") == ["x_1", "y", r"\alpha", "a", "b"]
    assert sources("$x$$$y$$, $$x$$$y$, and $$x$$$$y$$") == ["x", "y"] * 3
    assert sources("[$x$$y$](https://a.example)") == ["x", "y"]


@pytest.mark.parametrize(
    ("tex", "rows"),
    [
        ("a = b\n\nc = d", ["a=b", "c=d"]),
        ("\n\na\n \n\n- b\n\n", ["a", "\u2212b"]),
        (r"\ce{A -> B}" + "\n\n" + r"\ce{C}", ["A⟶B", "C"]),
        ("\\frac{a}{\n\nb}", []),
        ("\\left( a\n\nb \\right)", []),
        ("\\begin{matrix}a\n\nb\\end{matrix}", ["ab"]),
    ],
)
def test_an_empty_line_begins_a_row(tex, rows):
    soup = soup_of(f"\\[\n{tex}\n\\]")
    assert [row.get_text() for row in soup.math.select("mtr")] == rows


@pytest.mark.parametrize(
    "text",
    [
        "$$\n\nThis is no formula.\n\n$$",
        "$$ is the shell.\n\nAnd $$ is it.",
        "\\[\n\na\n\n# b\n\nc\n\n\\]",
        "\\[\n\na\n\n```\nb\n```\n\n\\]",
        "\\[\n\na" + "\n" * LONGEST + "\n\\]",
        "\\[\n\na",
        "- \\[\n  a\n\nb\n\\]",
    ],
)
def test_an_empty_line_ends_what_is_no_formula(text):
    assert not soup_of(text).select("math")
    assert len(soup_of(text).select("p, h3, pre, li")) > 1


@pytest.mark.parametrize(
    "line", ["- b", "+ b", "1. b", "# b", "> b", "===", "---", "= b", "    b", "```", "| b |", "* b *"]
)
def test_a_line_of_a_formula_is_no_markdown(line):
    for text in (f"$$\na\n{line}\n$$", f"so\n\\[\na\n{line}\n\\]\nthen"):
        soup = soup_of(text)
        assert not soup.select("li, h3, h4, blockquote, pre, hr, table, em")
        assert "a" in soup.get_text()


def test_a_block_of_mathematics_that_is_no_formula_is_code():
    assert soup_of("```math\n\\nosuch{x}\n```").select_one("pre code").get_text() == "\\nosuch{x}\n"
    growing = GrowingMarkdown()
    growing.grow("```math\nx\n")
    assert "<pre>" in growing.tail


def test_what_follows_a_formula_is_markdown_again():
    soup = soup_of("$$\na\n$$\n- b\n\n\\[ c \\].\n\n**d**")
    assert soup.li.get_text() == "b"
    assert soup.strong
    assert soup.select("math")[1].find_parent("p").get_text().endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "It costs $1.50.",
        "from $10K to $8K",
        "$5 or $6",
        "$5-$10 and $100/$200",
        "($5), ($6)",
        "**$5**–**$10**",
        "US$5 and A$6",
        "从$100涨到$200，再到300$",
        "价格从$100涨到200$左右",
        "стоит$5 и 6$руб",
        "设置$HOME和$PATH",
        "变量$a和$的",
        "US$5 \\to US$6",
        "$a$sth",
        "$a$bc",
        "$5 million, and 10$ more",
        "from $10 to 20$ each",
        "5$ and 6$",
        "echo $HOME and $PATH",
        "$HOME/$USER",
        "cp $SRC/$s /tmp",
        "echo $HOME/$s",
        "$HOME/$s.txt and $HOME/$th",
        "$name.$s, $name-$s, $PATH:$s, $name=$s",
        "$name_$s, $user@$s, $a,$s, $a;$s, $a&$s, $a%$s",
        "${A}${B}",
        "$HOME$$PATH$",
        "US$5$$6$",
        "$(pwd)$(ls)",
        "$_ and $@",
        "$.ajax, $.get",
        "PID $$",
        "a $",
        "$",
        "$$",
        "$$$$",
        "$ x $",
        r"\\(x\\)",
    ],
)
def test_prices_and_variables_stay_text(text):
    assert not soup_of(text).select("math")
    assert soup_of(text).get_text().strip() == text.replace("**", "").replace("\\\\", "\\")


@pytest.mark.parametrize("text", [r"`\(bar\)`", "`$x$`", "```\n$x$\n\\[ y \\]\n```", "    $$x$$", "`` `$x$` ``"])
def test_code_stays_code(text):
    assert not soup_of(text).select("math")
    assert soup_of(text).code


@pytest.mark.parametrize(
    "text",
    [
        r"\(\unknown{x}\)",
        r"$\frac{1}{$",
        r"$$\ce{H2O & }$$",
        r"\[ \begin{tikzpicture} * \end{tikzpicture} *x* \]",
        "$$\n\\unknown{a}\n  *b* \\\\ _c_\n$$",
        r"$\newcommand{\a}{\sqrt{\a}}\a$",
        r"$\def\a{x}\a$",
        r"$\let\a\sqrt\a x$",
        r"$\providecommand\a{\frac}\a 1 2$",
        "$a\u202eb$",
        "$" + "x" * (LONGEST + 1) + "$",
        "$" + "{" * (DEEPEST + 1) + "x" + "}" * (DEEPEST + 1) + "$",
    ],
)
def test_one_that_cannot_be_made_is_shown_as_it_was_written(text):
    soup = soup_of(text)
    assert not soup.select("math, em")
    for line_break in soup.select("br"):
        line_break.decompose()
    assert soup.get_text().strip() == text


def test_the_source_can_be_copied():
    button = soup_of(r"\[ x^2 \]").select_one(".formula button.copy[type=button]")
    assert button.find_parent(class_="formula").annotation.get_text() == "x^2"


@pytest.mark.parametrize(
    ("tex", "shown"),
    [
        (r"a \\[4pt] b", "ab"),
        (r"\begin{aligned}[t] a \end{aligned}", "a"),
        (r"\begin{array}{@{}c@{}} a \end{array}", "a"),
        (r"\begin{alignat}{2} a &= b \end{alignat}", "a=b"),
        (r"\begin{eqnarray} a &=& b \end{eqnarray}", "a=b"),
        (r"\begin{equation} a \label{eq:a} \end{equation}", "a"),
        (r"\begin{align*} a \tag*{A} \end{align*}", "aA"),
        (r"\begin{smallmatrix} a \end{smallmatrix}", "a"),
        (r"a &= b \\ c &= d", "a=bc=d"),
        (r"\text{if $x$ is}", "if x is"),
        (r"\left< a \right>", "⟨a⟩"),
        (r"\abs{x} \norm{y}", "|x|‖y‖"),
        (r"\begin{align} a \\ b \end{align}", "ab"),
    ],
)
def test_what_the_library_does_not_know_is_said_in_another_way(tex, shown):
    soup = BeautifulSoup(mathml(tex, display=True) or "", "html.parser")
    soup.annotation.decompose()
    assert soup.get_text().replace("\xa0", " ").replace("\u2063", "") == shown


def test_a_formula_has_no_style_attributes():
    for formula in [*FORMULAS, TABLE]:
        assert ' style="' not in (mathml(formula, display=True) or ""), formula
    assert 'mathcolor="#FF0000"' in (mathml(r"\textcolor{red}{x}", display=False) or "")


def test_a_line_is_as_long_as_what_it_is_above_or_below():
    soup = soup_of(r"$\overline{AB} + \underline{x_1\overline{y}} + \vec{v} + \overline{\hat{z}}$")
    assert [each.get_text() for each in soup.select("mrow.line-above")] == ["AB", "y", "z\u02c6"]
    assert [each.get_text() for each in soup.select("mrow.line-below")] == ["x1y"]
    assert "\u0332" not in soup.math.semantics.mrow.get_text()
    assert len(soup.select("mover")) == 2


# While an answer grows


@pytest.mark.parametrize(
    "formula",
    [
        "$$\na\n- b\n$$\n",
        "\\[\na\n= b\n\\]\n",
        "\\begin{align}\na\n\n- b\n\\end{align}\n",
        "$$\n\na\n\n- b\n\n$$\n",
        "$$ a =\n\n1. b\n\n$$\n",
        "$$\n\nNo formula at all.\n\n- b\n\n$$\n",
        "\\[\n\na\n\n# b\n\n\\]\n",
        "- \\[\n\n  a\n\n  \\]\n",
        "\\[\n\n- a\n\n",
        "so $x$$y$$z$ and $x$$\n",
    ],
)
def test_a_formula_that_grows_becomes_what_it_would_be_at_once(formula):
    text = f"so\n\n{formula}\nthen *x*\n\nend"
    growing = GrowingMarkdown()
    finished: list[str] = []
    for end in range(len(text)):
        growing.grow(text[:end])
        assert growing.blocks[: len(finished)] == finished
        finished = list(growing.blocks)
    growing.grow(text, final=True)
    assert "".join(growing.blocks) == markdown(text)


# Harm


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\url{https://evil.example}",
        r"\includegraphics{https://evil.example/x.png}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{</mtext></math><script>alert(1)</script>}",
        r"x</annotation></semantics></math><img src=x onerror=alert(1)>",
        r"\color{red;background:url(//evil.example)}{x}",
        r"\textcolor{red\" onclick=\"alert(1)}{x}",
        r"\begin{align}x\label{a\" onclick=\"b}\end{align}",
        r"\operatorname{<svg onload=alert(1)>}",
        r"\class{x}{y}\style{color:red}{z}\cssId{a}{b}",
        r"\html{<b>x</b>}\htmlClass{a}{b}\data{x}{y}",
        r"\text{\textbf{<b onclick=alert(1)>}}",
        r"\unicode{x3c}script\unicode{x3e}",
    ],
)
def test_a_hostile_formula_does_no_harm(tex):
    for text in (f"${tex}$", f"$${tex}$$", rf"\[{tex}\]"):
        soup = soup_of(text)
        assert not soup.select("img, script, svg, a, style, iframe, [href], [src], [style], [id]")
        assert not [name for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]


DEEP = [
    "{",
    r"\frac{",
    r"\sqrt{",
    r"\sqrt ",
    r"\left(",
    "x^{",
    r"\begin{matrix}",
    r"\hat",
    r"\color{red}",
    r"\not",
    "x_{",
]


@pytest.mark.parametrize("one", DEEP)
@pytest.mark.parametrize("other", DEEP)
def test_a_formula_of_too_many_things_inside_each_other_stays_text(one, other):
    assert mathml((one + other) * (DEEPEST // 2 + 1) + "x" + "}" * DEEPEST, display=True) is None


PARTS = (
    r"\frac \sqrt { } [ ] ( \left \right \begin{matrix} \end{matrix} & \\ ^ _ ' x 1 + \text{ \color{red} | \sum".split()
)


@given(st.lists(st.sampled_from(PARTS), max_size=40).map(" ".join))
@settings(max_examples=200, derandomize=True)
def test_whatever_is_made_is_closed_and_no_deeper_than_a_page_takes(tex):
    html = mathml(tex, display=True) or ""
    depth = 0
    for closing, alone in re.findall(r"<(/?)[a-z]+[^>]*?(/?)>", html):
        depth += 0 if alone else -1 if closing else 1
        assert 0 <= depth <= DEEPEST + 3
    assert depth == 0


# Elsewhere


def test_an_export_for_reading_has_formulas():
    session = WebChatSession("s", "x", "", "")
    html = "".join(
        as_html(
            [(session, [Message("1", "assistant", r"So \(x^2\).")])], "Assistant", "x", lambda session_id, key: None
        )
    )
    assert "<math>" in html
    assert "x^2</annotation>" in html


@pytest.mark.parametrize("style", [resources("static") / "app.css", Path(archive_style.__file__)])
def test_every_class_of_a_formula_has_its_style(style):
    made = "".join(mathml(formula, display=True) or "" for formula in [*FORMULAS, TABLE])
    classes = {name for found in re.findall(r'class="([^"]+)"', made) for name in found.split()}
    assert classes >= {"left", "right", "joined-left", "line-above", "line-right", "boxed", "struck", "closer"}
    assert {name for name in classes if not re.search(rf"\.{name}\b", style.read_text("utf-8"))} == set()
