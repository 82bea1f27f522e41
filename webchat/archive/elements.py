"""The elements of a JSON list of any size, read in bounded memory and in time that grows with the file only.

Brackets outside strings are counted with the fast methods of `bytes`, to find where elements end; `json` then parses a
few whole elements at a time. No element is parsed before its size, its depth and the number of its values are known to
be within bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from webchat.archive.bounds import PIECE, Bounds, size_of

BLOCK = 4 * 1024
"""Bytes whose brackets are counted together. Only those where an element may end are looked through one by one."""
LEAST_PIECE = 1024
BLANKS = b" \t\r\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b'"{}[]'))
_ALL_BUT_MARKS = bytes(set(range(256)) - set(b'"{}[],'))
_TOKEN = re.compile(rb'"[^"]*"?|[{}\[\],]')


@dataclass(frozen=True)
class Fault:
    """In an element's place: why it is left out."""

    why: str


def elements(file: IO[bytes], bounds: Bounds, problem: Callable[[str], None]) -> Iterator[Any]:
    """The elements of the list in the file, or the one value that the file is; a Fault for each that is left out.

    `problem` is told what is wrong with the file as a whole.
    """
    if skip_blanks(file) == b"[":
        file.read(1)
        yield from _List(file, bounds, problem).elements()
    else:
        yield from _one(file, bounds, problem)


def skip_blanks(file: IO[bytes]) -> bytes:
    """Go to the first byte that is neither blank nor of a byte order mark; gives that byte, b"" at the file's end."""
    place = file.tell()
    while piece := file.read(PIECE):
        rest = piece.lstrip(BLANKS + BYTE_ORDER_MARK)
        if rest:
            file.seek(place + len(piece) - len(rest))
            return rest[:1]
        place += len(piece)
    return b""


def fault(element: bytes, bounds: Bounds) -> str:
    """Why this JSON is not to be parsed, "" if it may be."""
    if len(element) > bounds.conversation:
        return f"it is larger than {size_of(bounds.conversation)}"
    if element.count(b"{") + element.count(b"[") <= bounds.depth and not _may_exceed(element, bounds.values):
        return ""
    marks, _ = _outside(_without_escapes(element), False, _ALL_BUT_MARKS)
    if _may_exceed(marks, bounds.values):
        return f"it has more than {bounds.values:,} values"
    if _nested(marks.replace(b",", b""), bounds.depth)[0] > bounds.depth:
        return f"it is nested more than {bounds.depth} deep"
    return ""


def _one(file: IO[bytes], bounds: Bounds, problem: Callable[[str], None]) -> Iterator[Any]:
    data = bytearray()
    while len(data) <= bounds.conversation and (piece := file.read(PIECE)):
        data += piece
    if why := fault(bytes(data), bounds):
        yield Fault(why)
        return
    try:
        text = data.decode()
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        problem("the file is damaged or ends too early.")
        return
    yield value
    if text[end:].strip():
        problem("the file is damaged behind conversation 1.")


class _List:
    """A list in a file, behind its opening bracket."""

    def __init__(self, file: IO[bytes], bounds: Bounds, problem: Callable[[str], None]) -> None:
        self._file, self._bounds, self._problem = file, bounds, problem
        self._count = 0
        self._pending = bytearray()
        """What has been read of elements whose end has not been."""
        self._is_skipping = False
        """Whether the element that is being read is too large, and is left out."""
        self._is_deep = False

    def elements(self) -> Iterator[Any]:
        reader = _Brackets(self._bounds.depth)
        while data := self._file.read(max(LEAST_PIECE, min(PIECE, self._bounds.conversation))):
            piece = reader.read(data)
            self._is_deep = self._is_deep or piece.is_deep
            for item in self._completed(piece):
                self._count += 1
                yield item
            if piece.end is not None:
                self._check_rest(piece.data[piece.end + 1 :])
                return
        yield from self._broken_off()

    def _completed(self, piece: _Piece) -> Iterator[Any]:
        """The elements that end in this piece."""
        begin = 0
        if self._is_skipping:
            comma = piece.first_comma()
            if comma is None:
                return
            begin, self._is_skipping = comma + 1, False
        cut = piece.end if piece.end is not None else piece.last_comma()
        if cut is None:
            self._pending += piece.data[begin:]
            if len(self._pending) > self._bounds.conversation:
                self._pending.clear()
                self._is_skipping = True
                yield Fault(f"it is larger than {size_of(self._bounds.conversation)}")
            return
        self._pending += memoryview(piece.data)[begin:cut]
        text, self._pending = self._pending, bytearray(memoryview(piece.data)[cut + 1 :])
        yield from self._parsed(text)
        self._is_deep = piece.is_deep

    def _parsed(self, text: bytearray) -> Iterable[Any]:
        """The elements of this part of the list: all at once, or one by one where something is wrong with one."""
        is_large = len(text) > self._bounds.conversation or _may_exceed(text, self._bounds.values)
        if self._is_deep or is_large:
            return self._one_by_one(bytes(text))
        try:
            values: list[Any] = json.loads(b"".join((b"[", text, b"]")).decode())
        except ValueError:
            return self._one_by_one(bytes(text))
        return values

    def _one_by_one(self, text: bytes) -> Iterator[Any]:
        for element in _split(text):
            if element.strip():
                yield self._value(element)

    def _value(self, element: bytes) -> Any:  # noqa: ANN401
        if why := fault(element, self._bounds):
            return Fault(why)
        try:
            return json.loads(element.decode())
        except (ValueError, RecursionError):
            return Fault("it is damaged")

    def _broken_off(self) -> Iterator[Any]:
        """What can be read of a list that does not end."""
        *whole, last = [element for element in _split(bytes(self._pending)) if element.strip()] or [b""]
        values = [self._value(element) for element in whole]
        value = self._value(last) if last else Fault("")
        for item in [*values, *([] if isinstance(value, Fault) else [value])]:
            self._count += 1
            yield item
        self._problem(f"the file is damaged or ends too early behind conversation {self._count}.")

    def _check_rest(self, rest: bytes) -> None:
        while rest or (rest := self._file.read(PIECE)):
            if rest.strip(BLANKS):
                self._problem(f"the file is damaged behind conversation {self._count}.")
                return
            rest = b""


@dataclass(frozen=True)
class _Piece:
    """Some bytes of a list, and what is known of where its elements end."""

    data: bytes
    masked: bytes
    """The data without escapes, which are written over."""
    places: list[tuple[int, int, bool]]
    """Where blocks begin in which an element may end: (offset, depth, whether that is in a string)."""
    end: int | None
    """Where the list's closing bracket is, if it is here."""
    is_deep: bool

    def first_comma(self) -> int | None:
        """The first comma between two elements."""
        return next((commas[0] for place in self.places if (commas := self._commas(place))), None)

    def last_comma(self) -> int | None:
        return next((commas[-1] for place in reversed(self.places) if (commas := self._commas(place))), None)

    def _commas(self, place: tuple[int, int, bool]) -> list[int]:
        return _ends(self.masked, *place)[0]


class _Brackets:
    """Reads a list piece by piece: how deep it is, and whether in a string."""

    def __init__(self, depth: int) -> None:
        self._most = depth + 1
        self._depth, self._in_string = 1, False
        self._held = b""

    def read(self, data: bytes) -> _Piece:
        data = self._held + data
        # An escape is not cut in two.
        odd = (len(data) - len(data.rstrip(b"\\"))) % 2
        data, self._held = data[: len(data) - odd], data[len(data) - odd :]
        masked = _without_escapes(data)
        places: list[tuple[int, int, bool]] = []
        end, is_deep = None, False
        for offset in range(0, len(masked), BLOCK):
            place = offset, self._depth, self._in_string
            lowest, deepest = self._count(masked[offset : offset + BLOCK])
            is_deep = is_deep or deepest > self._most
            if lowest <= 1:
                places.append(place)
            if lowest <= 0 and (end := _ends(masked, *place)[1]) is not None:
                break
        return _Piece(data, masked, places, end, is_deep)

    def _count(self, block: bytes) -> tuple[int, int]:
        """Count the brackets of a block. Gives how deep it is where it is lowest, and where it is deepest, at most."""
        brackets, self._in_string = _outside(block, self._in_string, _ALL_BUT_BRACKETS)
        rounds, rest = _nested(brackets, self._most)
        before, closed = self._depth, rest.count(b"}")
        self._depth += len(rest) - 2 * closed
        return before - closed, max(before, self._depth) + rounds


def _without_escapes(text: bytes) -> bytes:
    """The text, as long as before, in which each quotation mark begins or ends a string."""
    return text.replace(rb"\\", b"..").replace(rb"\"", b"..")


def _outside(text: bytes, in_string: bool, without: bytes) -> tuple[bytes, bool]:
    """What stands outside strings, but for the bytes `without`, with "{}" for "[]"; and whether a string goes on."""
    # Two quotation marks with nothing between them part nothing.
    parts = text.translate(_AS_BRACES, without).replace(b'""', b"").split(b'"')
    return b"".join(parts[in_string::2]), in_string ^ (len(parts) % 2 == 0)


def _nested(brackets: bytes, most: int) -> tuple[int, bytes]:
    """How deep the brackets are nested, looked at up to one more than `most`; and those that have no partner."""
    rounds = 0
    while rounds <= most and b"{}" in brackets:
        brackets = brackets.replace(b"{}", b"")
        rounds += 1
    return rounds, brackets


def _may_exceed(text: bytes | bytearray, values: int) -> bool:
    """Whether this may be more values: there is one more than commas, and one more in each bracket."""
    return len(text) > values and sum(map(text.count, (b",", b"{", b"["))) >= values


def _ends(masked: bytes, offset: int, depth: int, in_string: bool) -> tuple[list[int], int | None]:
    """Where the commas between elements are in the block at `offset`, and where the list ends, if it does there."""
    end = offset + BLOCK
    if in_string:
        offset = masked.find(b'"', offset, end) + 1 or end
    commas: list[int] = []
    for token in _TOKEN.finditer(masked, offset, end):
        mark = token[0]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth == 0:
                return commas, token.start()
        elif depth == 1 and mark == b",":
            commas.append(token.start())
    return commas, None


def _split(text: bytes) -> Iterator[bytes]:
    """The elements, one by one, of a part of a list."""
    masked, depth, start = _without_escapes(text), 0, 0
    for token in _TOKEN.finditer(masked):
        mark = token[0]
        depth += (mark in b"{[") - (mark in b"}]")
        if depth == 0 and mark == b",":
            yield text[start : token.start()]
            start = token.end()
    yield text[start:]
