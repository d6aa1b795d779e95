"""The dataset as a file. It is sealed with a digest, and opened only if the digest matches."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from grokbench.durable import has_seal, is_unchanged, seal, write_durably
from grokbench.errors import ResultsError
from grokbench.plugins import describe
from grokbench.store.dataset import SCHEMA
from grokbench.store.layout import check_experiments, check_provenance

_HDF5 = b"\x89HDF\r\n\x1a\n"


def write_results(tree: xr.DataTree, path: Path) -> None:
    """Write the tree to the file. A reader sees the old file or the new file.

    Raises:
        ResultsError: the file could not be written. The old file is unchanged.
    """

    def write(temporary: Path) -> None:
        # An absolute path, because xarray replaces a leading `~` by the user's home folder.
        tree.to_netcdf(temporary.absolute(), engine="netcdf4", format="NETCDF4")
        seal(temporary)

    write_durably(path.parent, write, lambda _: path.name)


def open_results(path: str | Path) -> xr.DataTree:
    """Read the dataset of a suite into memory. Each experiment is a group.

    Args:
        path: the file (`results/quick/quick.nc`) or its folder (`results/quick`).

    Raises:
        ResultsError: there is no dataset, or it is not as grokbench wrote it.
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
            f"{file}: was altered or damaged after grokbench wrote it, or another program wrote it: "
            f"{found}. Restore the file from a copy, or move it away and run the suite again, which "
            f"trains only the runs that are not in records/. "
            f'`xarray.open_datatree("{file}", engine="netcdf4")` may open the file without the check'
        )
    try:
        with xr.open_datatree(file.absolute(), engine="netcdf4") as tree:
            tree.load()
    except Exception as error:
        # A file with a right seal may hold anything; xarray and netCDF raise errors of many kinds.
        raise ResultsError(
            f"{file}: could not be read ({describe(error)}). The seal is right, so grokbench did not write "
            f"the file, or this netCDF library cannot read it"
        ) from error
    layout = tree.attrs.get("grokbench_schema")
    if not isinstance(layout, int | np.integer) or layout != SCHEMA:
        found = "no number of its layout" if layout is None else f"layout {layout}"
        raise ResultsError(
            f"{file}: has {found}, and this grokbench reads layout "
            f"{SCHEMA}. Another version of grokbench wrote the file: upgrade grokbench"
        )
    check_provenance(tree, str(file))
    check_experiments(tree, str(file))
    return tree


def check_name(path: Path) -> None:
    """Check that netCDF can open files at this path.

    Raises:
        ResultsError: the absolute path is not valid UTF-8.
    """
    absolute = str(path.absolute())
    try:
        absolute.encode()
    except UnicodeEncodeError:
        why = "is not valid UTF-8, so netCDF cannot open it; rename the folder"
        if sys.getfilesystemencoding() != "utf-8":
            why = (
                f"Python reads the names of files as {sys.getfilesystemencoding()} here, so netCDF cannot "
                f"open it; set the environment variable PYTHONUTF8=1"
            )
        raise ResultsError(f"{absolute!a}: {why}, or name another folder (--out)") from None


def other_datasets(path: Path) -> list[Path]:
    """The datasets of other suites in a results folder, from which `open_results` reads one."""
    read = _file(path)
    return [] if read == path else sorted(file for file in path.glob("*.nc") if file != read)


def _file(path: Path) -> Path:
    """The file of the dataset, from the path of the file or of its folder."""
    if path.is_file():
        return path
    if not path.exists():
        raise ResultsError(
            f"{path}: there is no such file or folder; give a folder that `grokbench run` wrote, "
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
            f"run the suite again, which trains the missing runs and writes the dataset"
        )
    raise ResultsError(f"{path}: holds no dataset; give a folder that `grokbench run` wrote")
