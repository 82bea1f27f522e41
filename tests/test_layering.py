"""Who may import whom: the web knows the rules, the rules know the files, and nobody looks up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "webchat"
WEB = ("app", "auth", "cli", "connections", "errors_http", "faces", "htmx", "security", "server", "views")
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
FILES = (
    "activity",
    "conventions",
    "errors",
    "fileutil",
    "jsonlines",
    "memory",
    "render",
    "session_store",
    "transcript",
)

RULES = {
    "the web's libraries are for the web": (lambda name: name not in WEB, {"flask", "werkzeug", "waitress", "jinja2"}),
    "nothing looks up into the web": (lambda name: name not in (*WEB, "__init__", "__main__"), {*WEB}),
    "what keeps files knows no backend and no rule": (lambda name: name in FILES, {"backends", "manager", "models"}),
    "backends and models know no file of ours": (
        lambda name: name in ("backends", "models"),
        {"manager", "session_store", "transcript", "reply", "follow", "activity", "memory"},
    ),
    "who counts is told, and nobody knows how it counts": (
        lambda name: name not in ("app", "metrics", "views"),
        {"metrics", "prometheus_client"},
    ),
    "settings are for the edge": (lambda name: name in (*FILES, "manager", "reply", "follow"), {"config"}),
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports while it runs: `flask` of Flask's, `views` of `webchat.views.chat`."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.removeprefix("webchat.").partition(".")[0] for name in names}


@pytest.mark.parametrize("rule", RULES)
def test_the_layers_hold(rule):
    concerns, forbidden = RULES[rule]
    found = {name: imports(path) & forbidden for name, path in MODULES.items() if concerns(name.partition(".")[0])}
    assert found
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize("module", ["manager", "memory", "config", "backends.mock", "backends.chat_model"])
def test_a_script_that_uses_the_chat_loads_no_web_library(module):
    code = f"import sys, webchat.{module}; print(*{{'flask', 'werkzeug', 'waitress'}} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert loaded.stdout.split() == []


def test_the_chat_starts_without_an_http_client():
    code = "import sys, webchat.app, webchat.server; print(*{'httpx'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert loaded.stdout.split() == []
