"""Reads the attributes of the tags that other programs write into their texts. Knows no program."""

from __future__ import annotations

import re

_ATTRIBUTE = re.compile(r'(?<!\w)(\w++)="([^"]*+)"')


def attributes_of(tag: str) -> dict[str, str]:
    """The attributes in double quotes, as they are written there, by their names. Takes time in proportion."""
    return dict(_ATTRIBUTE.findall(tag))
