"""What docs/architecture.md says about who may import what, read off the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
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
    "pluggy": {"plugins", "hookspecs.py"},
    "netCDF4": {"store"},
    "xarray": {
        "store",
        "readout",
        "theory",
        "phenomena",
        "claims",
        "comparison",
        "report",
        "session.py",
        "testing",
    },
    "scipy": {"statistics", "theory", "phenomena", "claims", "report"},
    "matplotlib": {"report"},
    "jinja2": {"report", "scaffold"},
    "click": {"cli", "plugins"},
    "rich": {"cli"},
}
"""The rooms that may import a library when the program runs (for types alone, every room may)."""

WAY = [
    "suite",
    "plan.py",
    "training",
    "store",
    "statistics",
    "readout",
    "theory",
    "phenomena",
    "claims",
    "comparison",
    "report",
]
"""From the suite to the report: no room imports a room to its right."""

JUDGING = {"statistics", "readout", "theory", "phenomena", "claims", "comparison", "report"}
"""The rooms that judge stored results."""


def room(module: Path) -> str:
    """The folder or file directly under grokbench/ that a module belongs to."""
    return module.parts[0]


@cache
def imports(module: Path, *, at_top: bool = False) -> frozenset[str]:
    """What a module imports when it runs, dotted; `at_top`: when it is itself imported."""
    return frozenset(_imports(module, at_top))


def _imports(module: Path, at_top: bool) -> Iterator[str]:
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


def module_of(name: str) -> Path | None:
    """The file behind a dotted name: of a module, of a package, or of what a name is taken from."""
    parts = name.split(".")[1:]
    while parts:
        for path in (Path(*parts).with_suffix(".py"), Path(*parts, "__init__.py")):
            if (PACKAGE / path).is_file():
                return path
        parts.pop()
    return None


@cache
def needed(module: Path, *, at_top: bool) -> frozenset[Path]:
    """The modules of grokbench that a module imports itself; without the packages around them."""
    found = {module_of(n) for n in imports(module, at_top=at_top) if n.startswith("grokbench.")}
    return frozenset(path for path in found if path is not None and path != module)


def packages_around(module: Path) -> list[Path]:
    """The `__init__.py` that Python runs before the module; the lazy outermost one left out."""
    around = [folder / "__init__.py" for folder in module.parents if folder != Path()]
    return [package for package in around if package != module]


def reached(module: Path) -> set[Path]:
    """Every module that is imported, directly or by way of others, when `module` is imported."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [*needed(one, at_top=True), *packages_around(one)]
    return found


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


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in WAY], ids=str)
def test_nothing_to_the_right_is_reached_by_way_of_other_modules(module: Path) -> None:
    to_the_right = {*WAY[WAY.index(room(module)) + 1 :], "session.py", "cli"}
    assert set() == {str(one) for one in reached(module) if room(one) in to_the_right}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count too; a package's `__init__.py` is a module like any other."""
    graph = {module: needed(module, at_top=False) for module in MODULES}
    # The outermost package looks names up when they are asked for, and imports nothing itself.
    graph[Path("__init__.py")] = frozenset()
    circle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = [str(module) for module in error.args[1]]
    assert [] == circle


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in JUDGING], ids=str)
def test_what_judges_results_knows_nothing_of_training(module: Path) -> None:
    training = {"training", "architectures", "tasks", "optimizers", "measures"}
    training |= {"randomness.py", "plan.py"}
    assert set() == rooms_imported(module) & training


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in JUDGING], ids=str)
def test_what_judges_results_never_reaches_torch(module: Path) -> None:
    assert set() == {
        str(one)
        for one in reached(module)
        if any(name.split(".")[0] == "torch" for name in imports(one, at_top=True))
    }


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "statistics"], ids=str)
def test_statistics_are_numpy_and_scipy_alone(module: Path) -> None:
    outside = {
        one for one in reached(module) if room(one) not in {"statistics", "errors.py", "plain.py"}
    }
    assert set() == {str(one) for one in outside}


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "cli"], ids=str)
def test_the_command_line_imports_little_before_a_command_runs(module: Path) -> None:
    """Only `progress.py`, which `run` imports when it trains, may import the rest at its top."""
    light = {
        "cli",
        "amounts.py",
        "errors.py",
        "plain.py",
        "schema.py",
        "streams.py",
        "toml.py",
        "__version__.py",
    }
    at_top = {n.split(".")[1] for n in imports(module, at_top=True) if n.startswith("grokbench.")}
    heavy = {n for n in at_top if f"{n}.py" not in light and n not in light}
    assert heavy == set() or module.name == "progress.py"


def test_no_module_outside_the_command_line_imports_it() -> None:
    outside = [m for m in MODULES if room(m) not in {"cli", "__main__.py"}]
    assert [] == [module for module in outside if "cli" in rooms_imported(module)]


def test_only_the_command_that_tests_plugins_imports_what_tests_them() -> None:
    outside = [module for module in MODULES if room(module) != "testing"]
    assert [Path("cli/conformance.py")] == [
        module for module in outside if "testing" in rooms_imported(module)
    ]
