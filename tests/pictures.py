"""Small pictures of each kind for tests, with and without metadata that must be removed."""

from __future__ import annotations

import io
import struct
import zlib

import pytest

SECRET = b"52.5163N 13.3777E"
"""Written to every place of a picture that can hold metadata."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 3, height: int = 2, *more: bytes, colour: bytes = b"\xd0\x40\x20") -> bytes:
    """A picture of one colour; `more` are chunks before its data."""
    rows = b"".join(b"\0" + colour * width for _ in range(height))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + chunk(b"IEND", b"")


def exif(orientation: int = 6) -> bytes:
    """EXIF data with an orientation and a location, as cameras write it."""
    image = pytest.importorskip("PIL.Image")
    data = image.Exif()
    data[0x0112] = orientation
    data[0x010E] = SECRET.decode()
    data.get_ifd(0x8825)[0x001D] = SECRET.decode()
    return bytes(data.tobytes())


def photo(kind: str, **more: object) -> bytes:
    """A picture made by Pillow, with several colours, so that any loss is visible."""
    image = pytest.importorskip("PIL.Image")
    made = image.linear_gradient("L").resize((40, 24)).convert("RGB")
    if kind == "GIF":
        made = made.convert("P")
    into = io.BytesIO()
    made.save(into, kind, **more)
    return into.getvalue()


def telling(kind: str, orientation: int = 6) -> bytes:
    """A photo with its location in every possible place."""
    if kind == "GIF":
        data = photo(kind, comment=SECRET, loop=0, save_all=True, append_images=[], duration=100)
        xmp = b"\x21\xff\x0bXMP DataXMP" + bytes((len(SECRET),)) + SECRET + b"\0"
        return data[:-1] + xmp + b"\x3b" + SECRET
    more: dict[str, object] = {"exif": exif(orientation), "icc_profile": profile()}
    if kind == "PNG":
        info = pytest.importorskip("PIL.PngImagePlugin").PngInfo()
        info.add_text("Location", SECRET.decode())
        info.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=False)
        more["pnginfo"] = info
    if kind == "JPEG":
        more |= {"comment": SECRET, "xmp": SECRET, "quality": 90}
    if kind == "WEBP":
        more |= {"xmp": SECRET, "quality": 90}
    return photo(kind, **more) + (SECRET if kind != "WEBP" else b"")


def profile() -> bytes:
    """A colour profile."""
    cms = pytest.importorskip("PIL.ImageCms")
    return bytes(cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes())


def pixels(data: bytes) -> tuple[object, ...]:
    """What a picture shows: its pixels frame by frame, its orientation and its colour profile."""
    image = pytest.importorskip("PIL.Image")
    sequence = pytest.importorskip("PIL.ImageSequence")
    with image.open(io.BytesIO(data)) as opened:
        turned, colours = opened.getexif().get(0x0112, 1), opened.info.get("icc_profile")
        frames = [frame.convert("RGBA").tobytes() for frame in sequence.Iterator(opened)]
    return frames, turned, colours
