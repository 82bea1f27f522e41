"""Reads text in UTF-16 and UTF-32, as PowerShell's `>` writes it, as UTF-8. Knows no format."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from webchat.archive.bounds import PIECE, CountedFile

_ASCII = rb"[\t\n\r -~]"
_BEGINNINGS = (
    (re.compile(re.escape(codecs.BOM_UTF32_LE) + b"|" + re.escape(codecs.BOM_UTF32_BE)), "utf-32"),
    (re.compile(re.escape(codecs.BOM_UTF16_LE) + b"|" + re.escape(codecs.BOM_UTF16_BE)), "utf-16"),
    (re.compile(rb"\0\0\0" + _ASCII), "utf-32-be"),
    (re.compile(_ASCII + rb"\0\0\0"), "utf-32-le"),
    (re.compile((rb"\0" + _ASCII) * 2), "utf-16-be"),
    (re.compile((_ASCII + rb"\0") * 2), "utf-16-le"),
)
"""The first four bytes of such a file: a byte order mark or, without one, where the zeros of ASCII's characters stand.

JSON begins with two characters of ASCII (RFC 4627, section 3), and so do most tables.
"""


@contextmanager
def in_utf8(file: IO[bytes], check: Callable[[int], None]) -> Iterator[IO[bytes]]:
    """The file or, if its text is in another encoding, a copy on disk. Its reads call `check(0)`, which may raise."""
    head = file.read(4)
    file.seek(0)
    encoding = next((encoding for begin, encoding in _BEGINNINGS if begin.match(head)), None)
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
