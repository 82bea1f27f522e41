"""Code blocks that contain others with the same fences, as when a model writes a document into one."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, fence

_MARK = re.compile(r"(`{3,}+|~{3,}+)([^`]*+)$")
_LANGUAGE = re.compile(r"[\w+#.-]+$")
_DOCUMENT = re.compile(r"(?:markdown|mdx?|te?xt|plaintext)\b|\S*\.(?:md|mdx|txt)\b", re.IGNORECASE)
"""The languages of documents, whose own code blocks may have no language."""


def nest_fences(parser: MarkdownIt) -> None:
    """Make a code block end at its own closing fence, not at that of a block inside it.

    A fence with a language opens an inner block, which the next bare fence closes. In a document so does a bare fence
    that is indented deeper than the document's, or stands between an empty line, or one with a colon at its end, and
    the first line of code: models write an empty line after a block, not before its end. If another fence contradicts
    that, or none is left for the outer block, it ends at the first such fence, as in CommonMark; while the text still
    grows (`env["open"]`), it stays open.
    """
    parser.block.ruler.at("fence", _fence, {"alt": ["paragraph", "reference", "blockquote", "list"]})


def _fence(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    opening = None if silent or state.is_code_block(first) else _mark(state, first)
    last = _Nested(state, first, end, opening).closing() if opening else None
    if opening and last is None:
        last = _outside(state, first, end, opening[0])
    if opening is None or last is None:
        return fence(state, first, end, silent)
    token = state.push("fence", "code", 0)
    token.markup, token.info = opening
    token.content = state.getLines(first + 1, last, state.sCount[first], True)
    state.line = min(last + 1, end)
    token.map = [first, state.line]
    return True


class _Nested:
    """Looks for the line that closes a block that contains others."""

    def __init__(self, state: StateBlock, first: int, end: int, opening: tuple[str, str]) -> None:
        self._state, self._first, self._end = state, first, end
        self._markup, self._is_document = opening[0], _DOCUMENT.match(opening[1]) is not None
        self._how = (self._markup, self._is_document, state.sCount[first], state.blkIndent, end)
        """What the meaning of all lines that follow depends on."""
        self._inner = ""
        """What opened the inner block that is open: "language" or "bare"."""
        self._nests = False

    def closing(self) -> int | None:
        """That line; None if the block contains no other, or no closing line is left."""
        failed = self._failed()
        passed, doubtful = list[tuple[int, str, object]](), None
        for line in range(self._first + 1, self._end):
            kind = self._kind(line)
            if not kind:
                continue
            if kind == "closing" and not self._inner:
                return line if self._nests else None
            if kind != "closing" and (self._inner or kind == "outside"):
                break  # a fence is missing, and it is unknown which
            self._inner, self._nests = "" if kind == "closing" else kind, True
            passed.append((line, self._inner, self._how))
            if passed[-1] in failed:
                doubtful = failed[passed[-1]]
                break
        else:
            if self._nests and self._state.env.get("open"):
                return self._end
        for place in reversed(passed):
            failed[place] = doubtful
            doubtful = place[0] if place[1] == "bare" else doubtful
        return doubtful

    def _failed(self) -> dict[tuple[int, str, object], int | None]:
        """The places in this text from which no closing line was found, and the first bare fence behind each that was
        taken to open a block, so may close the outer one. Without them, looking takes quadratic time."""
        source, failed = self._state.env.get("fences", ("", {}))
        if source is not self._state.src:
            failed = {}
            self._state.env["fences"] = self._state.src, failed
        return failed  # type: ignore[no-any-return]

    def _kind(self, line: int) -> str:
        """What the line is: "closing", what opens an inner block, "outside" of the list around it, or "" for text."""
        if self._is_outside(line):
            return "outside"
        mark = None if self._state.is_code_block(line) else _mark(self._state, line)
        if mark is None or not mark[0].startswith(self._markup):
            return ""
        if mark[1]:
            return "language" if _LANGUAGE.match(mark[1]) else ""
        is_deeper = self._state.sCount[line] > self._state.sCount[self._first] and not self._inner
        if self._inner == "language" or not self._is_document or not (is_deeper or self._is_before_code(line)):
            return "closing"
        return "bare"

    def _is_outside(self, line: int) -> bool:
        return self._state.sCount[line] < self._state.blkIndent and not self._state.isEmpty(line)

    def _is_before_code(self, line: int) -> bool:
        """Whether the line stands right before text, and behind an empty line or one that ends with a colon."""
        before, behind = line - 1, line + 1
        if before == self._first or behind == self._end or self._state.isEmpty(behind) or self._is_outside(behind):
            return False
        text = _text(self._state, before).rstrip(" \t*_")
        return (not text or text.endswith((":", "："))) and not _text(self._state, behind).startswith(self._markup)


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _outside(state: StateBlock, first: int, end: int, markup: str) -> int | None:
    """The line that closes a block in a list whose code, and perhaps the end, is not indented as its beginning is.

    None if its code is indented, which is what ends the block in CommonMark, or a fence is missing.
    """
    is_outside = False
    for line in range(first + 1, end):
        mark = _mark(state, line)
        if mark and mark[0].startswith(markup):
            return line if is_outside and not mark[1] else None
        is_outside = is_outside or (0 <= state.sCount[line] < state.blkIndent and not state.isEmpty(line))
    return end if is_outside and state.env.get("open") else None


def _mark(state: StateBlock, line: int) -> tuple[str, str] | None:
    """The fence on a line, and the text after it."""
    begin = state.bMarks[line] + state.tShift[line]
    if state.src[begin : begin + 1] not in ("`", "~"):
        return None
    mark = _MARK.match(state.src, begin, state.eMarks[line])
    return (mark[1], mark[2].strip(" \t")) if mark else None
