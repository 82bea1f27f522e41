"""Code blocks that contain others with the same fences, as when a model writes a document into one."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, fence

_MARK = re.compile(r"(`{3,}+(?=[^`]*+$)|~{3,}+)(.*)$")
_LANGUAGE = re.compile(r"[\w+#.-]+$")
_DOCUMENT = re.compile(r"(?:markdown|mdx?)\b|\S*\.mdx?\b", re.IGNORECASE)
"""The languages of documents, whose own code blocks may have no language. Plain text is often a program's output."""
_PLAIN = MarkdownIt("commonmark")


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
    last = _Nesting(state, first, end, opening).closing() if opening else None
    if opening and last is None:
        last = _closing_unindented(state, first, end, opening[0])
    if opening is None or last is None:
        return fence(state, first, end, silent)
    token = state.push("fence", "code", 0)
    token.markup, token.info = opening
    token.content = state.getLines(first + 1, last, state.sCount[first], True)
    state.line = min(last + 1, end)
    token.map = [first, state.line]
    return True


class _Nesting:
    """Follows the fences in a block that may contain others, up to the line that closes it."""

    def __init__(self, state: StateBlock, first: int, end: int, opening: tuple[str, str]) -> None:
        self._state, self._first, self._end = state, first, end
        self._markup, self._is_document = opening[0], _DOCUMENT.match(opening[1]) is not None
        self._how = (self._markup, self._is_document, state.sCount[first], state.blkIndent, end)
        """What the meaning of all lines that follow depends on."""
        self.inner = ""
        """What opened the inner block that is open: "language" or "bare"."""
        self.nests = False
        """Whether there has been an inner block."""

    def closing(self) -> int | None:
        """The line that closes the block; None if it contains no other, or no closing line is left."""
        dead_ends = self._dead_ends()
        passed, doubtful = list[tuple[int, str, object]](), None
        for line in range(self._first + 1, self._end):
            kind = self.kind(line)
            if not kind:
                continue
            if kind == "closing" and not self.inner:
                return line if self.nests else None
            if not self.take(kind):
                break  # a fence is missing, and it is unknown which
            passed.append((line, self.inner, self._how))
            if passed[-1] in dead_ends:
                doubtful = dead_ends[passed[-1]]
                break
        else:
            if self.nests and self._state.env.get("open"):
                return self._end
        for place in reversed(passed):
            dead_ends[place] = doubtful
            doubtful = place[0] if place[1] == "bare" else doubtful
        return doubtful

    def take(self, kind: str) -> bool:
        """Go past a line of this kind; False if the block does not go on behind it."""
        if kind == "outside" or (kind == "closing") != bool(self.inner):
            return False
        self.inner, self.nests = "" if kind == "closing" else kind, True
        return True

    def _dead_ends(self) -> dict[tuple[int, str, object], int | None]:
        """The fences in this text behind which a search has found no closing line, to search behind each only once.

        By line, what is open there, and `_how`. The value is the first bare fence behind it that was taken to open a
        block, which closes the outer one instead.
        """
        source, dead_ends = self._state.env.get("fences", ("", {}))
        if source is not self._state.src:
            dead_ends = {}
            self._state.env["fences"] = self._state.src, dead_ends
        return dead_ends  # type: ignore[no-any-return]

    def kind(self, line: int) -> str:
        """What the line is: "closing", what opens an inner block, "outside" of the list around it, or "" for text."""
        if self._is_outside(line):
            return "outside"
        mark = None if self._state.is_code_block(line) else _mark(self._state, line)
        if mark is None or not mark[0].startswith(self._markup):
            return ""
        if mark[1]:
            return "language" if _LANGUAGE.match(mark[1]) else ""
        is_deeper = self._state.sCount[line] > self._state.sCount[self._first] and not self.inner
        if self._is_document and self.inner != "language" and (is_deeper or self._has_code_behind(line)):
            return "bare"
        # A language may still be written behind it.
        return "" if self.nests and not self.inner and self._grows(line, "") else "closing"

    def _is_outside(self, line: int) -> bool:
        return self._state.sCount[line] < self._state.blkIndent and not self._state.isEmpty(line)

    def _has_code_behind(self, line: int) -> bool:
        """Whether a bare fence seems to open a block: an empty line or a colon is before it, and text right behind it.

        At the end of a text that still grows the text may follow.
        """
        before, behind = line - 1, line + 1
        text = _text(self._state, before).rstrip(" \t*_")
        if before == self._first or (text and not text.endswith((":", "："))):
            return False
        if behind == self._end:
            return not self.inner and self._grows(line, "\n")
        is_text = not self._state.isEmpty(behind) and not self._is_outside(behind)
        return is_text and not _text(self._state, behind).startswith(self._markup)

    def _grows(self, line: int, rest: str) -> bool:
        """Whether the text still grows and nothing but `rest` is behind the line."""
        state = self._state
        return bool(state.env.get("open")) and state.eMarks[line] + len(rest) >= len(state.src)


class OpenFence:
    """Whether the code block that a growing text begins with is still open. Each line is read once."""

    def __init__(self, head: str) -> None:
        """`head` is the line that opens the block."""
        self._head, self._read = head, len(head)
        self._mark = head.lstrip(" ")[:3]
        self._inner, self._nests = "", False

    def is_open(self, text: str) -> bool:
        """Whether the block goes on to the end of the text, which begins with the text that was given before."""
        if self._mark not in text[self._read :]:
            self._read = max(self._read, text.rfind("\n") + 1)
            return True
        # What a fence means depends on the lines before and behind it.
        begin = self._read if self._read == len(self._head) else text.rfind("\n", 0, self._read - 1) + 1
        state = StateBlock(self._head + text[begin:], _PLAIN, {"open": True}, [])
        opening = _mark(state, 0)
        if opening is None:
            return False
        nesting = _Nesting(state, 0, state.lineMax, opening)
        nesting.inner, nesting.nests = self._inner, self._nests
        whole = state.src.count("\n")
        for line in range(1 if begin == self._read else 2, state.lineMax):
            kind = nesting.kind(line)
            if kind and not nesting.take(kind):
                return False
            if line + 2 <= whole:
                self._inner, self._nests = nesting.inner, nesting.nests
                self._read = begin + state.bMarks[line + 1] - len(self._head)
        return True


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _closing_unindented(state: StateBlock, first: int, end: int, markup: str) -> int | None:
    """The line that closes a block in a list whose code, from its first line on, is not indented as its fence is.

    None if it is indented, or the next fence is not one that closes the block: a fence is missing then.
    """
    code = state.skipEmptyLines(first + 1)
    if code >= end or not 0 <= state.sCount[code] < state.blkIndent:
        return None
    for line in range(code, end):
        if markup in _text(state, line):
            mark = _mark(state, line)
            closes = mark is not None and mark[0].startswith(markup) and not mark[1] and line > code
            return line if closes else None
    return end if state.env.get("open") else None


def _mark(state: StateBlock, line: int) -> tuple[str, str] | None:
    """The fence on a line, and the text after it."""
    begin = state.bMarks[line] + state.tShift[line]
    if state.src[begin : begin + 1] not in ("`", "~"):
        return None
    mark = _MARK.match(state.src, begin, state.eMarks[line])
    return (mark[1], mark[2].strip(" \t")) if mark else None
