"""Warnings: a suite without mistakes may still be unable to decide its claims."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

from grokbench.amounts import count
from grokbench.definition import place
from grokbench.errors import Mistake
from grokbench.plugins import Plugins
from grokbench.suite.mistakes import ask
from grokbench.suite.model import Claim, Experiment, Suite

if TYPE_CHECKING:
    from grokbench.phenomena.base import Detector


def warnings_about(suite: Suite, plugins: Plugins) -> list[Mistake]:
    """What the detectors say about the grids, claims with too few seeds, runs that no look trains."""
    found = []
    for claim in suite.claims.values():
        detector = plugins.detectors[claim.detector.name]
        lengths = {
            role: _lengths(suite.experiments[name], claim.where)
            for role, name in claim.experiments.items()
        }
        warning = ask(detector.name, partial(_warning, detector, claim, deepcopy(lengths)))
        if warning:
            found.append(Mistake(place(("claims", claim.name, "detector")), warning))
        seeds = min(length["seed"] for length in lengths.values())
        if seeds < claim.minimum_seeds:
            few = f"is {claim.minimum_seeds}, but the grid has {count(seeds, 'seed')}: the claim stays undecided"
            found.append(Mistake(place(("claims", claim.name, "minimum_seeds")), few))
    return [
        *found,
        *_batches_that_are_never_filled(suite),
        *_never_trained(suite),
        *_looks_that_decide_nothing(suite),
    ]


def _warning(
    detector: type[Detector], claim: Claim, lengths: Mapping[str, Mapping[str, int]]
) -> str | None:
    return detector.from_options(claim.detector.options).warning(lengths)


def _batches_that_are_never_filled(suite: Suite) -> list[Mistake]:
    """The batch sizes above every data size of their experiment: most likely typing errors."""
    found = []
    for name, experiment in suite.experiments.items():
        most = max(experiment.data_sizes)
        for batch in experiment.swept.get("batch_size", (experiment.recipe.batch_size,)):
            if batch is not None and batch > most:
                why = (
                    f"is {batch}, and no data size is above {most}: a run with no more training "
                    f"examples than a batch has full batches; write a smaller number, or leave "
                    f"batch_size out"
                )
                found.append(Mistake(place(("experiments", name, "recipe", "batch_size")), why))
    return found


def _looks_that_decide_nothing(suite: Suite) -> list[Mistake]:
    """The looks with fewer seeds than any claim takes for a decision."""
    if suite.sequential is None or not suite.claims:
        return []
    fewest = min(claim.minimum_seeds for claim in suite.claims.values())
    return [
        Mistake(
            place(("sequential", "looks", index)),
            f"has {seeds} seeds, and every claim takes at least {fewest} (`minimum_seeds`): this "
            f"look decides nothing, but takes a share of the allowed error",
        )
        for index, seeds in enumerate(suite.sequential.looks)
        if seeds < fewest
    ]


def _never_trained(suite: Suite) -> list[Mistake]:
    """The experiments of a sequential suite that no claim looks at."""
    if suite.sequential is None:
        return []
    looked_at = {name for claim in suite.claims.values() for name in claim.experiments.values()}
    why = "no claim looks at this experiment, so [sequential] never trains its runs"
    return [
        Mistake(place(("experiments", name)), why)
        for name in suite.experiments
        if name not in looked_at
    ]


def _lengths(experiment: Experiment, where: Mapping[str, Any]) -> dict[str, int]:
    """The number of selected values of each dimension."""
    lengths = dict(zip(experiment.dimensions, experiment.shape, strict=True))
    for dimension in lengths.keys() & where.keys():
        chosen = where[dimension]
        lengths[dimension] = len(chosen) if isinstance(chosen, list) else 1
    return lengths
