"""Other processes on the same files: a piece of Python in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


@contextmanager
def another_process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run `code`, whose sys.argv[1:] are the arguments. It is killed at the end."""
    command = [sys.executable, "-u", "-c", textwrap.dedent(code), *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=ROOT, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def run_in_another_process(code: str, *arguments: object) -> str:
    """Run `code` to its end and return what it printed; it must succeed."""
    with another_process(code, *arguments) as process:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    return output


def says(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    return line.strip()


def tell(process: subprocess.Popen[str], line: str = "go") -> None:
    """Write a line to the process's input."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
