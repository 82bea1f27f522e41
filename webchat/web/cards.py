"""The parts of an agent's answer as HTML. A tool's card shows only a part of a long text and links the rest."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from markupsafe import Markup

from webchat.chat.message import Message
from webchat.chat.parts import Block, Diff, Permission, Picture, Terminal, Text, ToolCall
from webchat.chat.plain import marked_line, one_line
from webchat.render.diffs import Diffed, diff
from webchat.render.terminal import plain, terminal
from webchat.web.bodies import Body
from webchat.web.context import chat_of, link, owner, session_link
from webchat.web.parts import Item, asked_in, folded, items_of, name_of, runs_of
from webchat.web.templates import render_template

SHOWN, SHOWN_LIVE = 16_000, 2_000
"""Characters of one text that a card shows; fewer while its tool runs, since each update sends them again, unless the
person is asked about it."""
_SIGNATURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}


@dataclass(frozen=True)
class Kind:
    """A tool kind's name, and the SVG path of its icon in a 16 by 16 square."""

    name: str
    icon: str


@dataclass(frozen=True)
class Excerpt:
    """The part of a text that a card shows; `left` characters are left out, `before` it or after it."""

    html: Markup
    left: int = 0
    before: bool = False


@dataclass(frozen=True)
class ShownBlock:
    """One block of a tool's output: a text, a diff with its path, or a picture."""

    excerpt: Excerpt | None = None
    path: str = ""
    diffed: Diffed | None = None
    is_picture: bool = False


def parts_html(message: Message, session_id: str, body: Body | None = None) -> Markup:
    """All parts of an answer. `body` is that of the growing text, if the caller needs exactly that state."""
    return Markup().join(run_html(message, run, group, session_id, body) for run, group in runs_of(items_of(message)))


def run_html(
    message: Message, run: int | None, items: Sequence[Item], session_id: str, body: Body | None = None
) -> Markup:
    """Consecutive items in the element that folds them; a single item without one."""
    html = Markup().join(item_html(message, item, session_id, body if item.grows else None) for item in items)
    if run is None:
        return html
    fold = fold_html(message.id, run, folded(items))
    return Markup('<div class="run" id="run-{}-{}">{}{}</div>').format(message.id, run, fold, html)


def fold_html(message_id: str, run: int, count: int) -> Markup:
    """The line that a run's finished cards fold into; hidden if they are too few."""
    hidden = Markup(" hidden")
    html = Markup('<details class="fold" id="fold-{}-{}"{}><summary>{} steps</summary></details>')
    return html.format(message_id, run, "" if count else hidden, count)


def item_html(message: Message, item: Item, session_id: str, body: Body | None = None) -> Markup:
    """One item's element. `body` is given if the caller needs exactly that state of a text."""
    part = item.part
    context: dict[str, Any] = {
        "message": message,
        "session_id": session_id,
        "item": item,
        "part": part,
        "type": type(part).__name__,
    }
    if isinstance(part, Text):
        context["body"] = body or chat_of().renderings.text(f"{message.id}-{item.number}", part.text, grows=item.grows)
    elif isinstance(part, ToolCall):
        context |= _card_context(message, item, part, session_id)
    return Markup(render_template("webchat/_part.html", **context, **_SHARED))  # noqa: S704


def question_html(message: Message, asked: Permission, session_id: str, element_id: str) -> Markup:
    """A question as a form for a frame, with its tool's input and output; once answered, the choice."""
    item = asked_in(message, asked.id)
    call = item.part if item and isinstance(item.part, ToolCall) else None
    context = {"asked": asked, "session_id": session_id, "element_id": element_id, "framed": True, "part": call}
    context["page_url"] = session_link(session_id)
    if item and call:
        context |= _card_context(message, item, replace(call, title=asked.title), session_id)
    return Markup(render_template("webchat/_question.html", **context, **_SHARED))  # noqa: S704


def _card_context(message: Message, item: Item, call: ToolCall, session_id: str) -> dict[str, Any]:
    where = {"session_id": session_id, "message_id": message.id, "number": item.number}
    is_live = call.is_open and not item.is_asking
    most = SHOWN_LIVE if is_live else SHOWN
    given = call.input.rstrip("\n")
    return {
        "is_live": is_live,
        "title": marked_line(call.title),
        "state": "asking" if item.is_asking else "left" if call.was_left else call.status,
        "took": call.took,
        # The title of a command's call often is the command: then a command of one line is shown only once.
        "given": _excerpt(given, most, plain) if given.strip() != marked_line(call.title) else None,
        "blocks": [_shown(block, most) for block in call.output],
        "input_url": partial(link, "part_input", **where),
        "output_url": lambda place: link("part_output", **where, place=place),
    }


def _shown(block: Block, most: int) -> ShownBlock:
    if isinstance(block, Diff):
        return ShownBlock(path=one_line(block.path), diffed=diff(block.old, block.new))
    if isinstance(block, Picture):
        return ShownBlock(is_picture=picture(block) is not None)
    return ShownBlock(_excerpt(block.text.rstrip("\n"), most, _html, from_end=isinstance(block, Terminal)))


def _excerpt(text: str, most: int, html: Callable[[str], Markup], *, from_end: bool = False) -> Excerpt | None:
    """The beginning or the end of a text; None if there is none."""
    if not text:
        return None
    if len(text) <= most:
        return Excerpt(html(text))
    if not from_end:
        return Excerpt(html(text[:most]), len(text) - most)
    shown = text[-most:]
    shown = shown[shown.find("\n", 0, most // 2) + 1 :]  # starts at the beginning of a line, if possible
    return Excerpt(html(shown), len(text) - len(shown), before=True)


_html = lru_cache(maxsize=256)(terminal)


def picture(block: Picture) -> bytes | None:
    """The picture's bytes; None if they do not match its type."""
    try:
        data = b64decode(block.data, validate=True)
    except (NotBase64, ValueError):
        return None
    known = data.startswith(_SIGNATURES.get(block.media_type, ()))
    return data if known and (block.media_type != "image/webp" or data[8:12] == b"WEBP") else None


_KINDS: dict[str, Kind] = {
    "read": Kind("Read", "M4 2h5l3 3v9H4zM9 2v3h3M6.5 8h3M6.5 11h3"),
    "edit": Kind("Edit", "M3 13l.7-3 7-7L13 5.3l-7 7zM9 4.7 11.3 7"),
    "delete": Kind("Delete", "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9"),
    "move": Kind("Move", "M2.5 8h11M9.5 4l4 4-4 4"),
    "search": Kind("Search", "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.2 10.2 13.5 13.5"),
    "execute": Kind("Run", "M3 4l4 4-4 4M8.5 12h5"),
    "think": Kind("Think", "M8 2a4 4 0 0 0-2 7.5V11h4V9.5A4 4 0 0 0 8 2zM6.5 13.5h3"),
    "fetch": Kind("Fetch", "M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10"),
    "switch_mode": Kind("Change of mode", "M3 5.5h10L10.5 3M13 10.5H3L5.5 13"),
    "other": Kind("Tool", "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 2v3M8 11v3M2 8h3M11 8h3"),
}
_STATES = {
    "asking": "Waiting for you",
    "pending": "Not started",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "left": "Not finished",
}
_SHARED = {"name_of": name_of, "owner": owner, "line": marked_line, "kinds": _KINDS, "states": _STATES}
"""The values that the templates need for every part."""
