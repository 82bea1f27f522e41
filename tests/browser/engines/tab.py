"""The chat in a browser that Selenium drives, in a person's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from urllib3.exceptions import HTTPError

PATIENCE = 30.0
"""Seconds that a person on a busy machine would wait for anything here."""
MESSAGE = "article.message"
ANSWER = 'article[data-role="assistant"]'
QUESTION = 'article[data-role="user"]'
FIELD = "#messageInput"
STYLED = "[...document.querySelectorAll('link[rel=stylesheet]')].every((link) => link.sheet)"


class Tab:
    """One tab with the chat of one server."""

    def __init__(self, driver: WebDriver, base: str) -> None:
        self.driver, self.base = driver, base

    def open(self, path: str = "/") -> Tab:
        self.driver.get(self.base + path)
        # Without JavaScript, the driver does not wait: the page before may still be there, and be used.
        self.until("location.href.startsWith(arguments[0]) && document.readyState === 'complete'", self.base)
        return self

    def reload(self) -> None:
        self.driver.refresh()

    def script(self, expression: str, *arguments: Any) -> Any:
        """The value of a script's expression; `arguments` are what it is called with."""
        return self.driver.execute_script(f"return {expression}", *arguments)

    def until(self, expression: str, *arguments: Any) -> None:
        """Wait until a script's expression is true. A page that is being unloaded is asked again."""
        wait = WebDriverWait(self.driver, PATIENCE, 0.03, [WebDriverException, HTTPError])
        try:
            wait.until(lambda _: self.script(f"Boolean({expression})", *arguments))
        except TimeoutException as error:
            raise AssertionError(f"never came true: {expression} {arguments}\n{self._shown()}") from error

    def until_there(self, css: str, text: str = "", count: int | None = None) -> None:
        """Wait until there is a match that has this text, or exactly that many matches."""
        found = "[...document.querySelectorAll(arguments[0])].filter((e) => e.textContent.includes(arguments[1]))"
        self.until(f"{found}.length" if count is None else f"{found}.length === arguments[2]", css, text, count)

    def until_visible(self, css: str, visible: bool = True) -> None:
        self.until(f"{'' if visible else '!'}document.querySelector(arguments[0])?.checkVisibility()", css)

    def element(self, css: str) -> WebElement:
        """The last match, once there is one."""
        self.until_there(css)
        return self.driver.find_elements(By.CSS_SELECTOR, css)[-1]

    def click(self, css: str) -> None:
        """Click on the last match once it is visible and has its styles, which would move it while it is clicked.

        If it is swapped away meanwhile, find it again.
        """
        wait = WebDriverWait(self.driver, PATIENCE, 0.03, [StaleElementReferenceException])

        def clicked(_: WebDriver) -> bool:
            self.until(f"{STYLED} && [...document.querySelectorAll(arguments[0])].at(-1)?.checkVisibility()", css)
            self.element(css).click()
            return True

        wait.until(clicked)

    def type(self, css: str, *keys: str) -> None:
        self.element(css).send_keys(*keys)

    def attach(self, path: Path) -> None:
        self.element("#files").send_keys(str(path))

    def ready(self) -> None:
        """Wait until htmx has taken over the message form; before that, it is submitted as without a script."""
        self.until_there("form.field[data-htmx-powered]")

    def ask(self, text: str) -> None:
        """Write a message and send it with Enter, without waiting for anything."""
        self.ready()
        self.type(FIELD, text, "\ue007")

    def asked(self, text: str) -> None:
        """Ask, and wait for the whole answer, which the stream may bring, and for the form's own response."""
        before = self.count(ANSWER)
        self.ask(text)
        self.until_there(ANSWER, count=before + 1)
        self.answered()
        # Until that response the message is in the field.
        self.until("document.querySelector(arguments[0]).value !== arguments[1]", FIELD, text)

    def answered(self, status: str = "complete") -> None:
        """Wait until the last message is an answer with that status."""
        self.until_there(f'{ANSWER}[data-status="{status}"]:not(:has(~ article))')

    def streaming(self, words: str) -> None:
        """Wait until an answer is on its way and has these words."""
        self.until_there(f'{ANSWER}[data-status="streaming"] .content', words)

    def texts(self) -> list[str]:
        """The messages' texts from the top, as a person reads them."""
        return self.script("[...document.querySelectorAll('article.message .content')].map((e) => e.innerText.trim())")

    def text(self, css: str) -> str:
        return self.script("document.querySelector(arguments[0]).innerText.trim()", css)

    def value(self, css: str) -> str:
        return self.script("document.querySelector(arguments[0]).value", css)

    def count(self, css: str) -> int:
        return self.script("document.querySelectorAll(arguments[0]).length", css)

    def open_sessions(self) -> None:
        """Open the dropdown and wait until it is filled."""
        self.click("#sessionsButton")
        self.until_visible("#sessionsPanel")
        self.until_there("#sessionList button.row")

    def _shown(self) -> str:
        return f"{self.driver.current_url}\n{self.script('document.body.innerText')}"
