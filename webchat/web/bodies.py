"""Messages' contents as HTML. A growing answer is rendered once for all its readers in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from markupsafe import Markup

from webchat.chat.message import Message
from webchat.chat.plain import normal_lines
from webchat.limits import drop_oldest
from webchat.render.markdown import GrowingMarkdown, markdown
from webchat.render.typed import typed

KEPT = 256
KEPT_CHARACTERS = 8 * 2**20
"""Characters of all cached answers in flight; the most recently used one is kept whatever its length."""


@dataclass(frozen=True)
class Body:
    """A message's content as HTML: finished blocks, a tail that may still change, the number of finished characters.

    `again` is how many characters each update renders again. `is_kept`: the page already has the content and keeps it.
    """

    finished: Markup = Markup()
    tail: Markup = Markup()
    shown: int = 0
    again: int = 0
    is_kept: bool = False


KEPT_BODY = Body(is_kept=True)


@dataclass
class _Growing:
    """The rendered part of an answer in flight; `turn` is held by the thread that renders more of it."""

    markdown: GrowingMarkdown = field(default_factory=GrowingMarkdown)
    turn: threading.Lock = field(default_factory=threading.Lock)
    size: int = 0


class Renderings:
    """A cache of rendered answers in flight. Rendering one never blocks a reader of another."""

    def __init__(self, kept_characters: int = KEPT_CHARACTERS) -> None:
        self._guard, self._kept_characters = threading.Lock(), kept_characters
        self._growing: OrderedDict[str, _Growing] = OrderedDict()

    def body(self, message: Message) -> Body:
        """The whole content. People's messages are shown as written, except code; only answers are Markdown."""
        if message.role != "assistant" or message.kind == "memory":
            return Body(typed(normal_lines(message.content)))
        return self.text(message.id, message.content, grows=message.in_flight)

    def text(self, key: str, text: str, *, grows: bool) -> Body:
        """A Markdown text; `key` identifies one that `grows`."""
        text = normal_lines(text)
        if not grows:
            with self._guard:
                begun = self._growing.pop(key, None) or _Growing()
            with begun.turn:
                return Body(markdown(text, begun.markdown), shown=len(text))
        with self._grown(key, text) as growing:
            return Body(Markup().join(growing.blocks), growing.tail, growing.shown)

    def since(self, key: str, text: str, position: int) -> Body | None:
        """The blocks of a growing text from that character on; None if no block begins there."""
        with self._grown(key, normal_lines(text)) as growing:
            blocks = growing.since(position)
            if blocks is None:
                return None
            return Body(Markup().join(blocks), growing.tail, growing.shown, growing.again)

    @contextmanager
    def _grown(self, key: str, text: str) -> Iterator[GrowingMarkdown]:
        """The rendered text, locked for the block."""
        growing = self._taken(key, len(text))
        with growing.turn:
            if not growing.markdown.fits(text):
                growing.markdown = GrowingMarkdown()
            growing.markdown.grow(text)
            yield growing.markdown

    def _taken(self, key: str, size: int) -> _Growing:
        """The cache entry of this text; evicts the least recently used ones above the limit."""
        with self._guard:
            growing = self._growing.setdefault(key, _Growing())
            growing.size = size
            self._growing.move_to_end(key)
            drop_oldest(self._growing, lambda each: each.size, KEPT, self._kept_characters)
            return growing
