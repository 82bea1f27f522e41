"""A cache of rendered texts: each is rendered by one thread for all that need it. Knows no Markdown."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from markupsafe import Markup


class Rendered:
    """HTML by its text, bounded by size: one long answer may be as large as a thousand others.

    If another thread renders the same text, the caller waits for it, and never for another text.
    """

    def __init__(self, render: Callable[[str], Markup], most: int) -> None:
        """`most` is how many characters are kept, of texts and their HTML together."""
        self._render, self._most, self._size = render, most, 0
        self._guard = threading.Lock()
        self._found: OrderedDict[str, Markup] = OrderedDict()
        self._coming: dict[str, Future[Markup]] = {}

    def get(self, text: str, render: Callable[[str], Markup] | None = None) -> Markup:
        """The text's HTML, if need be by `render`, which makes the same of it. Raises what rendering it raises."""
        with self._guard:
            if text in self._found:
                self._found.move_to_end(text)
                return self._found[text]
            coming = self._coming.get(text)
            mine = self._coming.setdefault(text, Future())
        return coming.result() if coming else self._made(text, mine, render or self._render)

    def _made(self, text: str, coming: Future[Markup], render: Callable[[str], Markup]) -> Markup:
        try:
            html = render(text)
        except BaseException as error:
            with self._guard:
                del self._coming[text]
            coming.set_exception(error)
            raise
        with self._guard:
            del self._coming[text]
            self._put(text, html)
        coming.set_result(html)
        return html

    def _put(self, text: str, html: Markup) -> None:
        self._found[text] = html
        self._size += len(text) + len(html)
        while self._size > self._most:
            self._size -= sum(map(len, self._found.popitem(last=False)))
