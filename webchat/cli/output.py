"""A file that a command writes: whole, or not at all. Knows no command."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click


@contextmanager
def written(name: str) -> Iterator[IO[bytes]]:
    """The file with this name for a block; "-" is standard output. If the block raises, the file is as it was before.

    Raises OSError.
    """
    path = Path(os.path.realpath(name))
    if name == "-" or (path.exists() and not path.is_file()):  # a pipe or a device is written as it is
        with click.open_file(name, "wb") as file:
            yield file
            file.flush()
        return
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
        Path(beside).chmod(mode)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
