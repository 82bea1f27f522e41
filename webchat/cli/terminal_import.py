"""An import at the terminal: a progress line, and Ctrl+C, which ends it and keeps what was imported so far."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from webchat.archive.bounds import Watch
from webchat.chat.plain import one_line

NAME_WIDTH = 40
_STREAM = re.compile(r"/dev/(?:stdin|fd/.*)|/proc/.*")
"""Names of what is already open, even if it is a file."""


@contextmanager
def watched(name: str) -> Iterator[Watch]:
    """A watch for the import of that file. A second Ctrl+C does not wait for its end."""
    # The names of pipes and redirected files, as "<stdin>" and "/dev/fd/63", are not titles.
    is_named = Path(name).is_file() and not _STREAM.fullmatch(str(Path(name).absolute()))
    watch = Watch(file_name=name if is_named else "")
    if sys.stderr.isatty():
        watch.on_progress = _Line(name)
    before = signal.getsignal(signal.SIGINT)
    in_charge = threading.current_thread() is threading.main_thread()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        watch.cancel()

    if in_charge:
        signal.signal(signal.SIGINT, end)
    try:
        yield watch
    finally:
        if in_charge:
            signal.signal(signal.SIGINT, before)
        if isinstance(watch.on_progress, _Line):
            watch.on_progress.clear()


class _Line:
    """One line of the terminal that is overwritten with each update."""

    def __init__(self, name: str) -> None:
        self._name = one_line(name)[-NAME_WIDTH:]
        self._text = ""

    def __call__(self, watch: Watch) -> None:
        text = f"{self._name}: {watch.progress:.0%}, {watch.added:,} imported"
        if text != self._text:
            click.echo("\r" + text.ljust(len(self._text)), err=True, nl=False)
            self._text = text

    def clear(self) -> None:
        click.echo("\r" + " " * len(self._text) + "\r", err=True, nl=False)
