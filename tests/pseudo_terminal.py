"""A pseudo-terminal that runs a command, with a person's view and typing."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import pyte

from tests.processes import ROOT
from tests.reading import until


class Screen(pyte.Screen):
    """A terminal's screen; it reports its cursor position."""

    answers: Callable[[str], None] = staticmethod(lambda data: None)

    def write_process_input(self, data: str) -> None:
        self.answers(data)


class Typing:
    """A command in a real pseudo-terminal: what a person types, and what is on the screen."""

    def __init__(self, command: Sequence[str], columns: int = 80, lines: int = 60, **env: str) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen = Screen(columns, lines)
        self.screen.answers = self._write
        self.raw = b""
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **env},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stream = pyte.ByteStream(self.screen)
        with suppress(OSError):  # the terminal is gone with its last process
            while data := os.read(self._master, 65536):
                self.raw += data
                stream.feed(data)

    def _write(self, data: str) -> None:
        os.write(self._master, data.encode())

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).strip()

    def types(self, text: str) -> None:
        self._write(text)

    def says(self, line: str) -> None:
        """Type a line and send it."""
        self._write(f"{line}\r")

    def until(self, *texts: str) -> None:
        """Wait until all of this is on the screen."""
        try:
            until(lambda: all(text in self.text for text in texts), patience=30)
        except AssertionError:
            raise AssertionError(f"{texts} not in:\n{self.text}") from None

    def end(self) -> int:
        """Wait for its end; returns the exit code."""
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=5)
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
