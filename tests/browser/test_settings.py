"""The settings page and a session's own options in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.stored import documents_of
from webchat import config
from webchat.fileutil import DiskFolder, locked
from webchat.models import SMOLLM

pytestmark = pytest.mark.browser

SETTINGS = "/apps/settings/"


@pytest.fixture
def serve_mock(serve, home):
    """Starts a chat that uses the mock because the saved settings say so, so it can be changed on the page."""
    config.save(documents_of(home), {"backend": "mock"})
    return lambda: serve("--mock-delay", "0")


def test_a_test_fills_the_choices_and_keeps_what_was_typed(serve_mock, model, visit):
    model.models = ["llama3.2", "mistral"]
    page = visit(serve_mock(), SETTINGS).page
    page.get_by_label("Who answers").select_option("openai")
    page.get_by_label("Address").fill(model.url)
    page.get_by_label("Key", exact=True).fill("sk-planted-key")
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#connection")).to_contain_text("It works. 2 models: llama3.2, mistral.")
    expect(page.get_by_label("Key", exact=True)).to_have_value("sk-planted-key")
    expect(page.locator("#models option")).to_have_count(2)
    assert page.url.endswith(SETTINGS)


def test_enter_in_a_field_saves_and_the_next_message_is_answered_accordingly(serve_mock, model, visit):
    chat = visit(serve_mock(), SETTINGS)
    chat.page.get_by_label("Who answers").select_option("openai")
    chat.page.get_by_label("Address").fill(model.url)
    chat.page.get_by_label("Address").press("Enter")
    expect(chat.page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    chat.open("/").asked("hello")
    expect(chat.answer).to_have_text("Hello there.")


def test_only_a_model_server_has_an_address_and_a_key(serve_mock, visit):
    page = visit(serve_mock(), SETTINGS).page
    page.get_by_label("Who answers").select_option("local")
    expect(page.get_by_label("Address")).to_be_hidden()
    page.get_by_label("Who answers").select_option("openai")
    expect(page.get_by_label("Address")).to_be_visible()


def test_a_memory_is_deleted_where_it_stands(serve, visit):
    chat = visit(serve("--backend", "mock", "--mock-delay", "0"))
    for text in ("tea is green", "coffee is black"):
        chat.asked(f"remember this: {text}")
    chat.open(SETTINGS)
    chat.page.get_by_role("button", name="Delete mem-001").click()
    expect(chat.page.locator("#memories .plain")).to_have_text(["coffee is black"])
    chat.page.get_by_role("button", name="Undo mem-001").click()
    expect(chat.page.locator("#memories .plain")).to_have_text(["coffee is black", "tea is green"])


def test_switching_the_model_keeps_the_draft(serve_model, model, visit):
    model.models = ["m", "mistral"]
    chat = visit(serve_model())
    chat.asked("hello")
    chat.field.fill("a draft")
    chat.page.get_by_role("button", name="m at 127.0.0.1").click()
    panel = chat.page.get_by_role("dialog", name="This session")
    panel.get_by_label("Model").click()
    expect(panel.locator("option")).to_have_count(2)
    panel.get_by_label("Model").fill("mistral")
    panel.get_by_label("Model").press("Enter")
    expect(chat.page.locator("#hint")).to_contain_text("mistral at 127.0.0.1")
    expect(panel).to_be_hidden()
    expect(chat.field).to_have_value("a draft")
    chat.asked("again")
    assert model.questions[-1]["model"] == "mistral"


def test_the_options_work_without_javascript(serve_model, model, visit):
    chat = visit(serve_model(), java_script_enabled=False)
    text = {"Accept": "text/plain"}  # which comes with the answer's end
    chat.page.request.post(f"{chat.page.url}messages", form={"message": "hello"}, headers=text)
    chat.page.reload()
    chat.page.get_by_role("button", name="m at 127.0.0.1").click()
    chat.page.get_by_label("System prompt").fill("Be kind.")
    chat.page.get_by_role("button", name="Save").click()
    chat.field.fill("again")
    chat.send_button.click()
    expect(chat.questions).to_have_count(2)
    _, asked = model.next_request(), model.next_request()
    assert asked.body["messages"][0] == {"role": "system", "content": "Be kind."}


def test_a_models_download_is_followed_and_what_came_is_removed(serve_mock, visit, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path))
    part = tmp_path / f"{SMOLLM.file_name}.part"
    part.write_bytes(b"x" * (SMOLLM.bytes // 100 + 1))
    page = visit(serve_mock(), SETTINGS).page
    row = page.locator("#onDisk li").filter(has_text="SmolLM2")
    expect(row).to_contain_text("1 % downloaded.")
    with locked(DiskFolder(tmp_path), SMOLLM.file_name):  # another process downloads it
        page.reload()
        expect(row.get_by_role("progressbar")).to_be_visible()
        with part.open("ab") as file:
            file.truncate(SMOLLM.bytes // 2 + 1)
        expect(row).to_contain_text("50 %")
    expect(row).to_contain_text("50 % downloaded.")
    row.get_by_text("Remove", exact=True).click()
    row.get_by_role("button", name="Really remove").click()
    expect(row.get_by_role("button", name="Download")).to_have_text("Download")
    assert not part.exists()
