"""Provenance: the suite, the machine, the versions and the times that results come from.

Provenance is one JSON attribute of the dataset's root, because netCDF attributes can hold neither
tables nor None.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

import grokbench
from grokbench.errors import ResultsError

if TYPE_CHECKING:
    from grokbench.suite.model import Suite

PACKAGES = ("torch", "numpy", "scipy", "xarray", "netCDF4")


def collect_provenance(
    suite: Suite, folder: Path, *, device: str, plugins: Mapping[str, str], seconds: float | None
) -> dict[str, Any]:
    """The provenance of one sitting, which ends now.

    Args:
        suite: the suite that was run.
        folder: the results folder.
        device: the name of the device that trained.
        plugins: the version of each plugin, by name.
        seconds: the wall time of the sitting; None if nothing was trained. Then the call does not
            count as a sitting.

    Returns:
        `suite` has the name, the text and its SHA-256 hash. If the suite names single-file plugins,
        `suite` also has the suite's folder, relative to the results folder. `sittings` is a list
        with this sitting, or empty.
    """
    sha256 = hashlib.sha256(suite.text.encode()).hexdigest()
    asked = {"suite": {"name": suite.name, "text": suite.text, "sha256": sha256}}
    if suite.plugins.files and suite.path is not None:
        with suppress(ValueError):  # there is no relative path to another drive of Windows
            asked["suite"]["folder"] = Path(
                os.path.relpath(suite.path.resolve().parent, folder.resolve())
            ).as_posix()
    if seconds is None:
        return {**asked, "sittings": []}
    sitting = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "suite_sha256": sha256,
        "device": device,
        "processor": _processor(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "grokbench": grokbench.__version__,
        "packages": _versions(),
        "plugins": dict(plugins),
        "plugin_sha256": suite.plugins.digests(),
        "git": _git(),
    }
    return {**asked, "sittings": [sitting]}


def continued(tree: xr.DataTree, now: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance `now`, with the earlier sittings of the dataset before it."""
    return {**now, "sittings": [*provenance(tree)["sittings"], *now["sittings"]]}


def provenance(tree: xr.DataTree) -> dict[str, Any]:
    """The provenance of a dataset: `suite` and `sittings`, as in `collect_provenance`.

    Raises:
        ResultsError: the dataset has no provenance, so grokbench did not write the dataset.
    """
    if "grokbench" not in tree.root.attrs:
        raise ResultsError(
            "the dataset has no attribute `grokbench`, so grokbench did not write it; "
            "open one with grokbench.open_results"
        )
    found: dict[str, Any] = json.loads(tree.root.attrs["grokbench"])
    return found


def suite_text(tree: xr.DataTree) -> str:
    """The unchanged text of the suite that the dataset was last assembled for."""
    text: str = provenance(tree)["suite"]["text"]
    return text


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    """The versions of installed packages, without importing the packages."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git() -> dict[str, Any] | None:
    """The git revision of the working folder, and whether it has changes; None without git."""
    try:
        revision = _ask_git("rev-parse", "HEAD")
        changes = _ask_git("status", "--porcelain")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"revision": revision, "dirty": bool(changes)}


def _ask_git(*arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603 (the arguments are this file's own)
        ["git", *arguments],  # noqa: S607 (whichever git the user has)
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return answer.stdout.strip()
