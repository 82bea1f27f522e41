"""A picture without metadata."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clean:
    """A picture's bytes, and its width and height in pixels as browsers show it."""

    data: bytes
    width: int
    height: int
