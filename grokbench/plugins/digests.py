"""Digests of a plugin's code, by which a plugin that was edited after training is noticed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def digest_of_file(path: Path) -> str | None:
    """The SHA-256 of a file's bytes, in hexadecimal digits; None if the file cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


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
        return digest_of_file(Path(file)) if file else None
    lines = sorted(
        f"{path.relative_to(folder).as_posix()} {digest_of_file(path)}\n"
        for folder in folders
        for path in folder.rglob("*.py")
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None
