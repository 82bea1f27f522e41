"""Modules use only public names of other modules, even in tests: private ones may change without notice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.sources import tree_of

ROOT = Path(__file__).parent.parent
OTHERS = {"os._exit", "Rule._compile_builder"}
"""Private names of other libraries."""
PUBLIC = {"_replace"}
"""Public methods of named tuples."""
WATCHED = {"tests/test_acp_sessions.py: _sessions", "tests/real_agents/test_sessions.py: _sessions"}
"""Only the backend's own table tells when the process of a stopped turn has settled."""
PATCHED = {
    "tests/test_writing_down.py: webchat.backends.openai.incoming": "a clock that stands still",
    "tests/conftest.py: webchat.replies.supervisor": "a stop that a busy machine needs longer for",
    "tests/test_once.py: webchat.replies.supervisor": "the end of that wait",
    "tests/test_model_facts.py: webchat.backends.openai.server.FACTS_PATIENCE": "a wait that is longer than the test",
    "tests/test_sessions_command.py: webchat.cli.session_commands.INDEX_PATIENCE": "a wait that a test need not last",
    "tests/test_acp_process.py: webchat.threads": "a thread that is begun late",
    "tests/test_search.py: webchat.storage.search.time": "an update of the index that takes an hour",
    "tests/test_gathering.py: webchat.backends.openai.incoming": "moments too short for a test to tell",
    "tests/test_settings.py: webchat.backends.openai.nearby": "the ports of other programs, which no test may take",
}
"""The modules whose contents tests replace, and why; what others vary is a parameter or an attribute of an object."""


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
    """Each use of another module's private name: the expression, and the name."""
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


def modules_in(tree: ast.AST) -> dict[str, str]:
    """The names of our modules that a test imports, with the modules."""
    names = {}
    for node in ast.walk(tree):
        for alias in (
            node.names if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("webchat") else ()
        ):
            path = f"{node.module}.{alias.name}".replace(".", "/")
            if (ROOT / f"{path}.py").exists() or (ROOT / path).is_dir():
                names[alias.asname or alias.name] = path.replace("/", ".")
    return names


def patched_in(text: str) -> Iterator[str]:
    """Our modules whose contents a test replaces: by a path, by name, or in a program that it starts."""
    tree = tree_of(text)
    names = modules_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nfrom webchat" in node.value:
            with suppress(SyntaxError):
                yield from patched_in(node.value)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            yield names.get(node.value.id, "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr") and node.args:
            first = node.args[0]
            by_path = re.match(r"f?['\"](webchat\.[\w.{}]+)", ast.unparse(first))
            yield by_path[1] if by_path else names.get(first.id, "") if isinstance(first, ast.Name) else ""


def test_what_tests_replace_in_modules_is_listed():
    patched = {f"{path}: {module}" for path, text in sources("tests") for module in patched_in(text) if module}
    assert {name for name in patched if not name.startswith("tests/test_seams.py")} == PATCHED.keys()


@pytest.mark.parametrize(
    "text",
    [
        'monkeypatch.setattr("webchat.web.events.PING_INTERVAL", 1)',
        'from webchat.web import events\nmonkeypatch.setattr(events, "PING_INTERVAL", 1)',
        "from webchat.web import events\nevents.PING_INTERVAL, events.POLL_AGAIN = 1, 2",
        'SERVE = """\nfrom webchat.web import events\nevents.PING_INTERVAL = 1\n"""',
    ],
)
def test_whatever_replaces_something_in_a_module_is_found(text):
    assert {*patched_in(text)} - {""} in ({"webchat.web.events"}, {"webchat.web.events.PING_INTERVAL"})
