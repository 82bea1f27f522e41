"""The log's formats if the chat runs as its own program. An embedding application has its own logging.

Control characters and line ends are escaped. A record whose arguments are a mapping has these as fields in JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from webchat import reference

CLEAR_LINE = "\r\x1b[K"
"""Erases a progress bar, which is shown again at its next update."""
INDENT = "    "


def set_up(form: str = "human", level: str = "warning") -> None:
    """Log to standard error in that format ("human" or "json"): the chat from `level` on, libraries from warnings on.

    Libraries log only warnings and errors, because an HTTP client's details contain keys.
    """
    root, own = logging.getLogger(), logging.getLogger("webchat")
    for old in [handler for handler in root.handlers if isinstance(handler, _Terminal)]:
        root.removeHandler(old)
    handler = _Terminal()
    handler.setFormatter(JsonLines() if form == "json" else HumanLines())
    root.addHandler(handler)
    own.setLevel(level.upper())
    root.setLevel(max(own.level, logging.WARNING))
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # clients in a full queue get an error


def printable(text: str) -> str:
    """The text on one line, with control, direction and invisible characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class HumanLines(logging.Formatter):
    """A line for each record, and the lines of its traceback below it, indented: none can pass for a record."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")
        text, name = record.getMessage(), reference.current.get()
        named = f" [{name}]" if name and name not in text else ""
        head = f"{time} {record.levelname} {record.name}: {printable(text)}{named}"
        return "\n".join([head, *(INDENT + printable(line) for line in self._trace(record).splitlines())])

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class JsonLines(logging.Formatter):
    """A JSON object for each record: at, level, logger, text, reference, trace where there is one, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = dict(record.args) if isinstance(record.args, Mapping) else {}
        line |= {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if reference.current.get():
            line["reference"] = reference.current.get()
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # escapes everything except printable ASCII


class _Terminal(logging.Handler):
    """The current `sys.stderr`, which may be replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            sys.stderr.write((CLEAR_LINE if sys.stderr.isatty() else "") + text + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)
