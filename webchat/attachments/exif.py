"""The one thing of EXIF data that is kept: how a picture is turned (TIFF 6.0, Exif 2.32, tag 0x0112)."""

from __future__ import annotations

import struct

UPRIGHT, SIDEWAYS = 1, 5
"""As it is stored; from here on its width is its height."""
_ORIENTATION, _SHORT = 0x0112, 3
_TURNS = range(1, 9)


def orientation_of(tiff: bytes) -> int:
    """How the picture is turned, 1 to 8; 1 if that cannot be read."""
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
    except struct.error:  # it points behind its end
        pass
    return UPRIGHT


def tiff_with(orientation: int) -> bytes:
    """EXIF data that says nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, _SHORT, 1, orientation, 0, 0)
