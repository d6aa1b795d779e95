"""Results with the verdicts on them, for the commands that start from results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grokbench.errors import SuiteError

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

    By a file, they are laid out as it asks: what was trained by another recipe, or on another task,
    is none of its runs, and what it has beyond the results has not been run.

    Raises:
        ResultsError: the results are missing or damaged.
        SuiteError: the suite has mistakes; or a plugin that it names is not there any more.
    """
    from grokbench.claims import score
    from grokbench.store import open_results, provenance, records_in
    from grokbench.store.dataset import assembled
    from grokbench.suite import load_suite, parse_suite

    tree = open_results(results)
    if suite is not None:
        asked = load_suite(suite, files)
        tree = assembled(asked, records_in(tree), provenance(tree))
    else:
        carried = provenance(tree)["suite"]
        # Where the suite's own plugins were when it was run; else here, if results were moved.
        there = (results if results.is_dir() else results.parent) / carried.get("folder", ".")
        places = [there, Path()] if "folder" in carried else [Path()]
        for place in places:
            try:
                asked = parse_suite(carried["text"], carried["name"], files, folder=place)
                break
            except SuiteError as error:
                mistakes = error.mistakes
        else:
            source = f"{results}, the suite that it carries (--suite FILE judges by another)"
            raise SuiteError(source, mistakes)
        asked = replace(asked, name=carried["name"])
    return Judged(tree, asked, score(asked, tree, asked.plugins.detectors))
