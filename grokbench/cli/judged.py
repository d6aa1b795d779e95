"""Results with the verdicts on them, for the commands that start from results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from grokbench.claims import Verdict
    from grokbench.suite import Suite


@dataclass(frozen=True, eq=False)
class Judged:
    """A dataset, the suite it is judged by, and the verdicts."""

    tree: xr.DataTree
    suite: Suite
    verdicts: tuple[Verdict, ...]


def judge(results: Path, suite: Path | None, files: tuple[Path, ...]) -> Judged:
    """Open results and judge them by the suite they carry, or by the file `suite`.

    Raises:
        ResultsError: the results are missing or damaged.
        SuiteError: the suite has mistakes; or a plugin that it names is not there any more.
    """
    from grokbench.claims import score
    from grokbench.plugins import Plugins
    from grokbench.store import open_results, provenance
    from grokbench.suite import load_suite, parse_suite

    tree = open_results(results)
    if suite is not None:
        asked = load_suite(suite, files)
    else:
        carried = provenance(tree)["suite"]
        asked = replace(parse_suite(carried["text"], str(results), files), name=carried["name"])
    plugins = Plugins.load(asked.plugins)
    return Judged(tree, asked, score(asked, tree, plugins.detectors))
