"""`pytest --grokbench-suite SUITE`: one item for every claim of a suite, trained where needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grokbench.testing.collecting import collected

if TYPE_CHECKING:
    from grokbench.claims import Shortfall, Verdict
    from grokbench.comparison.readings import Runs
    from grokbench.errors import GrokbenchError
    from grokbench.session import Sitting
    from grokbench.suite import Claim, Suite

SHOWN = 24
"""The number of cells that are listed under a claim that failed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grokbench")
    group.addoption(
        "--grokbench-suite",
        action="append",
        default=[],
        metavar="FILE",
        help="test the claims of a suite, one item for each; missing runs of their experiments are "
        "trained; may be given several times",
    )
    group.addoption(
        "--grokbench-results",
        default="results",
        metavar="DIR",
        help="the folder of results, in which each suite has a subfolder of its name, as for "
        "`grokbench run` [default: results]",
    )
    group.addoption(
        "--grokbench-jobs",
        type=int,
        metavar="N",
        help="worker processes to train with [default: one for each CPU core]",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    for name in config.getoption("--grokbench-suite"):
        path = config.invocation_params.dir / name
        items.extend(collected(SuiteFile.from_parent(session, path=path)))


class SuiteFile(pytest.File):
    """A suite. Its runs are trained once, when the first of its claims is tested."""

    def collect(self) -> list[ClaimItem]:
        return [
            ClaimItem.from_parent(self, name=name, claim=claim)
            for name, claim in self.suite.claims.items()
        ]

    @cached_property
    def suite(self) -> Suite:
        from grokbench.errors import GrokbenchError
        from grokbench.suite import load_suite

        try:
            return load_suite(self.path)
        except OSError as error:
            raise pytest.UsageError(f"--grokbench-suite: {self.path}: {error.strerror}") from None
        except GrokbenchError as error:
            raise pytest.UsageError(f"--grokbench-suite: {error}") from None

    @cached_property
    def sitting(self) -> Sitting | GrokbenchError:
        """The results that the selected claims need, or the error that prevented them."""
        from grokbench.errors import GrokbenchError
        from grokbench.session import run_suite

        selected = [one for one in self.session.items if isinstance(one, ClaimItem)]
        claims = [one.claim for one in selected if one.parent is self]
        needed = {name for claim in claims for name in claim.experiments.values()}
        config = self.config
        folder = config.invocation_params.dir / config.getoption("--grokbench-results")
        try:
            sitting = run_suite(
                self.suite,
                folder / self.suite.name,
                only=[name for name in self.suite.experiments if name in needed],
                jobs=config.getoption("--grokbench-jobs"),
                watcher=announcing(config, self.name),
            )
        except GrokbenchError as error:
            return error
        if sitting.interrupted:
            raise KeyboardInterrupt
        return sitting

    def results(self) -> Sitting:
        """The results.

        Raises:
            GrokbenchError: they could not be trained or stored.
        """
        from grokbench.errors import GrokbenchError

        if isinstance(self.sitting, GrokbenchError):
            raise self.sitting
        return self.sitting


def announcing(config: pytest.Config, name: str) -> Any:
    """A watcher that writes on the terminal how many runs will be trained: this may take long."""
    from grokbench.session import Watcher

    class Announcing(Watcher):
        def planned(self, plan: Any, wanted: Any) -> None:
            reporter = config.pluginmanager.get_plugin("terminalreporter")
            capture = config.pluginmanager.get_plugin("capturemanager")
            runs = sum(len(cohort.runs) for cohort in wanted)
            if runs and reporter and capture:
                with capture.global_and_fixture_disabled():
                    reporter.ensure_newline()
                    reporter.write_line(f"grokbench: {name}: runs to train: {runs}")

    return Announcing()


class UnexpectedVerdict(Exception):  # noqa: N818 - nothing went wrong in the program
    """A claim came out otherwise than its suite expects, or rests on too few runs; in words."""


class ClaimItem(pytest.Item):
    """One claim."""

    parent: SuiteFile

    def __init__(self, *, claim: Claim, **rest: Any) -> None:
        super().__init__(**rest)
        self.claim = claim

    def runtest(self) -> None:
        from grokbench.claims import Shortfall, runs_behind
        from grokbench.claims.words import interval

        sitting = self.parent.results()
        (verdict,) = (one for one in sitting.verdicts if one.claim.name == self.claim.name)
        self.user_properties.append(("verdict", verdict.outcome.description))
        if verdict.finding:
            effect = f"{interval(verdict.finding)} {verdict.finding.unit}"
            self.user_properties.append(("effect", effect))
        shortfall = Shortfall.of(runs_behind([self.claim], sitting.tree))
        if shortfall or not verdict.expected:
            raise UnexpectedVerdict(explained(verdict, sitting, shortfall))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from grokbench.errors import GrokbenchError

        if isinstance(excinfo.value, UnexpectedVerdict | GrokbenchError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: {self.claim.name}"


def explained(verdict: Verdict, sitting: Sitting, shortfall: Shortfall) -> str:
    """What came out, what was expected, why, and the cells behind it."""
    from grokbench.claims.words import interval, rule_words

    claim, finding = verdict.claim, verdict.finding
    source = f" ({claim.source})" if claim.source else ""
    outcome = verdict.outcome.description
    told = (
        f"{outcome}, as the suite expects, but {shortfall}"
        if verdict.expected
        else f"{outcome}, where the suite expects {claim.expect}"
    )
    lines = [
        f"{told}: {claim.name}",
        f"  claim     {claim.statement}{source}",
        f"  rule      effect {rule_words(claim.rule)}, from {claim.minimum_seeds} seeds or more",
    ]
    if finding:
        lines.append(f"  effect    {interval(finding)} {finding.unit}, {finding.seeds} seeds")
    lines += [f"  because   {verdict.reason}", f"  results   {sitting.folder}"]
    lines += [f"  lost      {message}" for message in sitting.lost]
    lines += [f"  crashed   {message}" for message in crashes_behind(claim, sitting)]
    return "\n".join([*lines, *cells_behind(claim, sitting)])


def crashes_behind(claim: Claim, sitting: Sitting) -> list[str]:
    """The last line of each error with which runs of the claim crashed."""
    from grokbench.claims import datasets_of, selected
    from grokbench.errors import NotEnoughDataError
    from grokbench.record import Status

    try:
        datasets = selected(claim, datasets_of(claim, sitting.tree)).values()
    except NotEnoughDataError:
        return []
    messages = [
        str(message).strip().splitlines()[-1:]
        for data in datasets
        for message in data["message"].to_numpy()[data["status"].to_numpy() == Status.FAILED]
    ]
    return sorted({line for lines in messages for line in lines})


def cells_behind(claim: Claim, sitting: Sitting) -> list[str]:
    """A line for each cell of the claim: the number of runs, and their final accuracies."""
    from grokbench.claims import datasets_of, selected
    from grokbench.comparison.readings import cells_of
    from grokbench.errors import NotEnoughDataError

    lines: list[str] = []
    try:
        datasets = selected(claim, datasets_of(claim, sitting.tree))
    except NotEnoughDataError:
        return lines
    for role, dataset in datasets.items():
        cells = cells_of(dataset)
        lines.append(f"  cells     {claim.experiments[role]}:")
        for point, runs in list(cells.items())[:SHOWN]:
            place = ", ".join(f"{name} {value}" for name, value in point)
            lines.append(f"    {place}: {ended(runs)}")
        if len(cells) > SHOWN:
            lines.append(f"    … and {len(cells) - SHOWN} more; `grokbench report` has them all")
    return lines


def ended(runs: Runs) -> str:
    """`runs 5; train accuracy 1 (1 to 1); validation accuracy 0.62 (0.1 to 1)`."""
    import numpy as np

    from grokbench.comparison.readings import average

    told = [f"runs {len(runs.seeds)}"]
    for name, values in runs.readings.items():
        there = values[~np.isnan(values)]
        if name[0] in ("train_accuracy", "validation_accuracy") and there.size:
            measured = " ".join(filter(None, (name[1], name[0].replace("_", " "))))
            extent = f"({there.min():.3g} to {there.max():.3g})"
            told.append(f"{measured} {average(name, there):.3g} {extent}")
    return "; ".join(told)
