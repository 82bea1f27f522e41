"""The chat's page in a browser, in a person's words."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

UNTIL = """async () => {
  const end = performance.now() + 30000;
  while (!(EXPRESSION)) {
    if (performance.now() > end) return false;
    await new Promise((next) => setTimeout(next, 20));
  }
  return true;
}"""
WORD_STAYS = """() => {
  const { setTimeout } = window;
  window.setTimeout = (act, time, ...more) => time === 1500 ? 0 : setTimeout(act, time, ...more);
}"""
"""What a button says for a moment after it was pressed stays: a busy machine could miss it."""
BOX = "box => ({top: box.getBoundingClientRect().top, bottom: box.getBoundingClientRect().bottom})"


class ChatPage:
    """One tab with the chat."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base.rstrip("/")
        self.field = page.locator("#messageInput")
        self.badge = page.locator("#badge")
        self.messages = page.locator("article.message")
        self.questions = page.locator('article[data-role="user"]')
        self.answers = page.locator('article[data-role="assistant"]')
        self.problem = page.locator("#problem")
        self.note = page.locator("#sessionNote")
        self.send_button = page.get_by_role("button", name="Send", exact=True)
        self.stop_button = page.get_by_role("button", name="Stop answering")
        self.sessions_button = page.locator("#sessionsButton")
        self.panel = page.locator("#sessionsPanel")
        self.rows = page.locator("#sessionList button.row")
        self.to_end = page.locator("#toEnd")

    def open(self, path: str = "/") -> ChatPage:
        self.page.goto(self.base + path)
        return self

    def ready(self) -> ChatPage:
        """Wait until htmx has processed the page's forms; before that, they are submitted without it."""
        self.page.locator("form[data-htmx-powered]").first.wait_for(state="attached")
        return self

    def tab(self, path: str | None = None) -> ChatPage:
        """Another window of the same person, by default at this one's address; both are visible.

        Actions in a tab behind another one take two seconds, since Chromium renders it slowly.
        """
        context = self.page.context
        assert context.browser is not None
        target = context.new_cdp_session(self.page).send("Target.getTargetInfo")["targetInfo"]
        window = {"url": "about:blank", "newWindow": True, "browserContextId": target["browserContextId"]}
        with context.expect_page() as opened:
            context.browser.new_browser_cdp_session().send("Target.createTarget", window)
        other = ChatPage(opened.value, self.base)
        other.page.goto(self.page.url if path is None else self.base + path)
        return other

    @property
    def answer(self) -> Locator:
        """The last answer's text."""
        return self.answers.last.locator(".content")

    def ask(self, text: str) -> None:
        """Write a message and send it with Enter, without waiting for anything."""
        self.field.fill(text)
        self.field.press("Enter")

    def ask_late(self, text: str) -> Callable[..., None]:
        """Ask, and wait for the server's response to the form, which the page gets, or loses, when the returned
        function is called.
        """
        held: list[Route] = []
        self.page.route("**/messages", lambda route: held.append(route), times=1)
        self.ask(text)
        self.wait_for(held)
        answer = held[0].fetch()

        def arrive(*, is_lost: bool = False) -> None:
            if is_lost:
                held[0].abort()
            else:
                held[0].fulfill(response=answer)

        return arrive

    def asked(self, text: str) -> None:
        """Ask, and wait for the whole answer, which the stream may bring, and for the form's own response."""
        before = self.answers.count()
        self.ask(text)
        self.answers.nth(before).wait_for(state="attached")
        self.answered()
        # Until that response the message is in the field: the same words once more would be taken for it.
        expect(self.field).not_to_have_value(text)

    def answered(self, status: str = "complete") -> None:
        """Wait until the last message is an answer with that status."""
        self._last(status).wait_for(state="attached")

    def streaming(self, words: str = "") -> None:
        """Wait until an answer is streaming and has these words."""
        self._last("streaming").filter(has=self.page.locator(".content", has_text=words)).wait_for(state="attached")

    def _last(self, status: str) -> Locator:
        # A locator's own wait polls more often than an expectation.
        return self.page.locator(f'article[data-role="assistant"][data-status="{status}"]:not(:has(~ article))')

    def open_sessions(self) -> None:
        """Open the dropdown and wait until it is filled."""
        self.sessions_button.click()
        expect(self.panel).to_be_visible()
        expect(self.panel.get_by_text("Loading…")).to_have_count(0)

    def new_session(self) -> None:
        """Start another session from the dropdown, and wait until the page shows it and the dropdown is closed."""
        before = self.page.url
        self.open_sessions()
        self.panel.get_by_role("button", name="+ New").click()
        expect(self.page).not_to_have_url(before)
        expect(self.panel).to_be_hidden()  # the end of the swap; before that, its button would close it
        expect(self.note).to_contain_text("New session started")

    def texts(self) -> list[str]:
        """The messages' texts from the top, as a person reads them."""
        return [text.strip() for text in self.page.locator("article.message .content").all_inner_texts()]

    def focused(self) -> str:
        """The id of the focused element."""
        return self.page.evaluate("document.activeElement.id")

    def scrolled(self) -> float:
        return self.page.evaluate("document.documentElement.scrollTop")

    def at_end(self) -> None:
        """Wait until the visible part is at the page's end."""
        self.until("(root => root.scrollHeight - root.scrollTop - root.clientHeight < 2)(document.documentElement)")

    def wheel_up(self, pixels: int) -> None:
        """Turn the mouse's wheel over the conversation, and wait until the page has scrolled as far."""
        target = self.scrolled() - pixels
        self.page.mouse.move(600, 400)
        self.page.mouse.wheel(0, -pixels)
        self.until(f"Math.abs(document.documentElement.scrollTop - {target}) < 1")

    def wait_for(self, held: list[Route], count: int = 1) -> None:
        """Wait until a route has put a held request into this list, or so many."""
        for _ in range(1500):
            if len(held) >= count:
                return
            self.page.evaluate("new Promise((next) => setTimeout(next, 20))")
        raise AssertionError("no request came")

    def box(self, locator: Locator) -> dict[str, float]:
        return locator.evaluate(BOX)

    def until(self, expression: str) -> None:
        """Wait until a script's expression is true."""
        # Playwright's own wait_for_function calls eval from its second poll on, which the page's policy forbids.
        assert self.page.evaluate(UNTIL.replace("EXPRESSION", expression)), f"never came true: {expression}"
