"""The page on the architecture names only modules and functions that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_layering import MAY_IMPORT

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:webchat|tests|templates)/[\w./]*)`", PAGE))))
def test_what_it_names_is_there(path):
    assert (ROOT / path).exists()


def test_it_names_every_package_that_has_a_part_in_a_message():
    order = re.search(r"from left to right in this list: (.*?)\. `tests", PAGE, re.DOTALL)
    named = re.findall(r"`(\w+)`", order[1])
    assert set(named) <= MAY_IMPORT.keys()
    for above, package in enumerate(named):
        assert not MAY_IMPORT[package] & set(named[:above]), f"{package} imports what stands above it"
