"""A growing answer as one page shows it, and the updates that the page needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.parts import Reasoning, Text
from webchat.render.growth import Growth, growth
from webchat.web import pieces
from webchat.web.bodies import KEPT_BODY, Body, Renderings
from webchat.web.cards import fold_html, item_html, run_html
from webchat.web.htmx import partial
from webchat.web.parts import Item, folded, items_of, runs_of

UPDATE_INTERVALS = {0: 0.12, 1_600: 0.19, 3_000: 0.39}
"""Seconds between two updates of a growing answer from so many characters on: most of a long one nobody has read yet.
Nearly all of an update's cost in a browser, 5 ms or more, is painting the frame.

A long answer is written every 0.2 s or a little more. The intervals end just before a write, and the update that
follows it is sent without delay.
"""
BYTES_PER_SECOND = 40_000
"""Bytes of a growing answer that may be rendered again per second: a tool's long output, or a long list, is sent less
often."""


@dataclass(frozen=True)
class Grown:
    """An addition to an element's content, for the page's script: htmx would have to replace the whole element."""

    target: str
    growth: Growth

    def __str__(self) -> str:
        """The data of an event."""
        growth = self.growth
        sent = [self.target, growth.path, growth.elements, growth.letters, *growth.added]
        return json.dumps(sent, ensure_ascii=False, separators=(",", ":"))


Update = Markup | Grown
"""The content of an event of the page's stream: swaps for htmx, or an addition."""


class GrowingText:
    """A growing Markdown text, of which only additions are sent."""

    def __init__(self, renderings: Renderings, key: str) -> None:
        """`key` ends the id of its element."""
        self._renderings, self._key = renderings, key
        self._blocks: list[Markup] = []
        self._shown = 0
        """Characters in blocks that are final on the page."""
        self._tail = Markup()
        self.again = 0
        """Characters at its end that the last update rendered again."""

    def whole(self, text: str) -> Body:
        """The whole text, as the base of further updates."""
        body = self._renderings.text(self._key, text, grows=True)
        self._blocks, self._shown, self._tail = [body.finished], body.shown, body.tail
        return body

    def more(self, text: str) -> Iterator[Grown | None]:
        """The changes; None if the page's text is not the beginning of this one."""
        body = self._renderings.since(self._key, text, self._shown)
        if body is None:
            yield None
            return
        yield from self._grown(self._tail, body.finished + body.tail)
        self._blocks.append(body.finished)
        self.again = body.again
        self._shown, self._tail = body.shown, body.tail

    def end(self, text: str) -> Iterator[Grown]:
        """The update that completes the text on the page."""
        body = self._renderings.text(self._key, text, grows=False)
        yield from self._grown(Markup().join([*self._blocks, self._tail]), body.finished)

    def _grown(self, before: Markup, after: Markup) -> Iterator[Grown]:
        found = growth(before, after)
        if found:
            yield Grown(f"text-{self._key}", found)


class GrowingArticle:
    """The article of the last answer on a page."""

    def __init__(self, renderings: Renderings, session_id: str, *, takes_more: bool = True) -> None:
        """Without `takes_more` the page supports only swaps, and each update is the whole article."""
        self._renderings, self._session_id, self._takes_more = renderings, session_id, takes_more
        self.sent: Message | None = None
        """The message as the page has it."""
        self._cost = 0
        """Characters that the last update rendered again."""
        self._text = GrowingText(renderings, "")
        self._items: Sequence[Item] = ()
        self._folds: dict[int, int] = {}
        self._status: str = ""

    @property
    def interval(self) -> float:
        """Seconds until the next update. An answer's first text and its end are sent without delay."""
        sent = self.sent
        if sent is None or not sent.in_flight or not (sent.content or sent.reasoning or sent.parts):
            return 0.0
        length = len(sent.content) + len(sent.reasoning)
        interval = next(seconds for start, seconds in reversed(UPDATE_INTERVALS.items()) if length >= start)
        return max(interval, self._cost / BYTES_PER_SECOND)

    def whole(self, message: Message, conversation: Conversation) -> Markup:
        """The whole article, as the base of further updates."""
        self.sent, self._status, self._cost = message, "", 0
        self._items = items_of(message)
        self._folds = {run: folded(group) for run, group in runs_of(self._items) if run is not None}
        body = None
        if self._items:
            body = self._begun(message, self._items[-1])
        elif message.in_flight:
            self._text = GrowingText(self._renderings, message.id)
            body = self._text.whole(message.content)
        return pieces.article_partial(message, conversation, self._session_id, body)

    def more(self, message: Message, conversation: Conversation) -> Sequence[Update]:
        """The changes; the whole article if they are more than additions to what the page has."""
        sent = self.sent
        if sent is None or not (self._takes_more and _continues(sent, message)):
            return [self.whole(message, conversation)]
        self._cost = 0
        changed = [*(self._new_parts(message) if message.parts else self._new_text(sent, message))]
        if None in changed:
            return [self.whole(message, conversation)]
        return [*(update for update in changed if update), *self._around(sent, message, conversation)]

    def _around(self, sent: Message, message: Message, conversation: Conversation) -> Iterator[Markup]:
        """The changes in the article outside its content."""
        self.sent = message
        status = pieces.status_html(conversation.status)
        if _frame(sent) != _frame(message):
            yield pieces.article_partial(message, conversation, self._session_id, KEPT_BODY)
        elif status != self._status:
            yield partial(f"status-{message.id}", "innerHTML", status)
        self._status = status

    def _new_text(self, sent: Message, message: Message) -> Iterator[Update | None]:
        yield from self._text.more(message.content) if message.in_flight else self._text.end(message.content)
        self._cost += self._text.again
        if sent.reasoning:
            yield from _appended(f"reasoning-{message.id}", sent.reasoning, message.reasoning)

    def _new_parts(self, message: Message) -> Iterator[Update | None]:
        """The changed, new and newly folded items; None if an item has moved."""
        before, self._items = self._items, items_of(message)
        pairs = [*zip(before, self._items, strict=False)]
        if len(before) > len(self._items) or any(_place(old) != _place(new) for old, new in pairs):
            yield None
            return
        for old, new in pairs:
            if old != new:
                yield from self._changed(message, old, new)
        for run, group in runs_of(self._items[len(before) :]):
            yield self._come(message, run, group)
        for run, group in runs_of(self._items):
            if run is not None and self._folds.setdefault(run, count := folded(group)) != count:
                self._folds[run] = count
                yield partial(f"fold-{message.id}-{run}", "outerMorph", fold_html(message.id, run, count))

    def _changed(self, message: Message, old: Item, new: Item) -> Iterator[Update | None]:
        before, now = old.part, new.part
        if old.grows and isinstance(before, Text) and isinstance(now, Text):
            yield from self._text.more(now.text) if new.grows else self._text.end(now.text)
            self._cost += self._text.again
        elif old.grows and new.grows and isinstance(before, Reasoning) and isinstance(now, Reasoning):
            yield from _appended(f"reasoning-{message.id}-{new.number}", before.text, now.text)
        else:
            html = item_html(message, new, self._session_id, self._begun(message, new))
            self._cost += len(html)
            yield partial(f"p-{message.id}-{new.number}", "outerMorph", html)

    def _come(self, message: Message, run: int | None, items: Sequence[Item]) -> Markup:
        """Items after those that the page has."""
        body = self._begun(message, items[-1])
        if run in self._folds:
            html = Markup().join(item_html(message, item, self._session_id) for item in items)
            return partial(f"run-{message.id}-{run}", "beforeend", html)
        return partial(f"parts-{message.id}", "beforeend", run_html(message, run, items, self._session_id, body))

    def _begun(self, message: Message, item: Item) -> Body | None:
        """The page's text if this item continues it; else None."""
        if not item.grows or not isinstance(item.part, Text):
            return None
        self._text = GrowingText(self._renderings, f"{message.id}-{item.number}")
        return self._text.whole(item.part.text)


def _continues(sent: Message, message: Message) -> bool:
    """Whether the message adds to what was sent, in the same elements."""
    is_same = sent.id == message.id and sent.in_flight and bool(sent.parts) == bool(message.parts)
    # Text that has turned out to be reasoning is no longer content.
    return is_same and message.content.startswith(sent.content) and message.reasoning.startswith(sent.reasoning)


def _frame(message: Message) -> object:
    """A key for everything in an article except its content: while it is the same, only the content is updated."""
    beside = () if message.parts else (message.notes, bool(message.reasoning))
    return message.status, beside


def _appended(target: str, before: str, now: str) -> Iterator[Grown]:
    """Plain text to append."""
    if len(now) > len(before):
        yield Grown(target, Growth((), 0, 0, (str(escape(now[len(before) :])),)))


def _place(item: Item) -> object:
    return item.number, item.run, type(item.part)
