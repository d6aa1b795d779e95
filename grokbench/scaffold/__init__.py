"""Writes a small, complete plugin package from templates."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from grokbench.errors import PluginError


@dataclass(frozen=True)
class Example:
    """A definition in a new package. `file` is the name of its template and of its module."""

    kind: str
    base: str
    owner: str
    file: str
    libraries: tuple[str, ...]

    @property
    def hook(self) -> str:
        return f"register_{self.kind}s"


EXAMPLES = (
    Example("task", "Task", "Comparison", "comparison", ("pydantic", "torch")),
    Example("architecture", "Architecture", "Perceptron", "perceptron", ("pydantic", "torch")),
    Example("optimizer", "Optimizer", "Lion", "lion", ("pydantic", "torch")),
    Example("measure", "Measure", "Certainty", "certainty", ("torch",)),
    Example("detector", "Detector", "BenefitOfData", "benefit_of_data", ("xarray",)),
)

KINDS = (*(example.kind for example in EXAMPLES), "command")
"""What a new package can contain."""

TAKEN = {
    **dict.fromkeys(
        (
            "click",
            "grokbench",
            "hypothesis",
            "jax",
            "jinja2",
            "matplotlib",
            "mypy",
            "netcdf4",
            "numpy",
            "packaging",
            "pip",
            "pluggy",
            "pydantic",
            "pytest",
            "pytest_xdist",
            "rich",
            "ruff",
            "scipy",
            "setuptools",
            "torch",
            "wheel",
            "xarray",
        ),
        "library",
    ),
    **dict.fromkeys(
        ("build", "conftest", "dist", "docs", "results", "setup", "src", "suite", "test", "tests"),
        "folder or file",
    ),
}
"""Names that a module must not have, beside those of Python's modules, and what has them."""

USUAL = ("task", "architecture", "detector")
"""What a new package contains by default."""


def new_plugin(name: str, folder: Path, kinds: Sequence[str] = USUAL) -> list[Path]:
    """Write the package `name` into `folder`.

    Args:
        name: the name of the distribution, such as `grokbench-parity`.
        folder: the folder of pyproject.toml. It must be empty, or must not exist.
        kinds: what the package contains, some of `KINDS`.

    Returns:
        The files that were written.

    Raises:
        PluginError: a package cannot have the name, a kind is unknown, or `folder` is not empty.
    """
    module = module_named(name)
    if not kinds or set(kinds) - set(KINDS):
        raise PluginError(f"kinds {list(kinds)}: choose one or more of {', '.join(KINDS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PluginError(
            f"{folder} is there already, and not empty; choose another name, or another --into"
        )
    definitions = [example for example in EXAMPLES if example.kind in kinds]
    needed = {"grokbench"}.union(*(example.libraries for example in definitions))
    stem = module.removeprefix("grokbench_")
    words = {
        "distribution": name,
        "module": module,
        "stem": stem,
        "command": f"{stem.replace('_', '-')}-final",
        "kinds": kinds,
        "definitions": definitions,
        "libraries": sorted(needed | ({"click"} if "command" in kinds else set())),
        "sentence": f"The plugin {name}",
    }
    package = f"src/{module}"
    templates = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        "suite.toml": "suite.toml",
        f"{package}/__init__.py": "package.py",
        **{f"{package}/{example.file}.py": f"{example.file}.py" for example in definitions},
        "tests/test_plugin.py": "test_plugin.py",
    }
    if definitions:
        templates[f"{package}/plugin.py"] = "plugin.py"
    if "command" in kinds:
        templates[f"{package}/commands.py"] = "commands.py"
    # The output is Python and TOML, which do not need the escapes of HTML.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("grokbench.scaffold"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    written = []
    for place, template in templates.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        text = environment.get_template(f"{template}.jinja").render(words)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def module_named(name: str) -> str:
    """The name of a distribution's module.

    Raises:
        PluginError: a distribution cannot have the name, or the module would hide another one.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name):
        raise PluginError(
            f"{name!r} cannot be the name of a package; write lower-case letters, digits and single "
            "hyphens, with a letter first, such as grokbench-parity"
        )
    module = name.replace("-", "_")
    stem = module.removeprefix("grokbench_")
    if not stem.isidentifier() or keyword.iskeyword(stem):
        raise PluginError(
            f"{name!r}: the definitions would be named after {stem!r}, which is not a name in Python; "
            "write a word after grokbench-, such as grokbench-parity"
        )
    if module in TAKEN or module in sys.stdlib_module_names:
        raise PluginError(
            f"{name!r} would hide the {TAKEN.get(module, 'module of Python')} of that name; write a "
            f"name such as grokbench-{name}"
        )
    return module
