"""Reads the elements of a JSON list of any size in bounded memory and linear time.

`json` itself finds the end of an element in a window of the file. If that fails, the list is read carefully: ends are
found by counting brackets, and each element is checked before it is parsed.
"""

from __future__ import annotations

import codecs
import gc
import json
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import IO, Any

from webchat.archive.bounds import PIECE, Bounds, size_of
from webchat.archive.foreign import shown_title
from webchat.archive.titles_in_json import title_in

LEAST_PIECE = 1024
BLANKS = b" \t\r\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LARGEST_CHARACTER = 4
"""Bytes in UTF-8."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(rb'"[^"]*"?|[{}\[\],]')
_CONTAINERS = frozenset((dict, list))
_parse = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Fault:
    """Takes an element's place if it is left out; says why. `title` is the element's, if it could be found.

    `line` is its line, if each has its own.
    """

    why: str
    title: str = ""
    line: int = 0


def elements(
    file: IO[bytes],
    bounds: Bounds,
    problem: Callable[[str], None],
    piece: int = PIECE,
    least_piece: int = LEAST_PIECE,
    *,
    is_inner: bool = False,
) -> Iterator[Any]:
    """The elements of the list in the file, or its single value; a Fault for each that is left out.

    `problem` receives what is wrong with the file as a whole. `piece` bytes are read at once, or `least_piece` if the
    bounds are smaller. If the list `is_inner`, what follows it is ignored.
    """
    if skip_blanks(file) == b"[":
        file.read(1)
        yield from _List(file, bounds, problem, piece, least_piece, is_inner).elements()
    else:
        yield from _one(file, bounds, problem)


def skip_blanks(file: IO[bytes]) -> bytes:
    """Skip white space and a byte order mark; returns the next byte, b"" at the end of the file."""
    place = file.tell()
    while piece := file.read(LEAST_PIECE):
        rest = piece.lstrip(BLANKS + BYTE_ORDER_MARK)
        if rest:
            file.seek(place + len(piece) - len(rest))
            return rest[:1]
        place += len(piece)
    return b""


def fault(element: bytes | bytearray, bounds: Bounds) -> str:
    """Why this JSON must not be parsed; "" if it may be."""
    if len(element) > bounds.conversation:
        return f"it is larger than {size_of(bounds.conversation)}"
    brackets = element.count(b"{") + element.count(b"[")
    # There is one value more than there are commas, and one more in each bracket.
    if brackets <= bounds.depth and brackets + element.count(b",") < bounds.values:
        return ""
    depth = values = 0
    for token in _TOKEN.finditer(_without_escapes(element)):
        mark = token[0]
        depth += (mark in b"{[") - (mark in b"}]")
        values += mark in b"{[" or mark == b","
        if values >= bounds.values:
            return f"it has more than {bounds.values:,} values"
        if depth > bounds.depth:
            return _too_deep(bounds)
    return ""


def _one(file: IO[bytes], bounds: Bounds, problem: Callable[[str], None]) -> Iterator[Any]:
    data = bytearray()
    while len(data) <= bounds.conversation and (piece := file.read(PIECE)):
        data += piece
    if why := fault(data, bounds):
        yield Fault(why, title_in(data))
        return
    try:
        text = data.decode()
        value, end = _parse(text)
    except (ValueError, RecursionError):
        problem(f"the file is damaged or truncated{_within(title_in(data))}.")
        return
    yield value
    if text[end:].strip():
        problem("the file is damaged after conversation 1.")


def _within(title: str) -> str:
    """In which conversation a file breaks off, if its title could be found."""
    shown = shown_title(title)
    return f" in “{shown}”" if shown else ""


class _List:
    """A list in a file, positioned after its opening bracket."""

    def __init__(
        self,
        file: IO[bytes],
        bounds: Bounds,
        problem: Callable[[str], None],
        piece: int,
        least_piece: int,
        is_inner: bool,
    ) -> None:
        self._file, self._bounds, self._problem, self._is_inner = file, bounds, problem, is_inner
        self._piece, self._largest_piece = max(least_piece, min(piece, bounds.conversation)), piece
        self._largest_window = bounds.conversation // LARGEST_CHARACTER
        self._count = 0
        self._latest = 0
        """Characters of the latest element."""

    def elements(self) -> Iterator[Any]:
        """Yields the elements. Each step begins with what the last one has left over; None at the list's end."""
        rest: bytes | None = b""
        steps = cycle((self._quickly, self._carefully))
        while rest is not None:
            rest = yield from next(steps)(rest)

    def _quickly(self, data: bytes) -> Generator[Any, None, bytes | None]:
        """Yields the elements up to one that exceeds the window or is invalid."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        window, enough = "", 0
        while data := data or self._file.read(self._piece):
            try:
                window += decoder.decode(data)
            except UnicodeDecodeError:
                break
            data = b""
            if len(window) < enough:
                continue
            if len(window) > self._bounds.values and sum(map(window.count, ",{[")) >= self._bounds.values:
                break
            place = yield from self._whole(window)
            window = window[place:]
            if window.startswith("]"):
                self._check_rest(window[1:].encode() + decoder.getstate()[0])
                return None
            if not place and len(window) > self._largest_window:
                break
            enough = 0 if place else 2 * len(window)
        return window.encode() + decoder.getstate()[0] + data

    def _whole(self, window: str) -> Generator[Any, None, int]:
        """Yields the elements that are complete in the window; returns where they end."""
        place = 0
        while True:
            begin = _behind_blanks(window, place)
            if window.startswith("]", begin):
                return begin
            if len(window) - begin < self._latest:  # it is probably incomplete, and would be parsed twice
                return place
            try:
                value, end = _parse(window, begin)
            except (ValueError, RecursionError):
                return place
            end = _behind_blanks(window, end)
            if end - begin > self._largest_window or not window.startswith((",", "]"), end):
                return place
            place = end + window.startswith(",", end)
            self._count, self._latest = self._count + 1, end - begin
            is_deeper = _is_deeper(value, self._bounds.depth)
            yield Fault(_too_deep(self._bounds), title_in(window[begin:end].encode())) if is_deeper else value

    def _carefully(self, data: bytes) -> Generator[Any, None, bytes | None]:
        """Yields the elements, each checked before it is parsed, up to a large but valid one."""
        ends, element = _Ends(), bytearray()
        while data := data or self._file.read(self._piece):
            data, begin = ends.read(data), 0
            for place in ends.places:
                self._extend(element, data[begin:place])
                begin = place + 1
                if element.strip():
                    self._count += 1
                    value = self._value(element)
                    yield value
                    if len(element) > self._largest_window and not isinstance(value, Fault) and not ends.is_over:
                        return data[begin:] + ends.held
                element.clear()
            if ends.is_over:
                self._check_rest(data[begin:] + ends.held)
                return None
            self._extend(element, data[begin:])
            data = b""
        yield from self._broken_off(element)
        return None

    def _extend(self, element: bytearray, data: bytes) -> None:
        """Keep only a part of an element that is too large, though enough to be recognised as too large."""
        if len(element) <= self._bounds.conversation:
            element += data

    def _value(self, element: bytearray) -> Any:  # noqa: ANN401
        if why := fault(element, self._bounds):
            return Fault(why, title_in(element))
        try:
            return json.loads(element.decode())
        except (ValueError, RecursionError):
            return Fault("it is damaged", title_in(element))

    def _broken_off(self, element: bytearray) -> Iterator[Any]:
        """Yields what can be read of an unterminated list."""
        value = self._value(element) if element.strip() else Fault("")
        title = value.title if isinstance(value, Fault) else ""
        if not isinstance(value, Fault):
            self._count += 1
            yield value
        where = f" after conversation {self._count}" if self._count else ""
        self._problem(f"the file is damaged or truncated{where}{_within(title)}.")

    def _check_rest(self, rest: bytes) -> None:
        while not self._is_inner and (rest or (rest := self._file.read(self._largest_piece))):
            if rest.strip(BLANKS):
                self._problem(f"the file is damaged after conversation {self._count}.")
                return
            rest = b""


class _Ends:
    """Finds the ends of a list's elements, piece by piece."""

    def __init__(self) -> None:
        self._depth, self._in_string = 0, False
        self.held = b""
        """An incomplete escape at the end of a piece, which is read with the next one."""
        self.places: list[int] = []
        """The positions in the last piece of the commas between elements and the list's closing bracket."""
        self.is_over = False
        """Whether the last of these is that bracket."""

    def read(self, data: bytes) -> bytes:
        """Take a piece; returns it with the part held back before, and without the part held back now."""
        data = self.held + data
        cut = len(data) - (len(data) - len(data.rstrip(b"\\"))) % 2
        data, self.held = data[:cut], data[cut:]
        added, self.places = int(self._in_string), []
        mark = b""
        for token in _TOKEN.finditer(b'"' * added + _without_escapes(data)):
            mark = token[0]
            self._depth += (mark in b"{[") - (mark in b"}]")
            self.is_over = self._depth < 0
            if self.is_over or (self._depth == 0 and mark == b","):
                self.places.append(token.start() - added)
            if self.is_over:
                break
        self._in_string = mark.startswith(b'"') and mark.count(b'"') == 1
        return data


def _without_escapes(text: bytes | bytearray) -> bytes | bytearray:
    """The text, of the same length, with escaped quotation marks removed: each one left begins or ends a string."""
    return text.replace(rb"\\", b"..").replace(rb"\"", b"..")


def _behind_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _is_deeper(value: object, most: int) -> bool:
    """Whether this is nested more deeply. Descending level by level in C takes a tenth of the time of parsing.

    Values that are not containers have no referents, so the descent ends at them.
    """
    level, depth = [value], 0
    while level and depth < most:
        level, depth = gc.get_referents(*level), depth + 1
    return any(type(inner) in _CONTAINERS for inner in level)


def _too_deep(bounds: Bounds) -> str:
    return f"it is nested more than {bounds.depth} deep"
