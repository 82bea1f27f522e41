"""A reference to a picture sent with a message, as recorded. Knows no bytes and no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from webchat.chat.plain import one_line

SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
"""The media types that can be sent, with their file name extensions."""
MEDIA_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
LONGEST_NAME, MOST = 200, 50
"""Limits when records are read: characters of a picture's name, and pictures in a message."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KEY = re.compile(rf"[0-9a-f]{{64}}\.({'|'.join(MEDIA_TYPES)})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SentPicture:
    """A picture: its file name, media type, digest, size in bytes, and width and height in pixels.

    The storage keeps its bytes for the session, by `key`.
    """

    name: str
    media_type: str
    sha256: str
    size: int
    width: int
    height: int

    @property
    def key(self) -> str:
        """The name under which its bytes are stored."""
        return f"{self.sha256}.{SUFFIXES[self.media_type]}"

    def record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "media_type": self.media_type,
            "sha256": self.sha256,
            "size": self.size,
            "width": self.width,
            "height": self.height,
        }


def is_picture_key(value: object) -> TypeGuard[str]:
    """Whether this is a valid `key`, which is safe as a file name."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def pictures_of(found: object) -> tuple[SentPicture, ...]:
    """Parses a record's pictures, which are untrusted."""
    rows = found[:MOST] if isinstance(found, list) else []
    read = (_picture_of(row) for row in rows if isinstance(row, dict))
    return tuple(picture for picture in read if picture)


def _picture_of(row: Mapping[str, Any]) -> SentPicture | None:
    name, media_type, sha256 = (row.get(key) for key in ("name", "media_type", "sha256"))
    if not (isinstance(name, str) and isinstance(media_type, str) and isinstance(sha256, str)):
        return None
    numbers = [row.get(key) for key in ("size", "width", "height")]
    size, width, height = (number if type(number) is int and 0 <= number < 2**31 else 0 for number in numbers)
    if media_type not in SUFFIXES or not _SHA256.fullmatch(sha256):
        return None
    shown = one_line(name[:LONGEST_NAME]) or f"picture.{SUFFIXES[media_type]}"
    return SentPicture(shown, media_type, sha256, size, width, height)
