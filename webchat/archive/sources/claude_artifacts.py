"""The documents that Claude's tools create and change, as files."""

from __future__ import annotations

from webchat.archive.file_names import named
from webchat.archive.lenient import Table, first_text, text
from webchat.chat.message import File

LARGEST, MOST_CHANGES = 4 * 2**20, 1_000
"""The most characters kept of all versions of one conversation's documents, and the most changes applied."""


class Artifacts:
    """The current documents of one conversation, and which of them the current message has changed."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._changed: dict[str, None] = {}
        self._left, self._changes_left = LARGEST, MOST_CHANGES

    def change(self, tool: str, given: Table) -> bool:
        """Apply a tool's input; returns whether it was a whole document, which is kept."""
        if tool == "create_file":
            path = text(given.get("path"))
            return self._keep(path, File(path.rpartition("/")[2] or "file.txt", text(given.get("file_text"))))
        if tool == "artifacts":
            return self._artifact(given)
        if tool == "str_replace":
            self._replace(text(given.get("path")), given)
        return False

    def changed(self) -> tuple[File, ...]:
        """The files changed since the last call."""
        files = tuple(self._files[name] for name in self._changed)
        self._changed = {}
        return files

    def _artifact(self, given: Table) -> bool:
        name, content = text(given.get("id")), text(given.get("content"))
        if not content:
            self._replace(name, given)
            return False
        before = self._files.get(name)
        title, kind = text(given.get("title")), first_text(given, "language", "type")
        called = named(title or name or "artifact", kind) if title or kind or before is None else before.name
        return self._keep(name, File(called, content))

    def _replace(self, name: str, given: Table) -> None:
        before, old, new = self._files.get(name), text(given.get("old_str")), text(given.get("new_str"))
        if before and old and self._changes_left:
            self._changes_left -= 1
            self._keep(name, File(before.name, before.content.replace(old, new, 1)))

    def _keep(self, name: str, file: File) -> bool:
        """Keep a version, unless all versions together are too long."""
        if not file.content or len(file.content) > self._left:
            return False
        self._left -= len(file.content)
        self._files[name] = file
        self._changed[name] = None
        return True
