"""Pictures, recognised by their first bytes and stripped of their metadata."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from webchat.attachments import gif, jpeg, png, webp
from webchat.attachments.broken import Broken
from webchat.attachments.clean import Clean
from webchat.chat.picture import SUFFIXES, SentPicture

MOST_PIXELS = 100_000_000
"""The most pixels of one picture: a few bytes may encode any number, and every viewer decodes them all."""
_OTHERS = (
    (b"BM", 0, "BMP"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"ftypavif", 4, "AVIF"),
    (b"ftypheic", 4, "HEIC"),
    (b"ftypheix", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIC"),
)


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A picture to send, and its bytes as they are stored."""

    sent: SentPicture
    data: bytes

    @property
    def suffix(self) -> str:
        return SUFFIXES[self.sent.media_type]


def media_type_of(data: bytes) -> str | None:
    """The media type of the picture, by its first bytes; None if it is not accepted."""
    if data.startswith(png.SIGNATURE):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data.startswith(b"RIFF") and data[8:12] == b"WEBP" else None


def other_kind_of(data: bytes) -> str | None:
    """The name of a picture format that is not accepted; None for anything else."""
    return next((kind for magic, place, kind in _OTHERS if data.startswith(magic, place)), None)


def new_picture(name: str, media_type: str, data: bytes) -> NewPicture:
    """The picture as it will be stored and sent, under that name. Raises Broken."""
    try:
        clean = _CLEANED[media_type](data)
    except (struct.error, IndexError) as error:
        raise Broken("is damaged") from error
    if clean.width * clean.height > MOST_PIXELS:
        raise Broken(f"is {clean.width:,} × {clean.height:,} pixels: {MOST_PIXELS // 10**6} million at most")
    digest = sha256(clean.data).hexdigest()
    return NewPicture(SentPicture(name, media_type, digest, len(clean.data), clean.width, clean.height), clean.data)


_CLEANED: dict[str, Callable[[bytes], Clean]] = {
    "image/png": png.cleaned,
    "image/jpeg": jpeg.cleaned,
    "image/gif": gif.cleaned,
    "image/webp": webp.cleaned,
}
