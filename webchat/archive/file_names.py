"""File names for documents that have only a title and a language or media type."""

from __future__ import annotations

import mimetypes
import re

from webchat.chat.plain import one_line
from webchat.chat.texts import LONGEST_FILE_NAME

_ENDINGS = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "react": "jsx",
    "application/vnd.ant.react": "jsx",
    "application/vnd.ant.mermaid": "mmd",
    "application/vnd.react": "jsx",
    "application/vnd.mermaid": "mmd",
    "markdown": "md",
    "slides": "md",
    "document": "md",
    "text/markdown": "md",
    "bash": "sh",
    "shell": "sh",
    "csharp": "cs",
    "c++": "cpp",
    "rust": "rs",
    "ruby": "rb",
    "kotlin": "kt",
    "image/svg+xml": "svg",
}
"""The extensions of languages and media types that differ from their names."""


def named(title: str, kind: str, otherwise: str = "txt") -> str:
    """A file's name: the title, with the language's or media type's extension if it has none."""
    name = re.sub(r"[/\\]", "-", one_line(title))[:LONGEST_FILE_NAME] or "document"
    if re.search(r"\.(?!\d+$)\w{1,8}$", name):
        return name
    guessed = (mimetypes.guess_extension(kind) or "").removeprefix(".") if "/" in kind else kind.lower()
    ending = _ENDINGS.get(kind.lower(), guessed)
    return f"{name}.{ending if re.fullmatch(r'[a-z0-9]{1,8}', ending) else otherwise}"
