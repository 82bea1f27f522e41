"""Pictures in our own exports: a line for each, after the lines of their session's transcript. Knows no session."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from tempfile import TemporaryFile
from typing import Any

from webchat.attachments import media_type_of, new_picture
from webchat.attachments.broken import Broken
from webchat.fileutil import jsonlines
from webchat.storage.protocols.pictures import key_of

PICTURE = "picture"
"""The type of such a line: {"type": "picture", "media_type": …, "base64": …}."""


def picture_line(media_type: str, data: bytes) -> bytes:
    """One picture as a line."""
    record = {"type": PICTURE, "media_type": media_type, "base64": base64.b64encode(data).decode()}
    return jsonlines.dump(record) + b"\n"


def picture_in(record: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """A line's picture with its file name extension; None if it is not a picture, or not one that we would store."""
    try:
        data = base64.b64decode(record["base64"], validate=True)
        media_type = media_type_of(data)
        picture = new_picture("", media_type, data) if media_type else None
    except (KeyError, TypeError, ValueError, Broken):
        return None
    return (picture.suffix, data) if picture and picture.data == data else None


class BroughtPictures:
    """The pictures of one imported session, each once. They are kept on disk, since together they may be large."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115  (it is gone with this object)
        self._found: list[tuple[str, int]] = []
        self._keys: set[str] = set()
        self.size = 0

    def add(self, suffix: str, data: bytes) -> None:
        key = key_of(data, suffix)
        if key in self._keys:
            return
        self._keys.add(key)
        self._file.write(data)
        self._found.append((suffix, len(data)))
        self.size += len(data)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yields each with its file name extension."""
        self._file.seek(0)
        for suffix, size in self._found:
            yield suffix, self._file.read(size)
