"""Checks the files of a message, and recognises their types by their content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from webchat.attachments.broken import Broken
from webchat.attachments.pdf import is_pdf, pdf_text
from webchat.attachments.pictures import NewPicture, media_type_of, new_picture, other_kind_of
from webchat.chat.message import File
from webchat.chat.texts import MOST_FILES, checked_file, file_name
from webchat.errors import InvalidInput

Given = Sequence[tuple[str, str | bytes]]
"""Files as (name, content); bytes are those of a picture, a PDF, or a text in UTF-8."""
MIB = 1024 * 1024
LARGEST, LARGEST_TOGETHER = 10 * MIB, 30 * MIB
"""Bytes of one picture or PDF, and of all pictures of one message."""


@dataclass(frozen=True, slots=True)
class Attachments:
    """The checked attachments of a message."""

    files: tuple[File, ...] = ()
    pictures: tuple[NewPicture, ...] = ()


def attachments(given: Given) -> Attachments:
    """The attachments in these files. Raises InvalidInput if one cannot be sent."""
    require_few(len(given))
    files, pictures = list[File](), list[NewPicture]()
    for name, content in given:
        media_type = media_type_of(content) if isinstance(content, bytes) else None
        if isinstance(content, bytes) and media_type:
            pictures.append(_picture(name, media_type, content))
        else:
            files.append(checked_file(name, content if isinstance(content, str) else _text(name, content)))
    if sum(picture.sent.size for picture in pictures) > LARGEST_TOGETHER:
        raise InvalidInput(f"These pictures are too large together: {LARGEST_TOGETHER // MIB} MiB at most.")
    return Attachments(tuple(files), tuple(pictures))


def require_few(count: int) -> None:
    """Raises InvalidInput if a message cannot have so many files."""
    if count > MOST_FILES:
        raise InvalidInput(f"A message can have {MOST_FILES} files at most.")


def _picture(name: str, media_type: str, data: bytes) -> NewPicture:
    with _named(name, data) as shown:
        return new_picture(shown, media_type, data)


@contextmanager
def _named(name: str, data: bytes) -> Iterator[str]:
    """The file's name, for a block whose errors are reported with it; refuses more than `LARGEST` bytes."""
    shown = file_name(name)
    if len(data) > LARGEST:
        raise InvalidInput(f"{shown} is too large: {LARGEST // MIB} MiB at most.")
    try:
        yield shown
    except Broken as error:
        raise InvalidInput(f"{shown} {error}.") from error


def _text(name: str, data: bytes) -> str:
    if is_pdf(data):
        with _named(name, data):
            return pdf_text(data)
    other = other_kind_of(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        shown = file_name(name)
        if other:
            raise InvalidInput(f"{shown} is a picture in {other}. Send it as PNG, JPEG, WebP or GIF.") from error
        raise InvalidInput(f"{shown} is neither a UTF-8 text file nor a PDF, PNG, JPEG, WebP or GIF.") from error
