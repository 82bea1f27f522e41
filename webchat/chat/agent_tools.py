"""What coding agents' tools do, told by their names and arguments. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from webchat.chat.parts import Diff, ToolCall, ToolKind

_KINDS: dict[str, ToolKind] = {
    "read": "read", "view": "read", "open": "read", "cat": "read", "notebookread": "read",
    "edit": "edit", "write": "edit", "multiedit": "edit", "patch": "edit", "notebookedit": "edit", "create": "edit",
    "grep": "search", "glob": "search", "search": "search", "find": "search",
    "websearch": "search", "web_search": "search", "ls": "search", "list": "search",
    "bash": "execute", "shell": "execute", "exec": "execute", "run": "execute", "command": "execute",
    "python": "execute", "stdin": "execute",
    "fetch": "fetch", "web": "fetch", "webfetch": "fetch", "url": "fetch", "browser": "fetch",
    "task": "think", "delegate": "think", "think": "think", "agent": "think", "todo": "think", "plan": "think",
    "todowrite": "think",
    "delete": "delete", "remove": "delete", "move": "move", "rename": "move",
}  # fmt: skip
"""The kind of a tool by its name or a word in it: every program has its own names."""
_PATHS = ("file_path", "path", "notebook_path")
_SHOWN = (*_PATHS, "command", "pattern", "query", "url", "description", "prompt", "agent")
"""The arguments that may appear in a card's title, most telling first."""
LONGEST_TITLE = 200
TOO_DEEP = "(nested too deep to be shown)"


def called(call_id: str, tool: str, given: object) -> ToolCall:
    """The running call of a tool with these arguments. If it changes a file, the change is shown."""
    values = given if isinstance(given, Mapping) else {}
    command = _command(values)
    title = " ".join(filter(None, (tool, _about(values, command))))[:LONGEST_TITLE]
    change = _change(values)
    if change is not None:
        return ToolCall(call_id, title, "edit", "running", output=(change,))
    return ToolCall(call_id, title, _kind_of(tool), "running", command or _as_text(given))


def _kind_of(tool: str) -> ToolKind:
    name = tool.lower().replace("-", "_")
    return next((_KINDS[word] for word in (name, *name.split("_")) if word in _KINDS), "other")


def _command(values: Mapping[str, Any]) -> str:
    found = values.get("command", values.get("cmd"))
    return " ".join(map(str, found)) if isinstance(found, list) else found if isinstance(found, str) else ""


def _about(values: Mapping[str, Any], command: str) -> str:
    """What a card's title says after the tool's name: a path, the first line of a command, …"""
    texts = (command if name == "command" else values.get(name) for name in _SHOWN)
    found = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    return " ".join(found.strip().partition("\n")[0].split())


def _as_text(given: object) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping) and len(given) == 1:
        only = next(iter(given.values()))
        if isinstance(only, str):
            return only
    return as_json(given) if given else ""


def as_json(value: object) -> str:
    """The value as readable JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except RecursionError:  # nested too deeply to be serialised, although it could be parsed
        return TOO_DEEP


def _change(values: Mapping[str, Any]) -> Diff | None:
    """The change that a call makes to a file, if its arguments say so."""
    path = next((found for name in _PATHS if isinstance(found := values.get(name), str) and found), "")
    old, new, whole = values.get("old_string"), values.get("new_string"), values.get("content")
    if path and isinstance(old, str) and isinstance(new, str):
        return Diff(path, old, new)
    return Diff(path, None, whole) if path and isinstance(whole, str) else None
