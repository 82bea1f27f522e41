"""Which part may import which: imports go from the web to the rules to the files, and never upwards."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.sources import PACKAGE, tree_of

BASE = {"addresses", "conventions", "errors", "extras", "limits", "observer", "reference", "threads"}
"""Base modules that everybody may import, and that know nothing about the chat."""
MAY_IMPORT = {
    "fileutil": set(),
    "chat": set(),
    "render": {"chat"},
    "attachments": {"chat"},
    "storage": {"chat", "fileutil"},
    "session_store": {"chat", "storage"},
    "agent_logs": {"chat"},
    "programs": {"agent_logs", "chat", "storage"},
    "models": {"fileutil"},
    "config": {"storage"},
    "memory": {"chat", "storage"},
    "prompts": {"fileutil"},
    "backends": {"chat", "fileutil", "models"},
    "frameworks": {"backends", "chat"},
    "replies": {"attachments", "backends", "chat", "session_store", "storage"},
    "archive": {"agent_logs", "attachments", "chat", "fileutil", "render", "replies", "session_store", "storage"},
    "temporary_chats": {"chat", "replies", "session_store", "storage"},
    "housekeeping": {"chat", "replies", "session_store", "temporary_chats"},
    "agent_sessions": {"backends", "chat", "replies", "session_store"},
    "session_reader": {"chat", "programs", "replies", "session_store"},
    "session_directory": {
        "chat",
        "housekeeping",
        "programs",
        "replies",
        "session_reader",
        "session_store",
        "storage",
    },
    "session_lifecycle": {"agent_sessions", "backends", "chat", "replies", "session_store", "temporary_chats"},
    "manager": {
        "agent_sessions",
        "archive",
        "attachments",
        "backends",
        "chat",
        "housekeeping",
        "replies",
        "session_directory",
        "session_lifecycle",
        "session_reader",
        "session_store",
        "programs",
        "storage",
        "temporary_chats",
    },
    "people": {"archive", "attachments", "chat", "fileutil", "manager", "memory", "session_store", "storage"},
    "live_settings": {"backends", "config", "manager", "storage"},
    "web": {
        "agent_sessions",
        "archive",
        "backends",
        "chat",
        "config",
        "live_settings",
        "manager",
        "memory",
        "models",
        "people",
        "prompts",
        "render",
        "replies",
        "session_store",
        "storage",
    },
    "serving": {
        "backends",
        "config",
        "fileutil",
        "manager",
        "memory",
        "models",
        "people",
        "session_store",
        "storage",
        "web",
    },
    "app": {
        "backends",
        "config",
        "fileutil",
        "live_settings",
        "manager",
        "memory",
        "models",
        "people",
        "serving",
        "programs",
        "storage",
        "web",
    },
    "terminal": {"app", "chat", "render"},
    "cli": {
        "app",
        "archive",
        "backends",
        "chat",
        "config",
        "manager",
        "memory",
        "models",
        "people",
        "programs",
        "serving",
        "storage",
        "terminal",
    },
}
"""What each part may import besides itself and the base; nothing else is allowed."""
ENGINES = ("files", "memory", "postgres", "temporary")
ASKING = {"isinstance", "issubclass", "hasattr", "getattr", "type"}
ENTRANCES = {"__init__", "__main__"}
WEB_LIBRARIES = {"flask", "werkzeug", "waitress", "jinja2"}
WEB = {"app", "cli", "serving", "terminal", "web"}


def parts() -> dict[str, list[Path]]:
    """The files of each package or module right below `webchat`."""
    found: dict[str, list[Path]] = {}
    for path in PACKAGE.rglob("*.py"):
        found.setdefault(path.relative_to(PACKAGE).with_suffix("").parts[0], []).append(path)
    return found


@cache
def imports(path: Path) -> list[str]:
    """The full names of all that a file imports while it runs."""
    tree = tree_of(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def ours(path: Path) -> set[str]:
    """The parts of the chat that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("webchat.")}


PARTS = parts()
CLASSES_OF_ENGINES = {
    node.name
    for engine in ENGINES
    for path in (PACKAGE / "storage" / engine).rglob("*.py")
    for node in ast.walk(tree_of(path.read_text("utf-8")))
    if isinstance(node, ast.ClassDef)
}


def test_every_part_has_its_place():
    assert PARTS.keys() == MAY_IMPORT.keys() | BASE | ENTRANCES


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_the_layers_hold(part):
    allowed = {part, *MAY_IMPORT[part], *BASE, "__version__"}
    looked_up = {str(path.relative_to(PACKAGE)): ours(path) - allowed for path in PARTS[part]}
    assert {name: parts for name, parts in looked_up.items() if parts} == {}


def test_no_part_is_allowed_what_it_does_not_need():
    needed = {part: set().union(*(ours(path) for path in PARTS[part])) for part in MAY_IMPORT}
    assert {part: allowed - needed[part] for part, allowed in MAY_IMPORT.items() if allowed - needed[part]} == {}


def test_nobody_above_the_seam_knows_an_engine():
    engines = tuple(f"webchat.storage.{name}" for name in ENGINES)
    knowing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(name.startswith(engines) for name in imports(path))
    }
    outside = {name for name in knowing if not name.startswith("storage/")}
    assert outside == {"serving/doctor/files.py"}, "which looks at the very files"


def kinds_asked_for(path: Path) -> Iterator[str]:
    """Each expression in a file that checks the kind of storage, or whether an object belongs to an engine."""
    for node in ast.walk(tree_of(path.read_text("utf-8"))):
        if isinstance(node, ast.MatchClass) and ast.unparse(node.cls) in CLASSES_OF_ENGINES:
            yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ASKING and node.args:
            is_of_storage = ast.unparse(node.args[0]).endswith("storage")
            names = {name for given in node.args[1:] for name in re.findall(r"\w+", ast.unparse(given))}
            if is_of_storage or names & CLASSES_OF_ENGINES:
                yield ast.unparse(node)


def test_nobody_above_the_seam_asks_which_engine_it_has():
    asking = {
        str(path.relative_to(PACKAGE)): asked
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(PACKAGE / "storage") and (asked := [*kinds_asked_for(path)])
    }
    assert asking == {}, "an ability is a protocol, which one function in storage/protocols asks for"


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(storage, WithTemporary)",
        "isinstance(x, str | files.FileStorage)",
        "hasattr(self._storage, 'temporary_sessions')",
        "type(storage) is object",
        "match x:\n    case MemoryStorage(): pass",
    ],
)
def test_who_asks_for_an_engine_is_found(line, tmp_path):
    file = tmp_path / "asks.py"
    file.write_text(line)
    assert [*kinds_asked_for(file)]


def test_nobody_imports_in_a_circle():
    def below(part: str, seen: tuple[str, ...]) -> None:
        assert part not in seen, " -> ".join((*seen, part))
        for other in MAY_IMPORT.get(part, ()):
            below(other, (*seen, part))

    for part in MAY_IMPORT:
        below(part, ())


@pytest.mark.parametrize("part", sorted(BASE))
def test_the_base_knows_nothing_of_the_chat(part):
    assert ours(PARTS[part][0]) <= BASE


@pytest.mark.parametrize("part", sorted(MAY_IMPORT.keys() - WEB))
def test_the_webs_libraries_are_for_the_web(part):
    libraries = {name.partition(".")[0] for path in PARTS[part] for name in imports(path)}
    assert libraries & WEB_LIBRARIES == set()


@pytest.mark.parametrize("module", ["manager", "memory", "config", "backends.mock", "backends.chat_model"])
def test_a_script_that_uses_the_chat_loads_no_web_library(module):
    code = f"import sys, webchat.{module}; print(*{{'flask', 'werkzeug', 'waitress'}} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert loaded.stdout.split() == []


def test_the_chat_starts_without_what_few_chats_need():
    few = ["httpx", "sqlite3", "html.parser", "math_core", "pygments", "yaml"]
    few += [f"webchat.{name}" for name in ("archive.sources", "archive.readable", "people.moving", "render.tex")]
    code = f"import sys, webchat.cli, webchat.app, webchat.serving.server; print(*{{*{few}}} & {{*sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert loaded.stdout.split() == []


def test_no_time_of_the_start_goes_into_looking_for_garbage(tmp_path):
    """There is next to none, and looking at all that has been loaded takes as long as the first page."""
    code = (
        "import gc, sys; from webchat import __main__; gc.set_threshold(__main__.FEW_COLLECTIONS)\n"
        "before = gc.get_stats(); import webchat.cli; from webchat.app import create_app\n"
        "from webchat.serving import memory; create_app({'AMPLIFIER_HOME': sys.argv[1]}); memory.collect_rarely()\n"
        "print(gc.get_stats() == before)"
    )
    started = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert started.stdout.strip() == "True"
