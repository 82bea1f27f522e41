"""A program of its own: reads a PDF from standard input and writes its text, page by page, as JSON.

It runs apart, with limits that the system enforces: a hostile file may cost time and memory, and then costs only that.
Imports nothing of the chat.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress

MEMORY, SECONDS = 1024 * 2**20, 20
"""Bytes and processor time that it may take."""
MOST_PAGES, MOST_TEXT = 1000, 1_000_000
"""Pages that are read, and bytes of text that are kept: a text file that goes with a message may have 1 MiB."""
LOCKED, DAMAGED, NO_TEXT = "locked", "damaged", "no text"


def text_of(data: bytes) -> dict[str, str]:
    """The text, or why there is none."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"why": LOCKED}
        pages = list(_pages(reader))
    except DependencyError:  # a cipher that needs another package
        return {"why": LOCKED}
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError):
        return {"why": DAMAGED}
    return {"text": "\n\n".join(pages)} if pages else {"why": NO_TEXT}


def _pages(reader: object) -> Iterator[str]:
    """The pages that have text, each below its number, as long as there is room."""
    pages = reader.pages  # type: ignore[attr-defined]
    room, count = MOST_TEXT, len(pages)
    for number in range(1, count + 1):
        text = pages[number - 1].extract_text() if number <= MOST_PAGES else ""
        clean = text.encode("utf-8", "ignore").decode().replace("\0", "").strip()
        size = len(clean.encode())
        if size > room or number > MOST_PAGES:
            yield f"[The rest is left out: page {number} to {count}.]"
            return
        room -= size + 20
        if clean:
            yield f"[Page {number}]\n\n{clean}"


def main() -> None:
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a system that has no such limit, or a stricter one
            resource.setrlimit(what, (most, most))
    print(json.dumps(text_of(sys.stdin.buffer.read())))


if __name__ == "__main__":
    main()
