"""Messages' contents as HTML. An answer that grows is rendered once for all its readers in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from webchat.chat.message import Message
from webchat.render.markdown import GrowingMarkdown, markdown, normal_lines

KEPT = 256
KEPT_CHARACTERS = 8 * 2**20
"""Of the answers in flight, all together; the one asked for last is kept whatever its length."""


@dataclass(frozen=True)
class Body:
    """A message's content as HTML: finished blocks, what may still change, and the characters that are finished."""

    finished: Markup
    tail: Markup = Markup()
    shown: int = 0


@dataclass
class _Growing:
    """An answer in flight as far as it is rendered; `turn` is held by the one thread that renders more of it."""

    markdown: GrowingMarkdown = field(default_factory=GrowingMarkdown)
    turn: threading.Lock = field(default_factory=threading.Lock)
    size: int = 0


class Renderings:
    """The answers in flight as far as they are rendered. Who asks for one waits for nobody who renders another."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._growing: OrderedDict[str, _Growing] = OrderedDict()

    def body(self, message: Message) -> Body:
        """The whole content. What people wrote is kept as they wrote it; only answers are Markdown."""
        if message.role != "assistant" or message.kind == "memory":
            return Body(Markup('<p class="plain">{}</p>').format(escape(message.content)))
        text = normal_lines(message.content)
        if not message.in_flight:
            with self._guard:
                self._growing.pop(message.id, None)
            return Body(markdown(text), shown=len(text))
        with self._grown(message.id, text) as growing:
            return Body(Markup().join(growing.blocks), growing.tail, growing.shown)

    def since(self, message: Message, position: int) -> Body | None:
        """The blocks of an answer in flight from that character on; None where it is not a block's edge."""
        with self._grown(message.id, normal_lines(message.content)) as growing:
            blocks = growing.since(position)
            return None if blocks is None else Body(Markup().join(blocks), growing.tail, growing.shown)

    @contextmanager
    def _grown(self, message_id: str, text: str) -> Iterator[GrowingMarkdown]:
        """The rendered answer, which nobody changes meanwhile."""
        growing = self._taken(message_id, len(text))
        with growing.turn:
            if not growing.markdown.fits(text):
                growing.markdown = GrowingMarkdown()
            growing.markdown.grow(text)
            yield growing.markdown

    def _taken(self, message_id: str, size: int) -> _Growing:
        """What is kept of this answer; of others as much as has room beside it."""
        with self._guard:
            growing = self._growing.setdefault(message_id, _Growing())
            growing.size = size
            self._growing.move_to_end(message_id)
            total = sum(kept.size for kept in self._growing.values())
            while len(self._growing) > KEPT or (total > KEPT_CHARACTERS and len(self._growing) > 1):
                total -= self._growing.popitem(last=False)[1].size
            return growing
