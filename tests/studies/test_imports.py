"""Studies and benchmarks stand apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(module: Path) -> set[str]:
    """The first parts of the names of all modules that a module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    origins = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | origins}


@pytest.mark.parametrize(
    ("folder", "other"), [("studies", "benchmarks"), ("benchmarks", "studies")]
)
def test_studies_and_benchmarks_import_nothing_of_each_other(folder: str, other: str) -> None:
    modules = sorted((ROOT / folder).rglob("*.py"))
    found = {module: imported(module) for module in modules}
    assert {"grokbench", folder} <= set.union(*found.values())
    assert [] == [module for module, names in found.items() if other in names]


def test_the_package_imports_neither() -> None:
    modules = sorted((ROOT / "grokbench").rglob("*.py"))
    assert modules
    assert [] == [module for module in modules if imported(module) & {"studies", "benchmarks"}]
