"""Text files and pictures chosen, dropped and pasted into a message."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.pictures import png

pytestmark = pytest.mark.browser

QUICK = ("--backend", "mock", "--mock-delay", "0")
NOTES = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"<b>line one</b>\nline two\n"}
GIVE = """([kind, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, {type: "text/plain"}));
  const field = document.getElementById("messageInput");
  const event = kind === "paste"
    ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
  field.dispatchEvent(event);
}"""


def test_a_chosen_file_is_sent_and_folded_below_the_message(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.page.set_input_files("#files", [NOTES])
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt"])
    chat.asked("Read this")
    expect(chat.page.locator("#attached")).to_be_hidden()
    fold = chat.questions.last.locator("details.file")
    expect(fold).to_contain_text("notes.txt")
    fold.locator("summary").click()
    expect(fold.locator("pre")).to_have_text("<b>line one</b>\nline two\n")
    expect(chat.answer).to_contain_text("line two")
    chat.page.reload()
    expect(chat.page.locator("details.file")).to_have_count(1)


def test_a_picture_is_sent_without_a_text(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.field.press("Enter")
    expect(chat.page.locator(".welcome")).to_be_visible()
    chat.page.set_input_files("#files", [{"name": "cat.png", "mimeType": "image/png", "buffer": png()}])
    expect(chat.page.locator("#attached li span")).to_have_text(["cat.png"])
    assert chat.page.locator(".send").evaluate("button => getComputedStyle(button).opacity") == "1"
    chat.field.press("Enter")
    expect(chat.page.locator("#badge .name")).to_have_text("cat.png")
    expect(chat.questions.last.locator(".pictures img")).to_be_visible()
    expect(chat.questions.last.locator(".content")).to_have_count(0)
    expect(chat.page.locator("#attached")).to_be_hidden()
    chat.page.get_by_role("button", name="Send").click()
    expect(chat.page.locator("#problem")).to_be_empty()
    expect(chat.questions).to_have_count(1)


def test_files_that_were_chosen_by_mistake_are_taken_away(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    remove = chat.page.get_by_role("button", name="Remove")
    expect(remove).to_be_hidden()
    chat.page.set_input_files("#files", [NOTES])
    remove.click()
    expect(remove).to_be_hidden()
    expect(chat.field).to_be_focused()
    chat.asked("Read this")
    expect(chat.page.locator("details.file")).to_have_count(0)


def choose(page, *files):
    """Choose files in the browser's own dialog."""
    with page.expect_file_chooser() as chooser:
        page.locator("label.attach").click()
    chooser.value.set_files(files)


def test_a_second_choice_is_added_to_the_first(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    choose(chat.page, NOTES)
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt"])
    choose(chat.page, {**NOTES, "name": "more.txt"})
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt", "more.txt"])
    chat.asked("Read these")
    expect(chat.page.locator("details.file")).to_have_count(2)
    choose(chat.page, {**NOTES, "name": "third.txt"})
    expect(chat.page.locator("#attached li span")).to_have_text(["third.txt"])


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_file_is_dropped_or_pasted(serve, visit, kind):
    chat = visit(serve(*QUICK)).ready()
    chat.page.set_input_files("#files", [NOTES])
    chat.page.evaluate(GIVE, [kind, "more.txt", "something more"])
    expect(chat.page.locator("#attached li span")).to_have_text(["notes.txt", "more.txt"])
    chat.asked("Read these")
    expect(chat.page.locator("details.file")).to_have_count(2)
    expect(chat.answer).to_contain_text("something more")


PASTE_TABLE = """([kind, text]) => {
  const data = new DataTransfer();
  if (text) data.setData("text/plain", text);
  data.items.add(new File(["a picture"], "image.png", {type: kind}));
  const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
  return document.getElementById("messageInput").dispatchEvent(event);
}"""


@pytest.mark.parametrize(
    ("kind", "text", "is_text_pasted"),
    [
        ("image/png", "a\t1\nb\t2", True),
        ("image/png", "", False),
        # File managers give a copied file's name as text.
        ("text/plain", "notes.txt", False),
    ],
    ids=["from a spreadsheet", "a picture", "a file"],
)
def test_a_text_is_not_lost_for_its_picture(serve, visit, kind, text, is_text_pasted):
    chat = visit(serve(*QUICK)).ready()
    # The browser pastes the text itself unless the page forbids it.
    assert chat.page.evaluate(PASTE_TABLE, [kind, text]) is is_text_pasted
    expect(chat.page.locator("#attached li")).to_have_count(0 if is_text_pasted else 1)


COPY_TABLE = """async () => {
  const canvas = document.createElement("canvas");
  const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const text = new Blob(["a\\t1"], {type: "text/plain"});
  await navigator.clipboard.write([new ClipboardItem({"text/plain": text, "image/png": picture})]);
}"""


def test_what_a_spreadsheet_copies_is_pasted_as_text(serve, visit):
    chat = visit(serve(*QUICK), permissions=["clipboard-read", "clipboard-write"]).ready()
    chat.page.evaluate(COPY_TABLE)
    chat.field.press("Control+v")
    expect(chat.field).to_have_value("a\t1")
    expect(chat.page.locator("#attached")).to_be_hidden()


def test_what_is_no_text_is_refused_and_everything_stays(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.page.set_input_files("#files", [{"name": "p.png", "mimeType": "image/png", "buffer": b"\x89PNG\xff"}])
    chat.ask("Look")
    expect(chat.problem).to_contain_text("p.png is neither a UTF-8 text file")
    expect(chat.field).to_have_value("Look")
    expect(chat.page.locator("#attached li span")).to_have_text(["p.png"])
    chat.page.get_by_role("button", name="Remove p.png").click()
    expect(chat.problem).to_be_hidden()


def test_without_javascript_by_a_plain_field(serve, visit):
    chat = visit(serve(*QUICK), java_script_enabled=False)
    chat.page.set_input_files("#files", [NOTES])
    chat.field.fill("Read this")
    chat.send_button.click()
    fold = chat.page.locator("details.file")
    fold.locator("summary").click()
    fold.get_by_role("link", name="Show notes.txt").click()
    expect(chat.page.locator("body")).to_contain_text("line two")


def test_without_javascript_a_picture_needs_no_text_and_nothing_at_all_is_refused(serve, visit):
    chat = visit(serve(*QUICK), java_script_enabled=False)
    chat.send_button.click()
    expect(chat.page.locator("main .problem")).to_contain_text("Write a message first.")
    chat.page.get_by_role("link", name="Back to the chat").click()
    chat.page.set_input_files("#files", [{"name": "cat.png", "mimeType": "image/png", "buffer": png()}])
    chat.send_button.click()
    expect(chat.page.locator(".pictures img")).to_have_count(1)


def test_nothing_at_all_is_not_sent_and_that_is_said(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.send_button.click()
    expect(chat.page.locator("#announcer")).to_have_text("Write a message first.")
    expect(chat.field).to_be_focused()
    chat.asked("Then this")
    expect(chat.questions).to_have_count(1)


CAT = {"name": "cat.png", "mimeType": "image/png", "buffer": png(40, 20)}


def test_a_picture_is_seen_before_it_is_sent_and_after(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.page.set_input_files("#files", [CAT, NOTES, {**CAT, "name": "second.png"}])
    expect(chat.page.locator("#attached canvas")).to_have_count(2)
    chat.until("document.querySelector('#attached canvas').width === 224")
    chat.page.get_by_role("button", name="Remove second.png").click()
    expect(chat.field).to_be_focused()
    expect(chat.page.locator("#attached li span")).to_have_text(["cat.png", "notes.txt"])
    chat.asked("Look at this")
    shown = chat.questions.last.get_by_role("img", name="cat.png")
    expect(shown).to_have_js_property("naturalWidth", 40)
    expect(chat.answer).to_contain_text("Picture: cat.png")
    with chat.page.expect_popup() as opened:
        shown.click()
    expect(opened.value.locator("img")).to_have_js_property("naturalWidth", 40)


def test_a_pasted_picture_that_is_too_large_is_told_at_once(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.page.evaluate(
        """() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(10 * 1024 * 1024 + 1)], "large.png", {type: "image/png"}));
      const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
      document.getElementById("messageInput").dispatchEvent(event);
    }"""
    )
    expect(chat.page.locator("#attached li span")).to_have_text(["Over 10 MiB: large.png"])


def test_a_picture_without_javascript(serve, visit):
    chat = visit(serve(*QUICK), java_script_enabled=False)
    chat.page.set_input_files("#files", [CAT])
    chat.field.fill("Look at this")
    chat.send_button.click()
    link = chat.page.locator(".pictures a")
    expect(link.locator("img")).to_have_js_property("naturalWidth", 40)
    chat.page.goto(link.evaluate("link => link.href"))
    expect(chat.page.locator("img")).to_have_js_property("naturalWidth", 40)


def test_files_are_sent_alone_from_the_page_of_a_problem_too(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    chat.page.route("**/htmx*.js*", lambda route: route.abort())  # without a session there is no such page
    json = {"Accept": "application/json"}
    begun = chat.page.request.post(f"{chat.page.url}sessions", form={"temporary": "1"}, headers=json).json()
    url = f"{chat.page.url}sessions/{begun['session_id']}"
    chat.page.goto(url)
    chat.page.request.post(f"{url}/delete", headers=json)
    chat.page.set_input_files("#files", [NOTES])
    chat.page.locator("form.field button.send").click()
    again = chat.page.locator("form.again")
    again.locator("input[type=file]").set_input_files([NOTES])
    again.locator("button").click()
    expect(chat.page.locator("details.file")).to_have_count(1)


def test_who_edits_a_message_is_told_that_its_files_stay(serve, visit):
    chat = visit(serve(*QUICK)).ready()
    chat.page.set_input_files("#files", [CAT, NOTES])
    chat.asked("Look at this")
    chat.questions.last.hover()
    chat.questions.last.get_by_role("link", name="Edit").click()
    form = chat.page.locator("form.edit")
    expect(form).to_contain_text("Stays attached: notes.txt, cat.png")
    form.get_by_role("button", name="Send").press("Enter")
    expect(chat.questions.last.locator(".pictures img")).to_be_visible()
