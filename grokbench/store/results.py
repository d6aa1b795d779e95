"""The dataset as a file: written whole and sealed, opened only when it is as it was written."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from grokbench.durable import has_seal, is_unchanged, seal, write_durably
from grokbench.errors import ResultsError
from grokbench.store.dataset import SCHEMA

_HDF5 = b"\x89HDF\r\n\x1a\n"


def write_results(tree: xr.DataTree, path: Path) -> None:
    """Replace the file by the tree; whoever looks sees the old one or the new one, whole.

    Raises:
        ResultsError: it could not be written; the old one is as it was.
    """

    def write(temporary: Path) -> None:
        # xarray would take a folder named `~` for the user's own
        tree.to_netcdf(temporary.absolute(), engine="netcdf4", format="NETCDF4")
        seal(temporary)

    write_durably(path.parent, write, lambda _: path.name)


def open_results(path: str | Path) -> xr.DataTree:
    """The dataset of a suite, in memory: a group an experiment.

    Args:
        path: the file (`results/quick/quick.nc`) or the folder it is in (`results/quick`).

    Raises:
        ResultsError: there is nothing there, or it is not what grokbench wrote.
    """
    check_name(Path(path))
    file = _file(Path(path))
    content = file.read_bytes()
    if not content.startswith(_HDF5):
        raise ResultsError(
            f"{file}: is not a grokbench dataset (it is not netCDF-4); "
            f"give the .nc file that `grokbench run` wrote, or its folder"
        )
    if not is_unchanged(content):
        found = "its digest does not match" if has_seal(content) else "its digest is missing"
        raise ResultsError(
            f"{file}: was altered or damaged since grokbench wrote it, or grokbench did not write "
            f"it: {found}. Restore it from a copy; or move it away and run the suite again, which "
            f'trains what is not in records/. `xarray.open_datatree("{file}", engine="netcdf4")` '
            f"may still open it, unchecked"
        )
    with xr.open_datatree(file.absolute(), engine="netcdf4") as tree:
        tree.load()
    if tree.attrs["grokbench_schema"] != SCHEMA:
        raise ResultsError(
            f"{file}: has layout {tree.attrs['grokbench_schema']}, and this grokbench knows "
            f"{SCHEMA}; it was written by another one: upgrade grokbench"
        )
    return tree


def check_name(path: Path) -> None:
    """See that netCDF can open files there.

    Raises:
        ResultsError: its name is not UTF-8 on the whole way from the root.
    """
    absolute = str(path.absolute())
    try:
        absolute.encode()
    except UnicodeEncodeError:
        raise ResultsError(
            f"{absolute!a}: is not valid UTF-8, so netCDF cannot open it; rename the folder, "
            f"or name another (--out)"
        ) from None


def _file(path: Path) -> Path:
    """The dataset that is meant by a file or a folder."""
    if path.is_file():
        return path
    if not path.exists():
        raise ResultsError(
            f"{path}: there is no such file or folder; give what `grokbench run` wrote, "
            f"such as results/quick"
        )
    own = path / f"{path.resolve().name}.nc"
    if own.is_file():
        return own
    others = sorted(path.glob("*.nc"))
    if len(others) == 1:
        return others[0]
    if others:
        names = ", ".join(file.name for file in others)
        raise ResultsError(f"{path}: holds more than one dataset; name one of {names}")
    if (path / "records").is_dir():
        raise ResultsError(
            f"{path}: holds records but no dataset yet, because training was interrupted; "
            f"run the suite again, and it goes on from there"
        )
    raise ResultsError(f"{path}: holds no dataset; give a folder that `grokbench run` wrote")
