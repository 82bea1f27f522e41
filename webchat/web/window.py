"""Selects the messages that a page shows: the latest, or an earlier range and the latest. Knows no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webchat.chat.message import Message

MESSAGES_SHOWN = 20
"""Messages that a session opens with: more than a screen shows, and quick to render."""
EARLIER_SHOWN = 50
"""Messages that are added when somebody scrolls up."""
MOST_SHOWN = 600
"""The most messages on one page, whatever its URL says."""
CONTEXT = 4
"""Messages that are shown above the one that a URL points to."""


@dataclass(frozen=True)
class More:
    """A link to messages that are not shown, with their number.

    `query` and `anchor` are for a page without JavaScript; `fetched` is the query for htmx, which replaces the link by
    the response.
    """

    count: int
    query: dict[str, str | int]
    anchor: str | None
    fetched: dict[str, str]


@dataclass(frozen=True)
class Window:
    """The `messages` to show; a link above them, and one before the message at index `gap`, if some are left out."""

    messages: Sequence[Message]
    earlier: More | None = None
    between: More | None = None
    gap: int = -1


def window(messages: Sequence[Message], show: int = 0, at: str = "") -> Window:
    """The last `show` messages, or those around the one with the id `at`; `MOST_SHOWN` at most."""
    count = len(messages)
    place = next((number for number, message in enumerate(messages) if message.id == at), count) if at else count
    reach = count - place + CONTEXT if place < count else 0
    if reach <= MOST_SHOWN:
        start = max(0, count - min(max(show, reach, MESSAGES_SHOWN), MOST_SHOWN))
        return Window(messages[start:], _earlier(messages, start))
    start = max(0, place - CONTEXT)
    end, last = start + EARLIER_SHOWN, count - MESSAGES_SHOWN
    following = messages[min(end + CONTEXT, last)].id
    fetched = {"before": messages[last].id, "after": messages[end - 1].id}
    between = More(last - end, {"at": following}, f"m-{messages[end].id}", fetched)
    shown = [*messages[start:end], *messages[last:]]
    return Window(shown, _earlier(messages, start, apart=True), between, EARLIER_SHOWN)


def window_before(messages: Sequence[Message], before: str, after: str = "") -> Window:
    """Messages before that one, but after the one with the id `after`; for htmx."""
    places = {message.id: number for number, message in enumerate(messages)}
    end = places.get(before, 0)
    first = places.get(after, -1) + 1
    start = max(first, end - EARLIER_SHOWN)
    shown = messages[start:end]
    if not after:
        return Window(shown, _earlier(messages, start, apart=True))
    if start <= first:
        return Window(shown)
    fetched = {"before": messages[start].id, "after": after}
    return Window(shown, None, More(start - first, {"at": messages[first].id}, None, fetched), 0)


def _earlier(messages: Sequence[Message], start: int, *, apart: bool = False) -> More | None:
    """The link to the messages before index `start`: a longer page or, at the limit, the part that ends there."""
    if start == 0:
        return None
    longer = len(messages) - start + EARLIER_SHOWN
    above = messages[max(0, start - EARLIER_SHOWN + CONTEXT)].id
    fits = longer <= MOST_SHOWN and not apart
    query: dict[str, str | int] = {"show": longer} if fits else {"at": above}
    return More(start, query, None if fits else f"m-{messages[start - 1].id}", {"before": messages[start].id})


@dataclass(frozen=True)
class Shown:
    """The state of a page besides its messages.

    `said` is its notice about the file, if known: that it is damaged, or of a newer format. `queued` is the version of
    the queue on it. `takes_more` is false for a page that was sent by an earlier version of the chat. `is_temporary`:
    it shows a temporary chat.
    """

    said: tuple[bool, bool] | None
    queued: str | None
    takes_more: bool
    is_temporary: bool = False
