"""Finds formulas in Markdown: between dollar signs, in TeX's brackets, and in amsmath environments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST = 4_000
"""The most characters of a formula; longer ones stay text."""
_ENVIRONMENTS = (
    "align|aligned|alignat|alignedat|array|[bBpvV]?matrix|d?cases|rcases|eqnarray|equation|flalign|gather|gathered|"
    "multline|smallmatrix|split|subarray"
)
_OPENING = re.compile(rf"\$\$?|\\\(|\\\[|\\begin\{{((?:{_ENVIRONMENTS})\*?)\}}")
_OPENING_LINE = re.compile(rf"\$\$|\\\[|\\begin\{{((?:{_ENVIRONMENTS})\*?)\}}")
_CLOSING = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_PROSE = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,}+ ++[^\W\d_]{2}|^[\d.,]\S*+ ++(?:\S++ ++)*[^\W\d_]{2}")
"""Consecutive words, or an amount with words: the text between two prices."""


_LATIN = re.compile("[0-9A-Za-z\xaa\xb2\xb3\xb5\xb9-\u024f\u1e00-\u1eff]")
_OF_FORMULAS = re.compile("[0-9A-Za-z\xaa-\u024f\u0370-\u03ff\u1e00-\u1fff\u2100-\u214f\U0001d400-\U0001d7ff]")
_ENDING = re.compile(r"(?:st|nd|rd|th|s)(?!\w)")
_SEPARATORS = tuple("/.-:=_,;@%&")
"""The ends of a text between two shell variables, such as "HOME/" in "$HOME/$s": no ordinal or plural follows them."""
_BESIDE = re.compile(r"\$(?![\s$])[^$\n]{1,200}(?<![\s\\])\$(?!\w|\$(?:[\s$]|\Z))|\$\$[^$\n]{1,200}\$\$(?!\$)")
"""A formula that follows another one without a space."""
_NAME = re.compile("[A-Z_]{2,}")
_COMMAND = re.compile(r"\\[A-Za-z]{2}")
_BLANK = re.compile(r"\s")
_TEX = re.compile(r"[\\^_=]")
_BLOCK = re.compile(r"#{1,6} |`{3}|~{3}")


def read_formulas(parser: MarkdownIt) -> None:
    """Make the parser accept formulas before it looks for Markdown in them."""
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.add_render_rule("formula", _show)


def keep_formulas(parser: MarkdownIt) -> None:
    """Make the parser keep a formula's lines together: one may begin with "-" or "+", like a list."""
    alt = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "formula", _lines, {"alt": alt})


def _formula(state: StateInline, silent: bool) -> bool:
    opening = _OPENING.match(state.src, state.pos, state.posMax) if state.src[state.pos] in "$\\" else None
    if opening is None:
        return False
    mark = opening[0]
    closing = _CLOSING.get(mark) or rf"\end{{{opening[1]}}}"
    end = _end_of_dollars(state) if mark == "$" else _end(state, opening.end(), closing)
    tex = state.src[opening.end() : end]
    if end < 0 or not tex.strip() or len(tex) > LONGEST:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.markup = state.src[state.pos : end + len(closing)]
        token.content = token.markup if opening[1] else _bare(tex)
        token.info = "inline" if mark in ("$", r"\(") else "display"
    state.pos = end + len(closing)
    return True


def _bare(tex: str) -> str:
    """The formula without the backticks in which GitHub and GitLab write it: "$`x`$"."""
    return tex[1:-1] if len(tex) > 2 and tex[0] == tex[-1] == "`" else tex


def _end(state: StateInline, begin: int, closing: str) -> int:
    """The position of the closing delimiter, or -1. One search serves all delimiters that open before it."""
    found = state.env.setdefault("closing", {})
    source, position = found.get(closing, ("", 0))
    if source is not state.src or 0 <= position < begin:
        position = state.src.find(closing, begin)
        found[closing] = state.src, position
    return position if position < state.posMax else -1


def _end_of_dollars(state: StateInline) -> int:
    """The end of a formula between single dollars; -1 if these are prices or shell variables.

    The rules are pandoc's: no space after the first or before the second one, and no digit, letter or bracket after it.
    But other letters than Latin ones may stand next to it (`设$x$为`), after it the ending of an ordinal number or
    plural (`$n$th`, `$x_i$s`) or another formula (`$x$$y$`), and anything next to commands (`5$\\mu$m`).
    """
    source, begin = state.src, state.pos + 1
    end = source.find("$", begin, state.posMax)
    while end > begin and _is_escaped(source, end):
        end = source.find("$", end + 1, state.posMax)
    if not begin < end <= begin + LONGEST:
        return -1
    tex = source[begin:end]
    before = "" if _follows_formula(state) else source[begin - 2 : begin - 1]
    is_followed = _BESIDE.match(source, end + 1, state.posMax) and not _NAME.fullmatch(tex)
    if not _may_stand_between(before, tex, "" if is_followed else source[end + 1 : end + 4]):
        return -1
    if tex[0].isspace() or tex[-1].isspace() or tex[0] == "{" or ("\\" not in tex and _PROSE.search(tex)):
        return -1
    return end


def _follows_formula(state: StateInline) -> bool:
    """Whether another formula between dollars has just ended: `$x$$y$`."""
    last = state.tokens[-1] if state.tokens and not state.pending else None
    return last is not None and last.type == "formula" and last.markup[-1] == "$"


def _may_stand_between(before: str, tex: str, after: str) -> bool:
    """Whether there may be a formula between these characters: no price or variable begins before or after it."""
    if before == "$" or after[:1] in ("$", "(", "{"):
        return False
    is_foreign = any(char.isalpha() and not _LATIN.match(char) for char in (before, after[:1]))
    if is_foreign and "\\" not in tex and any(char.isalpha() and not _OF_FORMULAS.match(char) for char in tex):
        return False
    has_ending = bool(_ENDING.match(after)) and not tex.endswith(_SEPARATORS)
    is_apart = not _LATIN.match(before) and (has_ending or not _LATIN.match(after))
    return is_apart or bool(_COMMAND.match(tex) or (_COMMAND.search(tex) and not _BLANK.search(tex)))


def _is_escaped(source: str, position: int) -> bool:
    begin = position
    while source[begin - 1] == "\\":
        begin -= 1
    return (position - begin) % 2 == 1


def _lines(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Make a paragraph from the line that opens a formula to the line that closes it.

    If none does, the paragraph ends before an empty line.
    """
    begin = state.bMarks[first] + state.tShift[first]
    opening = None if state.is_code_block(first) else _OPENING_LINE.match(state.src, begin, state.eMarks[first])
    if opening is None:
        return False
    closing = _CLOSING.get(opening[0]) or rf"\end{{{opening[1]}}}"
    if state.src.find(closing, opening.end(), state.eMarks[first]) >= 0:
        return False  # on a single line nothing can split it
    if not silent:
        _push_lines(state, first, _last(state, first, end, opening, closing))
    return True


def _last(state: StateBlock, first: int, end: int, opening: re.Match[str], closing: str) -> int:
    """The last line of the formula's paragraph."""
    spans, empty = _may_span(state.src[opening.end() : state.eMarks[first]], opening[0]), 0
    for line in range(first + 1, end):
        if state.isEmpty(line):
            empty = empty or line
            if not spans:
                return empty - 1
        elif state.sCount[line] < state.blkIndent or (empty and _is_outside(state, line, opening, closing)):
            return (empty or line) - 1
        elif (at := state.src.find(closing, state.bMarks[line], state.eMarks[line])) >= 0:
            return empty - 1 if empty and _is_prose(state.src[opening.end() : at]) else line
    return empty - 1 if empty and not state.env.get("open") else end - 1


def _may_span(rest: str, opening: str) -> bool:
    """Whether the formula may have empty lines, by the line that opens it: two dollars may open none."""
    return opening != "$$" or not rest.strip() or bool(_TEX.search(rest))


def _is_outside(state: StateBlock, line: int, opening: re.Match[str], closing: str) -> bool:
    """Whether a line after an empty one is in no formula, so that the one before it has not been closed."""
    begin, end = state.bMarks[line] + state.tShift[line], state.eMarks[line]
    opens_again = opening[0] != closing and state.src.startswith(opening[0], begin, end)
    return opens_again or begin > opening.end() + LONGEST or bool(_BLOCK.match(state.src, begin, end))


def _is_prose(tex: str) -> bool:
    return "\\" not in tex and any(_PROSE.search(line) for line in tex.split("\n"))


def _push_lines(state: StateBlock, first: int, last: int) -> None:
    state.line = last + 1
    opened = state.push("paragraph_open", "p", 1)
    opened.map = [first, state.line]
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(first, state.line, state.blkIndent, False).strip()
    inline.map, inline.children = [first, state.line], []
    state.push("paragraph_close", "p", -1)


def _show(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    made = formula(token.content, display=token.info == "display")
    return escapeHtml(token.markup).replace("\n", "<br>\n") if made is None else made


def formula(tex: str, *, display: bool) -> str | None:
    """The formula's HTML, with a button to copy its source if it is displayed; None if it cannot be converted."""
    if len(tex) > LONGEST:
        return None
    # Imported late: its tables and patterns would take a fiftieth of each start.
    from webchat.render.tex import mathml

    made = mathml(tex, display=display)
    copy = '<button type="button" class="copy">Copy</button>'
    return f'<span class="formula">{made}{copy}</span>' if made and display else made
