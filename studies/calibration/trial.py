"""A trial: a detector, and two scenarios in which the right answer is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from grokbench.suite.model import Rule
from grokbench.testing.simulator import Flaws, Grid, Law, simulate
from grokbench.testing.simulator.changes import dealt_anew

FLAWS = Flaws(missing=0.02)
"""Noisy evaluations, slingshots and leaking mirrors, and two cells in a hundred that were not run."""

Simulated = tuple[Law, Grid]
"""One experiment: what its runs do, and which runs there are."""

FAILED = 0.02
"""The final accuracy of a run that fails."""


@dataclass(frozen=True)
class Failures:
    """Runs that fail by chance, each with the same probability."""

    share: float
    hidden_sizes: tuple[int, ...] | None = None
    """The hidden sizes at which runs may fail; the smaller half of the sizes unless named."""

    def applied(self, data: xr.Dataset, number: int) -> xr.Dataset:
        """The dataset with the accuracies of failed runs at `FAILED`."""
        generator = np.random.default_rng([number, 2])
        if self.hidden_sizes is None:
            affected = data["parameters"] <= data["parameters"].median()
        else:
            affected = data["hidden_size"].isin(self.hidden_sizes)
        runs = data["status"]
        fails = runs.copy(data=generator.random(runs.shape) < self.share) & affected
        curves = ("validation_accuracy", "mirror_free_accuracy")
        fallen = {name: data[name].where(~fails | data[name].isnull(), FAILED) for name in curves}
        return data.assign(
            {name: curve.transpose(*data[name].dims) for name, curve in fallen.items()}
        )


@dataclass(frozen=True)
class Scenario:
    """Experiments to simulate."""

    words: str
    experiments: Mapping[str, Simulated]
    """Role → experiment. `simulate` chooses the number of seeds, whatever the grid says."""
    failures: Failures | None = None
    shuffled: str | None = None
    """A role in which every cell gets the run of some cell, drawn at random with replacement."""

    def simulate(self, seeds: int, number: int) -> dict[str, xr.Dataset]:
        """Role → dataset. Each `number` gives other random numbers, and the same ones every time."""
        made = {
            role: simulate(law, replace(grid, seeds=seeds), [number, place], FLAWS)
            for place, (role, (law, grid)) in enumerate(self.experiments.items())
        }
        if self.failures is not None:
            made = {role: self.failures.applied(data, number) for role, data in made.items()}
        if self.shuffled is not None:
            one = {self.shuffled: made[self.shuffled]}
            made |= dealt_anew(one, np.random.default_rng([number, 1]))
        return made


@dataclass(frozen=True)
class Trial:
    """What is simulated for one row of each table."""

    detector: str
    null: Scenario
    """Without the phenomenon, or with exactly `truth` of it."""
    phenomenon: Scenario
    truth: float
    """The true effect in `null`, which is the bound of `edge`; the bound of `rule` where the detector's
    assumptions do not hold."""
    rule: Rule
    """The rule whose power is measured."""
    options: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    """What distinguishes this row from others of the same detector, in words."""
    assumptions_hold: bool = True
    """False where `null` violates what the detector assumes: then false positives are a limit of the
    detector, which its documentation states."""
    deciding: bool = False
    """Whether both ends of the interval are measured at the confidences that decide, too (`deciding`)."""
    cost: int = 1
    """How many times fewer simulations are made, because each takes that much longer."""

    @property
    def name(self) -> str:
        return f"`{self.detector}`" + (f", {self.variant}" if self.variant else "")

    @property
    def edge(self) -> Rule:
        """The rule whose bound is the true effect: false positives are counted against this rule."""
        if self.rule.at_least is not None:
            return Rule(at_least=self.truth)
        return Rule(at_most=self.truth)

    def case(self, *, phenomenon: bool) -> tuple[Scenario, Rule]:
        """What is simulated for one of the tables, and the rule that is applied to the finding."""
        return (self.phenomenon, self.rule) if phenomenon else (self.null, self.edge)
