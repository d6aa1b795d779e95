"""Opens results and judges their claims, for the commands that start from results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grokbench.errors import SuiteError

if TYPE_CHECKING:
    import xarray as xr

    from grokbench.claims import Verdict
    from grokbench.suite import Suite


@dataclass(frozen=True, eq=False)
class Judged:
    """Results, the suite that they are judged by, and the verdicts."""

    tree: xr.DataTree
    suite: Suite
    verdicts: tuple[Verdict, ...]

    def with_outlooks(self) -> Judged:
        """The same, with what undecided claims would take: for what people read."""
        from grokbench.claims import with_outlooks

        return replace(self, verdicts=with_outlooks(self.suite, self.tree, self.verdicts))


def judge(results: Path, suite: Path | None, files: tuple[Path, ...]) -> Judged:
    """Open results and judge them by the suite they carry, or by the file `suite`.

    A warning is printed for each plugin that was changed after runs had been trained with it.

    With a file, the results are laid out as that suite asks. Runs of another recipe or task do not
    belong to it, and runs that the results lack count as not run.

    Raises:
        ResultsError: the results are missing or damaged.
        SuiteError: the suite has mistakes, or a plugin that it names no longer exists.
    """
    from grokbench.claims import score
    from grokbench.claims.changes import changed_plugins, declarations_in, plugin_warning
    from grokbench.store import open_results, provenance, records_in
    from grokbench.store.dataset import assembled
    from grokbench.suite import load_suite, parse_suite
    from grokbench.suite.declarations import declarations

    tree = open_results(results)
    if suite is not None:
        asked = load_suite(suite, files)
        tree = assembled(asked, records_in(tree), provenance(tree))
    else:
        carried = provenance(tree)["suite"]
        # The suite's plugins are looked for where they were when it was run, and then in the current
        # folder, because results may have been moved.
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
    for plugin in changed_plugins(asked, declarations_in(tree), declarations(asked)):
        click.echo(plugin_warning(plugin), err=True)
    return Judged(tree, asked, score(asked, tree, asked.plugins.detectors))
