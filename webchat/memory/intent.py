"""Recognises memory commands among messages."""

from __future__ import annotations

import re
import string
from typing import Literal

Action = Literal["remember", "recall"]
_SEPARATOR = r"(?:\s*[:：]|\s)"
_COMMANDS: tuple[tuple[Action, str], ...] = (
    ("remember", r"remember(?:\s+this)?\s*[:：]"),
    ("remember", r"remember\s+that" + _SEPARATOR),
    ("recall", r"what\s+do\s+you\s+remember\s+about" + _SEPARATOR),
    ("recall", r"recall" + _SEPARATOR),
    ("recall", r"search\s+memory(?:\s+for)?" + _SEPARATOR),
)


def check_memory_intent(text: str) -> tuple[Action, str] | None:
    """The action and its text if a message is a memory command, else None.

    | message                               | action   | text |
    |---------------------------------------|----------|------|
    | remember: X, remember this: X         | remember | X    |
    | remember that X                       | remember | X    |
    | what do you remember about X?         | recall   | X    |
    | recall X                              | recall   | X    |
    | search memory X, search memory for X  | recall   | X    |

    Case and surrounding white space are ignored. X may span lines; the question marks that end a recall are not part of
    it. A colon may be full-width, may follow a blank, and may stand after every command. Without an X it is no command.
    """
    message = text.strip() + "\n"  # the newline ends a command that stands alone: its X is then empty
    for action, pattern in _COMMANDS:
        if match := re.match(pattern, message, re.IGNORECASE):
            blanks = string.whitespace + "?？" if action == "recall" else None
            rest = message[match.end() :].strip().rstrip(blanks)
            return (action, rest) if rest else None
    return None
