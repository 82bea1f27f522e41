"""An agent's question in the browser: seen in every tab, answered once, by mouse, keyboard or without a script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from tests.browser.chat_page import ChatPage
from tests.browser.test_accessibility import complaints
from tests.browser.test_spoken import LISTEN
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.chat.parts import Diff, Option, Output, Permission, Plan, PlanEntry, Terminal, ToolCall, Usage

pytestmark = pytest.mark.browser

HIDE = """() => {
  Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
SHOW = """() => {
  delete document.hidden;
  document.dispatchEvent(new Event("visibilitychange"));
}"""
OPTIONS = (Option("yes", "Allow once"), Option("no", "Reject and explain"))
ASKED = Permission("p1", "Run ls in your home?", OPTIONS, "c")


def tool(status="done", text="", name="c", **fields) -> ToolCall:
    return ToolCall(name, f"tool {name}", "execute", status, "ls -l ~", (Terminal(text),) if text else (), **fields)


@pytest.fixture
def scripted() -> ScriptedBackend:
    return ScriptedBackend()


@pytest.fixture
def url(home, scripted) -> Iterator[str]:
    """A chat over the scripted backend, on a port of its own."""
    app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=scripted)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    app.extensions["webchat"].close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def asked(visit, url, scripted, gates) -> Callable[..., ChatPage]:
    """A page on which the agent asks; then its tool writes, and with the second gate it is done."""

    def ask(**options) -> ChatPage:
        steps = ["Let me look.", tool("running"), ASKED, scripted.has_chosen]
        scripted.plays(
            *steps, tool("running", "one\ntwo\n"), gates[0], tool("done", "one\ntwo\nthree\n"), "It is *there*."
        )
        page = visit(url, **options).ready()
        page.field.fill("Look")
        page.send_button.click()
        expect(page.page.locator("form.question")).to_be_visible()
        return page

    return ask


def choose(page: ChatPage, name: str):
    return page.page.get_by_role("button", name=name)


def test_a_question_is_in_two_tabs_and_answered_in_one(asked, scripted, gates):
    page = asked()
    other = page.tab()
    for each in (page, other):
        expect(choose(each, "Allow once")).to_be_visible()
        expect(choose(each, "Reject and explain")).to_be_visible()
        each.until("document.title.startsWith('Waiting for you')")
    page.open_sessions()
    expect(page.panel.get_by_text("Waiting for you")).to_be_visible()
    page.page.keyboard.press("Escape")
    choose(other, "Allow once").click()
    for each in (page, other):
        expect(each.page.locator(".chosen")).to_contain_text("You chose: Allow once")
        expect(each.page.locator("form.question")).to_have_count(0)
        each.until("!document.title.startsWith('Waiting for you')")
    assert [option for *_, option in scripted.chosen] == ["yes"]
    gates[0].set()
    for each in (page, other):
        each.answered()
        expect(each.answer.locator(".said em")).to_have_text("there")


def test_a_question_is_said_once(visit, url, scripted, gates):
    scripted.plays(tool("running"), ASKED, gates[0], tool("running", "one\n"), gates[1])
    page = visit(url).ready()
    page.page.evaluate(LISTEN)
    page.ask("Look")
    expect(choose(page, "Allow once")).to_be_visible()
    gates[0].set()
    expect(page.page.locator(".output")).to_have_text("one")
    told = [text for text in page.page.evaluate("window.said") if "Waiting" in text]
    assert told == ["Waiting for you: Run ls in your home?"]


def test_the_keyboard_answers_and_keeps_its_place(asked, scripted, gates):
    page = asked()
    choose(page, "Reject and explain").focus()
    page.page.keyboard.press("Enter")
    expect(page.page.locator(".chosen")).to_contain_text("You chose: Reject and explain")
    page.until("document.activeElement.matches('.card > summary')")
    assert [option for *_, option in scripted.chosen] == ["no"]


def test_what_has_the_focus_keeps_it_while_its_card_changes(visit, url, scripted, gates):
    scripted.plays(
        tool("running"), ASKED, gates[0], tool("running", "one\n"), gates[1], tool("running", "one\ntwo\n"), gates[2]
    )
    page = visit(url).ready()
    page.ask("Look")
    choose(page, "Reject and explain").focus()
    for gate, text in ((gates[0], "one"), (gates[1], "one\ntwo")):
        gate.set()
        expect(page.page.locator(".output")).to_have_text(text)
        expect(choose(page, "Reject and explain")).to_be_focused()
    page.page.keyboard.press("Space")
    expect(page.page.locator(".chosen")).to_be_visible()


def test_what_a_person_opened_or_folded_stays_so(visit, url, scripted, gates):
    read = tool(name="read", text="what it read")
    scripted.plays(
        read, tool("running", "one\n"), gates[0], tool("running", "one\ntwo\n"), gates[1], tool("done", "three"), "End"
    )
    page = visit(url).ready()
    page.ask("Look")
    done, running = page.page.locator(".card").first, page.page.locator(".card").last
    expect(running).to_have_attribute("open", "")
    expect(done).not_to_have_attribute("open", "")
    done.locator("summary").click()
    running.locator("summary").click()
    gates[0].set()
    expect(running.locator(".output")).to_contain_text("two")
    expect(running).not_to_have_attribute("open", "")
    running.locator("summary").click()
    gates[1].set()
    page.answered()
    expect(running.locator(".output")).to_have_text("three")
    expect(running).to_have_attribute("open", "")
    expect(done).to_have_attribute("open", "")


def test_a_card_that_nobody_touched_folds_when_it_is_done(visit, url, scripted, gates):
    scripted.plays(tool("running", "one\n"), gates[0], tool("done", "two"), gates[1], "End")
    page = visit(url).ready()
    page.ask("Look")
    expect(page.page.locator(".card")).to_have_attribute("open", "")
    gates[0].set()
    expect(page.page.locator(".card .state")).to_have_text("Done")
    expect(page.page.locator(".card")).not_to_have_attribute("open", "")


def test_many_finished_cards_fold_and_open_together(visit, url, scripted, gates):
    scripted.plays(*(tool(name=name) for name in "abcd"), tool("running", name="e"), gates[0], tool(name="e"), "End")
    page = visit(url).ready()
    page.ask("Look")
    cards = page.page.locator(".card:visible")
    expect(cards).to_have_count(1)
    page.page.get_by_text("4 steps").click()
    expect(cards).to_have_count(5)
    gates[0].set()
    page.answered()
    expect(page.page.get_by_text("5 steps")).to_be_visible()
    expect(cards).to_have_count(5)
    page.page.get_by_text("5 steps").click()
    expect(cards).to_have_count(0)
    page.page.emulate_media(media="print")
    expect(cards).to_have_count(5)


def test_the_question_works_on_a_narrow_screen(asked):
    page = asked(viewport={"width": 390, "height": 800}, has_touch=True)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("Allow once", "Reject and explain"):
        assert choose(page, name).bounding_box()["height"] >= 44
    choose(page, "Allow once").tap()
    expect(page.page.locator(".chosen")).to_be_visible()


def test_without_a_script_the_frame_asks(visit, url, scripted, gates):
    more = [ASKED, scripted.has_chosen, tool(), gates[1], "It is empty."]
    scripted.plays("Let me look.", tool("running"), gates[0], *more)
    page = visit(url, java_script_enabled=False)
    page.field.fill("Look")
    page.send_button.click(no_wait_after=True)
    frame = page.page.frame_locator(".reply-frame")
    expect(frame.get_by_text("Let me look.")).to_be_visible()
    gates[0].set()
    expect(frame.locator(".question").get_by_text("ls -l ~")).to_be_visible()
    frame.get_by_role("button", name="Allow once").click()
    expect(page.page.frame_locator(".reply-frame").get_by_text("You chose: Allow once")).to_be_visible()
    gates[1].set()
    page.page.frame_locator(".reply-frame").get_by_role("link", name="The answer is complete").click()
    expect(page.page.locator(".chosen")).to_have_count(1)
    expect(page.answer).to_contain_text("It is empty.")
    assert [option for *_, option in scripted.chosen] == ["yes"]


def test_without_a_script_a_page_asks_with_all_that_it_is_about(visit, url, scripted, gates):
    edit = ToolCall("c", "Edit a.py", "edit", "pending", "", (Diff("a.py", "x\n", "y\n"),))
    scripted.plays("Let me", gates[0], " edit.", edit, ASKED, scripted.has_chosen, gates[1], "It is done.")
    page = visit(url, java_script_enabled=False)
    page.field.fill("Edit")
    page.send_button.click(no_wait_after=True)
    frame = page.page.frame_locator(".reply-frame")
    expect(frame.get_by_text("Let me")).to_be_visible()
    gates[0].set()
    frame.get_by_role("link", name="Show all details").click()
    expect(page.page.locator(".card .diff")).to_be_visible()
    choose(page, "Reject and explain").click(no_wait_after=True)
    expect(frame.get_by_text("You chose: Reject and explain")).to_be_visible()
    gates[1].set()
    frame.get_by_role("link", name="The answer is complete").click()
    expect(page.answer).to_contain_text("It is done.")
    assert [option for *_, option in scripted.chosen] == ["no"]


def test_somebody_who_allows_it_is_notified_out_of_sight(visit, url, scripted, gates):
    page = visit(url, permissions=["notifications"]).ready()
    page.page.evaluate(
        """() => {
          window.notified = [];
          window.Notification = class { constructor(title, more) { notified.push([title, more.body, more.tag]); } };
          Notification.permission = "granted";
        }"""
    )
    scripted.plays("Let me", gates[0], " look.", gates[1], tool("running"), ASKED, gates[2])
    page.ask("Look")
    page.streaming("Let me")
    gates[0].set()
    page.streaming("look")  # which the stream brought
    page.page.evaluate(HIDE)
    gates[1].set()
    page.until("window.notified.length === 1")
    assert page.page.title().startswith("Waiting for you"), "though a page out of sight has no stream"
    expect(page.page.locator("form.question")).to_have_count(0)
    page.page.evaluate(SHOW)
    expect(page.page.locator("form.question")).to_be_visible()
    expect(page.page.locator(".notify")).to_be_hidden()
    assert page.page.evaluate("window.notified") == [["Waiting for you", "Run ls in your home?", "p1"]]


def test_notifications_are_offered_while_nothing_is_decided(asked):
    page = asked()
    page.page.evaluate("""() => {
      window.Notification = class {
        static permission = "default";
        static requestPermission = async () => (this.permission = "granted");
      };
      document.querySelector(".notify").hidden = false;
    }""")
    choose(page, "Notify me in this browser").click()
    expect(page.page.locator(".notify")).to_be_hidden()
    expect(page.page.locator("form.question")).to_be_visible()


def test_hostile_parts_do_nothing_and_stay_in_the_page(visit, url, scripted, gates):
    bad = "<img src=x onerror=document.title=1>\u202e" + "w" * 5_000
    card = ToolCall(
        bad, bad, "execute", "failed", bad * 2, (Output(bad), Terminal("\x1b]0;x" + bad), Diff(bad, bad, bad[::-1]))
    )
    scripted.plays(card, Permission("p", bad, (Option("o", bad),), bad), gates[0])
    page = visit(url, viewport={"width": 390, "height": 800}).ready()
    page.ask("Look")
    expect(page.page.locator("form.question button").first).to_be_visible()
    assert page.page.locator(".parts img").count() == 0
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.page.title().startswith(("Waiting", "Look", "Amplifier"))


def test_axe_has_no_complaint_about_an_agents_answer(visit, url, scripted, gates):
    plan = Plan((PlanEntry("look", "done"), PlanEntry("leap", "running"), PlanEntry("land")))
    colours = "".join(f"\x1b[{code}mcolour {code}\x1b[0m\n" for code in (*range(30, 38), *range(90, 98), 2, 7, 41))
    changed = ToolCall("d", "a.py", "edit", "failed", "", (Diff("a.py", "x = 1\n", "x = 2\n"),), 3)
    steps = [tool(name=f"step {number}") for number in range(4)]
    asked = [tool("running", colours), ASKED, Permission("p2", "And this?", OPTIONS)]
    scripted.plays("Words", plan, *steps, changed, *asked, Usage(1, 2), gates[0], tool("done", colours), "End")
    page = visit(url).ready()
    page.ask("Look")
    expect(page.page.locator("form.question")).to_have_count(2)
    page.page.get_by_text("4 steps").click()
    assert complaints(page) == []
    gates[0].set()
    page.answered()
    assert complaints(page) == []


def test_a_hundred_cards_are_one_line(visit, url, scripted):
    scripted.plays("Words", *(tool(name=f"step {number}", text="line\n" * 40) for number in range(100)), "End")
    page = visit(url).ready()
    page.asked("Look")
    expect(page.page.locator(".card")).to_have_count(100)
    expect(page.page.locator(".card:visible")).to_have_count(0)
    expect(page.page.get_by_text("100 steps")).to_be_visible()
    assert page.page.evaluate("document.documentElement.scrollHeight") <= 800
