"""Lists, downloads and removes the models on this machine. Knows no page and no backend."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from webchat import threads
from webchat.errors import BackendUnavailable, unforeseen
from webchat.fileutil import DiskFolder
from webchat.models import MODELS, EmbeddedModel
from webchat.models.fetch import DOWNLOADING, STOPPED, Report, fetch, is_present, part_of, remove

TICK = 0.1  # seconds between two checks of a download's progress
State = Literal["here", "coming", "partly", "absent"]


@dataclass(frozen=True)
class OnShelf:
    """A model and its state. `doing` is the current step, or why the last attempt failed; `progress` is from 0 to 1."""

    model: EmbeddedModel
    state: State
    path: Path
    progress: float | None = None
    doing: str = ""
    can_cancel: bool = False


class Shelf:
    """The models of the catalogue in one folder; a single download of each serves all who wait for it."""

    def __init__(self, folder: Path, models: Sequence[EmbeddedModel] = MODELS) -> None:
        self.folder, self.models, self.fetch = folder, models, fetch
        self._fetches: dict[str, _Fetch] = {}
        self._fetches_lock = threading.Lock()

    def rows(self) -> list[OnShelf]:
        """All models, in the catalogue's order."""
        return [self._row(model) for model in self.models]

    def get(self, model: EmbeddedModel) -> None:
        """Start or resume fetching the model; a no-op while it is being fetched."""
        self._fetch(model)

    def wait_for(self, model: EmbeddedModel, report: Report, cancelled: threading.Event) -> Path:
        """The path of the model's file, which is fetched if necessary.

        Raises BackendUnavailable with what to do, also if somebody has cancelled the download; `cancelled` ends only
        the waiting.
        """
        if is_present(model, self.folder):
            return self.folder / model.file_name
        fetching = self._fetch(model)
        while not fetching.has_ended(TICK):
            report(fetching.doing, fetching.progress)
            if cancelled.is_set():
                raise BackendUnavailable(STOPPED)
        if fetching.path is None:
            raise BackendUnavailable(fetching.failure)
        return fetching.path

    def cancel(self, model: EmbeddedModel) -> None:
        """Stop the download, keeping what has come. A no-op if there is none."""
        known = self._fetches.get(model.name)
        if known:
            known.cancel()

    def remove(self, model: EmbeddedModel) -> int:
        """Delete the model's files; returns how many bytes that frees. Raises ModelBusy while it is being fetched."""
        freed = remove(model, self.folder)
        self._fetches.pop(model.name, None)
        return freed

    def _fetch(self, model: EmbeddedModel) -> _Fetch:
        with self._fetches_lock:
            known = self._fetches.get(model.name)
            if not known or known.has_ended():
                known = self._fetches[model.name] = _Fetch(model, self.folder, self.fetch)
            return known

    def _row(self, model: EmbeddedModel) -> OnShelf:
        path = self.folder / model.file_name
        known = self._fetches.get(model.name)
        if known and not known.has_ended():
            return OnShelf(model, "coming", path, known.progress, known.doing, can_cancel=True)
        if is_present(model, self.folder):
            return OnShelf(model, "here", path)
        size = part_of(model, self.folder).size
        progress = size / model.bytes if size else None
        if DiskFolder(self.folder).is_locked(model.file_name):  # another process, or the chat itself, is downloading it
            return OnShelf(model, "coming", path, progress, DOWNLOADING)
        return OnShelf(model, "partly" if size else "absent", path, progress, known.problem if known else "")


@cache
def shelf(folder: Path) -> Shelf:
    """The one shelf of this process for a folder."""
    return Shelf(folder)


class _Fetch:
    """One download, in a thread that the constructor starts and that ends with the process."""

    def __init__(self, model: EmbeddedModel, folder: Path, fetch: Callable[..., Path]) -> None:
        self.doing = DOWNLOADING
        self.progress: float | None = None
        self.path: Path | None = None
        self.failure = ""
        self._cancelled, self._ended = threading.Event(), threading.Event()
        threads.start(self._run, f"fetch {model.name}", model, folder, fetch)

    @property
    def problem(self) -> str:
        """Why it failed; None if it was cancelled."""
        return "" if self._cancelled.is_set() else self.failure

    def has_ended(self, within: float = 0.0) -> bool:
        """Wait for its end for so many seconds; returns whether it has ended."""
        return self._ended.wait(within)

    def cancel(self) -> None:
        """Stop the download; returns when it has stopped, or after two seconds."""
        self._cancelled.set()
        self._ended.wait(2)

    def _run(self, model: EmbeddedModel, folder: Path, fetch: Callable[..., Path]) -> None:
        atexit.register(self.cancel)  # so that no pip process is left running
        try:
            self.path = fetch(model, folder, self._tell, self._cancelled)
        except BackendUnavailable as error:
            self.failure = str(error)
        except Exception as error:
            self.failure = str(unforeseen(error))
        finally:
            self._ended.set()
            atexit.unregister(self.cancel)

    def _tell(self, text: str, progress: float | None) -> None:
        self.doing, self.progress = text, progress
