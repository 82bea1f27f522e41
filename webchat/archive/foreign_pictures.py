"""Pictures of another program's conversation, from its zip or in base64. Knows no program."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.pictures import BroughtPictures
from webchat.attachments import NewPicture, media_type_of, new_picture
from webchat.attachments.broken import Broken
from webchat.chat.parts import Picture, Text, ToolCall
from webchat.chat.picture import MOST, SUFFIXES

Find = Callable[[str], bytes | None]
"""Returns the file of an export by its id or name; None if it is missing."""

LARGEST, LARGEST_DRAWN = 64 * 2**20, 16 * 2**20
"""Bytes of all pictures of one conversation, and of those in one answer's line."""
_BASE64 = re.compile(r"(?:data:[\w.+/-]*;base64,)?")


def resolved(nodes: Iterable[ForeignNode], find: Find) -> tuple[BroughtPictures | None, int]:
    """Replace the messages' placeholder lines by the pictures that the export contains.

    Returns those of the person, and how many were not found.
    """
    album = _Album(find)
    for node in nodes:
        album.begin(node)
        for each in node.pictures[:MOST]:
            if node.role == "user":
                album.send(node, each)
            else:
                album.draw(node, each)
    return album.pictures, album.missing


class _Album:
    """The pictures of one conversation, within the limits. Each is read once, however often it is shown."""

    def __init__(self, find: Find) -> None:
        self.pictures: BroughtPictures | None = None
        self.missing = 0
        self._find = find
        self._read: dict[str, NewPicture | None] = {}
        self._sent: set[str] = set()
        self._drawn: dict[str | None, int] = {}
        """For each message of an answer, the bytes of the answer's pictures so far."""
        self._bytes_read = self._size = 0

    def begin(self, node: ForeignNode) -> None:
        """Begin this message, which may be the next of the same answer."""
        if node.role != "user":
            self._drawn[node.key] = self._drawn.get(node.parent, 0)

    def send(self, node: ForeignNode, found: ForeignPicture) -> None:
        """Add the picture to a person's message."""
        new = self._new(found)
        if new is None or (new.sent.key not in self._sent and not self._takes(new)):
            return
        if new.sent.key not in self._sent:
            self._sent.add(new.sent.key)
            self.pictures = self.pictures or BroughtPictures()
            self.pictures.add(new.suffix, new.data)
        node.sent = (*node.sent, replace(new.sent, name=found.name or new.sent.name))
        node.content = node.content.replace(found.shown, "", 1).strip("\n").replace("\n\n\n\n", "\n\n")

    def draw(self, node: ForeignNode, found: ForeignPicture) -> None:
        """Add the picture to an answer, as a part in the transcript."""
        said, line = [*node.all_parts], Text(found.shown)
        new = self._new(found) if line in said else None
        if new is None or self._drawn[node.key] + len(new.data) > LARGEST_DRAWN or not self._takes(new):
            return
        self._drawn[node.key] += len(new.data)
        said[said.index(line)] = _drawn(node, found, new)
        node.parts, node.content = tuple(said), ""

    def _takes(self, new: NewPicture) -> bool:
        has_room = self._size + len(new.data) <= LARGEST
        self._size += len(new.data) if has_room else 0
        return has_room

    def _new(self, found: ForeignPicture) -> NewPicture | None:
        """The picture; None if it is missing, cannot be stored, or exceeds the limits."""
        if found.address not in self._read and self._bytes_read < LARGEST:
            data = self._find(found.address) if found.is_file else _decoded(found.address)
            self._bytes_read += len(data or b"")
            self.missing += data is None and found.is_file
            self._read[found.address] = _picture(found.name, data) if data else None
        return self._read.get(found.address)


def _picture(name: str, data: bytes) -> NewPicture | None:
    media_type = media_type_of(data)
    try:
        return new_picture(name or f"picture.{SUFFIXES[media_type]}", media_type, data) if media_type else None
    except Broken:
        return None


def _decoded(address: str) -> bytes | None:
    """Decodes base64, with or without the prefix of a data: URL."""
    head = _BASE64.match(address[:200])
    try:
        return base64.b64decode(address[head.end() if head else 0 :], validate=True)
    except (binascii.Error, ValueError):
        return None


def _drawn(node: ForeignNode, found: ForeignPicture, new: NewPicture) -> ToolCall:
    """A picture in an answer is recorded as the output of the tool that drew it."""
    picture = Picture(new.sent.media_type, base64.b64encode(new.data).decode())
    return ToolCall(f"{node.key}-picture", found.name or "Picture", "other", "done", output=(picture,))
