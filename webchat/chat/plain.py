"""Text from elsewhere, made fit to stand in one line. Knows nothing of what it says."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d\u00ad"
"""They join or part letters, in Persian and in families of emoji say, and are part of the words."""
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""The marks that turn writing around, or keep it from being turned, until another one ends it."""


def one_line(text: str) -> str:
    """Without controls, and without the marks that turn writing around: they would act on what stands beside it."""
    if text.isprintable() and "  " not in text:  # nearly every title
        return text.strip()
    shown = "".join(" " if _acts(char) else char for char in text)
    return re.sub(r"\s+", " ", shown).strip(JOINERS + " ")


def _acts(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in JOINERS
