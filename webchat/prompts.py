"""Saved prompts: texts in a folder of plain files that people write, sent by their names. Knows no session."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from webchat.fileutil import DiskFolder, Stamp

SUFFIX, INPUT = ".md", "{{input}}"
"""What a prompt's file name ends with, and where in it that goes which is written behind its name."""
MOST, LONGEST, DESCRIPTION = 200, 256 * 1024, 80
"""Prompts at most, bytes of one, and characters of its description."""
_NAME = re.compile(r"\w[\w-]{0,63}")
_CALL = re.compile(rf"/({_NAME.pattern})(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """One prompt, as its file has it."""

    name: str
    text: str

    @property
    def description(self) -> str:
        """Its first line."""
        return self.text.partition("\n")[0].lstrip("# ")[:DESCRIPTION]

    def with_input(self, text: str) -> str:
        """What is sent: the prompt with this text in its place, or behind it."""
        if INPUT in self.text:
            return self.text.replace(INPUT, text)
        return f"{self.text}\n\n{text}" if text else self.text


class Prompts:
    """The prompts in `folder`, which need not exist; without one there are none, nor is a file that cannot be read."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = DiskFolder(folder) if folder else None
        self._known: dict[str, tuple[Stamp, Prompt | None]] = {}

    def all(self) -> list[Prompt]:
        """All prompts, by name."""
        try:
            files = self._folder.names() if self._folder else []
        except OSError:
            return []
        names = sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX))
        named = [name for name in names if _NAME.fullmatch(name)]
        return [prompt for name in named[:MOST] if (prompt := self._read(name))]

    def expanded(self, message: str) -> tuple[str, str | None]:
        """The message with the prompt that it begins with in its place, and that prompt's name; else as it is, None."""
        call = _CALL.fullmatch(message.strip())
        prompt = self._read(call[1]) if call else None
        return (prompt.with_input((call[2] or "").strip()), prompt.name) if call and prompt else (message, None)

    def _read(self, name: str) -> Prompt | None:
        with suppress(OSError):
            stamp = self._folder.stamp(name + SUFFIX) if self._folder else None
            if self._folder is None or stamp is None:
                return None
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                text = _text(self._folder.read(name + SUFFIX, 0, LONGEST) or b"")
                known = self._known[name] = stamp, Prompt(name, text) if text else None
            return known[1]
        return None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\0", "").strip()
