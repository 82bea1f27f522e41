"""How tests read a folder, a response or an event stream, and wait for a condition."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Whole(FlaskClient):
    """A client that reads each response to its end before returning it."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return super().open(*args, buffered=True, **kwargs)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: each file's bytes, None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def until(condition: Callable[[], object], patience: float = 30) -> None:
    """Return once the condition holds; fail after `patience` seconds.

    It polls less and less often, to leave the processor to whatever it waits for.
    """
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        # A last look: this process may have been waiting for its turn itself.
        assert waited < patience or condition(), "it never came to this"
        time.sleep(min(max(waited / 5, 0.002), 0.05))


@dataclass(frozen=True)
class SentEvent:
    """One Server-Sent Event, or a `comment`."""

    name: str = "message"
    data: str = ""
    id: str = ""
    comment: bool = False


def parse_events(text: str) -> list[SentEvent]:
    """The complete events of a stream, split as browsers split it: at CR and LF only."""
    blocks = re.split(r"\n\n", re.sub(r"\r\n?", "\n", text))
    return [_event(block) for block in blocks[:-1]]


def _event(block: str) -> SentEvent:
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if set(fields) <= {""}:
        return SentEvent(comment=True)
    return SentEvent(
        fields.get("event", ["message"])[-1], "\n".join(fields.get("data", [])), fields.get("id", [""])[-1]
    )


def chunks(response: TestResponse) -> Iterator[str]:
    """The pieces of a response, as they are produced."""
    return (chunk.decode() for chunk in response.iter_encoded())


def read_until(pieces: Iterable[str], enough: Callable[[str], bool]) -> str:
    """The text until `enough(text)` is true, or until the end."""
    text = ""
    for piece in pieces:
        text += piece
        if enough(text):
            break
    return text
