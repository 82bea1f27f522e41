"""An answer that is being written, as one page shows it, and the swaps that update the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.parts import Reasoning, Text
from webchat.web import pieces
from webchat.web.bodies import Body, Renderings
from webchat.web.cards import fold_html, item_html, run_html
from webchat.web.htmx import partial
from webchat.web.parts import Item, folded, items_of, runs_of


class GrowingText:
    """A text in Markdown: finished blocks stay untouched, and its end is sent again with each update."""

    def __init__(self, renderings: Renderings, key: str) -> None:
        """`key` ends the ids of its elements."""
        self._renderings, self._key = renderings, key
        self._shown = 0
        """Characters of it that are on the page for good."""
        self.tail: str = ""

    def whole(self, text: str) -> Body:
        """The whole text, as the base of further updates."""
        body = self._renderings.text(self._key, text, grows=True)
        self._shown, self.tail = body.shown, body.tail
        return body

    def more(self, text: str) -> Markup | None:
        """The changes; None if the page's text is not the beginning of this one."""
        body = self._renderings.since(self._key, text, self._shown)
        if body is None:
            return None
        new = Markup()
        if body.finished:
            new += partial(f"done-{self._key}", "beforeend", body.finished)
        if body.finished or body.tail != self.tail:
            new += partial(f"tail-{self._key}", "innerHTML", body.tail)
        self._shown, self.tail = body.shown, body.tail
        return new


class GrowingArticle:
    """The article of the answer that a page showed last."""

    def __init__(self, renderings: Renderings, session_id: str) -> None:
        self._renderings, self._session_id = renderings, session_id
        self.sent: Message | None = None
        """The message as the page has it."""
        self.cost = 0
        """Characters that the last update sent again."""
        self._text = GrowingText(renderings, "")
        self._items: Sequence[Item] = ()
        self._folds: dict[int, int] = {}
        self._status: str = ""

    def whole(self, message: Message, conversation: Conversation) -> Markup:
        """The whole article, as the base of further updates."""
        self.sent, self._status, self.cost = message, "", 0
        self._items = items_of(message)
        self._folds = {run: folded(group) for run, group in runs_of(self._items) if run is not None}
        body = None
        if self._items:
            body = self._begun(message, self._items[-1])
        elif message.in_flight:
            self._text = GrowingText(self._renderings, message.id)
            body = self._text.whole(message.content)
        return pieces.article_partial(message, conversation, self._session_id, body)

    def more(self, message: Message, conversation: Conversation) -> Markup:
        """The changes; the whole article if its layout has changed."""
        sent = self.sent
        if sent is None or sent.id != message.id or not message.in_flight or _shape(sent) != _shape(message):
            return self.whole(message, conversation)
        if not message.content.startswith(sent.content):  # it has turned out to be reasoning
            return self.whole(message, conversation)
        self.cost = 0
        changed = [*(self._new_parts(message) if message.parts else self._new_text(sent, message))]
        if None in changed:
            return self.whole(message, conversation)
        self.sent = message
        status = pieces.status_html(conversation.status)
        if status != self._status:
            self._status = status
            changed.append(partial(f"status-{message.id}", "innerHTML", status))
        return Markup().join(html for html in changed if html)

    def _new_text(self, sent: Message, message: Message) -> Iterator[Markup | None]:
        yield self._text.more(message.content)
        self.cost = len(self._text.tail)
        if len(message.reasoning) > len(sent.reasoning):
            new = escape(message.reasoning[len(sent.reasoning) :])
            yield partial(f"reasoning-{message.id}", "beforeend", new)

    def _new_parts(self, message: Message) -> Iterator[Markup | None]:
        """The changed, new and newly folded items; None if an item has moved."""
        before, self._items = self._items, items_of(message)
        pairs = [*zip(before, self._items, strict=False)]
        if len(before) > len(self._items) or any(_place(old) != _place(new) for old, new in pairs):
            yield None
            return
        for old, new in pairs:
            if old != new:
                yield self._changed(message, old, new)
        for run, group in runs_of(self._items[len(before) :]):
            yield self._come(message, run, group)
        for run, group in runs_of(self._items):
            if run is not None and self._folds.setdefault(run, count := folded(group)) != count:
                self._folds[run] = count
                yield partial(f"fold-{message.id}-{run}", "outerMorph", fold_html(message.id, run, count))

    def _changed(self, message: Message, old: Item, new: Item) -> Markup:
        before, now = old.part, new.part
        goes_on = old.grows and new.grows
        if goes_on and isinstance(before, Text) and isinstance(now, Text):
            more = self._text.more(now.text)
            if more is not None:
                self.cost += len(self._text.tail)
                return more
        if goes_on and isinstance(before, Reasoning) and isinstance(now, Reasoning):
            target = f"reasoning-{message.id}-{new.number}"
            return partial(target, "beforeend", escape(now.text[len(before.text) :]))
        html = item_html(message, new, self._session_id, self._begun(message, new))
        self.cost += len(html)
        return partial(f"p-{message.id}-{new.number}", "outerMorph", html)

    def _come(self, message: Message, run: int | None, items: Sequence[Item]) -> Markup:
        """Items behind those that the page has."""
        body = self._begun(message, items[-1])
        if run in self._folds:
            html = Markup().join(item_html(message, item, self._session_id) for item in items)
            return partial(f"run-{message.id}-{run}", "beforeend", html)
        return partial(f"parts-{message.id}", "beforeend", run_html(message, run, items, self._session_id, body))

    def _begun(self, message: Message, item: Item) -> Body | None:
        """The text that a growing one continues; None for anything else."""
        if not item.grows or not isinstance(item.part, Text):
            return None
        self._text = GrowingText(self._renderings, f"{message.id}-{item.number}")
        return self._text.whole(item.part.text)


def _shape(message: Message) -> object:
    """Determines an article's layout; while it is the same, only its content is updated."""
    beside = () if message.parts else (message.notes, bool(message.reasoning))
    return message.status, bool(message.parts), beside


def _place(item: Item) -> object:
    return item.number, item.run, type(item.part)
