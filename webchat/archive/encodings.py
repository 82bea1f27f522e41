"""Reads text in UTF-16 and UTF-32, as PowerShell's `>` writes it, as UTF-8. Knows no format."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from webchat.archive.bounds import PIECE, CountedFile

_BEGINNINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    *((mark.encode("utf-16-le"), "utf-16-le") for mark in "[{"),
    *((mark.encode("utf-16-be"), "utf-16-be") for mark in "[{"),
)
"""The first bytes of such a file: a byte order mark, or JSON without one."""


@contextmanager
def in_utf8(file: IO[bytes], check: Callable[[int], None]) -> Iterator[IO[bytes]]:
    """The file or, if its text is in another encoding, a copy on disk. Its reads call `check(0)`, which may raise."""
    head = file.read(4)
    file.seek(0)
    encoding = next((encoding for begin, encoding in _BEGINNINGS if head.startswith(begin)), None)
    if encoding is None:
        yield file
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    with TemporaryFile() as copy:
        while piece := file.read(PIECE):
            copy.write(decoder.decode(piece).encode())
        copy.write(decoder.decode(b"", final=True).encode())
        copy.seek(0)
        yield CountedFile(copy, lambda size: check(0))
