"""Caches the results of functions for the duration of a request. Knows no view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from flask import request

Found = TypeVar("Found")


def once_a_request(find: Callable[[], Found]) -> Callable[[], Found]:
    """Wraps a function so that its result is cached for the request; exceptions are not cached."""
    name = f"webchat {find.__module__} {find.__name__}"

    @wraps(find)
    def found() -> Found:
        # Stored with the request, not in `g`, which may outlive it if somebody has pushed an application context.
        kept = vars(request)
        if name not in kept:
            kept[name] = find()
        value: Found = kept[name]
        return value

    return found
