r"""Rewrites the quantities of LaTeX's package siunitx (`\qty`, `\unit`, …) and mhchem's `\pu` as plain TeX."""

from __future__ import annotations

import re

from webchat.render.arguments import Reader, Unreadable

_PREFIXES = {
    "quecto": "q", "ronto": "r", "yocto": "y", "zepto": "z", "atto": "a", "femto": "f", "pico": "p", "nano": "n",
    "micro": "\u03bc", "milli": "m", "centi": "c", "deci": "d", "deca": "da", "deka": "da", "hecto": "h", "kilo": "k",
    "mega": "M", "giga": "G", "tera": "T", "peta": "P", "exa": "E", "zetta": "Z", "yotta": "Y", "ronna": "R",
    "quetta": "Q", "kibi": "Ki", "mebi": "Mi", "gibi": "Gi", "tebi": "Ti",
}  # fmt: skip
_NAMES = {
    "ampere": "A", "candela": "cd", "kelvin": "K", "kilogram": "kg", "gram": "g", "metre": "m", "meter": "m",
    "mole": "mol", "second": "s", "becquerel": "Bq", "coulomb": "C", "farad": "F", "gray": "Gy", "hertz": "Hz",
    "henry": "H", "joule": "J", "katal": "kat", "lumen": "lm", "lux": "lx", "newton": "N", "ohm": "\u03a9",
    "pascal": "Pa", "radian": "rad", "siemens": "S", "sievert": "Sv", "steradian": "sr", "tesla": "T", "volt": "V",
    "watt": "W", "weber": "Wb", "astronomicalunit": "au", "bel": "B", "dalton": "Da", "day": "d", "decibel": "dB",
    "electronvolt": "eV", "hectare": "ha", "hour": "h", "litre": "L", "liter": "L", "minute": "min", "neper": "Np",
    "tonne": "t", "angstrom": "Å", "bar": "bar", "atmosphere": "atm", "barn": "b", "knot": "kn", "mmHg": "mmHg",
    "nauticalmile": "M", "bit": "bit", "byte": "B", "molar": "M", "year": "yr", "celsius": "°C", "degreeCelsius": "°C",
    "percent": r"\%", "degree": r"^{\circ}", "arcminute": r"^{\prime}", "arcsecond": r"^{\prime\prime}",
    "inch": "in", "foot": "ft", "mile": "mi", "pound": "lb", "calorie": "cal", "torr": "Torr",
}  # fmt: skip
_ABBREVIATED = {
    # siunitx has these too, with and without a prefix: \km, \kHz, \MeV.
    **{name: name for name in "m g s A K mol cd Hz N Pa J W V C F H S T L l bar eV Wh B dB au".split()},
    "ohm": "\u03a9",
    "lit": "L",
}
_SMALL = {"u": "\u03bc", **{letter: letter for letter in "yzafpnmcdhkMGTPEZY"}}
_POWERS = {"squared": "2", "cubed": "3"}
_POWERS_BEFORE = {"square": "2", "cubic": "3"}
_MARKS = (r"^{\circ}", r"^{\prime}", r"^{\prime\prime}")
_TOKEN = re.compile(
    r"\\(?P<command>[A-Za-z]+)\s*"
    r"|(?P<letters>[^\W\d_]+|[°%\u2103Å]+[A-Za-z]?|\\%|\\\$|€)"
    r"|\^?(?P<power>[-\u2212+]?\d+(?:[./]\d+)?)"
    r"|\^(?P<group>\{)"
    r"|(?P<slash>/)"
    r"|(?P<between>[\s~.*·⋅]+|\\[,;: ])"
    r"|(?P<bracket>[()])"
)
_NUMBER = re.compile(
    r"\s*+(?P<sign>\\approx|\\sim|[<>~≈]|[-\u2212+])?\s*+(?P<digits>[.,]?\d[\d\s.,]*+)?(?P<error>\(\d+\))?"
    r"\s*+(?:(?:\+-|\+/-|\\pm|±)\s*+(?P<spread>[\d.,]+)\s*+)?(?:[eEdD](?P<exponent>[-+\u2212]?\d+))?\s*+"
)
_TIMES = re.compile(r"x|\\times|×")
_QUANTITY = re.compile(
    r"(?P<number>[-+]?[\d.,]+(?:[eE][-+]?\d+)?(?:\s*(?:\+-|\\pm|±)\s*[\d.,]+)?)?\s*(?P<unit>.*)", re.S
)


def number(source: str) -> str:
    r"""The TeX of `\num{…}`; what is no number is TeX already."""
    found = _NUMBER.fullmatch(source)
    if found is None or not (found["digits"] or found["exponent"]):
        return source
    sign = (found["sign"] or "").replace("\u2212", "-").replace("~", r"\sim ").replace("≈", r"\approx ")
    groups = (found["digits"] or "").replace(",", "{,}").split()
    value = sign + r"\,".join(groups) + (found["error"] or "") + (rf"\pm {found['spread']}" if found["spread"] else "")
    if not found["exponent"]:
        return value
    power = f"10^{{{found['exponent'].lstrip('+')}}}"
    if found["spread"]:
        value = f"({value})"
    return rf"{value}\times {power}" if found["digits"] else f"{sign}{power}"


def quantity(source: str, of: str) -> str:
    r"""The TeX of `\qty{…}{…}`."""
    return _with_unit(number(source), unit(of))


def several_numbers(source: str) -> str:
    r"""The TeX of `\numlist{…;…}`."""
    return _listed([number(one) for one in source.split(";")])


def several(source: str, of: str) -> str:
    r"""The TeX of `\qtylist{…;…}{…}`."""
    return _listed([quantity(one, of) for one in source.split(";")])


def number_range(first: str, last: str) -> str:
    r"""The TeX of `\numrange{…}{…}`."""
    return rf"{number(first)}\text{{ to }}{number(last)}"


def quantity_range(first: str, last: str, of: str) -> str:
    r"""The TeX of `\qtyrange{…}{…}{…}`."""
    return rf"{quantity(first, of)}\text{{ to }}{quantity(last, of)}"


def product(source: str, of: str) -> str:
    r"""The TeX of `\qtyproduct{… x …}{…}`."""
    return r" \times ".join(quantity(one, of) for one in _TIMES.split(source))


def angle(source: str) -> str:
    r"""The TeX of `\ang{…}`: degrees, or degrees, minutes and seconds."""
    parts = source.split(";")
    if len(parts) > len(_MARKS):
        raise Unreadable(source[:20])
    return "".join(f"{number(part)}{mark}" for part, mark in zip(parts, _MARKS, strict=False) if part)


def physical_unit(source: str) -> str:
    r"""The TeX of `\pu{…}`: a number and a unit, or one of them."""
    found = _QUANTITY.fullmatch(source.strip())
    assert found is not None  # noqa: S101  (it matches anything)
    if not found["number"]:
        return unit(found["unit"])
    return _with_unit(number(found["number"]), unit(found["unit"])) if found["unit"] else number(found["number"])


def unit(source: str) -> str:
    r"""The TeX of `\unit{…}`: of a unit's names, or of its letters. Raises Unreadable."""
    return _Unit(source).to_tex()


def _with_unit(value: str, of: str) -> str:
    return f"{value}{of}" if not of or of.startswith("^") else rf"{value}\,{of}"


def _listed(values: list[str]) -> str:
    *most, last = values
    return rf"{', '.join(most)}\text{{ and }}{last}".replace(", ", r",\ ") if most else last


class _Unit(Reader):
    tokens = _TOKEN

    def __init__(self, source: str) -> None:
        super().__init__(source.strip())
        self._prefix = self._sign = self._power = ""
        """What was said before a unit: its prefix, "-" for "per", and its power."""
        self._raised_by = ""
        """The sign of the last unit's power."""
        self._is_joined = True
        """Whether the next unit follows without a space: at the beginning, and after a slash or bracket."""

    def to_tex(self) -> str:
        """The pieces are each unit's symbol and power, slashes and brackets."""
        while self._at < len(self._source):
            self._read_next()
        if self._prefix or self._sign or self._power:
            raise Unreadable(self._source[:20])
        return "".join(self._pieces)

    def _read_command(self, name: str) -> None:
        if name == "per":
            self._sign = "-"
        elif name in _POWERS_BEFORE:
            self._power = _POWERS_BEFORE[name]
        elif name in _POWERS:
            self._raise(_POWERS[name])
        elif name in _PREFIXES:
            self._prefix = _PREFIXES[name]
        elif name in ("tothe", "raiseto", "of"):
            self._with_argument(name)
        elif name != "cdot":
            self._add(_named(name))

    def _with_argument(self, name: str) -> None:
        given = self._group_at(self._at)
        if name == "tothe":
            self._raise(given)
        elif name == "raiseto":
            self._power = given
        else:
            self._pieces.append(rf"_{{\mathrm{{{given}}}}}")

    def _read_letters(self, letters: str) -> None:
        self._add(letters.replace("\u2103", "°C").replace("\\%", "%").replace("%", r"\%"))

    def _read_power(self, power: str) -> None:
        self._raise(power.replace("\u2212", "-"))

    def _read_group(self, _: str) -> None:
        self._raise(self._group_at(self._at - 1))

    def _read_slash(self, _: str) -> None:
        self._pieces.append("/")
        self._is_joined = True

    def _read_between(self, _: str) -> None:
        """What is between two units is shown as a space, whatever it is."""

    def _read_bracket(self, bracket: str) -> None:
        self._pieces.append(bracket)
        self._is_joined = bracket == "("

    def _add(self, symbol: str) -> None:
        is_mark = symbol.startswith("^")
        text = symbol if is_mark else rf"\mathrm{{{self._prefix}{symbol}}}"
        power = self._sign + (self._power or ("1" if self._sign else ""))
        self._pieces += (text if self._is_joined or is_mark else rf"\,{text}", f"^{{{power}}}" if power else "")
        self._raised_by, self._is_joined = self._sign, False
        self._prefix = self._power = self._sign = ""

    def _raise(self, power: str) -> None:
        """Raise the last unit, whose power is none or "-1" so far."""
        if not self._pieces or self._pieces[-1] not in ("", "^{-1}"):
            raise Unreadable(power)
        self._pieces[-1] = f"^{{{self._raised_by}{power}}}"


def _named(name: str) -> str:
    """A unit's symbol by its name or abbreviation."""
    if name in _NAMES:
        return _NAMES[name]
    if name in _ABBREVIATED:
        return _ABBREVIATED[name]
    if name[:1] in _SMALL and name[1:] in _ABBREVIATED:
        return _SMALL[name[0]] + _ABBREVIATED[name[1:]]
    raise Unreadable(name)
