"""The chat over a backend that keeps a pace; each piece says when it was due, so its reader knows how late it is."""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from bench.texts import SHAPES
from webchat import create_app
from webchat.backends import SessionInfo
from webchat.serving import server

MAX_STREAMS = 250
"""More than the default for scripts, since 200 readers have a stream each."""
STAMP = re.compile(r"(\d+)x(\d+)")
"""A piece: its number, and when it was due in microseconds of the system's monotonic clock."""


class PacedBackend:
    """Answers "pieces 100 at 20" with 100 stamped pieces, 20 a second, and "essay 2000 at 50", "code …" and "table …"
    with words likewise."""

    label = "Paced"
    notice = None

    def create_session(self, working_dir: str, description: str) -> SessionInfo:
        return SessionInfo(uuid.uuid4().hex, "bench", working_dir)

    def resume_session(self, session_id: str, history: Sequence[Any]) -> SessionInfo:
        return SessionInfo(session_id, "bench")

    def end_session(self, session_id: str) -> None:
        """Nothing is stored for a session."""

    def get_session_info(self, session_id: str) -> SessionInfo | None:
        return SessionInfo(session_id, "bench")

    def send_message(self, session_id: str, message: str) -> Iterator[str]:
        kind, count, _, rate = message.split()
        pieces = stamped(int(count)) if kind == "pieces" else iter(SHAPES[kind](int(count)))
        return paced(pieces, float(rate))


def paced(pieces: Iterator[str], rate: float) -> Iterator[str]:
    """The pieces on a schedule that does not wait for its reader, like a model."""
    due = time.monotonic()
    for piece in pieces:
        time.sleep(max(0.0, due - time.monotonic()))
        yield piece.replace("DUE", str(int(due * 1e6)))
        due += 1 / rate


def stamped(count: int) -> Iterator[str]:
    """Pieces in paragraphs of 20, so that a page has finished blocks and an open one."""
    for number in range(count):
        yield f"{number}xDUE" + (" " if (number + 1) % 20 else "\n\n")


def main() -> None:
    at_once = {"WEBCHAT_MAX_REPLIES_PER_CLIENT": 0, "WEBCHAT_MAX_STREAMS_PER_CLIENT": 0}
    home, database = sys.argv[1:]
    places = {"AMPLIFIER_HOME": home, "WEBCHAT_DATABASE": database}
    settings = {**places, "WEBCHAT_MAX_STREAMS": MAX_STREAMS, **at_once}
    app = create_app(settings, backend=PacedBackend())
    listening = server.listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.run(app, app.extensions["webchat"], listening, max_streams=MAX_STREAMS, grace=0)


if __name__ == "__main__":
    main()
