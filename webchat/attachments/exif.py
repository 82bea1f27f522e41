"""The only EXIF field that is kept: the picture's orientation (TIFF 6.0, Exif 2.32, tag 0x0112)."""

from __future__ import annotations

import struct

UPRIGHT, SIDEWAYS = 1, 5
"""The normal orientation; from SIDEWAYS on, width and height are swapped."""
_ORIENTATION, _SHORT = 0x0112, 3
_TURNS = range(1, 9)


def orientation_of(tiff: bytes) -> int:
    """The picture's orientation, 1 to 8; 1 if it cannot be read."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * number)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and value in _TURNS else UPRIGHT
    except struct.error:  # it points beyond the end
        pass
    return UPRIGHT


def tiff_with(orientation: int) -> bytes:
    """EXIF data with only this orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, _SHORT, 1, orientation, 0, 0)
