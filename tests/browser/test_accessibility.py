"""No state of any page has something that axe, the accessibility checker, would complain of, light or dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.past import sessions_from_before
from tests.scripted_server import delta, ended, refuses, sends

pytestmark = pytest.mark.browser

RICH = """# A heading

Some text with `code`, **bold** and a [link](https://example.com/).

## Another

```python
def f(x):  # a comment
    return "text", 1 + x
```

| a | b |
|---|--:|
| 1 | 2 |

> A quotation

1. one
2. two
   - three
"""


def complaints(chat):
    """What axe finds in the page as it is, in both colour schemes."""
    found = []
    for scheme in ("light", "dark"):
        chat.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for violation in Axe().run(chat.page).response["violations"]:
            nodes = [f"{node['html'][:200]} {node['any'][:1]}" for node in violation["nodes"][:3]]
            found.append(f"{scheme}: {violation['impact']} {violation['id']}: {nodes}")
    return found


def test_the_chat_from_the_welcome_to_a_rich_answer(serve_model, model, visit, gates):
    model.script(sends(delta(reasoning_content="Let me think."), RICH, gates[0], "The end.", ended()))
    chat = visit(serve_model())
    assert complaints(chat) == []
    chat.ask("write")
    chat.streaming("three")
    assert complaints(chat) == []
    gates[0].set()
    chat.answered()
    chat.answers.last.hover()
    expect(chat.answers.last.get_by_role("button", name="Go on from here in a new session")).to_be_visible()
    assert complaints(chat) == []
    chat.page.get_by_role("link", name="Edit").click()
    expect(chat.page.get_by_role("textbox", name="Your message")).to_be_visible()
    assert complaints(chat) == []


def test_answers_that_did_not_come_to_their_end(serve_model, model, visit, gates):
    model.script(refuses(500), sends("one two ", gates[0], ended()))
    chat = visit(serve_model())
    chat.ask("fail")
    chat.answered("failed")
    assert complaints(chat) == []
    chat.ask("stop")
    chat.streaming("one two")
    chat.stop_button.click()
    chat.answered("stopped")
    assert complaints(chat) == []


def test_what_opens_above_the_chat(serve_model, visit, home):
    sessions_from_before(home, "apples", "pears " * 60, "plums")
    chat = visit(serve_model())
    chat.open_sessions()
    expect(chat.rows).to_have_count(3)
    assert complaints(chat) == []
    chat.page.keyboard.press("Escape")
    chat.page.get_by_title("Model and system prompt of this session").click()
    expect(chat.page.get_by_role("dialog", name="This session")).to_be_visible()
    assert complaints(chat) == []
    chat.page.keyboard.press("Escape")
    chat.page.keyboard.press("Control+/")
    expect(chat.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert complaints(chat) == []


def test_the_pages_beside_the_chat(serve, visit, home):
    sessions_from_before(home, "remember that I like apples", "apples")
    chat = visit(serve())
    for path in ("/apps/settings/", "/sessions", "/sessions/unknown", "/nowhere"):
        chat.open(path)
        assert complaints(chat) == [], path
