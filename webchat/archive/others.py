"""Reads other programs' conversations from a file that is not packed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import IO, Any

from webchat.archive import sources
from webchat.archive.asset_names import NamesIn
from webchat.archive.bounds import MIB, Bounds
from webchat.archive.brought import Brought, Empty, Report, Unreadable
from webchat.archive.elements import Fault
from webchat.archive.foreign import Conversation, brought, shown_title
from webchat.archive.foreign_pictures import Find
from webchat.archive.lenient import first_text, table
from webchat.archive.sources import FILE_SOURCES, Source, advice, names, recognised
from webchat.archive.values import HEAD, values

LONGEST_HEAD = MIB
"""Bytes to read from the beginning of an HTML page, whose styles come first."""
MOST_UNKNOWN = 100
"""The most values of unknown programs before a file is considered unknown."""

FOR_OTHERS = "If its pictures belong to conversations in another file, import the two together."


class UnknownKind(Exception):
    """The file is of an unknown kind; the text lists the known ones."""

    def __init__(self, *, has_pictures: bool = False) -> None:
        self.has_pictures = has_pictures
        known = f"This kind of file is unknown. The known kinds are: this chat's own exports, {names()}."
        super().__init__(f"{known} {FOR_OTHERS}" if has_pictures else known)


@dataclass(frozen=True)
class Place:
    """A file: `where` is a prefix of its problems, `path` its name, and `find` returns the files beside it.

    `names_in` returns the assets' names in one of these.
    """

    where: str
    path: str
    find: Find
    names_in: NamesIn

    @property
    def title(self) -> str:
        """The file's name as a title; "" if it is the name of a packed one, which may have several."""
        name = re.split(r"[/\\]", self.path)[-1]
        return "" if name.lower().endswith((".zip", ".gz")) else name.removesuffix(".json")


def conversations(file: IO[bytes], place: Place, report: Report, bounds: Bounds) -> Iterator[Brought]:
    """The conversations of a file that begins with "[" or "{". Raises UnknownKind."""
    reporter = _Reporter(place, report)
    found = _known(values(file, bounds, reporter.of_file), reporter)
    names = cache(place.names_in)
    for source, group in groupby(found, key=lambda each: each[0]):
        yield from reporter.brought(sources.conversations(source, (value for _, value in group), names))


def other_files(file: IO[bytes], place: Place, report: Report, bounds: Bounds) -> Iterator[Brought]:
    """The conversations of a file that is not JSON. Raises UnknownKind."""
    head = file.read(HEAD)
    file.seek(0)
    reporter = _Reporter(place, report)
    source = next((source for source in FILE_SOURCES if source.recognises(head)), None)
    if source is None:
        if instead := advice(file.read(LONGEST_HEAD)):
            reporter.of_file(instead)
            return
        raise UnknownKind
    try:
        yield from reporter.brought(source.conversations(file, bounds))
    except Unreadable as error:
        reporter.of_file(f"{error}.")


class _Reporter:
    """Reports what cannot be read in one file."""

    def __init__(self, place: Place, report: Report) -> None:
        self._where, self._report, self._place = place.where, report, place
        self._count = 0
        self.has_reported = False

    def of_file(self, problem: str) -> None:
        self._report.problem(self._where + problem if self._where else problem[0].upper() + problem[1:])
        self.has_reported = True

    def of(self, name: str, why: str) -> None:
        self._report.unread(self._where, name, why)
        self.has_reported = True

    def of_unknown(self, names: list[str]) -> None:
        """Report these, and empty the list."""
        while names:
            self.of(names.pop(0), "its kind is unknown")

    def brought(self, found: Iterator[Conversation]) -> Iterator[Brought]:
        """These conversations as sessions."""
        for conversation in found:
            self._count += 1
            if conversation.is_titled_by_file:
                conversation.title = conversation.title or self._place.title
            try:
                session = brought(conversation, self._place.find)
            except Empty:
                self._report.empty += 1
                continue
            except Unreadable as error:
                self._report.unread(self._where, _name(self._count, conversation.title), str(error))
                continue
            yield session


def _known(found: Iterator[Any], reporter: _Reporter) -> Iterator[tuple[Source, Any]]:
    """The values with their sources. Raises UnknownKind if there are only others."""
    source: Source | None = None
    unknown: list[str] = []
    is_known = False
    for number, value in enumerate(found, 1):
        if isinstance(value, Fault):
            reporter.of(_name(value.line or number, value.title, "line" if value.line else "conversation"), value.why)
            continue
        if source is None or not source.SPANS_FILE:
            source = recognised(value)
        if source is not None:
            is_known = True
            yield source, value
        else:
            unknown.append(_name(number, first_text(table(value), "title", "name")))
        if is_known:
            reporter.of_unknown(unknown)
        elif len(unknown) > MOST_UNKNOWN:
            raise UnknownKind
    if unknown and not reporter.has_reported:
        raise UnknownKind
    reporter.of_unknown(unknown)


def _name(number: int, title: str = "", kind: str = "conversation") -> str:
    """What a report calls a conversation."""
    shown = shown_title(title)
    return f"“{shown}”" if shown else f"{kind} {number}"
