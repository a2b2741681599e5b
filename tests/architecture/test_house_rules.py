"""Rules of the house that no linter knows: sizes, docstrings, where everything may be caught."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

APP = Path(__file__).parents[2] / "app" / "lockhouse"
LINES_PER_FILE = 600
LINES_PER_FUNCTION = 50
# The job runner of the window, the engine's loop, the command line's main, the excepthook.
MAY_CATCH_EVERYTHING = 4


def sources() -> Iterator[tuple[str, str, ast.Module]]:
    """Name, text and syntax tree of every file of the program."""
    for file in sorted(APP.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        yield str(file.relative_to(APP)), text, ast.parse(text)


def length(function: ast.FunctionDef, source: list[str]) -> int:
    """Lines of a function's body, without the empty ones and its docstring."""
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not statements:
        return 0
    lines = source[statements[0].lineno - 1 : function.end_lineno]
    return sum(bool(line.strip()) for line in lines)


def test_files_and_functions_stay_short() -> None:
    too_long = []
    for name, text, tree in sources():
        if text.count("\n") > LINES_PER_FILE:
            too_long.append(f"{name}: {text.count(chr(10))} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                lines = length(node, text.splitlines())
                if lines > LINES_PER_FUNCTION:
                    too_long.append(f"{name}: {node.name} has {lines} lines")
    assert not too_long


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name for name, text, tree in sources() if text.strip() and ast.get_docstring(tree) is None
    ]
    assert not silent


def test_everything_is_caught_in_four_places_at_most() -> None:
    places = [
        f"{name}:{node.lineno}"
        for name, _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
    ]
    assert len(places) <= MAY_CATCH_EVERYTHING, places
