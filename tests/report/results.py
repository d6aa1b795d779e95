"""Results of a suite with a known truth, simulated run by run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from grokbench.claims import Verdict, score
from grokbench.phenomena import BUILT_IN
from grokbench.record import Choice, ModelSize, Recipe
from grokbench.record import Run as Point
from grokbench.suite.model import Claim, Experiment, Rule, Suite
from grokbench.testing.simulator import Layout, results_of
from tests.phenomena.worlds import (
    Run,
    grokking,
    memorizing,
    memorizing_random_labels,
    progression,
    semi_grokking,
)

SIZES = (4, 8, 16, 32, 64)
DATA_SIZES = (350, 450, 550, 650)
SEEDS = (0, 1, 2, 3, 4)

Runs = Callable[[int, int, int], Run]
"""What the run at (model size, data size, seed) did."""


def four_zones(size: int, data_size: int, seed: int) -> Run:
    """Small models progress, large ones grok, and with little data those between only memorize."""
    if size <= 8:
        return progression(0.3 + 0.02 * size + 0.01 * seed)
    critical = {16: 650, 32: 500, 64: 400}[size] + 20 * (seed - 2)
    if data_size >= critical:
        return grokking(memorized=400 + 10 * seed, generalized=2000 + 100 * seed)
    return semi_grokking(0.4 + 0.05 * seed) if data_size >= critical - 60 else memorizing()


def random_labels(size: int, _: int, seed: int) -> Run:
    return memorizing_random_labels(min(1.0, 0.02 * size + 0.01 * seed))


def experiment(name: str, task: str = "modular_addition", **changes: Any) -> Experiment:
    fields: dict[str, Any] = {
        "task": Choice(task, {"modulus": 31}),
        "architecture": Choice("dense", {"heads": 4}),
        "recipe": Recipe(Choice("adamw", {"beta2": 0.98}), steps=6000, learning_rate=3e-3),
        "model_sizes": tuple(ModelSize(size) for size in SIZES),
        "data_sizes": DATA_SIZES,
        "seeds": SEEDS,
        "title": name.replace("_", " ").capitalize(),
    }
    return Experiment(name=name, **(fields | changes))


ADDITION = experiment("addition")
CAPACITY = experiment("random_labels", "random_labels", data_sizes=(961,))


def claim(name: str, detector: str, rule: Rule | None = None, **changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "statement": f"The paper says {name.replace('_', ' ')}.",
        "experiments": {"experiment": "addition"},
        "source": "Huang et al. 2024, Fig. 6",
    }
    options = changes.pop("options", {})
    rule = rule or Rule(at_least=0.1)
    return Claim(name, detector=Choice(detector, options), rule=rule, **(fields | changes))


def suite(claims: Sequence[Claim], experiments: Sequence[Experiment] = (ADDITION,)) -> Suite:
    return Suite(
        name="small",
        experiments={one.name: one for one in experiments},
        claims={one.name: one for one in claims},
        title="A small world",
        citation="Huang et al. 2024, arXiv:2402.15175",
        text='name = "small"\n',
    )


def results(
    of: Suite, runs: Mapping[str, Runs], provenance: Mapping[str, Any] | None = None
) -> xr.DataTree:
    """The dataset of a suite whose experiments' runs are `runs[experiment](size, data, seed)`."""

    def simulated(one: Experiment) -> xr.Dataset:
        def tell(point: Point) -> Run:
            run = runs[one.name](point.size.hidden_size, point.data_size, point.seed)
            return replace(run, message="ValueError: <b>no</b> such label & more")

        return Layout(one).dataset_of(tell, lambda size: 12 * size**2 + 100)

    datasets = {name: simulated(one) for name, one in of.experiments.items()}
    return results_of(of, datasets, {"sittings": [], **(provenance or {})})


def judged(of: Suite, tree: xr.DataTree) -> tuple[Verdict, ...]:
    return score(of, tree, {detector.name: detector for detector in BUILT_IN})
