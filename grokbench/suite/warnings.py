"""What is right in a suite, and may still not show what is meant."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from grokbench.definition import place
from grokbench.errors import Mistake
from grokbench.plugins import Plugins
from grokbench.suite.mistakes import ask
from grokbench.suite.model import Experiment, Suite


def warnings_about(suite: Suite, plugins: Plugins) -> list[Mistake]:
    """What the claims' detectors warn of, seeing the grids that they will look at."""
    found = []
    for claim in suite.claims.values():
        detector = plugins.detectors[claim.detector.name].from_options(claim.detector.options)
        lengths = {
            role: _lengths(suite.experiments[name], claim.where)
            for role, name in claim.experiments.items()
        }
        warning = ask(detector.name, partial(detector.warning, lengths))
        if warning:
            found.append(Mistake(place(("claims", claim.name, "detector")), warning))
        seeds = min(length["seed"] for length in lengths.values())
        if seeds < claim.minimum_seeds:
            few = f"asks for {claim.minimum_seeds} seeds, and there are {seeds}; it stays undecided"
            found.append(Mistake(place(("claims", claim.name, "minimum_seeds")), few))
    return found


def _lengths(experiment: Experiment, where: Mapping[str, Any]) -> dict[str, int]:
    """How many values of each dimension are selected."""
    lengths = dict(zip(experiment.dimensions, experiment.shape, strict=True))
    for dimension in lengths.keys() & where.keys():
        chosen = where[dimension]
        lengths[dimension] = len(chosen) if isinstance(chosen, list) else 1
    return lengths
