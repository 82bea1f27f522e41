"""Messages' contents as HTML. An answer that grows is rendered once for all its readers in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from markupsafe import Markup, escape

from webchat.render import GrowingMarkdown, markdown, normal_lines
from webchat.transcript import Message

KEPT = 256
KEPT_CHARACTERS = 8 * 2**20
"""Of the answers in flight, all together; the one asked for last is kept whatever its length."""


@dataclass(frozen=True)
class Body:
    """A message's content as HTML: finished blocks, what may still change, and the characters that are finished."""

    finished: Markup
    tail: Markup = Markup()
    shown: int = 0


class Renderings:
    """The answers in flight as far as they are rendered."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._growing: OrderedDict[str, GrowingMarkdown] = OrderedDict()

    def body(self, message: Message) -> Body:
        """The whole content. What people wrote is kept as they wrote it; only answers are Markdown."""
        if message.role != "assistant" or message.kind == "memory":
            return Body(Markup('<p class="plain">{}</p>').format(escape(message.content)))
        text = normal_lines(message.content)
        if not message.in_flight:
            with self._guard:
                self._growing.pop(message.id, None)
            return Body(markdown(text), shown=len(text))
        with self._guard:
            growing = self._grown(message.id, text)
            return Body(Markup().join(growing.blocks), growing.tail, growing.shown)

    def since(self, message: Message, position: int) -> Body | None:
        """The blocks of an answer in flight from that character on; None where it is not a block's edge."""
        with self._guard:
            growing = self._grown(message.id, normal_lines(message.content))
            blocks = growing.since(position)
            return None if blocks is None else Body(Markup().join(blocks), growing.tail, growing.shown)

    def _grown(self, message_id: str, text: str) -> GrowingMarkdown:
        growing = self._growing.get(message_id)
        if growing is None or not growing.fits(text):
            growing = self._growing[message_id] = GrowingMarkdown()
        self._growing.move_to_end(message_id)
        growing.grow(text)
        size = sum(len(kept.text or "") for kept in self._growing.values())
        while len(self._growing) > KEPT or (size > KEPT_CHARACTERS and len(self._growing) > 1):
            size -= len(self._growing.popitem(last=False)[1].text or "")
        return growing
