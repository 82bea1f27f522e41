"""PNG (W3C, third edition): the chunks that the picture needs are kept, and no others. Nothing is decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from webchat.attachments.broken import ENDS_EARLY, Broken, bounded
from webchat.attachments.clean import Clean
from webchat.attachments.exif import UPRIGHT, orientation_of, tiff_with

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_PROFILE = 4 * 2**20
"""Bytes of an uncompressed colour profile."""
_KEPT = frozenset(b"IHDR PLTE IDAT IEND tRNS cHRM gAMA sRGB cICP sBIT bKGD hIST pHYs acTL fcTL fdAT".split())


def cleaned(data: bytes) -> Clean:
    """The picture without text, times, EXIF and XMP data, and bytes after its end. Raises Broken."""
    kept, size, seen = [SIGNATURE], (0, 0), set[bytes]()
    for kind, body in bounded(_chunks(data)):
        if (kind == b"IHDR") == bool(seen) or (not seen and len(body) != 13):
            raise Broken("is damaged")
        if kind == b"IHDR":
            size = struct.unpack_from(">II", body)
        # Only one profile is decompressed: many small ones could take any amount of time.
        is_left_out = kind == b"iCCP" and seen & {b"iCCP", b"IDAT"}
        kept.append(b"" if is_left_out else _kept(kind, body))
        seen.add(kind)
    if b"IEND" not in seen:
        raise Broken(ENDS_EARLY)
    if b"IDAT" not in seen or 0 in size:
        raise Broken("contains no picture: it is damaged")
    return Clean(b"".join(kept), *size)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks up to the last one, each with its kind."""
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND" and place < len(data):
        if place + 12 > len(data):
            raise Broken(ENDS_EARLY)
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        place += 12 + length
        if place > len(data):
            raise Broken(ENDS_EARLY)
        if zlib.crc32(kind + body) != int.from_bytes(data[place - 4 : place], "big"):
            raise Broken("is damaged: a checksum in it is wrong")
        yield kind, body


def _kept(kind: bytes, body: bytes) -> bytes:
    """The part of a chunk to keep: all of it, a part, or nothing."""
    if kind == b"eXIf":
        turned = orientation_of(body)
        return _written(kind, tiff_with(turned)) if turned != UPRIGHT else b""
    if kind == b"iCCP":
        return _written(b"iCCP", body) if _is_small(body) else b""
    return _written(kind, body) if kind in _KEPT else b""


def _is_small(body: bytes) -> bool:
    """Whether a compressed colour profile is valid and not too large."""
    _, _, packed = body.partition(b"\0")
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(packed[1:], LARGEST_PROFILE)
    except zlib.error:
        return False
    return unpacking.eof and bool(unpacked)


def _written(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
