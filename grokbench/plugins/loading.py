"""Imports of plugins: from installed packages and from single files."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from grokbench.plugins.digests import modules_beside
from grokbench.plugins.guarding import streams_kept
from grokbench.switches import LOADING, UNSET, put_back

_importing = threading.RLock()
"""Held during an import, because cohorts may train in threads of the same process."""


def entry_points_of(group: str) -> list[EntryPoint]:
    """The entry points of installed packages in `group`, in an order that is always the same."""
    return sorted(entry_points(group=group), key=lambda point: (point.value, point.name))


def import_file(path: Path) -> ModuleType:
    """Execute a single file as a module. The module's name contains a hash of the path.

    The file may import the modules beside it, as a script may: their folder is searched last.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: the file's name does not end in `.py`, or a module beside the file has the name of a
            module from another place.
        Exception: whatever the file raises.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    name = f"grokbench_file_{digest}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file; name one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _Beside.search(path.parent)
    try:
        spec.loader.exec_module(module)
        _check_modules_beside(path)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class _Beside(MetaPathFinder):
    """Finds the modules beside single-file plugins, after all that `sys.path` has.

    `sys.path` itself stays as it is: it belongs to the user, and the guard puts it back.
    """

    folders: ClassVar[list[str]] = []

    @classmethod
    def search(cls, folder: Path) -> None:
        """Search this folder too, from now on: a plugin may import a module in a function."""
        if cls not in sys.meta_path:
            sys.meta_path.append(cls)
        if str(folder) not in cls.folders:
            cls.folders.append(str(folder))

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, cls.folders, target) if path is None else None

    @classmethod
    def invalidate_caches(cls) -> None:
        """Nothing: the caches belong to `PathFinder`. Python calls this method on the class."""


def _check_modules_beside(path: Path) -> None:
    """Check that the modules beside a file are the ones that the file has imported.

    Raises:
        ImportError: another module of the name was imported first, such as one beside another plugin.
    """
    for helper in sorted(modules_beside(path)):
        name = helper.relative_to(path.parent).parts[0].removesuffix(".py")
        found = getattr(sys.modules.get(name), "__file__", None)
        if found and not Path(os.path.realpath(found)).is_relative_to(path.parent):
            raise ImportError(
                f"{path.name} imports {name}, and {helper.name} lies beside it, but Python has imported "
                f"{found} under this name; rename the module beside the plugin"
            )


@contextmanager
def isolated() -> Iterator[None]:
    """Keep an import's side effects from the rest of the process.

    Global settings and random states are put back. Printed text goes to standard error, because
    standard output may be JSON that another program reads.
    """
    with _importing, put_back({**LOADING, **UNSET}), streams_kept(aside=True):
        yield
