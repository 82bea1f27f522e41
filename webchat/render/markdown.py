"""Markdown to safe HTML, block by block, so that an answer that still grows is rendered once. Knows no message."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from webchat.render.definitions import used_labels
from webchat.render.dialect import outline, parser
from webchat.render.open_block import OpenBlock, open_block
from webchat.render.rendered import Rendered
from webchat.render.safe import safe

KEPT_CHARACTERS = 16 * 2**20
"""Of the texts rendered last and their HTML, together."""
TASKS_AT_MOST = 500
"""Check boxes in one list; where there are more they stay text, since finding them takes the square of their number."""
Env = MutableMapping[str, Any]

_ENDED_BY_AN_EMPTY_LINE = ("paragraph_open", "heading_open", "hr", "table_open", "blockquote_open", "fence")

_TASK = re.compile(r"\[[ xX]\]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WITH_SIDES = ("bullet_list_open", "ordered_list_open", "blockquote_open", "table_open")
_LINES = ("paragraph_open", "heading_open")


class GrowingMarkdown:
    """Renders a growing text. A block is finished when a later one has begun; it does not change again.

    Only at the very end it does if it refers to something, a link's address or a footnote, that is defined behind it.
    `blocks` are the finished ones' HTML, `starts` where in the text each begins, `shown` where the first unfinished
    one begins, all in characters; `tail` is the HTML of what is unfinished. Line ends must be "\\n".
    `text` is the whole of it so far, `again` the characters at its end that are rendered with each update.
    """

    def __init__(self) -> None:
        self.blocks: list[Markup] = []
        self.starts: list[int] = []
        self.shown = 0
        self.tail = Markup()
        self.again = 0
        self._env = _env()
        self._known: list[int] = []
        """How many definitions were known when each block was rendered."""
        self.text: str | None = None
        self._open: OpenBlock | None = None
        self._divided = 0
        """The end of the last whole line up to which blocks have been looked for."""

    def grow(self, text: str, *, final: bool = False) -> None:
        """Render the whole text so far; with `final` nothing will follow and all blocks are finished."""
        if text == self.text and not final:
            return
        self.text = text
        if not final and self._goes_on(text[self.shown :]):
            return
        # An incomplete line may turn out to be something else; only whole lines finish a block.
        whole = len(text) if final else text.rfind("\n") + 1
        env = _env() if final else {**_env(), "open": True}
        bounds = []
        if final or whole > self._divided:
            bounds, self._divided = [self.shown + bound for bound in _bounds(text[self.shown : whole], env)], whole
        if final:
            self._env = _env(self._env, env)
            self._render_again(text)
        for start, end in pairwise(sorted({*bounds, len(text)}) if final else bounds):
            self.blocks.append(_html(text[start:end], self._env))
            self.starts.append(start)
            self._known.append(_count(self._env))
            self.shown = end
        if final:
            self._show_unused(text)
        rest = text[self.shown :]
        self._open = open_block(rest, self.unfinished)
        if not self._goes_on(rest):
            self.tail = self.unfinished(rest)

    def _goes_on(self, rest: str) -> bool:
        """Whether what is unfinished is still the code block or table that it was."""
        tail = self._open.more(rest) if self._open else None
        self.tail = self.tail if tail is None else tail
        self.again = len(rest) if tail is None else 0
        return tail is not None

    def unfinished(self, text: str) -> Markup:
        """A text behind the finished blocks, rendered as a whole."""
        return _html(text, {**_env(self._env), "open": True})

    def _render_again(self, text: str) -> None:
        """Render the finished blocks that may refer to what was defined behind them."""
        ends = [*self.starts[1:], self.shown]
        for number, (start, end) in enumerate(zip(self.starts, ends, strict=False)):
            if self._known[number] < _count(self._env) and "]" in text[start:end]:
                self.blocks[number] = _html(text[start:end], self._env)

    def _show_unused(self, text: str) -> None:
        """Render again the blocks with definitions that nothing refers to, now as text."""
        unused = self._env["references"].keys() - self._env["used"]
        if not unused and not self._env["hides"]:
            return
        env = {**_env(self._env), "unused": unused}
        for number, (start, end) in enumerate(zip(self.starts, [*self.starts[1:], self.shown], strict=True)):
            if "]:" in text[start:end]:
                self.blocks[number] = _html(text[start:end], env)

    def fits(self, text: str) -> bool:
        """Whether that text begins with this one's finished blocks: message ids are unique only within a session."""
        return self.text is None or text.startswith(self.text[: self.shown])

    def since(self, position: int) -> Sequence[Markup] | None:
        """The finished blocks from that character on; None if no block begins or ends there."""
        if position == self.shown:
            return []
        try:
            return self.blocks[self.starts.index(position) :]
        except ValueError:
            return None


def markdown(text: str, begun: GrowingMarkdown | None = None) -> Markup:
    """A whole text as safe HTML, the same as `GrowingMarkdown`'s result. Cached.

    `begun` is the text as it has grown so far, which no other thread uses: what is finished is not rendered again.
    """
    if begun is None or not begun.fits(text):
        return _kept.get(text)
    return _kept.get(text, lambda text: _ended(begun, text))


def _rendered(text: str) -> Markup:
    return _ended(GrowingMarkdown(), text)


def _ended(growing: GrowingMarkdown, text: str) -> Markup:
    growing.grow(text, final=True)
    return Markup("").join(growing.blocks)


_kept = Rendered(_rendered, KEPT_CHARACTERS)


def _env(*known: Env) -> Env:
    """What the parser collects: definitions of addresses, of each label the first, those in use, and footnotes."""
    references: Env = {}
    notes: Env = {}
    used: set[str] = set()
    hides = False
    for one in reversed(known):
        references |= one["references"]
        notes |= one["footnotes"]["refs"]
        used |= one["used"]
        hides |= one["hides"]
    return {"references": references, "used": used, "hides": hides, "footnotes": {"refs": notes, "list": {}}}


def _count(env: Env) -> int:
    return len(env["references"]) + len(env["footnotes"]["refs"])


def _bounds(text: str, env: Env) -> list[int]:
    """Where the top-level blocks begin or have ended, in characters; the first is 0, [] if there is no text.

    Whatever comes behind the text moves none of them, so an answer that grows is cut where a whole one is.
    """
    if not text.strip(" \t\n"):  # Markdown's own blanks
        return []
    blocks = [token for token in outline().parse(text, env) if token.level == 0 and token.nesting >= 0]
    lines = [(block.type, block.map[0], block.map[1]) for block in blocks if block.map]
    offsets = list(_line_offsets(text))
    ends = [_end(kind, offsets[end], text) if end < len(offsets) else 0 for kind, _, end in lines]
    starts = [offsets[start] for _, start, _ in lines[1:]]
    return [0, *(end or start for end, start in zip(ends, [*starts, 0], strict=False) if end or start)]


def _end(kind: str, offset: int, text: str) -> int:
    """The end of a block that an empty line ends; 0 if the block may continue after one, as lists do."""
    return offset + 1 if kind in _ENDED_BY_AN_EMPTY_LINE and text.startswith("\n", offset) else 0


def _line_offsets(text: str) -> Iterator[int]:
    offset = 0
    for line in text.split("\n"):
        yield offset
        offset += len(line) + 1


def _html(text: str, env: Env) -> Markup:
    made = parser(tasks=0 < len(_TASK.findall(text)) <= TASKS_AT_MOST)
    tokens = made.parse(text, env)
    if env["references"]:
        env["used"].update(used_labels(tokens))
    if _RIGHT_TO_LEFT.search(text):
        # The browser finds a line's direction itself; the side of a block and of its marks must be set.
        for token in tokens:
            # Not lines within these: a block that looks for its direction passes over what has one of its own.
            if token.type in _WITH_SIDES or (token.type in _LINES and token.level == 0):
                token.attrSet("dir", "auto")
    return safe(made.renderer.render(tokens, made.options, env))
