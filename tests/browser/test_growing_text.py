"""In the browser, a text that grew equals one rendered at once, down to its text nodes."""

from __future__ import annotations

import json
from random import Random

import pytest

from tests.scripted_server import ended, sends
from tests.test_growth import ROWS
from tests.test_render import LINES
from webchat.render.growth import growth
from webchat.render.markdown import GrowingMarkdown
from webchat.web.growing import Grown

pytestmark = pytest.mark.browser

APPLY = """texts => texts.flatMap(steps => {
  const [shown, whole] = [document.createElement("div"), document.createElement("div")];
  shown.id = "shown";
  shown.setAttribute("aria-busy", "true");
  document.body.append(shown);
  const wrong = steps.filter(({ grown, html }) => {
    if (grown) document.dispatchEvent(new CustomEvent("more", { detail: { data: grown } }));
    whole.innerHTML = html;
    return !shown.isEqualNode(Object.assign(whole, { id: "shown", ariaBusy: "true" }));
  });
  shown.remove();
  return wrong;
})"""


def steps_of(text: str, cuts: list[int]) -> list[dict[str, str | None]]:
    """The updates of a growing text for a page, and the HTML that it should have after each."""
    growing, done, tail, shown, steps = GrowingMarkdown(), "", "", 0, []
    for end in [*cuts, None]:
        growing.grow(text[:end], final=end is None)
        finished = "".join(growing.since(shown))
        found = growth(tail, finished + str(growing.tail))
        done, tail, shown = done + finished, str(growing.tail), growing.shown
        steps.append({"grown": str(Grown("shown", found)) if found else None, "html": done + tail})
    return steps


def test_generated_texts_grow_to_what_they_would_be_at_once(serve, visit):
    random = Random(19)
    texts = []
    for _ in range(300):
        text = "\n".join(random.choice([*LINES, *ROWS]) for _ in range(random.randrange(20)))
        texts.append(steps_of(text, sorted(random.randrange(len(text) + 1) for _ in range(15))))
    assert sum(json.loads(step["grown"] or "[0, [0]]")[1] != [0] for steps in texts for step in steps) > 100
    assert visit(serve()).page.evaluate(APPLY, texts) == []


def test_a_page_that_something_else_has_changed_gets_the_whole_answer(serve_model, model, visit, gates):
    model.script(sends("A *word", gates[0], "* and more", gates[1], " text.", ended()))
    chat = visit(serve_model())
    chat.ask("write")
    chat.streaming("word")
    chat.page.evaluate("""() => {
      const blocks = document.querySelector("article:last-of-type .blocks");
      blocks.querySelector("p").replaceChildren("ein Wort");
      blocks.append(document.createElement("font"));
    }""")
    gates[0].set()
    chat.streaming("and more")
    gates[1].set()
    chat.answered()
    assert chat.answer.locator(".blocks").inner_text() == "A word and more text."
