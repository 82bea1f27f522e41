"""Emphasis: also next to scripts that put no space there, and none in products and Python's names such as __init__."""

from __future__ import annotations

import re
from types import MethodType

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.rules_inline import StateInline, emphasis, strikethrough
from markdown_it.rules_inline.state_inline import Scanned

_UNSPACED = (
    # From Hebrew and Arabic, whose words begin with prefixes, to Thai and Burmese; Khmer and Tai scripts.
    *("\u0590\u109f", "\u1780\u17ff", "\u1950\u19ff", "\u1a20\u1aaf", "\ufb1d\ufdff", "\ufe70\ufefc"),
    # East Asian scripts and punctuation, and the supplementary ideographs.
    *("\u1100\u11ff", "\u2e80\ua4cf", "\ua960\ua97f", "\uac00\ud7ff", "\uf900\ufaff", "\ufe30\ufe4f"),
    *("\uff00\uffef", "\U00020000\U0010ffff"),
)
"""First and last characters of ranges. As a regular expression they would take 3 ms of each start to compile."""

LONGEST = 200
"""The most characters between a star at the beginning of a word and the one inside a word that closes it."""
_NAME = re.compile(r"__([a-z_]{2,20}?)__(?![a-z])")
_NAMES = frozenset(
    "add all annotations bool builtins call cause class contains debug del delattr delitem dict doc enter eq exit file "
    "float format future ge getattr getattribute getitem gt hash import index init iter le len lt main missing module "
    "mro mul name ne new next package path post_init pycache qualname repr reversed set_name setattr setitem slots str "
    "sub subclasses truediv version".split()
)


def friendly_to_all_scripts(parser: MarkdownIt) -> None:
    """Let emphasis begin and end next to letters and punctuation of these scripts.

    CommonMark requires spaces or punctuation around it, but `**注意：**请` has neither.
    """
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler.at("strikethrough", _strikethrough)


def _emphasis(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "*_":
        return False
    name = _NAME.match(state.src, state.pos, state.posMax)
    if name and name[1] in _NAMES:
        state.pending += "" if silent else name[0]
        state.pos = name.end()
        return True
    return emphasis.tokenize(_with_scan(state), silent)


def _strikethrough(state: StateInline, silent: bool) -> bool:
    return state.src[state.pos] == "~" and strikethrough.tokenize(_with_scan(state), silent)


def _with_scan(state: StateInline) -> StateInline:
    # The parser offers no other way to change how one of its states scans delimiters.
    if "scanDelims" not in vars(state):
        state.scanDelims = MethodType(_scan, state)  # type: ignore[method-assign]
    return state


def _scan(state: StateInline, start: int, can_split_word: bool) -> Scanned:
    scanned = StateInline.scanDelims(state, start, can_split_word)
    end = start + scanned.length
    before = state.src[start - 1] if start else " "
    after = state.src[end] if end < state.posMax else " "
    if can_split_word and scanned.length == 1 and state.src[start] == "*" and _is_in_word(before, after):
        return Scanned(False, _may_close(state.src, start), 1)  # 2*3*4
    if not can_split_word or not (is_unspaced(before) or is_unspaced(after)):
        return scanned  # an underscore inside a word is part of the word in every language
    opens = not isWhiteSpace(ord(after)) and (not _holds_off(after) or _lets(before))
    closes = not isWhiteSpace(ord(before)) and (not _holds_off(before) or _lets(after))
    return Scanned(opens, closes, scanned.length)


def _may_close(source: str, star: int) -> bool:
    """Whether the last star before this one stands alone at the beginning of a word, as in "*R*etrieval"."""
    last = source.rfind("*", max(0, star - LONGEST), star)
    return last >= 0 and not (last and (source[last - 1] == "*" or source[last - 1].isalnum()))


def _is_in_word(before: str, after: str) -> bool:
    return before.isascii() and before.isalnum() and after.isascii() and after.isalnum()


def _holds_off(char: str) -> bool:
    """Whether CommonMark prevents emphasis from beginning before that mark, or ending after it, next to a letter."""
    return _is_punctuation(char) and not is_unspaced(char)


def _lets(char: str) -> bool:
    return isWhiteSpace(ord(char)) or _is_punctuation(char) or is_unspaced(char)


def _is_punctuation(char: str) -> bool:
    return isMdAsciiPunct(ord(char)) or isPunctChar(char)


def is_unspaced(char: str) -> bool:
    """Whether it is of a script whose words and marks may follow others without a space."""
    return not char.isascii() and any(script[0] <= char <= script[1] for script in _UNSPACED)
