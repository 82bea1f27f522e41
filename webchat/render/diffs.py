"""Line diffs as HTML in bounded time: if comparing would take too long, lines are shown as replaced. Knows no page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from markupsafe import Markup

from webchat.render.terminal import plain

AROUND = 3
"""Lines of context around a change."""
LINES_SHOWN, LONGEST_LINE = 400, 2_000
LINES_COMPARED, PAIRS_COMPARED = 3_000, 4_000
"""The most differing lines, and pairs of equal lines among them, that are compared one by one."""
CHARACTERS_KEPT = 60_000
"""The size of texts whose diffs are cached for the next reader."""
_Op = tuple[str, int, int, int, int]


@dataclass(frozen=True)
class Diffed:
    """A diff as HTML for a <pre>: one element for each line, which begins with "+", "-" or a space; `left` lines are
    left out.

    `is_cut`: some of the lines are shortened.
    """

    html: Markup
    added: int
    removed: int
    left: int = 0
    is_cut: bool = False


def diff(old: str | None, new: str) -> Diffed:
    """The diff from `old` to `new`; all lines are new if `old` is None."""
    return _kept(old, new) if len(old or "") + len(new) <= CHARACTERS_KEPT else _made(old, new)


def diff_text(old: str | None, new: str) -> str:
    """The same as plain text."""
    before, after = _lines(old or ""), _lines(new)
    return "".join(f"{mark}{text}\n" for mark, text in _marked(_groups(_changes(before, after)), before, after))


def _made(old: str | None, new: str) -> Diffed:
    before, after = _lines(old or ""), _lines(new)
    groups = _groups(_changes(before, after))
    lines = [*_marked(groups, before, after)]
    marks = Counter(mark for mark, _ in lines)
    shown = lines[:LINES_SHOWN]
    html = Markup().join(_line(mark, text) for mark, text in shown)
    is_cut = any(len(text) > LONGEST_LINE for _, text in shown)
    return Diffed(html, marks["+"], marks["-"], len(lines) - len(shown), is_cut)


_kept = lru_cache(maxsize=128)(_made)


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _changes(before: Sequence[str], after: Sequence[str]) -> list[_Op]:
    """The equal, replaced, deleted and inserted ranges in order, as difflib's opcodes."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    rest = shorter - start
    end = next((at for at in range(rest) if before[-1 - at] != after[-1 - at]), rest)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    ops: list[_Op] = [("equal", 0, start, 0, start)]
    ops += [(tag, a + start, b + start, c + start, d + start) for tag, a, b, c, d in _compared(old, new)]
    ops += [("equal", len(before) - end, len(before), len(after) - end, len(after))]
    return [op for op in ops if op[1] < op[2] or op[3] < op[4]]


def _compared(old: Sequence[str], new: Sequence[str]) -> Sequence[_Op]:
    counts, others = Counter(old), Counter(new)
    pairs = sum(count * others[line] for line, count in counts.items())
    if len(old) + len(new) > LINES_COMPARED or pairs > PAIRS_COMPARED:
        return [("replace", 0, len(old), 0, len(new))]
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _groups(ops: Sequence[_Op]) -> Iterator[list[_Op]]:
    """The changes with a few lines of context; neighbouring ones are grouped."""
    group: list[_Op] = []
    for number, (tag, a, b, c, d) in enumerate(ops):
        if tag != "equal" or (b - a <= 2 * AROUND and 0 < number < len(ops) - 1):
            group.append((tag, a, b, c, d))
        else:
            if group:
                group.append((tag, a, min(b, a + AROUND), c, min(d, c + AROUND)))
                yield group
            kept = min(b - a, AROUND)
            group = [(tag, b - kept, b, d - kept, d)]
    if any(op[0] != "equal" for op in group):
        yield group


def _marked(groups: Iterator[list[_Op]], before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, group in enumerate(groups):
        if number:
            yield "⋯", ""
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from ((" ", line) for line in before[a:b])
            else:
                yield from (("-", line) for line in before[a:b])
                yield from (("+", line) for line in after[c:d])


def _line(mark: str, text: str) -> Markup:
    tag = {"+": "ins", "-": "del"}.get(mark, "span")
    shown = plain(text[:LONGEST_LINE]) + ("…" if len(text) > LONGEST_LINE else "")
    return Markup("<{tag}>{mark}{text}\n</{tag}>").format(tag=Markup(tag), mark=mark, text=shown)  # noqa: S704
