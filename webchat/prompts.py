"""Saved prompts: text files that people write in a folder and call by name. Knows no session."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from webchat.fileutil import DiskFolder, Stamp

SUFFIX, INPUT = ".md", "{{input}}"
"""The extension of a prompt's file, and the placeholder for the text that follows the prompt's name."""
MOST, LONGEST, DESCRIPTION = 200, 256 * 1024, 80
"""Limits: the number of prompts, the bytes of one, and the characters of its description."""
_NAME = re.compile(r"\w[\w-]{0,63}")
_CALL = re.compile(rf"/({_NAME.pattern})(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """One prompt, as in its file."""

    name: str
    text: str

    @property
    def description(self) -> str:
        """Its first line."""
        return self.text.partition("\n")[0].lstrip("# ")[:DESCRIPTION]

    def with_input(self, text: str) -> str:
        """The message to send: the prompt with this text in place of the placeholder, or appended."""
        if INPUT in self.text:
            return self.text.replace(INPUT, text)
        return f"{self.text}\n\n{text}" if text else self.text


class Prompts:
    """The prompts in `folder`, which need not exist. Files that cannot be read are left out."""

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
        """The message with the prompt that it calls, expanded, and the prompt's name; else the message and None."""
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
