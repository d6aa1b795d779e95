"""Opens results and judges their claims, for the commands that start from results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grokbench.cli.console import say

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


def open_and_tell(results: Path) -> xr.DataTree:
    """Open results, and say which datasets of other suites the folder also holds: they are not read.

    Raises:
        ResultsError: the results are missing or damaged.
    """
    from grokbench.store import open_results, other_datasets

    tree = open_results(results)
    for other in other_datasets(results):
        say(
            f"note: {results} also holds {other.name}, the dataset of another suite, which is not read; to "
            f"read it, write {other}",
            err=True,
        )
    return tree


def judge(
    results: Path, suite: Path | None, files: tuple[Path, ...], *, trust: bool = False
) -> Judged:
    """Open results and judge them by the suite they carry, or by the file `suite`.

    A warning is printed for each plugin that was changed after runs had been trained with it. Of the
    suite that the results carry, no plugin is executed that the user did not choose: a message says
    which definitions are therefore missing.

    With a file, the results are laid out as that suite asks. Runs of another recipe or task do not
    belong to it, and runs that the results lack count as not run.

    Args:
        results: a dataset, or its folder.
        suite: the user's own suite; its plugins are executed.
        files: the user's own single-file plugins.
        trust: execute the plugins that the results name, if they lie in the folder of the results.

    Raises:
        ResultsError: the results are missing or damaged.
        SuiteError: the suite has mistakes.
        PluginError: with `trust`, a plugin does not lie in the folder of the results.
    """
    from grokbench.carried import carried_suite
    from grokbench.claims import score
    from grokbench.claims.changes import plugin_warnings
    from grokbench.store import provenance, records_in
    from grokbench.store.dataset import assembled
    from grokbench.suite import load_suite

    tree = open_and_tell(results)
    folder = results if results.is_dir() else results.parent
    if suite is not None:
        asked = load_suite(suite, files)
        tree = assembled(asked, records_in(tree), provenance(tree))
    else:
        source = f"{results}, the suite that it carries (--suite FILE judges by another)"
        asked = carried_suite(tree, files, trusted=folder if trust else None, source=source)
    for warning in plugin_warnings(asked, tree):
        say(warning, err=True)
    verdicts = score(asked, tree, asked.plugins.detectors)
    if asked.plugins.absent():
        say(absence(asked, verdicts, results), err=True)
    return Judged(tree, asked, verdicts)


def absence(suite: Suite, verdicts: tuple[Verdict, ...], results: Path) -> str:
    """What is said where definitions of the suite are not loaded: which, and what to write."""
    from grokbench.claims import Outcome
    from grokbench.suite.load import listed_plugins
    from grokbench.toml import parse_toml

    named = [name for name in listed_plugins(parse_toml(suite.text, suite.name)) if name]
    claims = [one.claim.name for one in verdicts if one.outcome is Outcome.NOT_JUDGED]
    plugins = f" ({results} names the plugins {', '.join(named)})" if named else ""
    unjudged = f" Not judged: {', '.join(claims)}." if claims else ""
    trust = (
        ", or trust the plugins in the folder of the results with --trust-plugins" if named else ""
    )
    return (
        f"note: not loaded: {', '.join(suite.plugins.absent())}{plugins}. Code that results name is "
        f"executed only if you choose to.{unjudged} Give your copy of the suite with --suite FILE, give "
        f"the plugin with --plugin FILE or install its package{trust}."
    )
