from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import grokbench

SOURCE = Path(grokbench.__file__)


def test_the_public_names_are_sorted_and_each_is_there_once() -> None:
    assert sorted(set(grokbench.__all__)) == grokbench.__all__


@pytest.mark.parametrize("name", grokbench.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(grokbench, name) is not None


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    """What is imported for types is what `__getattr__` finds, and is all of `__all__`."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert grokbench.__all__ == sorted(homes)
    for name, home in homes.items():
        assert getattr(sys.modules[str(home)], name) is getattr(grokbench, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tusk'"):
        _ = grokbench.Tusk


def test_dir_shows_the_public_names() -> None:
    assert set(grokbench.__all__) <= set(dir(grokbench))


def test_importing_grokbench_imports_nothing_else() -> None:
    script = "import sys, grokbench; print([m for m in sys.modules if m.startswith('grokbench.')])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=SOURCE.parents[1], capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
