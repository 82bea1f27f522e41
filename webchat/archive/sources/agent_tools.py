"""What coding agents' tools do, by their names and what they are given."""

from __future__ import annotations

from webchat.archive.lenient import Table, as_text, first_text, table, text
from webchat.chat.parts import Diff, ToolCall, ToolKind

_KINDS: dict[str, ToolKind] = {
    "bash": "execute",
    "shell": "execute",
    "exec_command": "execute",
    "local_shell": "execute",
    "read": "read",
    "grep": "search",
    "glob": "search",
    "websearch": "search",
    "web_search": "search",
    "webfetch": "fetch",
    "edit": "edit",
    "multiedit": "edit",
    "write": "edit",
    "apply_patch": "edit",
}


def call(name: str, tool: str, given: object) -> ToolCall:
    """The call with this id of a tool that was given this."""
    found = table(given)
    path, command = first_text(found, "file_path", "path", "notebook_path"), found.get("command", found.get("cmd"))
    if isinstance(command, list):
        command = " ".join(map(str, command))
    what = path or text(command).partition("\n")[0] or first_text(found, "pattern", "query", "url", "description")
    title, kind = " ".join(filter(None, (tool, what[:200]))), _KINDS.get(tool.lower(), "other")
    if (change := _change(path, found)) is not None:
        return ToolCall(name, title, "edit", "done", output=(change,))
    return ToolCall(name, title, kind, "done", text(command) or as_text(given))


def _change(path: str, given: Table) -> Diff | None:
    """What a call does to a file, if it says so."""
    old, new, whole = given.get("old_string"), given.get("new_string"), given.get("content")
    if path and isinstance(old, str) and isinstance(new, str):
        return Diff(path, old, new)
    return Diff(path, None, whole) if path and isinstance(whole, str) else None
