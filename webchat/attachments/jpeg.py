"""JPEG (ITU-T T.81, JFIF 1.02): the segments that the picture needs are kept, and no others. Nothing is decoded."""

from __future__ import annotations

import re
import struct

from webchat.attachments.broken import ENDS_EARLY, Broken
from webchat.attachments.clean import Clean
from webchat.attachments.exif import SIDEWAYS, UPRIGHT, orientation_of, tiff_with

START, END, SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}
_WHOLE = _FRAMES | _TABLES | {SCAN}
"""Markers whose segments are kept as they are."""
_ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a segment."""
MOST_SEGMENTS = 10_000
"""Segments and lone markers of one picture; photos have a few hundred at most."""
_NO_FILL = re.compile(rb"[^\xff]")
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In a scan's data, 0xFF is followed by 0 or is a restart marker. Fill bytes before a marker may stay."""


def cleaned(data: bytes) -> Clean:
    """The picture without EXIF, XMP, IPTC, comments, previews and bytes after its end. Raises Broken."""
    kept, size, has_scan, turned = [data[:2]], (0, 0), False, UPRIGHT
    place = 2
    for _ in range(MOST_SEGMENTS):
        marker, place = _marker(data, place)
        if marker == END:
            break
        if marker in _ALONE:
            continue
        segment = _segment(data, place)
        place += 2 + len(segment)
        if marker in _FRAMES and size == (0, 0):
            size = _size(segment)
        if _is_exif(marker, segment):
            turned = orientation_of(segment[6:])
        kept.append(_kept(marker, segment))
        if marker == SCAN:
            has_scan, end = True, _end_of_scan(data, place)
            kept.append(data[place:end])
            place = end
    else:
        raise Broken("has too many parts")
    if not has_scan or 0 in size:
        raise Broken("contains no picture: it is damaged")
    return Clean(b"".join([*kept, bytes((0xFF, END))]), *(size if turned < SIDEWAYS else size[::-1]))


def _marker(data: bytes, place: int) -> tuple[int, int]:
    """The marker at this offset, and the offset after it; any number of fill bytes may precede it."""
    if place >= len(data):
        raise Broken(ENDS_EARLY)
    if data[place] != 0xFF:
        raise Broken("is damaged")
    found = _NO_FILL.search(data, place)
    if found is None:
        raise Broken(ENDS_EARLY)
    marker = found[0][0]
    if marker in (0, START):
        raise Broken("is damaged")
    return marker, found.end()


def _segment(data: bytes, place: int) -> bytes:
    """A segment's content, without its length."""
    length = int.from_bytes(data[place : place + 2], "big")
    if length < 2 or place + length > len(data):
        raise Broken(ENDS_EARLY)
    return data[place + 2 : place + length]


def _size(segment: bytes) -> tuple[int, int]:
    if len(segment) < 6:
        raise Broken("is damaged")
    height, width = struct.unpack_from(">HH", segment, 1)
    return width, height


def _end_of_scan(data: bytes, place: int) -> int:
    found = _NEXT_MARKER.search(data, place)
    if found is None:
        raise Broken(ENDS_EARLY)
    return found.start()


def _is_exif(marker: int, segment: bytes) -> bool:
    return marker == 0xE1 and segment.startswith(b"Exif\0")


def _kept(marker: int, segment: bytes) -> bytes:
    """The part of a segment to keep: all of it, a part, or nothing."""
    if marker in _WHOLE:
        return _written(marker, segment)
    if marker == 0xE0 and segment.startswith(b"JFIF\0") and len(segment) >= 12:
        return _written(marker, segment[:12] + b"\0\0")  # without its preview
    if _is_exif(marker, segment):
        turned = orientation_of(segment[6:])
        return _written(marker, b"Exif\0\0" + tiff_with(turned)) if turned != UPRIGHT else b""
    is_colour = (marker == 0xE2 and segment.startswith(b"ICC_PROFILE\0")) or (
        marker == 0xEE and segment.startswith(b"Adobe")
    )
    return _written(marker, segment) if is_colour else b""


def _written(marker: int, segment: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(segment) + 2) + segment
