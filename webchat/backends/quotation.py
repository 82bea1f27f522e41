"""Quotes others' error messages in our own. Knows no protocol."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

QUOTED_CHARACTERS = 200


def quoted(said: str, secrets: Iterable[str] = (), most: int = QUOTED_CHARACTERS) -> str:
    """The beginning of it in quotation marks, in one line and without these secrets; "" for nothing, and for a page."""
    text = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in said)
    text = " ".join(text.split())
    if not text or re.search(r"<\s*[!/a-z]", text, re.I):
        return ""
    text = without(secrets, text)
    return f"“{text[:most]}{'…' if len(text) > most else ''}”"


def without(secrets: Iterable[str], text: str) -> str:
    """The text with each of these secrets taken out."""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    return text
