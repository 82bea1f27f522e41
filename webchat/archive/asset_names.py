"""The original names of an export's assets, from a JSON object in a file beside its conversations. Knows no program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property

from webchat.archive.bounds import MIB, Bounds
from webchat.archive.elements import fault
from webchat.archive.foreign_pictures import Find
from webchat.archive.lenient import table, text

LARGEST = 8 * MIB
"""Bytes of the file. One asset takes about 100."""


class AssetNames:
    """The names in the file called `name`, which is read once a name is needed."""

    def __init__(self, name: str, find: Find, bounds: Bounds) -> None:
        self._name, self._find, self._bounds = name, find, bounds

    def of(self, asset: str) -> str:
        """The original name of an asset by its id; "" if it is unknown."""
        return self._names.get(asset, "")

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """By the assets' file names in the export, and by what these begin with: the ids."""
        data = self._find(self._name, in_zips=False) or b""
        if len(data) > LARGEST or fault(data, self._bounds):
            return {}
        try:
            found = table(json.loads(data))
        except (ValueError, RecursionError):
            return {}
        names = {file: text(name) for file, name in found.items() if text(name) not in ("", file)}
        return {file.partition(".")[0]: name for file, name in names.items()} | names


NamesIn = Callable[[str], AssetNames]
"""Returns the names in the file that is called so and lies beside the conversations."""
