"""People's messages are shown as typed, and code between fences as code."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.attacks import CORPUS
from tests.test_attacks import problems_of
from webchat.render.typed import typed


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(typed(text), "html.parser")


def test_code_between_fences_is_code_and_the_rest_as_it_was_typed():
    soup = soup_of("Why does *this* fail?\n\n```python\ndef f(x):\n    return x < 1\n```\n\n  It **should**\n- not")
    assert [each.get_text() for each in soup.select("p.plain")] == [
        "Why does *this* fail?\n",
        "\n  It **should**\n- not",
    ]
    figure = soup.select_one("figure.code")
    assert figure.select_one("figcaption span").get_text() == "python"
    assert figure.select_one("button.copy[type=button]")
    assert figure.code.get_text() == "def f(x):\n    return x < 1\n"
    assert figure.select("code span.k")


@pytest.mark.parametrize(
    ("text", "codes", "plain"),
    [
        ("```\na\n```", ["a\n"], []),
        ("```\na", ["a"], []),
        ("x\n~~~\na\n~~~\ny", ["a\n"], ["x", "y"]),
        ("````\n```\na\n```\n````", ["```\na\n```\n"], []),
        ("```js\na\n```\n```css\nb\n```", ["a\n", "b\n"], []),
        ("  ```\n  a\n    b\n c\n  ```", ["a\n  b\nc\n"], []),
        ("- x\n\n  ~~~\n  a\n  ~~~", ["a\n"], ["- x\n"]),
        ("```\n  a\n```", ["  a\n"], []),
        ("```\n\n```", ["\n"], []),
        ("a ``` b ``` c", [], ["a ``` b ``` c"]),
        ("```x```", [], ["```x```"]),
        ("    ```\n    a\n", [], ["    ```\n    a\n"]),
        ("a `b` ~c~", [], ["a `b` ~c~"]),
        ("", [], [""]),
    ],
)
def test_fences_are_those_of_markdown(text, codes, plain):
    soup = soup_of(text)
    assert [each.get_text() for each in soup.select("figure code")] == codes
    assert [each.get_text() for each in soup.select("p.plain")] == plain


def test_nothing_else_is_markdown():
    text = "# a\n1. *b* [c](https://d.example) $x$ <br> https://e.example\n\n> f"
    soup = soup_of(f"{text}\n```\ng\n```")
    assert soup.p.get_text() == text
    assert {tag.name for tag in soup.find_all(True)} == {"p", "figure", "figcaption", "span", "button", "pre", "code"}


def test_hostile_code_is_harmless():
    for attack in CORPUS:
        html = typed(f"{attack}\n```{attack.splitlines()[0]}\n{attack}\n```")
        assert problems_of(html) == [], attack


def test_a_page_shows_it(client, manager):
    session_id = manager.create_session().session_id
    manager.send_message("look:\r\n```sh\r\nls\r\n```", session_id)
    soup = BeautifulSoup(client.get(f"/sessions/{session_id}").text, "html.parser")
    question = soup.select_one("article[data-role=user] .content")
    assert question.select_one("figure code").get_text() == "ls\n"
    assert question.p.get_text() == "look:"
