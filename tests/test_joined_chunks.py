"""The many chunks of a model server's answer become few, and its body stays the same."""

from __future__ import annotations

import h11
import pytest

from webchat.backends.openai.chunks import MOST_HELD, ChunkJoiner

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = [b"data: one\n\n", b"data: two\r\n\r\n", b"0\r\n\r\n", b"x" * 300]
END = b"0\r\n\r\n"


def framed(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def joined(*received: bytes) -> list[bytes]:
    """The output for an answer that is received in these parts, and then ends."""
    joiner = ChunkJoiner()
    return [joiner.feed(part) for part in (*received, b"")]


def parsed(*received: bytes) -> tuple[bytes, bool]:
    """The body that an HTTP parser finds, and whether it is complete."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    body = b""
    for part in filter(None, received):
        parser.receive_data(part)
        while (event := parser.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return body, True
    return body, False


def test_what_is_read_at_once_becomes_one_chunk():
    assert joined(HEAD + framed(*CHUNKS), framed(*CHUNKS), END)[:3] == [
        HEAD + framed(b"".join(CHUNKS)),
        framed(b"".join(CHUNKS)),
        END,
    ]


def test_wherever_reading_breaks_off_the_body_is_the_same():
    rest = framed(*CHUNKS) + END
    for first in range(len(rest) + 1):
        for second in (first, first + 1, first + 7):
            parts = HEAD, rest[:first], rest[first:second], rest[second:]
            assert parsed(*joined(*filter(None, parts))) == (b"".join(CHUNKS), True), parts
    assert parsed(*joined(HEAD, *(rest[at : at + 1] for at in range(len(rest))))) == (b"".join(CHUNKS), True)


def test_an_answer_that_is_cut_loses_no_byte():
    cut = framed(b"data: one\n\n") + b"1f\r\ndata: tw"
    assert parsed(*joined(HEAD + cut)) == (b"data: one\n\ndata: tw", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n3\r\nabc\r\n0\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + framed(b"a", b"b") + END,
        HEAD + b"3;name=value\r\nabc\r\n" + framed(b"d", b"e") + END,
        HEAD + b"3\r\nabcde\r\n" + framed(b"d", b"e"),
        HEAD + b"no size\r\n" + framed(b"d", b"e"),
        HEAD + END + b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_it_does_not_expect_is_passed_on_untouched(answer):
    assert b"".join(joined(answer[:60], answer[60:])) == answer


def test_trailers_are_passed_on():
    assert joined(HEAD, framed(b"a", b"b") + b"0\r\nDone: yes\r\n\r\n")[1] == framed(b"ab") + b"0\r\nDone: yes\r\n\r\n"


def test_a_chunk_without_end_is_not_gathered_in_memory():
    large = b"%x\r\n" % (MOST_HELD + 1) + b"x" * 100
    passed = joined(HEAD, large, b"y" * 100)
    assert passed[1:3] == [large, b"y" * 100]
