"""Collapsible text: `<details>` with its `<summary>`, and Markdown in both."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST = 500
"""The most characters of a summary."""
_ATTRIBUTES = r"(?:\s[^<>]{0,200})?"
_OPENING = re.compile(rf"<details{_ATTRIBUTES}>", re.IGNORECASE)
_CLOSING = re.compile(r"</details>[ \t]*$", re.IGNORECASE)
_SUMMARY = re.compile(rf"\s*+<summary{_ATTRIBUTES}>\s*+", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:summary|details){_ATTRIBUTES}>", re.IGNORECASE)
_BLOCK = re.compile(rf"</?(?:p|div|center|h[1-6]){_ATTRIBUTES}>", re.IGNORECASE)
"""Tags that models put around text in the element, though it is made of blocks anyway."""
_ALONE = re.compile(rf"(?:</?(?:p|div|center){_ATTRIBUTES}>[ \t]*)++$", re.IGNORECASE)
_PARAGRAPH = re.compile(
    rf"(?:<(?:p|div|center){_ATTRIBUTES}>[ \t]*)++((?:(?!</(?:p|div|center)>).)*+)(?:</(?:p|div|center)>[ \t]*)++",
    re.IGNORECASE,
)
_AROUND = re.compile(rf"(?:{_PARAGRAPH.pattern})++$", re.IGNORECASE)
_MARGIN = re.compile(r"^[ \t>]+", re.MULTILINE)
_FENCE = re.compile(r"`{3,}|~{3,}")


def fold_details(parser: MarkdownIt) -> None:
    """Make the parser accept `<details>` at the beginning of a line; without a closing tag it extends to the end."""
    alt = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("html_block", "details", _details, {"alt": alt})
    parser.block.ruler.before("html_block", "wrapped", _wrapped, {"alt": ["paragraph", "reference"]})


def show_details(parser: MarkdownIt) -> None:
    """Render it: open while it is being written, collapsed afterwards."""
    parser.add_render_rule("details_open", _open)


def _details(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    begin = state.bMarks[first] + state.tShift[first]
    opening = None if state.is_code_block(first) else _OPENING.match(state.src, begin, state.eMarks[first])
    if opening is None or silent:
        return opening is not None
    last, stop = _last_line(state, first, opening.end(), end)
    begin = _next_text(state, first, opening.end(), last)
    summary, behind = _summary(state.src, begin, state.eMarks[last - 1] if last else begin)
    opened = state.push("details_open", "details", 1)
    opened.block = True
    _push_text(state, "summary", "summary", summary or "Details")
    _push_body(state, first, opening.end() if summary is None else behind, last, stop)
    state.push("details_close", "details", -1).block = True
    state.line = last
    opened.map = [first, last]
    return True


def _last_line(state: StateBlock, first: int, begin: int, end: int) -> tuple[int, int | None]:
    """The line after the element, and where its closing tag begins; None if there is no closing tag."""
    depth, fence = 1, ""
    for line in range(first, end):
        start = state.bMarks[line] + state.tShift[line] if line > first else begin
        if line > first and state.sCount[line] < state.blkIndent and not state.isEmpty(line):
            return line, None
        mark = _FENCE.match(state.src, start, state.eMarks[line])
        if mark and not (fence and not mark[0].startswith(fence)):
            fence = "" if fence else mark[0]
        if fence:
            continue
        depth += bool(_OPENING.match(state.src, start, state.eMarks[line])) if line > first else 0
        closing = _CLOSING.search(state.src, start, state.eMarks[line])
        depth -= closing is not None
        if closing and depth == 0:
            return line + 1, closing.start()
    return end, None


def _next_text(state: StateBlock, first: int, begin: int, last: int) -> int:
    """Where the text after the opening tag begins: a quotation has its marks between."""
    if state.src[begin : state.eMarks[first]].strip():
        return begin
    line = next((line for line in range(first + 1, last) if not state.isEmpty(line)), None)
    return begin if line is None else state.bMarks[line] + state.tShift[line]


def _summary(source: str, begin: int, end: int) -> tuple[str | None, int]:
    """The summary that begins there, and where it ends; without one, None and where it would have begun."""
    opening = _SUMMARY.match(source, begin, end)
    if opening is None:
        return None, begin
    closing = _TAG.search(source, opening.end(), min(end, opening.end() + 2 * LONGEST))
    text = _MARGIN.sub("", _BLOCK.sub("", source[opening.end() : closing.start()])).strip() if closing else ""
    if closing is None or not closing[0].lower().startswith("</s") or len(text) > LONGEST:
        return None, begin
    return text, closing.end()


def _push_text(state: StateBlock, kind: str, tag: str, text: str) -> None:
    state.push(f"{kind}_open", tag, 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.children = text, []
    state.push(f"{kind}_close", tag, -1)


def _push_body(state: StateBlock, first: int, begin: int, last: int, stop: int | None) -> None:
    """Parse the content between the summary and the closing tag as blocks. It may share lines with either."""
    line = next((line for line in range(first, last) if begin <= state.eMarks[line]), last)
    kept = [
        (marks, at, marks[at]) for marks in (state.bMarks, state.tShift, state.sCount) for at in [line] if at < last
    ]
    kept.append((state.eMarks, last - 1, state.eMarks[last - 1]))
    if line < last:
        state.bMarks[line], state.tShift[line], state.sCount[line] = begin, 0, state.blkIndent
    if stop is not None:
        state.eMarks[last - 1] = max(stop, state.bMarks[last - 1])
    parent, state.parentType = state.parentType, "details"
    most, state.lineMax = state.lineMax, last
    level, state.env["folded"] = state.env.get("folded"), state.level
    state.md.block.tokenize(state, line, last)
    state.env["folded"] = level
    state.parentType, state.lineMax = parent, most
    for marks, at, value in kept:
        marks[at] = value


def _wrapped(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """A line of the element without the tags of a paragraph that are alone on it or around its texts."""
    if state.env.get("folded") != state.level or state.is_code_block(first):
        return False
    begin = state.bMarks[first] + state.tShift[first]
    around = _AROUND.match(state.src, begin, state.eMarks[first])
    if not around and not _ALONE.match(state.src, begin, state.eMarks[first]):
        return False
    if not silent:
        state.line = first + 1
        for paragraph in _PARAGRAPH.finditer(state.src, begin, state.eMarks[first]) if around else ():
            if text := paragraph[1].strip():
                _push_text(state, "paragraph", "p", text)
                state.tokens[-3].map = state.tokens[-2].map = [first, state.line]
    return True


def _open(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return "<details open>" if env.get("open") else "<details>"
