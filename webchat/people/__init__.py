"""The people whom a proxy signs in: lists, exports, imports, disables and removes them. Knows no terminal."""

from __future__ import annotations

from webchat.people.disabled import Disabled, DisabledPeople
from webchat.people.moving import Mover
from webchat.people.register import People, Person

__all__ = ["Disabled", "DisabledPeople", "Mover", "People", "Person"]
