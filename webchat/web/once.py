"""Finds out once for each request what many parts ask for. Knows no view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from flask import request

Found = TypeVar("Found")


def once_a_request(find: Callable[[], Found]) -> Callable[[], Found]:
    """A function whose result is kept as long as the request, unless it raises."""
    name = f"webchat {find.__module__} {find.__name__}"

    @wraps(find)
    def found() -> Found:
        # With the request, not in `g`: that may outlive a request, where somebody has pushed an application context.
        kept = vars(request)
        if name not in kept:
            kept[name] = find()
        value: Found = kept[name]
        return value

    return found
