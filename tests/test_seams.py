"""Who uses whom does it by public names, also in tests: what is private may change without notice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.sources import tree_of

ROOT = Path(__file__).parent.parent
OTHERS = {"os._exit", "Rule._compile_builder"}
"""Of other libraries."""
PUBLIC = {"_replace"}
"""What every named tuple has for everybody."""
WATCHED = {"tests/test_acp_sessions.py: _sessions", "tests/real_agents/test_sessions.py: _sessions"}
"""Only the backend's own table tells when the process of a stopped turn has settled."""
PATCHED = {
    "backends.acp.{module}.CANCEL_PATIENCE",
    "backends.acp.inbox.MOST_UNREAD",
    "backends.acp.updates.MOST_CALLS",
    "fileutil.DiskFolder.free",
    "models.fetch.fetch",
    "models.named.__defaults__",
    "models.shelf.Shelf.__init__.__defaults__",
    "models.shelf.fetch",
    "replies.recorder.SILENCE",
    "replies.recorder.SILENCE_STEP",
    "replies.write_pace.OWN_WRITE",
    "serving.health.KEPT",
    "serving.listening.PORTS_TRIED",
    "web.events.BEGINNING",
    "web.events.LIFETIME",
    "web.form_answers.FIRST_TEXT",
    "web.settings.PORTS",
}
"""What tests of whole chats vary and no setting does; everything else is a parameter of its object."""
PATCH = re.compile(r'setattr\(\s*f?"webchat\.([\w.{}]+)"')


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def own_names(tree: ast.AST) -> set[str]:
    """The names that a module defines: functions, classes, variables, and attributes of its objects."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            names.add(node.attr)
    return names


def private_uses(text: str) -> Iterator[tuple[str, str]]:
    """Each use of a private name that is not the module's own: the expression, and the name."""
    tree = tree_of(text)
    own = own_names(tree) | PUBLIC
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            if node.attr not in own:
                yield ast.unparse(node), node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("webchat"):
            yield from ((alias.name, alias.name) for alias in node.names if re.match("_[^_]", alias.name))


def test_nobody_uses_private_names_of_other_modules():
    uses = {
        f"{path}: {name}"
        for path, text in sources("webchat", "bench", "tests")
        for expression, name in private_uses(text)
        if expression not in OTHERS
    }
    assert uses - WATCHED == set()


def test_no_more_of_the_package_is_patched():
    patched = {found for _, text in sources("tests") for found in PATCH.findall(text)}
    assert patched - PATCHED == set()
    assert PATCHED - patched == set(), "these need no patch any more"
