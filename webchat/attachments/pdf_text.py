"""A separate program: reads a PDF from standard input and writes its text, page by page, as JSON.

It runs with limits that the system enforces, so that a hostile file costs only limited time and memory. Imports nothing
of the chat.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdf import PdfReader

MEMORY, SECONDS = 1024 * 2**20, 20
"""Bytes of memory and seconds of CPU time that it may use."""
MOST_PAGES, MOST_TEXT = 1000, 1_000_000
"""Pages that are read, and bytes of text that are kept: a text file of a message may have 1 MiB."""
OVERHEAD = 20
"""The approximate bytes of a page's number."""
LOCKED, DAMAGED, NO_TEXT = "locked", "damaged", "no text"


def text_of(data: bytes) -> dict[str, str]:
    """The text, or why there is none."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    reader = None
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"why": LOCKED}
        pages = list(pages_of(reader))
    except MemoryError:  # not damaged
        raise
    except Exception as error:  # pypdf raises many kinds of errors: ValueError, KeyError, NotImplementedError, …
        # Before its reader is there, only a cipher can need another package.
        is_cipher = isinstance(error, DependencyError) and (reader is None or reader.is_encrypted)
        return {"why": LOCKED if is_cipher else DAMAGED}
    return {"text": "\n\n".join(pages)} if pages else {"why": NO_TEXT}


def pages_of(reader: PdfReader) -> Iterator[str]:
    """The pages that have text, each below its number, up to the limit; then what is left out."""
    room, count = MOST_TEXT, len(reader.pages)
    for number in range(1, min(count, MOST_PAGES) + 1):
        text = reader.pages[number - 1].extract_text().encode("utf-8", "ignore").decode().replace("\0", "").strip()
        kept = text.encode()[: max(0, room)].decode("utf-8", "ignore")
        if kept:
            yield f"[Page {number}]\n\n{kept}"
        if kept != text:
            yield _left_out(number if kept else 0, number + bool(kept), count)
            return
        room -= len(text.encode()) + OVERHEAD
    if count > MOST_PAGES:
        yield _left_out(0, MOST_PAGES + 1, count)


def _left_out(cut: int, first: int, last: int) -> str:
    """A note about what is missing: the end of page `cut`, if any, and the pages from `first` to `last`."""
    end = f"Page {cut} is cut off here." if cut else ""
    pages = (
        ""
        if first > last
        else f"Page {last} is left out."
        if first == last
        else f"Pages {first} to {last} are left out."
    )
    return f"[{' '.join(filter(None, (end, pages)))}]"


def main() -> None:
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a system without this limit, or with a stricter one
            resource.setrlimit(what, (most, most))
    print(json.dumps(text_of(sys.stdin.buffer.read())))


if __name__ == "__main__":
    main()
