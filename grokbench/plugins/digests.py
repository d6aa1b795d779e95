"""Digests of a plugin's code, by which a plugin that was edited after training is noticed."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from grokbench.plugins.guarding import NOT_PLUGINS


def digest_of_file(path: Path) -> str | None:
    """The SHA-256 of a single-file plugin, in hexadecimal digits; None if the file cannot be read.

    Modules beside the file that the plugin imports are part of its code. Where there are none, the
    digest is that of the file's bytes.
    """
    helpers = modules_beside(path)
    if not helpers:
        return _of_bytes(path)
    lines = sorted(_lines(path.parent, {path, *helpers}))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def modules_beside(path: Path) -> set[Path]:
    """The Python files beside a single-file plugin that it imports, directly or by way of another one."""
    return _imported_from(path.parent, path, set())


def _imported_from(folder: Path, path: Path, found: set[Path]) -> set[Path]:
    """The Python files in `folder` that a file imports, directly or by way of another one of them.

    The text of the file is searched, because an import in a function may not have happened yet. Of a
    package, all files count.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        for name in {name.partition(".")[0] for name in names} - NOT_PLUGINS:
            module, package = folder / f"{name}.py", folder / name
            files = {module} if module.is_file() else set(package.rglob("*.py"))
            for file in sorted(files - found - {path}):
                found.add(file)
                _imported_from(folder, file, found)
    return found


def digest_of_package(location: str) -> str | None:
    """The SHA-256 of the Python files of an imported plugin.

    A plugin's module often only registers what other modules of its package define. So all `.py` files
    in the package around the module count, each with its relative path. A module that is in no package
    counts alone.

    Args:
        location: the value of the entry point, such as `my_package.plugin`.

    Returns:
        None if the files are not known, for example because the plugin could not be imported.
    """
    name = location.partition(":")[0].strip()
    module = sys.modules.get(name)
    if module is None:
        return None
    around = module if hasattr(module, "__path__") else sys.modules.get(name.rpartition(".")[0])
    folders = sorted(Path(folder) for folder in getattr(around, "__path__", ()))
    if not folders:
        file = getattr(module, "__file__", None)
        return _of_bytes(Path(file)) if file else None
    lines = sorted(line for folder in folders for line in _lines(folder, folder.rglob("*.py")))
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None


def _lines(folder: Path, files: Iterable[Path]) -> Iterator[str]:
    """For each file, its path relative to `folder` and the digest of its bytes."""
    for path in files:
        yield f"{path.relative_to(folder).as_posix()} {_of_bytes(path)}\n"


def _of_bytes(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
