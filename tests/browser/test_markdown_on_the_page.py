"""An answer's Markdown as a person sees it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import says

pytestmark = pytest.mark.browser

ANSWER = """## A heading

Some **bold**, *slanted* and `inline` words, a [link](https://example.org/) and https://example.org/bare.

| Name | Count |
|:-----|------:|
| apples | 12 |

- [x] done
- [ ] open

1. one
2. two

```python
def double(x):
    return x * 2
```

<blink>no tag</blink>

See [the docs][1] and the note.[^1] So \\(a^2\\) and

$$
\\sqrt{b}
- c
$$

<details>
<summary>Why</summary>

1. because
  - of this
2. that is all

</details>

[1]: https://example.org/docs
[^1]: A note.
"""


@pytest.fixture
def chat(serve_model, model, visit):
    # In small pieces, as a model would: the page has seen every state in between.
    model.script(says(*(ANSWER[start : start + 9] for start in range(0, len(ANSWER), 9)), delay=0.005))
    chat = visit(serve_model())
    chat.asked("show **me**\n\n- all")
    return chat


def test_an_answer_is_shown_with_its_formatting(chat):
    answer = chat.answer
    expect(answer.get_by_role("heading", name="A heading")).to_be_visible()
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator("em")).to_have_text("slanted")
    expect(answer.get_by_role("table").get_by_role("cell")).to_have_text(["apples", "12"])
    expect(answer.get_by_role("cell", name="12")).to_have_css("text-align", "right")
    boxes = answer.get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    expect(boxes.nth(0)).to_be_checked()
    expect(boxes.nth(0)).to_be_disabled()
    expect(boxes.nth(1)).not_to_be_checked()
    expect(answer.locator("ol").first.locator("li")).to_have_text(["one", "two"])
    expect(answer.get_by_text("<blink>no tag</blink>")).to_be_visible()


def test_code_is_coloured_and_says_its_language(chat):
    figure = chat.answer.locator("figure.code")
    expect(figure.locator("figcaption")).to_contain_text("python")
    expect(figure.locator("code")).to_have_text("def double(x):\n    return x * 2\n")
    keyword = figure.locator("code span", has_text="def").first
    plain = figure.locator("code").evaluate("code => getComputedStyle(code).color")
    assert keyword.evaluate("span => getComputedStyle(span).color") != plain


def test_links_open_elsewhere_and_tell_nothing_of_this_page(chat):
    for link in chat.answer.get_by_role("link").all():
        expect(link).to_have_attribute("target", "_blank")
        assert {"noopener", "noreferrer"} <= set(link.get_attribute("rel").split())


def test_what_a_person_wrote_is_shown_as_it_was_written(chat):
    expect(chat.questions.locator("strong")).to_have_count(0)
    assert chat.texts()[0] == "show **me**\n\n- all"


def test_formulas_notes_and_folded_text_are_shown(chat):
    answer = chat.answer
    expect(answer.locator("math")).to_have_count(2)
    expect(answer.locator(".footnote")).to_have_text("[1] A note.")
    expect(answer.get_by_role("link", name="the docs")).to_have_attribute("href", "https://example.org/docs")
    expect(answer.get_by_text("because")).to_be_hidden()
    answer.get_by_text("Why").click()
    expect(answer.get_by_text("because")).to_be_visible()


def test_a_finished_answer_stays_exactly_as_its_stream_left_it(chat):
    streamed = chat.answer.inner_html().replace(' hx-morph-skip-children=""', "")  # which is for htmx only
    chat.page.reload()
    assert chat.answer.inner_html() == streamed
