"""Checks all that the chat needs, reports problems with advice, and repairs what is safe. Knows no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from webchat.config import Settings
from webchat.conventions import SERVER_DIR
from webchat.errors import DOCTOR_SAYS, WebChatError, storing
from webchat.fileutil import DiskFolder
from webchat.memory.shared import SharedMemories

REPAIR = "“webchat doctor --repair” repairs it"


@dataclass(frozen=True)
class Finding:
    """A problem and advice, each a part of a sentence.

    mend: repairs it and changes `files`; None if only a person can. is_note: worth knowing, but no problem.
    """

    problem: str
    advice: str = REPAIR
    mend: Callable[[], object] | None = None
    files: tuple[Path, ...] = ()
    is_note: bool = False


@dataclass(frozen=True)
class Examined:
    """One check and its findings; none if all is well."""

    name: str
    findings: tuple[Finding, ...]


Check = Callable[[], Iterator[Finding]]


class Doctor:
    """Checks one home or database, with its settings. `models` is the folder of embedded models."""

    def __init__(self, settings: Settings, models: Path) -> None:
        from webchat.serving.doctor.database import Database
        from webchat.serving.doctor.files import Files
        from webchat.serving.doctor.surroundings import Surroundings

        self._home = settings.home.expanduser()
        shared = SharedMemories.of(settings.amplifier_home)
        self._kept = Database(settings.database) if settings.database else Files(self._home, settings.min_free, shared)
        self._checks: dict[str, Check] = {
            **self._kept.checks(),
            **Surroundings(settings, models).checks(),
        }

    def close(self) -> None:
        """Close what the checks have opened."""
        self._kept.close()

    def examine(self) -> Iterator[Examined]:
        """Run all checks; they change nothing."""
        for name, check in self._checks.items():
            yield Examined(name, tuple(_found(check)))

    def repair(self) -> Iterator[tuple[str, str]]:
        """Repair what is safe, after copying the files; returns by name what was repaired, or why not.

        Raises StorageError if no copy can be made; earlier repairs stay.
        """
        backup = f"backup-{time.strftime('%Y%m%dT%H%M%S')}"
        for name, check in self._checks.items():
            for finding in _found(check):
                if finding.mend is None:
                    continue
                copied = self._copy(finding.files, backup)
                try:
                    finding.mend()
                except (WebChatError, OSError) as error:
                    yield name, f"not repaired: {_clause(error)}"
                else:
                    kept = f"; the original is in {self._home / SERVER_DIR / backup}" if copied else ""
                    yield name, f"repaired: {finding.problem}{kept}"

    def _copy(self, files: tuple[Path, ...], backup: str) -> bool:
        """Copy those of these files that exist into that folder, with their paths; returns whether any exists."""
        copied = False
        for path in files:
            folder, *inside = (SERVER_DIR, backup, *path.relative_to(self._home).parent.parts)
            target = DiskFolder(self._home).sub(folder)
            for part in inside:
                target = target.sub(part)
            with storing("The files to repair could not be backed up"):
                data = DiskFolder(path.parent).read(path.name)
                if data is not None and target.stamp(path.name) is None:  # the first copy is the one that counts
                    target.replace(path.name, data)
            copied = copied or data is not None
        return copied


def _found(check: Check) -> Iterator[Finding]:
    """A check's findings; a failed check is a finding, too."""
    try:
        yield from check()
    except (WebChatError, OSError) as error:
        yield Finding(_clause(error), "see the reports on the folder and its places")


def _clause(error: Exception) -> str:
    """An error's text as a part of a sentence."""
    text = str(error) if isinstance(error, WebChatError) else f"it cannot be read: {getattr(error, 'strerror', error)}"
    for ending in (" Nothing has changed.", DOCTOR_SAYS):
        text = text.replace(ending, "")
    return text.rstrip(".")
