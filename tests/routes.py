"""Routes that are compiled once for all applications of a process: that takes most of an application's creation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


def compiled_once() -> Callable[..., Callable[..., Any]]:
    """What takes the place of `Rule._compile_builder`: the same for each rule, remembered."""
    compiled: dict[Any, Callable[..., Any]] = {}
    compile_builder = Rule._compile_builder

    def remembered(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        key = (rule.rule, rule.subdomain, rule.host, append_unknown, tuple(sorted((rule.defaults or {}).items())))
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    return remembered
