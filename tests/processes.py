"""Other processes on the same files: a piece of Python in a process of its own, which has the program loaded."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.preloaded import ROOT as ROOT
from tests.preloaded import SHARED, ForkedProcess


@contextmanager
def another_process(code: str, *arguments: object) -> Iterator[ForkedProcess]:
    """Run `code`, whose sys.argv[1:] are the arguments. It is killed at the end."""
    process = SHARED.get().run(textwrap.dedent(code), [*map(str, arguments)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                stream.close()


def run_in_another_process(code: str, *arguments: object) -> str:
    """Run `code` to its end and return what it printed; it must succeed."""
    with another_process(code, *arguments) as process:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    return output


def says(process: ForkedProcess) -> str:
    """The next line that the process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    return line.strip()


def tell(process: ForkedProcess, line: str = "go") -> None:
    """Write a line to the process's input."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
