"""What docs/architecture.md says about who may import what, read off the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import grokbench

PACKAGE = Path(grokbench.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

MAY_IMPORT = {
    "torch": {
        "tasks",
        "architectures",
        "optimizers",
        "measures",
        "training",
        "randomness.py",
        "plan.py",
        "testing",
    },
    "pluggy": {"plugins.py", "hookspecs.py"},
    "netCDF4": {"store"},
    "xarray": {
        "store",
        "phenomena",
        "claims",
        "comparison",
        "report",
        "session.py",
        "testing",
    },
    "scipy": {"phenomena", "claims", "comparison", "report"},
    "matplotlib": {"report"},
    "jinja2": {"report", "scaffold"},
    "click": {"cli", "plugins.py"},
    "rich": {"cli"},
}
"""The rooms that may import a library when the program runs (for types alone, anybody may)."""

WAY = ["suite", "plan.py", "training", "store", "phenomena", "claims", "comparison", "report"]
"""From the suite to the report: nothing imports what stands to its right."""


def room(module: Path) -> str:
    """The folder or file directly under grokbench/ that a module belongs to."""
    return module.parts[0]


def imports(module: Path, *, at_top: bool = False) -> Iterator[str]:
    """What a module imports when it runs, dotted; `at_top`: when it is itself imported."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            # `from grokbench import claims` may import a module, so names count as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        elif not (at_top and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            waiting.extend(ast.iter_child_nodes(node))


def rooms_imported(module: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(module) if name.startswith("grokbench.")}
    return {name if (PACKAGE / name).is_dir() else f"{name}.py" for name in names}


def test_there_are_modules_to_check() -> None:
    assert {room(module) for module in MODULES} >= {"cli", *WAY}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_library_is_imported_only_where_it_belongs(module: Path) -> None:
    used = {name.split(".")[0] for name in imports(module)}
    assert set() == {
        library for library in used & MAY_IMPORT.keys() if room(module) not in MAY_IMPORT[library]
    }


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in WAY], ids=str)
def test_data_goes_left_to_right_and_never_back(module: Path) -> None:
    to_the_right = set(WAY[WAY.index(room(module)) + 1 :])
    assert set() == rooms_imported(module) & (to_the_right | {"session.py", "cli"})


@pytest.mark.parametrize(
    "module", [m for m in MODULES if room(m) in {"phenomena", "claims", "report"}], ids=str
)
def test_what_judges_results_knows_nothing_of_training(module: Path) -> None:
    training = {"training", "architectures", "tasks", "optimizers", "measures"}
    training |= {"randomness.py", "plan.py"}
    assert set() == rooms_imported(module) & training


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "cli"], ids=str)
def test_the_command_line_imports_little_before_a_command_runs(module: Path) -> None:
    """Only `progress.py`, which `run` imports when it trains, may import the rest at its top."""
    light = {"cli", "errors.py", "__version__.py"}
    at_top = {n.split(".")[1] for n in imports(module, at_top=True) if n.startswith("grokbench.")}
    heavy = {n for n in at_top if f"{n}.py" not in light and n not in light}
    assert heavy == set() or module.name == "progress.py"


def test_no_module_outside_the_command_line_imports_it() -> None:
    outside = [m for m in MODULES if room(m) not in {"cli", "__main__.py"}]
    assert [] == [module for module in outside if "cli" in rooms_imported(module)]
