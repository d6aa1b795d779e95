"""A simulated suite: experiments that are simulated, and claims about them whose truth is known."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from grokbench.labels import same_label
from grokbench.record import Choice
from grokbench.suite.model import Claim, Rule, Suite
from grokbench.testing.simulator import Flaws, Grid, Law, results_of, simulate
from grokbench.testing.simulator.changes import dealt_anew
from studies.sequential.costs import seconds
from studies.sequential.plans import MOST, Decision, Plan

FLAWS = Flaws(mirror_leak=0.0)
"""Noisy evaluations and slingshots. Nothing leaks, so that the true depth of a dip is that of its law.
No run is missing: a sequential suite waits for the runs of a look."""

NOT_TRAINED = "not_trained"


@dataclass(frozen=True)
class Stated:
    """A claim about simulated experiments."""

    detector: str
    experiments: Mapping[str, str]
    """Role → experiment."""
    rule: Rule
    options: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)

    def claim(self, name: str) -> Claim:
        detector = Choice(self.detector, dict(self.options))
        return Claim(name, name, detector, self.experiments, self.rule, self.where)


@dataclass(frozen=True)
class World:
    """Experiments to simulate, and the claims about them."""

    key: str
    """Names the world in the folder of outcomes."""
    words: str
    experiments: Mapping[str, tuple[Law, Grid]]
    claims: Mapping[str, Stated]
    plans: tuple[Plan, ...]
    others: int = 0
    """Claims of the suite that stay undecided, because their experiments have no results."""
    shuffled: str | None = None
    """An experiment in which every cell gets the run of some cell, drawn at random."""
    share: float = 1.0
    """The share of the simulations that are made: less than 1 where each takes long."""
    flaws: Flaws = FLAWS

    @cached_property
    def grids(self) -> dict[str, Grid]:
        """Experiment → its grid with all seeds."""
        return {name: replace(grid, seeds=MOST) for name, (_, grid) in self.experiments.items()}

    @cached_property
    def suite(self) -> Suite:
        experiments = {
            name: replace(grid.layout.experiment, name=name) for name, grid in self.grids.items()
        }
        stated = dict(self.claims)
        for number in range(self.others):
            nowhere = {"experiment": NOT_TRAINED}
            stated[f"other_{number}"] = Stated("dynamics", nowhere, Rule(at_least=0.5))
        claims = {name: one.claim(name) for name, one in stated.items()}
        return Suite("simulated", experiments, claims)

    @property
    def digest(self) -> str:
        """Changes with all that decides what is simulated and judged."""
        made = (self.experiments, self.claims, self.plans, self.others, self.shuffled, self.flaws)
        return hashlib.sha256(repr(made).encode()).hexdigest()[:10]

    def results(self, number: int) -> xr.DataTree:
        """The results of all seeds. Each `number` has other random numbers, and the same every time."""
        made = {
            name: simulate(law, self.grids[name], [number, place, 7], self.flaws)
            for place, (name, (law, _)) in enumerate(self.experiments.items())
        }
        if self.shuffled is not None:
            one = {self.shuffled: made[self.shuffled]}
            made |= dealt_anew(one, np.random.default_rng([number, 8]))
        return results_of(self.suite, made, {})

    def decisions(
        self, number: int, detectors: Mapping[str, Any]
    ) -> dict[str, dict[str, Decision]]:
        """Plan → claim → its decision in one simulation."""
        tree = self.results(number)
        return {plan.name: plan.decide(self.suite, tree, detectors) for plan in self.plans}

    def seconds_for_a_seed(self, claim: str) -> float:
        """CPU seconds of training that one seed of all runs of a claim costs."""
        stated = self.claims[claim]
        cost = 0.0
        for name in set(stated.experiments.values()):
            grid = self.grids[name]
            sizes, data = (
                _chosen(grid.model_sizes, stated.where.get("model_size")),
                _chosen(grid.data_sizes, stated.where.get("data_size")),
            )
            of_one = seconds(grid.parameters[sizes, None], grid.examples[None, data]).sum()
            swept = (len(_chosen(values, stated.where.get(name))) for name, values in grid.swept)
            cost += float(of_one) * math.prod(swept)
        return cost


def _chosen(labels: Sequence[Any], wanted: Any) -> list[int]:
    """The positions of the labels that a claim's `where` selects; all of them if it is silent."""
    if wanted is None:
        return list(range(len(labels)))
    listed = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    return [i for i, one in enumerate(labels) if any(same_label(one, value) for value in listed)]
