r"""Rewrites the chemistry of LaTeX's package mhchem (`\ce`) as plain TeX: its common forms, see its manual."""

from __future__ import annotations

import re

from webchat.render.arguments import Command, Reader, Unreadable, group_end, replaced

DEEPEST = 6
"""The deepest nesting of groups and of texts at arrows."""
_ARROWS = {
    "<-->": "leftrightarrow",
    "<->": "leftrightarrow",
    "<=>>": "rightleftharpoons",
    "<<=>": "rightleftharpoons",
    "<=>": "rightleftharpoons",
    "⇌": "rightleftharpoons",
    "↔": "leftrightarrow",
    "-->": "rightarrow",
    "->": "rightarrow",
    "→": "rightarrow",
    "<--": "leftarrow",
    "<-": "leftarrow",
    "←": "leftarrow",
}
_BONDS = {
    "-": "{-}",
    "1": "{-}",
    "=": "{=}",
    "2": "{=}",
    "#": r"{\equiv}",
    "≡": r"{\equiv}",
    "3": r"{\equiv}",
    "~": r"{\sim}",
    "...": r"{\cdots}",
    "....": r"{\cdots}",
    "->": r"{\rightarrow}",
    "<-": r"{\leftarrow}",
}
_SIGNS = {"+": "+", "-": "-", "−": "-", "\u2013": "-", "±": r"\pm "}
_MOLECULE = r"(?:[^\W_]|[(\[{$]|\\[A-Za-z{])"
"""How a molecule or its number begins: a full stop before anything else ends a word, as in "conc."."""
_TOKEN = re.compile(
    rf"(?P<arrow>{'|'.join(map(re.escape, _ARROWS))})"
    r"|(?P<space>(?:\s|~|\\[ ,;:!])+)"
    r"|\$(?P<math>[^$]*)\$"
    r"|(?P<gas>\(\^\)|(?<!\S)\^(?!\S)|↑)"
    r"|(?P<solid>\(v\)|(?<!\S)v(?!\S)|↓)"
    r"|(?P<script>[\^_])"
    r"|(?P<number>\d+)"
    r"|(?P<state>\((?:aq|s|l|g|cr|am|sln|ads)\))"
    r"|(?P<letters>[^\W\d_]+)"
    r"|(?P<sign>[-+\u2212\u2013±])"
    r"|(?P<bond>[=#≡])"
    rf"|(?P<dot>[*·•⋅]|\.(?={_MOLECULE})|(?<=\s)\.(?=\s*{_MOLECULE}))"
    r"|(?P<open>[(\[]|\\\{)"
    r"|(?P<close>[)\]]|\\\})"
    r"|(?P<group>\{)"
    r"|(?P<command>\\[A-Za-z]+)"
    r"|(?P<other>[,;:.'/|!])"
)
_AMOUNT = re.compile(r"(?:(\d+)/(\d+)|\((\d+)/(\d+)\)|(\d+(?:[.,]\d+)?|[a-z](?=\s+[A-Z(\[])))(?:\s|~|\\[ ,;:!])*")
_FRACTION_OF_ATOMS = re.compile(r"0\.\d+")
_SCRIPT = re.compile(r"\d*[-+\u2212\u2013]|[-+\u2212\u2013]?\d+|[^\W\d_]+|[.*]|\\[A-Za-z]+|\$[^$]*\$")
_ENDS_AFTER_CHARGE = re.compile(rf"\s|$|[)\]}}^_,;]|\\\}}|\((?:aq|s|l|g)\)|{'|'.join(map(re.escape, _ARROWS))}")
_WORDS = re.compile(r"[A-Za-z][a-z]*(?:[ ,]+[a-z]+)+|[a-z]{3,}")


def reaction(source: str, depth: int = 0) -> str:
    r"""The TeX of what stands in `\ce{…}`. Raises Unreadable."""
    if depth > DEEPEST or not source.strip():
        raise Unreadable(source[:20])
    return _Reaction(source, depth).to_tex()


class _Reaction(Reader):
    tokens = _TOKEN

    def __init__(self, source: str, depth: int) -> None:
        super().__init__(source)
        self._depth = depth
        self._is_begin = True
        """Whether an amount may come, not a number of atoms: at the beginning, and after signs and arrows."""
        self._is_apart = False
        """Whether there is a space before this position that is to be seen: not after signs and arrows."""
        self._scripts: set[str] = set()
        """Those that the last atom or bracket has: "^", "_"."""

    def to_tex(self) -> str:
        while self._at < len(self._source):
            if self._is_begin and (amount := _AMOUNT.match(self._source, self._at)):
                self._at = amount.end()
                self._add(_amount(amount) + r"\,", is_begin=False)
                self._scripts = {"^", "_"}  # has none of its own: 450 °C
            else:
                self._read_next()
        return "".join(self._pieces)

    def _add(self, tex: str, *, is_begin: bool) -> None:
        self._pieces.append(tex)
        self._is_begin, self._is_apart = is_begin, False
        self._scripts = set()

    def _add_script(self, mark: str, tex: str) -> None:
        """Add what stands above ("^") or below ("_") the last atom or bracket, or before the next one."""
        scripts = self._scripts | {mark}
        before = self._gap() + "{}" if self._is_begin or mark in self._scripts else ""
        self._add(f"{before}{mark}{{{tex}}}", is_begin=False)
        self._scripts = {mark} if before else scripts

    def _read_space(self, _: str) -> None:
        self._is_apart = bool(self._pieces) and not self._is_begin
        self._is_begin = True

    def _read_math(self, tex: str) -> None:
        known = replaced(tex, {"ce": Command(1, lambda source: reaction(source, self._depth + 1))})
        self._add(f"{self._gap()}{{{known}}}", is_begin=False)

    def _read_arrow(self, arrow: str) -> None:
        above = self._at_arrow()
        below = self._at_arrow()
        name = _ARROWS[arrow]
        if above or below:
            self._add(rf"\x{name}[{below}]{{{above}}}" if below else rf"\x{name}{{{above}}}", is_begin=True)
        else:
            self._add(rf"\{name} " if name == "rightleftharpoons" else rf"\long{name} ", is_begin=True)

    def _at_arrow(self) -> str:
        """The text above or below an arrow, in brackets; "" if there is none."""
        source, begin = self._source, self._at + 1
        if source[self._at : begin] != "[":
            return ""
        depth, end = 1, begin
        for end in range(begin, len(source)):
            depth += {"[": 1, "]": -1}.get(source[end], 0)
            if depth == 0:
                break
        self._at = end + 1
        text = source[begin:end].strip()
        if text.startswith("{") and group_end(text, 0) == len(text):
            return rf"\text{{{text[1:-1]}}}"
        return rf"\text{{{text}}}" if _WORDS.fullmatch(text) else reaction(text, self._depth + 1)

    def _read_gas(self, _: str) -> None:
        self._add(r"\uparrow ", is_begin=False)

    def _read_solid(self, _: str) -> None:
        self._add(r"\downarrow ", is_begin=False)

    def _read_script(self, mark: str) -> None:
        if self._source[self._at : self._at + 1] == "{":
            text = self._group_at(self._at)
        else:
            found = _SCRIPT.match(self._source, self._at)
            if found is None:
                raise self._unreadable()
            text, self._at = found[0], found.end()
        self._add_script(mark, _in_script(text))

    def _read_number(self, digits: str) -> None:
        """Numbers of atoms; amounts have been read before."""
        fraction = _FRACTION_OF_ATOMS.match(self._source, self._at - len(digits))
        if fraction:
            self._at, digits = fraction.end(), fraction[0]
        self._add_script("_", digits)

    def _read_letters(self, letters: str) -> None:
        self._add(rf"{self._gap()}\mathrm{{{letters}}}", is_begin=False)

    def _read_state(self, state: str) -> None:
        self._add(rf"{self._gap()}\mathrm{{{state}}}", is_begin=False)

    def _read_sign(self, sign: str) -> None:
        is_charge = not self._is_begin and _ENDS_AFTER_CHARGE.match(self._source, self._at)
        tex = _SIGNS[sign]
        if is_charge:
            self._add_script("^", tex)
        elif tex == "-" and not self._is_apart:
            self._add("{-}", is_begin=False)
        else:
            self._add(tex, is_begin=True)

    def _read_bond(self, bond: str) -> None:
        self._add(bond if self._is_apart else _BONDS[bond], is_begin=self._is_apart)

    def _read_dot(self, _: str) -> None:
        self._add(r"\cdot ", is_begin=True)

    def _read_open(self, bracket: str) -> None:
        self._add(self._gap() + bracket, is_begin=True)

    def _read_close(self, bracket: str) -> None:
        self._add(bracket, is_begin=False)

    def _read_group(self, _: str) -> None:
        inner = self._group_at(self._at - 1)
        self._add(f"{self._gap()}{{{reaction(inner, self._depth + 1)}}}", is_begin=False)

    def _read_command(self, command: str) -> None:
        if self._source[self._at : self._at + 1] != "{":
            self._add(f"{self._gap()}{command} ", is_begin=False)
            return
        given = self._group_at(self._at)
        if command == r"\bond":
            if given not in _BONDS:
                raise Unreadable(given)
            self._add(_BONDS[given], is_begin=False)
        elif command == r"\ce":
            self._add(reaction(given, self._depth + 1), is_begin=False)
        else:
            self._add(f"{self._gap()}{command}{{{given}}}", is_begin=False)

    def _read_other(self, character: str) -> None:
        self._add(character, is_begin=False)

    def _gap(self) -> str:
        return r"\;" if self._is_apart else ""


def _amount(found: re.Match[str]) -> str:
    over, under = (found[1], found[2]) if found[1] else (found[3], found[4])
    return rf"\tfrac{{{over}}}{{{under}}}" if over else found[5].replace(",", "{,}")


def _in_script(text: str) -> str:
    """A charge, a number or a name, above or below."""
    if text.startswith("$") and text.endswith("$"):
        return text[1:-1]
    text = text.translate({0x2212: "-", 0x2013: "-"}).replace("*", r"{\ast}").replace(".", r"{\bullet}")
    return re.sub(r"(?<!\\)(?<![A-Za-z])[A-Z][A-Za-z]*|(?<!\\)(?<![A-Za-z])[a-z]{2,}", r"\\mathrm{\g<0>}", text)
