"""What deciding the undecided claims of a suite would take: seeds, runs and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from grokbench.claims import Outcome, Verdict, score, with_outlooks
from grokbench.labels import labels_of, same_label
from grokbench.plan import Cohort, lay_out, shape_of
from grokbench.record import Record, Run
from grokbench.store import assembled
from grokbench.suite.model import Claim, Experiment, Suite
from grokbench.training.cost import Costs

SecondsOfWork = Mapping[str, float]
"""Shape → seconds that one process takes for one unit of work (`Cohort.work`)."""


@dataclass(frozen=True)
class Prospect:
    """A claim with results, and what deciding the claim would take.

    Attributes:
        verdict: the claim's verdict so far; its `outlook` is None where the claim is decided, has no
            runs or is out of reach.
        seeds: the number of seeds to train for each cell: those that the claim is expected to take,
            and in a sequential suite those of the look at which it has them. None where no number
            of seeds is known to decide the claim.
        runs: the runs that are missing until each of the claim's cells has so many seeds.
        seconds: the time for these runs with all worker processes; None if not measured.
    """

    verdict: Verdict
    seeds: int | None = None
    runs: tuple[Run, ...] = ()
    seconds: float | None = None


def prospects_of(suite: Suite, records: Mapping[str, Record]) -> tuple[Prospect, ...]:
    """What deciding each claim of a suite would take; empty before the first run has ended."""
    if not suite.runs().keys() & records.keys():
        return ()
    tree = assembled(suite, records, {})
    verdicts = with_outlooks(suite, tree, score(suite, tree, suite.plugins.detectors))
    return tuple(_prospect(suite, verdict, records) for verdict in verdicts)


def _prospect(suite: Suite, verdict: Verdict, records: Mapping[str, Record]) -> Prospect:
    if verdict.outlook is None or verdict.outlook.seeds is None:
        return Prospect(verdict)
    seeds = verdict.outlook.seeds
    if suite.sequential is not None:
        later = [look for look in suite.sequential.looks if look >= seeds]
        if not later or verdict.outcome is not Outcome.UNDECIDED:
            # The suite ends before the claim is expected to be decided.
            return Prospect(verdict)
        seeds = later[0]
    runs = {run.id: run for run in _runs(suite, verdict.claim, seeds) if run.id not in records}
    return Prospect(verdict, seeds, tuple(runs.values()))


def _runs(suite: Suite, claim: Claim, seeds: int) -> Iterable[Run]:
    """The runs of the claim's cells with so many seeds: first the suite's, then new ones."""
    for name in dict.fromkeys(claim.experiments.values()):
        experiment = suite.experiments[name]
        known = experiment.seeds
        new = range(max(known) + 1, max(known) + 1 + max(0, seeds - len(known)))
        wider = replace(experiment, seeds=(*known[:seeds], *new))
        places = _places(claim, wider)
        for index, run in wider.grid():
            if all(index[axis] in wanted for axis, wanted in places.items()):
                yield run


def _places(claim: Claim, experiment: Experiment) -> dict[int, set[int]]:
    """Axis of the grid → the positions that the claim's `where` selects."""
    axes = (*experiment.swept.values(), experiment.model_sizes, experiment.data_sizes)
    places = {}
    for axis, (dimension, values) in enumerate(zip(experiment.dimensions, axes, strict=False)):
        if dimension in claim.where:
            wanted = claim.where[dimension]
            labels = wanted if isinstance(wanted, (list, tuple)) else [wanted]
            places[axis] = {
                position
                for position, label in enumerate(labels_of(values))
                if any(same_label(label, one) for one in labels)
            }
    return places


def runs_in_all(prospects: Iterable[Prospect]) -> tuple[Run, ...]:
    """The runs of all prospects; claims share runs."""
    return tuple({run.id: run for one in prospects for run in one.runs}.values())


def samples(suite: Suite, runs: Iterable[Run], device: str) -> tuple[Cohort, ...]:
    """One cohort for each shape among the runs, the one with the most work, to measure its cost."""
    found: dict[str, Cohort] = {}
    for cohort in lay_out(runs, suite.plugins, device, suite.sequential):
        found.setdefault(shape_of(cohort.runs[0]), cohort)
    return tuple(found.values())


def seconds_of_work(cohorts: Iterable[Cohort], costs: Costs) -> SecondsOfWork:
    """What a unit of work costs in each shape, from the costs of `samples`."""
    return {
        shape_of(cohort.runs[0]): costs.cohorts[cohort.id].seconds(cohort) / cohort.work
        for cohort in cohorts
        if cohort.work > 0
    }


def seconds_for(
    suite: Suite, runs: Iterable[Run], device: str, rates: SecondsOfWork, workers: int
) -> float | None:
    """Wall time of the runs with all workers; None where a shape has no measured cost."""
    cohorts = lay_out(runs, suite.plugins, device, suite.sequential)
    known = [rates.get(shape_of(cohort.runs[0])) for cohort in cohorts]
    if any(rate is None for rate in known):
        return None
    spent = [cohort.work * (rate or 0.0) for cohort, rate in zip(cohorts, known, strict=True)]
    # The last cohort may still train when the other workers have ended.
    return max(sum(spent) / workers, max(spent, default=0.0))
