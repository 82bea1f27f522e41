"""An agent's controls in the browser: choices, commands, its own sessions, and a session's folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from tests.acp import agents_in, chats_in
from tests.browser.chat_page import ChatPage
from tests.browser.test_accessibility import complaints
from tests.browser.test_before_htmx import begin, held_back

pytestmark = pytest.mark.browser


@pytest.fixture
def work(tmp_path):
    """A folder in which the agent has a session started elsewhere."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def url(home, tmp_path, work) -> Iterator[str]:
    """A chat over two scripted agents, on a port of its own."""
    with agents_in(tmp_path) as agents, chats_in(home, agents) as start:
        known = {"cwd": str(work), "prompts": ["from elsewhere"], "said": ["Yes."]}
        (agents.folder / "s-elsewhere.session").write_text(json.dumps(known))
        server = make_server("127.0.0.1", 0, start("--modes --many-commands", "--nameless"), threaded=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page(visit, url) -> ChatPage:
    """A session with the first agent, which has announced its choices."""
    page = visit(url).ready()
    page.asked("hello")
    expect(mode_of(page)).to_be_visible()
    return page


def mode_of(page: ChatPage):
    return page.page.get_by_label("Mode", exact=True)


FILLED_IN_AT_ONCE = """folder => {
  document.addEventListener("htmx:before:settle", ({ target }) => {
    const field = document.getElementById("newFolder");
    if (field && !window.filledIn) {
      field.value = folder;
      window.filledIn = true;
    }
    window.areChoicesThere ||= window.filledIn && target.id === "controls";
  });
}"""


def options(page: ChatPage):
    return page.page.get_by_role("option").filter(visible=True)


def test_a_choice_is_saved_at_once_said_and_seen_in_another_tab(page):
    other = page.tab()
    expect(page.page.get_by_role("button", name="Apply")).to_be_hidden()
    mode_of(page).select_option("Plan only")
    expect(page.page.locator("#controlsSaved")).to_have_text("Saved. Mode: Plan only")
    expect(mode_of(other)).to_have_value("plan")
    mode_of(other).select_option("Ask")
    expect(mode_of(page)).to_have_value("ask")
    expect(page.page.locator("#announcer")).to_have_text("Saved. Mode: Plan only")
    page.asked("told")
    assert '"mode": "ask"' in page.answer.inner_text()


def test_a_choice_before_htmx_has_started_is_saved_when_it_has(page):
    held_back(page)
    mode_of(page).select_option("Plan only")
    begin(page)
    expect(page.page.locator("#controlsSaved")).to_have_text("Saved. Mode: Plan only")
    assert page.page.evaluate("window.isSamePage")


def test_the_keyboard_chooses_and_keeps_its_place(page):
    mode_of(page).focus()
    page.page.keyboard.press("ArrowDown")
    expect(page.page.locator("#controlsSaved")).to_contain_text("Plan only")
    page.until("document.activeElement.name === 'mode'")
    page.page.keyboard.press("ArrowUp")
    expect(page.page.locator("#controlsSaved")).to_contain_text("Ask")


def test_without_a_script_there_is_a_button_and_a_list_of_commands(page, visit):
    plain = visit(page.base, page.page.url.removeprefix(page.base), java_script_enabled=False)
    mode_of(plain).select_option("Plan only")
    plain.page.get_by_role("button", name="Apply").click()
    expect(mode_of(plain)).to_have_value("plan")
    plain.page.get_by_text("Commands").click()
    expect(plain.page.locator("#commands dt").first).to_have_text("/compact")


def test_a_slash_offers_the_commands_and_enter_takes_one(page):
    page.field.press_sequentially("/")
    expect(options(page)).to_have_count(3)
    expect(page.field).to_have_attribute("aria-activedescendant", "command-0")
    page.field.press("ArrowDown")
    expect(options(page).nth(1)).to_have_attribute("aria-selected", "true")
    page.field.press("Enter")
    expect(page.field).to_have_value("/compare ")
    expect(options(page)).to_have_count(0)
    assert page.focused() == "messageInput"
    page.field.press_sequentially("both")
    page.field.press("Enter")
    expect(page.answers).to_have_count(2)
    page.answered()
    assert page.texts()[-2:] == ["/compare both", "You said: /compare both"]


def test_what_is_typed_narrows_the_commands_and_escape_closes_them(page):
    page.field.press_sequentially("/rev")
    expect(options(page)).to_have_count(1)
    page.field.press("Escape")
    expect(options(page)).to_have_count(0)
    page.field.press_sequentially("i")
    expect(options(page)).to_have_count(1)
    page.field.press("Tab")
    expect(page.field).to_have_value("/review ")
    page.field.fill("not /rev")
    expect(options(page)).to_have_count(0)
    page.field.fill("/review")
    expect(options(page)).to_have_count(0)
    page.field.press("Enter")
    expect(page.questions.last).to_contain_text("/review")


def test_a_click_takes_a_command(page):
    page.field.press_sequentially("/")
    options(page).nth(2).click()
    expect(page.field).to_have_value("/review ")
    assert page.focused() == "messageInput"


def test_the_completion_is_loaded_only_for_a_slash(visit, url):
    page = visit(url).ready()
    page.field.press_sequentially("/")
    assert page.page.locator('script[src*="commands"]').count() == 0, "the agent has named no commands yet"
    page.field.fill("")
    page.asked("hello")
    expect(mode_of(page)).to_be_visible()
    assert page.page.locator('script[src*="commands"]').count() == 0
    page.field.press_sequentially("/")
    expect(options(page)).to_have_count(3)
    page.field.fill("")
    page.new_session()
    expect(page.messages).to_have_count(0)
    page.asked("hello")
    expect(mode_of(page)).to_be_visible()
    page.field.press_sequentially("/c")
    expect(options(page)).to_have_count(2)


def test_a_new_session_takes_its_agent_and_folder_with_the_first_message(visit, url, work):
    page = visit(url).ready()
    agents = page.page.get_by_label("Agent", exact=True)
    second = agents.locator("option").nth(1).inner_text()
    agents.select_option(second)
    page.page.get_by_label("Folder", exact=True).fill(str(work))
    page.asked("told")
    assert json.dumps(str(work)) in page.answer.inner_text()
    expect(page.page.get_by_label("Folder", exact=True)).to_have_count(0)
    expect(page.badge).to_contain_text("work")
    expect(page.page.locator("#hint")).to_contain_text(second)


def test_an_example_takes_them_as_well(visit, url, work):
    page = visit(url).ready()
    page.page.get_by_label("Folder", exact=True).fill(str(work))
    page.page.locator(".example").first.click()
    page.answered()
    expect(page.badge).to_contain_text("work")


def test_a_folder_that_is_not_there_is_said_and_the_text_stays(visit, url):
    page = visit(url).ready()
    page.page.get_by_label("Folder", exact=True).fill("/no/such/folder")
    page.ask("hello")
    expect(page.problem).to_contain_text("There is no folder")
    expect(page.field).to_have_value("hello")
    expect(page.page.get_by_label("Folder", exact=True)).to_have_value("/no/such/folder")


def test_an_own_session_is_opened_from_the_dropdown(visit, url):
    page = visit(url).ready()
    page.open_sessions()
    page.panel.get_by_text("Sessions of").click()
    page.panel.get_by_role("button", name="s-elsewhere").first.click()
    expect(page.messages).to_have_count(2)
    expect(page.messages.first).to_contain_text("from elsewhere")
    page.asked("told")
    assert '"from elsewhere", "told"' in page.answer.inner_text()


def test_what_is_typed_for_a_new_session_stays_when_the_agents_choices_come(visit, url, work):
    page = visit(url).ready()
    page.asked("at home")
    page.page.evaluate(FILLED_IN_AT_ONCE, str(work))
    page.open_sessions()
    page.panel.get_by_role("button", name="New").click()
    page.until("document.querySelector('#newFolder')?.value && window.areChoicesThere")
    expect(page.page.get_by_label("Folder", exact=True)).to_have_value(str(work))
    page.asked("at work")
    expect(page.badge).to_contain_text("work")
    expect(page.page.get_by_label("Folder", exact=True)).to_have_count(0)


def test_the_dropdown_is_narrowed_to_a_folder_and_stays_so(visit, url, work):
    page = visit(url).ready()
    page.asked("at home")
    page.new_session()
    page.ready()
    page.page.get_by_label("Folder", exact=True).fill(str(work))
    page.asked("at work")
    page.open_sessions()
    expect(page.rows).to_have_count(2)
    page.panel.get_by_text("Only in work").click()
    expect(page.rows).to_have_count(1)
    page.page.locator("#sessionSearch").fill("at")
    expect(page.rows).to_have_count(1)
    with page.page.expect_response(lambda response: "/sessions?q=&folder=" in response.url):
        page.page.locator("#sessionSearch").fill("")
    page.panel.get_by_text("In work").click()
    expect(page.rows).to_have_count(2)
    page.panel.get_by_text("By folder").click()
    headings = page.panel.locator("section.group h2")
    expect(headings).to_have_text(["work", "~"])
    page.page.locator("#sessionSearch").fill("at h")
    expect(headings.first).to_have_text("~")
    page.page.locator("#sessionSearch").fill("")
    expect(headings).to_have_text(["work", "~"])
    headings.get_by_role("link", name="work").click()
    expect(page.rows).to_have_count(1)
    expect(page.panel.get_by_text("In work")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_all_of_it_fits_a_phone(page, width):
    page.page.set_viewport_size({"width": width, "height": 700})
    page.field.press_sequentially("/")
    expect(options(page)).to_have_count(3)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    for each in (mode_of(page), options(page).first):
        assert each.evaluate("element => element.getBoundingClientRect().height") >= 44


def test_nothing_of_it_is_complained_of(page, work):
    page.field.press_sequentially("/")
    expect(options(page)).to_have_count(3)
    assert complaints(page) == []
    page.field.fill("")
    page.new_session()
    page.page.get_by_label("Folder", exact=True).fill(str(work))
    assert complaints(page) == []
    page.asked("hello")
    page.open_sessions()
    page.panel.get_by_text("Sessions of").click()
    expect(page.panel.get_by_role("button", name="s-elsewhere").first).to_be_visible()
    assert complaints(page) == []
    for path in ("/sessions?by=folder", "/sessions/own"):
        page.open(path)
        assert complaints(page) == []
