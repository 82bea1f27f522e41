"""Quotes the error messages of other programs in our own. Knows no protocol."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

QUOTED_CHARACTERS = 200


def quoted(said: str, secrets: Iterable[str] = (), most: int = QUOTED_CHARACTERS) -> str:
    """The text's beginning in quotation marks, in one line and without these secrets; "" if it is empty or HTML."""
    text = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in said)
    text = " ".join(text.split())
    if not text or re.search(r"<\s*[!/a-z]", text, re.I):
        return ""
    text = without(secrets, text)
    return f"“{text[:most]}{'…' if len(text) > most else ''}”"


def sentence(words: str) -> str:
    """The words with a full stop, unless they end with a quotation that has one."""
    return words if re.search(r"[.!?…。！？]”?$", words) else f"{words}."


def without(secrets: Iterable[str], text: str) -> str:
    """The text without these secrets."""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    return text
