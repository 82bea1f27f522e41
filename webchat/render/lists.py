"""Lists whose inner lists are indented by two spaces, where CommonMark requires three."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_LEAST = {"ordered_list_open": 2, "bullet_list_open": 1}
"""The least indentation of an inner list, in columns. A number may be indented by one to align it with a longer one."""
_LISTS = ("ordered_list_open", "bullet_list_open")
_BEGIN = re.compile(r"[ \t>]*")


def join_lists(parser: MarkdownIt) -> None:
    """Move lists that are indented deeper than the preceding numbers into the last numbered item.

    Models write "1. a", "  - b", "2. c", which CommonMark parses as three lists, and "1. a", "  1. b", "2. c", which it
    parses as one list of three.
    """
    parser.core.ruler.after("block", "lists", _lists)


def _lists(state: StateCore) -> None:
    if any(_may_hold_inner_list(one, two) for one, two in pairwise(state.tokens)):
        state.tokens = _joined(state.tokens, state.src.split("\n"))


def _may_hold_inner_list(one: Token, two: Token) -> bool:
    """Whether a list follows a numbered one, or an item another one in it."""
    follows = one.type == "ordered_list_close" and two.type in _LISTS
    return follows or (one.type == "list_item_close" and two.type == "list_item_open" and two.info != "")


def _joined(tokens: Sequence[Token], lines: Sequence[str]) -> list[Token]:
    """The blocks with their lists joined, at every level."""
    units: list[list[Token]] = []
    for unit in _units(tokens):
        unit = [unit[0], *_joined(unit[1:-1], lines), unit[-1]] if len(unit) > 2 else unit
        unit = _with_inner_lists(unit, lines)
        before = units[-1] if units else []
        if before and _belongs(before[0], unit[0], lines):
            for token in unit:
                token.level += 2
            before[-2:-2] = unit
        elif before and _goes_on(before, unit[0], lines):
            before[-1:] = unit[1:]
        else:
            units.append(unit)
            continue
        before[0].map = [_first_line(before[0]), (unit[0].map or [0, 0])[1]]
    return [token for unit in units for token in unit]


def _units(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Each block with its content."""
    unit: list[Token] = []
    depth = 0
    for token in tokens:
        unit.append(token)
        depth += token.nesting
        if depth == 0:
            yield unit
            unit = []


def _belongs(numbers: Token, block: Token, lines: Sequence[str]) -> bool:
    if numbers.type != "ordered_list_open" or block.type not in _LISTS:
        return False
    column = _column(numbers, lines)
    return column is not None and _indent(block, lines) >= column + _LEAST[block.type]


def _with_inner_lists(unit: list[Token], lines: Sequence[str]) -> list[Token]:
    """A numbered list whose items that are indented deeper than the first one are lists in the items before them.

    If their numbers continue those of the items before, the indentation is only careless.
    """
    column = _column(unit[0], lines) if unit[0].type == "ordered_list_open" else None
    if column is None:
        return unit
    made, inner, number = unit[:1], list[Token](), int(unit[1].info) - 1
    for item in _units(unit[1:-1]):
        is_deeper = _indent(item[0], lines) >= column + _LEAST["ordered_list_open"]
        if is_deeper and (inner or int(item[0].info) != number + 1):
            inner += item
        else:
            made[-1:-1] = _list_of(inner, unit)
            made += item
            inner, number = [], int(item[0].info)
    made[-1:-1] = _list_of(inner, unit)
    return [*made, unit[-1]]


def _list_of(items: Sequence[Token], unit: Sequence[Token]) -> Sequence[Token]:
    """These items of a numbered list as a list of their own."""
    if not items:
        return []
    number = int(items[0].info)
    opening = replace(unit[0], attrs={"start": number} if number != 1 else {}, map=items[0].map)
    made = [opening, *items, replace(unit[-1])]
    for token in made:
        token.level += 2
    return made


def _goes_on(before: Sequence[Token], block: Token, lines: Sequence[str]) -> bool:
    """Whether that list continues the one that an inner list has interrupted."""
    numbers = before[0]
    if numbers.type != "ordered_list_open" or (numbers.type, numbers.markup) != (block.type, block.markup):
        return False
    return (
        before[-3].type in ("ordered_list_close", "bullet_list_close")
        and _column(numbers, lines) == _column(block, lines) is not None
    )


def _column(numbers: Token, lines: Sequence[str]) -> int | None:
    """The column of the first number; None if something else precedes it."""
    indent = _indent(numbers, lines)
    return indent if lines[_first_line(numbers)][indent : indent + 1].isdigit() else None


def _indent(block: Token, lines: Sequence[str]) -> int:
    begin = _BEGIN.match(lines[_first_line(block)])
    return begin.end() if begin else 0


def _first_line(block: Token) -> int:
    return block.map[0] if block.map else 0
