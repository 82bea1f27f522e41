"""The original names of an export's assets, from a JSON object in a file beside its conversations. Knows no program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from webchat.archive.bounds import MIB, Bounds
from webchat.archive.elements import fault
from webchat.archive.lenient import table, text

LARGEST = 8 * MIB
"""Bytes of the file. One asset takes about 100."""
NamesIn = Callable[[str], Mapping[str, str]]
"""Returns the names in the file that is called so and lies beside the conversations; none if it is missing."""


def asset_names(data: bytes, bounds: Bounds) -> Mapping[str, str]:
    """The names by the assets' file names in the export, and by what these begin with: the ids."""
    if fault(data, bounds):
        return {}
    try:
        found = table(json.loads(data))
    except (ValueError, RecursionError):
        return {}
    names = {file: text(name) for file, name in found.items() if text(name) not in ("", file)}
    return {file.partition(".")[0]: name for file, name in names.items()} | names
