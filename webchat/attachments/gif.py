"""GIF (87a, 89a): the blocks that the picture needs are kept, and no others. Nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from webchat.attachments.broken import ENDS_EARLY, Broken, bounded
from webchat.attachments.clean import Clean

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
"""Applications whose blocks say how often an animation is repeated."""


def cleaned(data: bytes) -> Clean:
    """The picture without comments, XMP data and bytes after its end. Raises Broken."""
    if len(data) < 13:
        raise Broken(ENDS_EARLY)
    width, height = struct.unpack_from("<HH", data, 6)
    place = 13 + _table(data[10])
    kept, images = [data[:place]], 0
    for begin, end in bounded(_blocks(data, place)):
        if _is_kept(data, begin):
            kept.append(data[begin:end])
        images += data[begin] == _IMAGE
    if not images or not width or not height:
        raise Broken("contains no picture: it is damaged")
    return Clean(b"".join([*kept, bytes((_TRAILER,))]), width, height)


def _blocks(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    """The (beginning, end) of each block."""
    while place < len(data) and data[place] != _TRAILER:  # some programs leave out the last byte
        end = _end_of_block(data, place)
        yield place, end
        place = end


def _end_of_block(data: bytes, place: int) -> int:
    if data[place] == _EXTENSION:
        return _end_of_parts(data, place + 2)
    if data[place] != _IMAGE:
        raise Broken("is damaged")
    if place + 11 > len(data):
        raise Broken(ENDS_EARLY)
    return _end_of_parts(data, place + 11 + _table(data[place + 9]))


def _end_of_parts(data: bytes, place: int) -> int:
    """The offset after the data that begins here: parts that begin with their length, the last of which is empty."""
    while place < len(data):
        length = data[place]
        place += 1 + length
        if not length:
            return place
    raise Broken(ENDS_EARLY)


def _is_kept(data: bytes, place: int) -> bool:
    if data[place] == _IMAGE:
        return True
    label = data[place + 1]
    return label == _CONTROL or (label == _APPLICATION and data[place + 3 : place + 14] in _LOOPS)


def _table(flags: int) -> int:
    """The size in bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
