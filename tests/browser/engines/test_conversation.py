"""A conversation in Firefox and WebKit: messages, streams, sessions, versions, copies and files."""

from __future__ import annotations

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chat_page import WORD_STAYS
from tests.browser.engines.tab import ANSWER, FIELD, MESSAGE, PATIENCE, QUESTION
from tests.browser.past import sessions_from_before
from tests.scripted_server import ended, says, sends

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")
WRITTEN = "Use **this**:\n\n```python\nif a < b:\n    print('&')\n```\n\nDone."


def test_the_first_message_starts_a_session_on_the_same_page(serve, visit):
    tab = visit(serve(*QUICK))
    tab.script("(window.sameDocument = true)")
    tab.asked("What is a generator?")
    assert tab.texts() == ["What is a generator?", "Mock response to: What is a generator?"]
    session_id = tab.driver.current_url.rpartition("/sessions/mock-session-")[2]
    assert session_id[:8] in tab.text("#badge")
    tab.until("document.title === 'What is a generator? · Amplifier'")
    assert tab.value(FIELD) == ""
    tab.until("document.activeElement.id === 'messageInput'")
    tab.asked("And then?")
    assert tab.count(MESSAGE) == 4
    assert tab.script("window.sameDocument") is True


def test_an_answer_streams_and_goes_on_after_a_reload(serve_model, model, visit, gates):
    model.script(sends("one ", gates[0], "two ", gates[1], "three", ended()))
    tab = visit(serve_model())
    tab.ask("count")
    tab.streaming("one")
    gates[0].set()
    tab.streaming("one two")
    tab.reload()
    assert tab.texts() == ["count", "one two"]
    gates[1].set()
    tab.answered()
    assert tab.texts() == ["count", "one two three"]


def test_stop_keeps_what_came(serve_model, model, visit, gates):
    model.script(sends("so far", gates[0], " and on", ended()), says("again"))
    tab = visit(serve_model())
    tab.ask("write")
    tab.streaming("so far")
    tab.click(".stop")
    tab.answered("stopped")
    assert tab.text(f"{ANSWER} .content") == "so far"
    tab.until_visible(".send")
    tab.reload()
    assert tab.texts() == ["write", "so far"]
    tab.asked("go on")
    assert tab.texts() == ["write", "so far", "go on", "again"]


def test_a_session_is_resumed_from_the_dropdown_and_goes_on(serve, visit, home):
    sessions_from_before(home, "apples", "pears")
    tab = visit(serve(*QUICK))
    tab.open_sessions()
    assert tab.count("#sessionList button.row") == 2
    assert tab.script("document.querySelector('#sessionList [aria-current] .title').textContent") == "pears"
    tab.click("#sessionList button.row:not([aria-current])")
    tab.until("document.title === 'apples · Amplifier'")
    tab.until_visible("#sessionsPanel", False)
    assert tab.texts() == ["apples", "Mock response to: apples"]
    assert "Resumed session" in tab.text("#sessionNote")
    tab.asked("plums")
    tab.reload()
    assert tab.texts() == ["apples", "Mock response to: apples", "plums", "Mock response to: plums"]
    tab.driver.back()
    tab.until_there(f"{QUESTION} .content", "pears", count=1)


def test_escape_closes_the_dropdown_from_its_rows(serve, visit, home):
    sessions_from_before(home, "apples")
    tab = visit(serve(*QUICK))
    tab.open_sessions()
    tab.type("#sessionList button.row", Keys.ESCAPE)
    tab.until_visible("#sessionsPanel", False)
    tab.until("document.activeElement.id === 'sessionsButton'")


def test_escape_closes_the_dropdown_from_its_search_field(serve, visit, home):
    sessions_from_before(home, "apples")
    tab = visit(serve(*QUICK))
    tab.open_sessions()
    tab.type("#sessionSearch", "a", Keys.ESCAPE)
    tab.until_visible("#sessionsPanel", False)


def test_the_boxes_grow_with_their_text(serve, visit, home):
    sessions_from_before(home, "\n".join(f"line {number}" for number in range(12)))
    tab = visit(serve(*QUICK))
    tab.ready()
    hover(tab, QUESTION)
    tab.click(f"{QUESTION} a.copy")
    tab.until("(box => box && box.clientHeight >= box.scrollHeight)(document.querySelector('form.edit textarea'))")


def test_an_edited_question_has_two_versions_with_arrows_between_them(serve, visit, home):
    sessions_from_before(home, "apples")
    tab = visit(serve(*QUICK))
    tab.ready()
    hover(tab, QUESTION)
    tab.click(f"{QUESTION} a.copy")
    tab.until_there("form.edit[data-htmx-powered]")
    tab.element("form.edit textarea").clear()
    tab.type("form.edit textarea", "pears")
    tab.click("form.edit button.primary")
    tab.until_there(f"{ANSWER} .content", "Mock response to: pears")
    tab.until_there(".siblings", "2 / 2")
    tab.answered()  # nothing moves under the pointer any more
    arrow = ".siblings button.arrow"
    hover(tab, QUESTION)
    tab.click(arrow)
    tab.until_there(".siblings", "1 / 2")
    assert tab.texts() == ["apples", "Mock response to: apples"]
    hover(tab, QUESTION)
    tab.click(arrow)
    tab.until_there(".siblings", "2 / 2")
    assert tab.texts() == ["pears", "Mock response to: pears"]


@pytest.fixture
def written(serve_model, model, visit):
    """A tab with one answer, which has a block of code."""
    model.script(says(WRITTEN))
    tab = visit(serve_model())
    tab.asked("how?")
    tab.script(f"({WORD_STAYS})()")
    return tab


def test_a_code_block_is_copied(written):
    written.click("figure button.copy")
    written.until_there("figure button.copy", "Copied")
    assert pasted(written) == "if a < b:\n    print('&')", "a newline at its end would run in a shell"


def test_an_answer_is_copied_as_it_was_written(written):
    hover(written, ANSWER)
    written.click(f"{ANSWER} footer button.scripted")
    written.until_there(f"{ANSWER} footer button.scripted", "Copied")
    assert pasted(written) == WRITTEN


def test_chosen_files_go_with_a_message(serve, visit, tmp_path):
    notes, more = tmp_path / "notes.txt", tmp_path / "more.txt"
    notes.write_text("<b>line one</b>\nline two\n")
    more.write_text("something more\n")
    tab = visit(serve(*QUICK))
    tab.ready()
    tab.attach(notes)
    tab.until_there("#attached", "notes.txt")
    tab.attach(more)
    tab.asked("Read this")
    tab.until_visible("#attached", False)
    tab.click("details.file summary")
    tab.until_there("details.file pre", "something more")
    tab.reload()
    assert tab.text("details.file summary").startswith(("notes.txt", "more.txt"))
    assert "something more" in tab.text(f"{ANSWER} .content")


def hover(tab, css: str) -> None:
    """A message's footer is visible while the pointer is over it. If it is swapped away meanwhile, find it again."""
    wait = WebDriverWait(tab.driver, PATIENCE, 0.03, [StaleElementReferenceException])
    wait.until(lambda driver: ActionChains(driver).move_to_element(tab.element(css)).perform() or True)


def pasted(tab) -> str:
    """The clipboard's content, found out by pasting."""
    tab.type(FIELD, Keys.CONTROL + "v" + Keys.NULL)
    tab.until("document.getElementById('messageInput').value")
    return tab.value(FIELD)
