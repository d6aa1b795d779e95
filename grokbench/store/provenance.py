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
    """The git revision of the working folder, and whether it has changes; None without git.

    Whether it has changes is None where the repository's own configuration names filters: git would
    execute them to find out.
    """
    try:
        revision = _ask_git("rev-parse", "HEAD")
        changes = None if _has_filters() else _ask_git(*STATUS)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return {"revision": revision, "dirty": None if changes is None else bool(changes)}


STATUS = ("status", "--porcelain", "--ignore-submodules=all")
"""Submodules have configurations of their own."""

HARMLESS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "safe.bareRepository=explicit",
    "diff.external=",
    "core.sshCommand=false",
)
"""A repository's configuration can name programs that git executes, and the folder may be a stranger's."""

NO_PROGRAMS = {
    "GIT_OPTIONAL_LOCKS": "0",
    # A partial clone fetches what it lacks, by any program that its configuration names.
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


def _has_filters() -> bool:
    """Whether the repository's own configuration names filters, which `git status` executes."""
    told = _ask_git("config", "--list", "--includes", "--show-scope", "--name-only", "-z").split(
        "\0"
    )
    return any(
        scope not in {"system", "global", "command"} and name.lower().startswith("filter.")
        for scope, name in zip(told[::2], told[1::2], strict=False)
    )


def _ask_git(*arguments: str) -> str:
    settings = (word for setting in HARMLESS for word in ("-c", setting))
    answer = subprocess.run(  # noqa: S603 (the arguments are this file's own)
        ["git", "--no-pager", *settings, *arguments],  # noqa: S607 (whichever git the user has)
        env={**os.environ, **NO_PROGRAMS},
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return answer.stdout.strip()
