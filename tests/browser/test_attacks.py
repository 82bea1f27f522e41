"""Every attack, in a real browser: nothing runs, nothing leaves, nothing is taken over, and the page still works.

The chat's own policy is off here (`bypass_csp`), so that only the sanitiser protects the page; the last tests are for
the policy alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, Route, expect

from tests import attacks, test_attacks
from tests.attacks import AWAY, CLAIM, CORPUS, OPEN
from tests.browser.chat_page import ChatPage
from tests.scripted_server import ended, says, sends
from webchat.chat.plain import one_line

pytestmark = pytest.mark.browser

AT_ONCE, PIECE = 40, 61
ALL_FOLDS = 60_000
"""Milliseconds for loading the files of all messages."""
READ = re.compile(
    r"/(static/.*|sessions(/[\w-]+)?(/messages/[\w-]+/files/\d+)?(\?.*)?|events(\?.*)?|"
    r"apps/settings/(servers|models)?(\?memories=\d)?|favicon\.ico)?"
)
WRITTEN = re.compile(r"/(messages|sessions/[\w-]+/messages)")
# Attacks that swallow the rest of their page come last.
RAW = list(chain(attacks.HTML, attacks.SVG_AND_MATHML, attacks.CSS, attacks.MUTATION))
PARTS = 4
AUDIT = """([tags, names, mathematics, mathNames, claim]) => {
  const found = [];
  for (const element of document.querySelectorAll(".content .blocks *")) {
    const isMath = element.namespaceURI.endsWith("MathML");
    if (!(isMath ? mathematics : tags).includes(element.localName)) found.push(element.outerHTML.slice(0, 200));
    for (const { name } of element.attributes) {
      if (!(isMath ? mathNames : names).includes(name)) found.push(`${element.localName} ${name}`);
    }
    if (element.localName === "a" && element.href && !/^(https?|mailto):/.test(element.href)) found.push(element.href);
    if (element.localName === "a" && element.href && element.origin === location.origin) found.push(element.href);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  found.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `twice: ${id}`));
  for (const name of ["getElementById", "querySelector", "body", "forms", "title"]) {
    if (document[name] instanceof HTMLElement !== (name === "body")) found.push(`clobbered: ${name}`);
  }
  for (const ours of document.querySelectorAll("#badge, h1, #hint, .bar")) {
    if (ours.textContent.includes(claim)) found.push(ours.outerHTML);
  }
  if (document.documentElement.dataset.theme !== "system") found.push("the theme was changed");
  if (window.pwned) found.push(`run: ${window.pwned}`);
  if (document.querySelector("#messageInput")?.localName === "a") found.push("the field is a link");
  return found;
}"""


class Guard:
    """Watches one visitor: requests, changes to the page, dialogs."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self.found: list[str] = []
        context.on("request", self._request)
        context.on("dialog", self._dialog)
        context.on("page", lambda page: self.found.append(f"opened {page.url}") if page.opener() else None)

    def _request(self, request: Request) -> None:
        path = request.url.removeprefix(self._origin)
        allowed = READ if request.method == "GET" else WRITTEN
        if not allowed.fullmatch(path):
            self.found.append(f"{request.method} {request.url}")

    def _dialog(self, dialog: Dialog) -> None:
        self.found.append(f"said {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def enter(visit: Callable[..., ChatPage]) -> Iterator[Callable[..., tuple[ChatPage, Guard]]]:
    """Opens a page of a server for a visitor who is protected by the sanitiser alone."""
    guards: list[Guard] = []

    def opened(server, path: str = "/") -> ChatPage:
        chat = visit(server, path, bypass_csp=True)
        chat.page.set_default_timeout(60_000)  # much of it is slow to lay out
        guards.append(Guard(chat.page.context, server.url))
        chat.page.goto(server.url + path)
        return chat

    yield opened
    assert [found for guard in guards for found in guard.found] == []


def assert_unharmed(chat: ChatPage) -> None:
    """Nothing has run, and the page consists of harmless parts."""
    tags, mathematics = [*test_attacks.TAGS, "p"], [*test_attacks.MATHEMATICS]
    names, math_names = [*test_attacks.ATTRIBUTES], [*test_attacks.OF_MATHEMATICS, "class"]
    assert chat.page.evaluate(AUDIT, [tags, names, mathematics, math_names, CLAIM]) == []


def assert_works(chat: ChatPage) -> None:
    """One can still ask, and gets an answer."""
    chat.asked("still there?")
    expect(chat.answer).not_to_be_empty()
    assert_unharmed(chat)


def test_in_answers_as_they_come(serve_model, model, enter):
    closed = [attack for attack in CORPUS if attack not in OPEN]
    groups = [closed[start : start + AT_ONCE] for start in range(0, len(closed), AT_ONCE)]
    texts = ["\n\n".join(group) + "\n\nThe end." for group in groups] + OPEN
    chat = enter(serve_model())
    for text in texts:
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        model.script(says(*pieces))
        chat.asked("attack")
    assert_unharmed(chat)
    for link in chat.page.locator(".content a:not([href])", has_text="click me").all()[:5]:
        link.click()
    chat.page.reload()
    assert_unharmed(chat)
    assert_works(chat)


def test_in_what_is_said_beside_an_answer(serve_model, model, enter):
    chat = enter(serve_model())
    text = "\n".join(CORPUS)
    model.models = [one_line(attack) for attack in CORPUS]
    model.script(sends({"choices": [{"index": 0, "delta": {"reasoning_content": text}}]}, "Fine.", ended()))
    model.script(sends({"error": {"message": attacks.PAGE[0]}}), sends({"error": {"message": attacks.ESC + "[2J"}}))
    for number in range(3):
        chat.ask("attack")
        expect(chat.answers.nth(number)).to_have_attribute("data-status", re.compile("complete|failed"))
        assert_unharmed(chat)
    assert_works(chat)


def bring_in(server, data: bytes) -> None:
    answer = httpx.post(
        f"{server.url}/sessions/import", content=data, headers={"Accept": "application/json"}, timeout=60
    )
    assert answer.json()["problems"] == []


def test_in_an_imported_conversation_with_its_files(serve, enter):
    server = serve("--backend", "mock", "--mock-delay", "0")
    bring_in(server, test_attacks.as_messages())
    chat = enter(server, "/sessions/attacks?show=1000")
    expect(chat.messages).to_have_count(2 * len(CORPUS))
    chat.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    # Each fold loads its own file: some 280 requests, after all the layout that opening them costs.
    expect(chat.page.locator("details.file pre a")).to_have_count(0, timeout=ALL_FOLDS)
    assert chat.page.locator("details.file pre *").count() == 0
    assert_unharmed(chat)
    assert_works(chat)


def test_in_titles(serve, enter):
    server = serve("--backend", "mock", "--mock-delay", "0")
    bring_in(server, test_attacks.as_titles())
    chat = enter(server, "/sessions/title-0")
    chat.ready().open_sessions()
    for shown in (*range(50, len(CORPUS), 50), len(CORPUS)):
        expect(chat.rows).to_have_count(shown)
        chat.page.evaluate("document.querySelector('#sessionList a.more')?.scrollIntoView()")
    assert_unharmed(chat)
    rename_while_it_is_open(server, chat)
    assert_unharmed(chat)
    chat.page.keyboard.press("Escape")
    assert_works(chat)


def rename_while_it_is_open(server, chat: ChatPage) -> None:
    with httpx.Client(base_url=server.url) as client:
        for attack in [*CORPUS[::6], "the last"]:
            client.post("/sessions/title-0/rename", data={"title": attack[:300]})
    expect(chat.page).to_have_title("the last · Amplifier")


def test_in_memories(serve, home, enter):
    home.mkdir()
    (home / "memory-store.yaml").write_text(test_attacks.as_memories())
    chat = enter(serve("--backend", "mock", "--mock-delay", "0"), "/apps/settings/")
    for older in (len(CORPUS) - 100, len(CORPUS) - 200, 0):
        expect(chat.page.locator("#memories li")).to_have_count(100 if older else len(CORPUS) - 200)
        assert chat.page.locator("#memories li .plain *").count() == 0
        assert_unharmed(chat)
        if older:
            chat.page.get_by_role("link", name=f"Show older memories ({older})").click()
    chat.open("/")
    chat.asked("recall pwned")
    assert_unharmed(chat)
    assert_works(chat)


def test_in_an_export_for_reading(client, chromium: Browser, tmp_path):
    test_attacks.bring_in(client, test_attacks.as_messages() + test_attacks.as_titles())
    html = client.get("/sessions/export?format=html").text
    policy = re.compile('<meta http-equiv="Content-Security-Policy".*>')
    assert policy.search(html)
    for kind in (html, policy.sub("", html)):
        file = tmp_path / "export.html"
        file.write_text(kind)
        asked, page = watched(chromium)
        page.goto(file.as_uri())
        assert asked == []
        assert page.evaluate("window.pwned") is None
        assert page.locator("h1").count() == len(CORPUS) + 1
        page.close()


def test_marks_that_turn_writing_around_turn_nothing(serve, enter):
    server = serve("--backend", "mock", "--mock-delay", "0")
    texts = [f"x \u202e{lead} [a\u202eb](https://e.invalid) `c\u202ed` end" for lead in ("", "\u2069", "\u2066\u202d")]
    rows = [{"id": f"m{number}", "role": "assistant", "content": text} for number, text in enumerate(texts)]
    bring_in(server, test_attacks.exported(({"session_id": "s", "description": "x", "begun": True}, rows)))
    chat = enter(server, "/sessions/s")
    for line in chat.page.locator(".content p").all():
        places = [line.locator("a").bounding_box(), line.locator("code").bounding_box()]
        assert places[0]["x"] < places[1]["x"]
        start, end = (line.evaluate(LETTER, place) for place in ("x", "end"))
        assert start < places[0]["x"] < places[1]["x"] < end


LETTER = """(line, word) => {
  const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const at = node.data.indexOf(word);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + word.length);
    return range.getBoundingClientRect().x;
  }
}"""


def watched(chromium: Browser, headers: dict[str, str] | None = None, html: str = "") -> tuple[list[str], Page]:
    """A page and its requests, none of which gets a response; https://page.invalid/ is `html`, with these headers."""
    asked: list[str] = []
    page = chromium.new_page()

    def route(route: Route) -> None:
        if route.request.url == "https://page.invalid/":
            route.fulfill(body=html, headers={"Content-Type": "text/html", **(headers or {})})
        elif route.request.url.startswith("file:"):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    page.route("**/*", route)
    page.on("dialog", lambda dialog: dialog.dismiss())
    return asked, page


def loaded(chromium: Browser, headers: dict[str, str], part: list[str]) -> tuple[int, list[str]]:
    """How often a page with these attacks ran something, and its requests elsewhere."""
    asked, page = watched(chromium, headers, "<!doctype html><body>" + "\n".join(part))
    page.goto("https://page.invalid/", wait_until="load")
    run = page.evaluate("window.pwned || 0")
    page.close()
    return run, [url for url in asked if url.startswith(AWAY)]


@pytest.mark.parametrize("part", range(PARTS))
def test_these_attacks_work_on_a_page_that_does_not_defend_itself(chromium, part):
    run, asked = loaded(chromium, {}, RAW[part::PARTS])
    assert run >= 3
    assert len(asked) >= 2


@pytest.mark.parametrize("part", range(PARTS))
def test_the_policy_alone_stops_them_too(chromium, client, part):
    policy = {"Content-Security-Policy": client.get("/").headers["Content-Security-Policy"]}
    assert loaded(chromium, policy, RAW[part::PARTS]) == (0, [])
