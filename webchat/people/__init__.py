"""The people whom a proxy signs in: lists, exports, imports, disables and removes them. Knows no terminal."""

from __future__ import annotations

from webchat.people.disabled import Disabled, DisabledPeople

__all__ = ["Disabled", "DisabledPeople"]
