"""A pseudo-terminal that runs a command, with a person's view and typing."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import pyte

from tests.preloaded import ForkedProcess
from tests.processes import ROOT

Process = ForkedProcess | subprocess.Popen[bytes]
Start = Callable[[int, Mapping[str, str]], Process]
"""Starts a process at the terminal that is open as this file, with this environment."""
PATIENCE = 60.0
"""Seconds."""


class Screen(pyte.Screen):
    """A terminal's screen; it reports its cursor position."""

    answers: Callable[[str], None] = staticmethod(lambda data: None)

    def write_process_input(self, data: str) -> None:
        self.answers(data)

    @property
    def text(self) -> str:
        """The text on it. A wide character's second cell is empty."""
        lines = (
            "".join(self.buffer[line][column].data for column in range(self.columns)) for line in range(self.lines)
        )
        return "\n".join(map(str.rstrip, lines)).strip()


class Typing:
    """A command in a real pseudo-terminal: what a person types, and what is on the screen."""

    def __init__(self, command: Sequence[str] | Start, columns: int = 80, lines: int = 60, **env: str) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen = Screen(columns, lines)
        self.screen.answers = self._write
        self.raw = b""
        self._news = threading.Condition()
        self.modes_before = self.modes
        start = command if callable(command) else _starting(command)
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **env}
        self.process = start(slave, env)
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stream = pyte.ByteStream(self.screen)
        with suppress(OSError):  # the terminal is gone with its last process
            while data := os.read(self._master, 65536):
                with self._news:
                    self.raw += data
                    stream.feed(data)
                    self._news.notify_all()

    def _write(self, data: str) -> None:
        os.write(self._master, data.encode())

    @property
    def text(self) -> str:
        """What is on the screen."""
        with self._news:
            return self.screen.text

    @property
    def modes(self) -> list[object]:
        """The terminal's modes: whether it echoes what is typed, and so on."""
        return termios.tcgetattr(self._master)

    @property
    def is_as_before(self) -> bool:
        """Whether a shell finds the terminal as it was: its modes, a visible cursor, and no marks around a paste."""
        with self._news:
            switched = self.raw.rfind(b"\x1b[?2004h") > self.raw.rfind(b"\x1b[?2004l")
            return self.modes == self.modes_before and not (self.screen.cursor.hidden or switched)

    def types(self, text: str) -> None:
        self._write(text)

    def says(self, line: str) -> None:
        """Type a line and send it."""
        self._write(f"{line}\r")

    def until(self, *texts: str) -> None:
        """Wait until all of this is on the screen."""
        with self._news:
            assert self._news.wait_for(lambda: self._shows(texts), PATIENCE), f"{texts} not in:\n{self.screen.text}"

    def _shows(self, texts: Sequence[str]) -> bool:
        shown = self.screen.text
        return all(text in shown for text in texts)

    def end(self) -> int:
        """Wait for its end; returns the exit code."""
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=30)
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(timeout=30)
        assert not self._reader.is_alive(), "it would go on to read whatever has the terminal's number next"
        os.close(self._master)


def _at_a_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background processes ignore it


def _starting(command: Sequence[str]) -> Start:
    """Starts a command of any kind."""

    def start(terminal: int, env: Mapping[str, str]) -> Process:
        return subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=ROOT,
            env=env,
            start_new_session=True,
            preexec_fn=_at_a_terminal,
        )

    return start
