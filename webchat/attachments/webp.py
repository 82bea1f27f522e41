"""WebP (RFC 9649): the chunks that the picture needs are kept, and no others. Nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from webchat.attachments.broken import ENDS_EARLY, Broken, bounded
from webchat.attachments.clean import Clean
from webchat.attachments.exif import UPRIGHT, orientation_of, tiff_with

_FRAME = (b"VP8 ", b"VP8L", b"ALPH")
_KEPT = (*_FRAME, b"ICCP", b"ANIM")
_EXIF, _XMP = 0x08, 0x04
"""Flags of the header for optional chunks."""


def cleaned(data: bytes) -> Clean:
    """The picture without EXIF and XMP data, unknown chunks and bytes after its end. Raises Broken."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) or end < 20:
        raise Broken(ENDS_EARLY)
    chunks = [*bounded(_chunks(data[12:end]))]
    if any(kind == b"VP8X" for kind, _ in chunks[1:]):
        raise Broken("is damaged: it has a second header")
    turned = next((orientation_of(_tiff(body)) for kind, body in chunks if kind == b"EXIF"), UPRIGHT)
    size, has_picture = _size(*chunks[0]), any(kind in (b"VP8 ", b"VP8L", b"ANMF") for kind, _ in chunks)
    if not has_picture or 0 in size:
        raise Broken("contains no picture: it is damaged")
    kept = b"".join(_kept(kind, body, turned) for kind, body in chunks)
    if turned != UPRIGHT and chunks[0][0] == b"VP8X":
        kept += _written(b"EXIF", tiff_with(turned))
    return Clean(b"RIFF" + struct.pack("<I", 4 + len(kept)) + b"WEBP" + kept, *size)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place < len(data):
        if place + 8 > len(data):
            raise Broken(ENDS_EARLY)
        kind, length = struct.unpack_from("<4sI", data, place)
        if place + 8 + length > len(data):
            raise Broken(ENDS_EARLY)
        yield kind, data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Width and height, from the first chunk."""
    if kind == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise Broken("is damaged")


def _kept(kind: bytes, body: bytes, turned: int) -> bytes:
    """The part of a chunk to keep: all of it, a part, or nothing."""
    if kind == b"VP8X":
        flags = body[0] & ~(_EXIF | _XMP) | (_EXIF if turned != UPRIGHT else 0)
        return _written(kind, bytes((flags,)) + body[1:10])
    if kind == b"ANMF":
        frame = b"".join(_written(*chunk) for chunk in _chunks(body[16:]) if chunk[0] in _FRAME)
        return _written(kind, body[:16] + frame)
    return _written(kind, body) if kind in _KEPT else b""


def _tiff(body: bytes) -> bytes:
    """Some programs write EXIF data with JPEG's prefix."""
    return body.removeprefix(b"Exif\0\0")


def _written(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
