"""Converts TeX formulas to MathML, which browsers render natively. Knows no Markdown."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from markdown_it.common.utils import escapeHtml

from webchat.chat.plain import TURNING
from webchat.render import quantities
from webchat.render.arguments import Command, Unreadable, replaced
from webchat.render.brackets import without_lone_ones
from webchat.render.chemistry import reaction

if TYPE_CHECKING:
    from math_core import LatexToMathML

DEEPEST = 60
"""The deepest nesting of groups and commands, and of the resulting elements; deeper formulas stay text.

The library has no such limit, and a page cannot take more.
"""
_MACROS = {
    # Commands that models write and the library lacks.
    "abs": r"\left|#1\right|",
    "norm": r"\left\|#1\right\|",
    "mbox": r"\text{#1}",
    "hbox": r"\text{#1}",
    "textnormal": r"\text{#1}",
    "ensuremath": "#1",
    "smash": "#1",
    "substack": r"\begin{subarray}{c}#1\end{subarray}",
    "pmb": r"\boldsymbol{#1}",
    "mathds": r"\mathbb{#1}",
    "mathbbm": r"\mathbb{#1}",
    "nicefrac": "#1/#2",
    "sfrac": "#1/#2",
    "dv": r"\frac{\mathrm{d}#1}{\mathrm{d}#2}",
    "pdv": r"\frac{\partial #1}{\partial #2}",
    "dotsb": r"\cdots",
    "dotsc": r"\ldots",
    "dotsi": r"\cdots",
    "dotsm": r"\cdots",
    "dotso": r"\ldots",
    "smallsetminus": r"\setminus",
    "hfill": r"\quad",
    "qed": r"\square",
    "euro": "€",
    "strut": "",
    "mathstrut": "",
    "allowbreak": "",
    # Equations are not numbered: each formula would begin with 1 again.
    "tag": r"\qquad\text{(#1)}",
    "eqref": r"\text{(#1)}",
    "ref": r"\text{#1}",
}
_PACKAGES = {
    # Of mhchem and siunitx, the second also by its older names.
    "ce": Command(1, reaction),
    "pu": Command(1, quantities.physical_unit),
    "num": Command(1, quantities.number),
    "numlist": Command(1, quantities.several_numbers),
    "numrange": Command(2, quantities.number_range),
    "ang": Command(1, quantities.angle),
    **dict.fromkeys(("unit", "si"), Command(1, quantities.unit)),
    **dict.fromkeys(("qty", "SI"), Command(2, quantities.quantity)),
    **dict.fromkeys(("qtylist", "SIlist"), Command(2, quantities.several)),
    **dict.fromkeys(("qtyrange", "SIrange"), Command(3, quantities.quantity_range)),
    "qtyproduct": Command(2, quantities.product),
}
_DEFINES = re.compile(r"\\(?:(?:re|provide)?newcommand|providecommand|[egx]?def|let|futurelet)(?![A-Za-z])")
_ENVIRONMENTS = {
    # Unnumbered variants, which stay in the formula's place.
    **dict.fromkeys(("align", "alignat", "alignedat", "flalign", "split"), "aligned"),
    **dict.fromkeys(("gather", "multline"), "gathered"),
    "smallmatrix": "matrix",
}
_PLAIN = (
    (re.compile(r"\\label\s*\{[^{}]*\}"), ""),
    (re.compile(r"\\tag\*\s*\{"), r"\\qquad\\text{"),
    (re.compile(r"\\(begin|end)\{equation\*?\}"), lambda found: "{" if found[1] == "begin" else "}"),
    (re.compile(r"\\begin\{eqnarray\*?\}"), r"\\begin{array}{rcl}"),
    (re.compile(r"\\end\{eqnarray\*?\}"), r"\\end{array}"),
    (re.compile(r"\\begin\{(?:alignat|alignedat)\*?\}\s*\{\d+\}"), r"\\begin{aligned}"),
    (
        re.compile(r"\\(begin|end)\{([A-Za-z]+)\*?\}(?:\[[a-z]\])?"),
        lambda found: rf"\{found[1]}{{{_ENVIRONMENTS.get(found[2], found[2])}}}",
    ),
    # The space below a row, which the library would show as text, and the borders of a table.
    (re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\]"), r"\\\\"),
    (re.compile(r"@\{[^{}]*\}"), ""),
    (re.compile(r"\\(left|right|middle|[bB]igg?[lrm]?)\s*<"), r"\\\1\\langle "),
    (re.compile(r"\\(left|right|middle|[bB]igg?[lrm]?)\s*>"), r"\\\1\\rangle "),
    (re.compile(r"\\text\{([^{}$]*)\$([^{}$]*)\$([^{}$]*)\}"), r"\\text{\1}\2\\text{\3}"),
)
"""Rewritten before the conversion."""
_EMPTY_LINE = re.compile(r"(?<=\S)[ \t]*\n\s*\n\s*(?=\S)")
"""Between two lines of a formula; TeX allows none, and models mean a new row."""
_DEPTH = re.compile(
    r"\\(?:begin|left)(?![A-Za-z])|\\(?:end|right)(?![A-Za-z])|\\(?:[A-Za-z]+|.)|[{}]|[\s\[\]^_]+|.", re.S
)
_BETWEEN = re.compile(r"[\s\[\]^_]")
"""What may come between a command and its argument."""
_LASTING = re.compile(r"\\(?:color|(?:display|text|script|scriptscript)style)$")
_TAG = re.compile(r"<(/?)[a-z]+[^>]*?(/?)>")
_STYLE = re.compile(r' style="([^"]*)"')
_COLOUR = re.compile(r"color:(#[0-9A-F]{6})")
_CLASSES = {
    "text-align: left": "left",
    "text-align: right": "right",
    "padding-left: 0": "joined-left",
    "padding-right: 0": "joined-right",
    "padding-left:1em": "apart",
    "padding-top: 0": "tight",
    "border-top": "line-above",
    "border-bottom": "line-below",
    "border-left": "line-left",
    "border-right": "line-right",
    "margin-left:-0.16666667em": "closer",
}
"""The page forbids inline styles; these are in its style sheet."""
_ENCLOSED = (
    (re.compile(r'<menclose notation="box">'), '<mrow class="boxed">'),
    (re.compile(r'<menclose notation="[a-z ]+">'), '<mrow class="struck">'),
    (re.compile(r'<mrow class="menclose-[a-z ]+"></mrow>'), ""),
    (re.compile("</menclose>"), "</mrow>"),
)
"""Replaces an element that only one browser supports."""


_LINE = '<mo stretchy="true">\u0332</mo>'
"""The library's line above or below something: few fonts have one that is longer than a letter."""
_LINED = re.compile(rf"(?:{_LINE})?</(mover|munder)>|<(mover|munder)(?: [^>]*)?>")


def mathml(tex: str, *, display: bool) -> str | None:
    """The formula with its source as an annotation; None if it is invalid or nested too deeply."""
    if TURNING.search(tex) or _DEFINES.search(tex) or _depth(tex) > DEEPEST:
        return None
    try:
        known = replaced(tex, _PACKAGES)
    except Unreadable:
        return None
    made = _made(without_lone_ones(_rewritten(known)), display) if _depth(known) <= DEEPEST else None
    if made is None or _elements(made) > DEEPEST:
        return None
    begin, rest = made.split(">", 1)
    shown = _STYLE.sub(_without_style, rest.removesuffix("</math>"))
    for pattern, replacement in _ENCLOSED:
        shown = pattern.sub(replacement, shown)
    shown = _lined(shown) if _LINE in shown else shown
    source = f'<annotation encoding="application/x-tex">{escapeHtml(tex.strip())}</annotation>'
    return f"{begin}><semantics><mrow>{shown}</mrow>{source}</semantics></math>"


def _made(tex: str, display: bool) -> str | None:
    # Imported late: it takes a megabyte, which a chat without formulas does not need.
    from math_core import LatexError

    try:
        return _library().convert_with_local_state(tex, displaystyle=display)
    except LatexError:
        return None


@lru_cache(maxsize=1)
def _library() -> LatexToMathML:
    from math_core import LatexToMathML

    return LatexToMathML(macros=_MACROS, allow_unreliable_rendering=True, fancy_error=False)


def _rewritten(tex: str) -> str:
    """The formula rewritten with commands that the library supports."""
    for pattern, replacement in _PLAIN:
        tex = pattern.sub(replacement, tex)
    stripped = tex.strip()  # so that a run of white space ends before something, and is looked at once
    if _EMPTY_LINE.search(stripped) and _is_flat(stripped):
        tex = _EMPTY_LINE.sub(r"\\\\", stripped)
    if r"\begin" not in tex and re.search(r"\\\\|(?<!\\)&", tex):
        return rf"\begin{{aligned}}{tex}\end{{aligned}}" if "&" in tex else rf"\begin{{gathered}}{tex}\end{{gathered}}"
    return tex


def _is_flat(tex: str) -> bool:
    """Whether the formula's lines may become rows: no group or bracket goes on after an empty line."""
    if r"\begin" in tex or r"\\" in tex:
        return False
    parts = [re.findall(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\.|[{}]", part) for part in _EMPTY_LINE.split(tex)]
    return all(part.count(r"\left") == part.count(r"\right") and part.count("{") == part.count("}") for part in parts)


def _depth(tex: str) -> int:
    """An upper bound of the library's recursion: a level for each group, and for each command with an argument."""
    outer = list[tuple[int, int]]()
    around = waiting = lasting = most = 0
    for token in _DEPTH.findall(tex):
        if token in ("{", r"\begin", r"\left"):
            outer.append((around, lasting))
            around += waiting + lasting + 1
            waiting = lasting = 0
        elif token in ("}", r"\end", r"\right"):
            around, lasting = outer.pop() if outer else (0, 0)
            waiting = 0
        elif _LASTING.match(token):
            lasting += 1
        elif token[0] == "\\":
            waiting += 1
        elif not _BETWEEN.match(token):
            waiting = 0
        most = max(most, around + waiting + lasting)
    return most


def _elements(html: str) -> int:
    """How deeply its elements are nested."""
    depth = most = 0
    for closing, alone in _TAG.findall(html):
        depth += 0 if alone else -1 if closing else 1
        most = max(most, depth)
    return most


def _lined(html: str) -> str:
    """Lines drawn as borders, which are as long as what they belong to."""
    pieces, opened, done = list[str](), list[int](), 0
    for tag in _LINED.finditer(html):
        pieces += (html[done : tag.start()], tag[0])
        done = tag.end()
        if tag[2]:
            opened.append(len(pieces) - 1)
            continue
        begin = opened.pop()
        if tag[0].startswith(_LINE):
            side = "above" if tag[1] == "mover" else "below"
            pieces[begin], pieces[-1] = f'<mrow class="line-{side}">', "</mrow>"
    return "".join([*pieces, html[done:]])


def _without_style(found: re.Match[str]) -> str:
    classes = [name for style in found[1].split(";") for begin, name in _CLASSES.items() if style.startswith(begin)]
    colour = _COLOUR.search(found[1])
    return (f' class="{" ".join(classes)}"' if classes else "") + (f' mathcolor="{colour[1]}"' if colour else "")
