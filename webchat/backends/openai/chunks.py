"""Joins the chunks of an HTTP response into fewer: the parser's cost is per chunk. Knows no socket."""

from __future__ import annotations

import re

MOST_HELD = 2**16
"""Bytes; a smaller chunk is held until it is complete, a larger one is passed on as it comes."""
_CHUNKED = re.compile(rb"HTTP/1\.1 [2-9].*\r\ntransfer-encoding: *chunked *\r\n", re.IGNORECASE | re.DOTALL)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
_SIZE_BEGUN = re.compile(rb"[0-9a-fA-F]{0,8}\r?")


class ChunkJoiner:
    """Passes on one response from its first byte, with the same body in fewer chunks.

    From anything unexpected on (no chunks, chunk extensions, a header in two parts, damage), the bytes are passed on
    unchanged, for the parser to deal with.
    """

    def __init__(self) -> None:
        self._is_at_head = True
        self._passes_all = False
        self._held = b""
        """The beginning of an incomplete chunk."""

    def feed(self, data: bytes) -> bytes:
        """What to pass on now that these bytes have come (b"": the end); nothing while a chunk is incomplete."""
        is_over = not data
        data, self._held = self._held + data, b""
        if self._is_at_head:
            return self._begun(data)
        return data if self._passes_all or is_over else self._joined(data)

    def _begun(self, data: bytes) -> bytes:
        """The response's header, and the chunks that came with it."""
        self._is_at_head = False
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or not _CHUNKED.match(data, 0, end):
            self._passes_all = True
            return data
        return data[:end] + self._joined(data[end:])

    def _joined(self, data: bytes) -> bytes:
        """The complete chunks as one, followed by what is passed on unchanged."""
        parts, at = [], 0
        while (found := _SIZE.match(data, at)) and (size := int(found[1], 16)):
            end = found.end() + size
            if data[end : end + 2] != b"\r\n":
                break
            parts.append(data[found.end() : end])
            at = end + 2
        body, rest = b"".join(parts), data[at:]
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        if _is_begun(rest):
            self._held = rest
            return chunk
        self._passes_all = True
        return chunk + rest


def _is_begun(rest: bytes) -> bool:
    """Whether this is the beginning of a chunk that may be held until it is complete; the last, empty one is not."""
    found = _SIZE.match(rest)
    if not found:
        return bool(_SIZE_BEGUN.fullmatch(rest))
    size = int(found[1], 16)
    return 0 < size <= MOST_HELD and len(rest) < found.end() + size + len(b"\r\n")
