"""A module is one idea and a function one step: neither grows without a reason given here."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator

from tests.sources import PACKAGE, tree_of

LONGEST_MODULE = 300
LONGEST_FUNCTION = 25
"""Lines of code, without the signature and the docstring."""
LONG_MODULES = {
    "manager.py": "the facade: each call with its types and what it raises, and no line that decides anything",
}
"""Each longer one has its reason; there is no longer function."""


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[1 if ast.get_docstring(function) is not None and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1


def long_functions() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(tree_of(path.read_text("utf-8"))):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and lines_of(node) > LONGEST_FUNCTION:
                yield f"{path.relative_to(PACKAGE)}: {node.name}"


def test_no_module_is_long_without_a_reason():
    lengths = {str(path.relative_to(PACKAGE)): path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert {name for name, length in lengths.items() if length > LONGEST_MODULE} == LONG_MODULES.keys()


def test_no_function_is_long():
    assert set(long_functions()) == set()


def test_the_facade_decides_nothing():
    facade = tree_of((PACKAGE / "manager.py").read_text("utf-8"))
    methods = [node for node in ast.walk(facade) if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
    assert {node.name for node in methods if lines_of(node) > 4} == set()
    deciding = ast.For | ast.While | ast.Try | ast.With | ast.Raise
    assert [node.name for node in methods if any(isinstance(inner, deciding) for inner in ast.walk(node))] == []


class Cycle:
    """Garbage that only the collector finds, and that makes a syntax tree when it does."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("x")


def test_files_are_read_whatever_is_collected_meanwhile():
    thresholds = gc.get_threshold()
    gc.set_threshold(50)
    try:
        for path in PACKAGE.rglob("*.py"):
            Cycle()
            tree_of(path.read_text("utf-8"))
    finally:
        gc.set_threshold(*thresholds)
