"""Pictures of another program's conversation: from its zip, or in base64. Knows no program."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable

from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.pictures import BroughtPictures
from webchat.attachments import NewPicture, media_type_of, new_picture
from webchat.attachments.broken import Broken
from webchat.chat.parts import Part, Picture, Text, ToolCall
from webchat.chat.picture import MOST, SUFFIXES

Find = Callable[[str], bytes | None]
"""Gives a file of the export by its id or name; None if it is not there."""
LARGEST = 64 * 2**20
"""Bytes of all pictures of one conversation."""
_BASE64 = re.compile(r"(?:data:[\w.+/-]*;base64,)?")


def resolved(nodes: Iterable[ForeignNode], find: Find) -> BroughtPictures | None:
    """Give the messages the pictures that the export has, in the place of the lines that stand for them."""
    pictures: BroughtPictures | None = None
    for node in nodes:
        for each in node.pictures[:MOST]:
            new = _read(each, find)
            if new is None or (pictures.size if pictures else 0) + len(new.data) > LARGEST:
                continue
            if node.role == "user":
                pictures = pictures or BroughtPictures()
                pictures.add(new.suffix, new.data)
                node.sent = (*node.sent, new.sent)
                node.content = node.content.replace(each.shown, "", 1).strip("\n").replace("\n\n\n\n", "\n\n")
            else:
                node.parts = tuple(_drawn(node, each, new, part) for part in node.said)
                node.content = ""
    return pictures


def _read(found: ForeignPicture, find: Find) -> NewPicture | None:
    """The picture; None if it is not there, or none that can be stored."""
    data = find(found.address) if found.is_file else _decoded(found.address)
    media_type = media_type_of(data) if data else None
    if data is None or media_type is None:
        return None
    try:
        return new_picture(found.name or f"picture.{SUFFIXES[media_type]}", media_type, data)
    except Broken:
        return None


def _decoded(address: str) -> bytes | None:
    """The bytes of base64, with or without what makes it an address."""
    head = _BASE64.match(address[:200])
    try:
        return base64.b64decode(address[head.end() if head else 0 :], validate=True)
    except (binascii.Error, ValueError):
        return None


def _drawn(node: ForeignNode, found: ForeignPicture, new: NewPicture, part: Part) -> Part:
    """A picture of an answer is what came of the tool that has drawn it."""
    if part != Text(found.shown):
        return part
    picture = Picture(new.sent.media_type, base64.b64encode(new.data).decode())
    return ToolCall(f"{node.key}-picture", found.name or "Picture", "other", "done", output=(picture,))
