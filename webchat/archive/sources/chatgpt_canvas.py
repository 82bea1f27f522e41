"""The documents of ChatGPT's Canvas, as files."""

from __future__ import annotations

import json

from webchat.archive.file_names import named
from webchat.archive.lenient import rows, table, text
from webchat.chat.message import File


class Canvas:
    """The documents of one conversation."""

    def __init__(self) -> None:
        self._name, self._kind = "document", ""

    def file(self, recipient: str, said: str) -> File | None:
        """The document that a message to this recipient creates or replaces; None if it does neither."""
        if not self.is_about(recipient):
            return None
        try:
            document = table(json.loads(said))
        except (ValueError, RecursionError):
            return None
        if content := text(document.get("content")):
            self._name = text(document.get("name")) or "document"
            self._kind = text(document.get("type")).rpartition("/")[2]
            return File(named(self._name, self._kind), content)
        whole = [row for row in rows(document.get("updates")) if row.get("pattern") in (".*", "[\\s\\S]*")]
        content = text(whole[-1].get("replacement")) if whole else ""
        return File(named(self._name, self._kind), content) if content else None

    @staticmethod
    def is_about(tool: str) -> bool:
        return tool.startswith("canmore")
