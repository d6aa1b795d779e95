"""Results of a small suite with a known truth, simulated run by run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from grokbench.record import Choice, ModelSize, Recipe, Run, Status
from grokbench.suite.model import Experiment, Suite
from grokbench.testing.simulator import Curves, Layout, results_of

RECIPE = Recipe(Choice("adamw"), steps=1000, evaluate_every=50)

ADDITION = Experiment(
    "addition",
    Choice("modular_addition", {"modulus": 31}),
    Choice("dense"),
    RECIPE,
    (ModelSize(8), ModelSize(16), ModelSize(32)),
    (300, 600),
    (0, 1, 2, 3, 4),
)

MEASURED = replace(
    ADDITION,
    measures=(Choice("hessian"),),
    quantities={"hessian_sharpness": "the largest eigenvalue"},
)
"""The same experiment with a quantity beside its curves."""


@dataclass(frozen=True)
class Fate:
    """What became of a run; it has generalized at the step `at`, if at all."""

    accuracy: float = 1.0
    at: float = 500
    norm: float = 20.0
    sharpness: float = 1e-6
    """Measured where the experiment measures it."""
    status: Status = Status.DONE


Fates = Callable[[Run], Fate]


def noisy(run: Run, salt: int = 0) -> Fate:
    """Larger models end higher, each run in its own way; some have not generalized in the end."""
    noise = np.random.default_rng([run.seed, run.size.hidden_size, run.data_size, salt])
    accuracy = np.clip(0.4 + 0.15 * np.log2(run.size.hidden_size / 8) + noise.normal(0, 0.15), 0, 1)
    at, norm = 400 * np.exp(noise.normal(0, 0.3)), 20 * np.exp(noise.normal(0, 0.1))
    accuracy = 1.0 if noise.random() < 0.3 else accuracy
    sharpness = 1e-6 * np.exp(noise.normal(0, 0.2))
    return Fate(float(accuracy), float(at), float(norm), float(sharpness))


def planted(at_size: int, at_data_size: int, **changes: Any) -> Fates:
    """As `noisy`, but for one cell."""

    def tell(run: Run) -> Fate:
        here = (run.size.hidden_size, run.data_size) == (at_size, at_data_size)
        return replace(noisy(run), **changes) if here else noisy(run)

    return tell


def curves(run: Run, fate: Fate) -> Curves:
    """What a run of this fate leaves behind; every run has memorized by step 200."""
    steps = run.recipe.evaluation_steps()
    return Curves(
        train=np.interp(steps, [50, 200], [0.03, 1.0]),
        mirror_free=np.interp(steps, [0.6 * fate.at, fate.at], [0.03, fate.accuracy]),
        norm=np.full(len(steps), fate.norm),
        status=fate.status,
    )


def dataset(experiment: Experiment, tell: Fates) -> xr.Dataset:
    """The experiment's runs, and what it measures of them."""
    layout = Layout(experiment)
    data = layout.dataset_of(lambda run: curves(run, tell(run)))
    for name in experiment.quantities:
        levels = np.array([tell(run).sharpness for run in layout.runs.values()])
        values = np.broadcast_to(levels.reshape(*experiment.shape, 1), data[name].shape)
        data[name] = data[name].copy(data=values.astype(np.float32))
    return data


SITTING = {
    "device": "cpu",
    "processor": "one",
    "platform": "Linux",
    "python": "3.11.7",
    "grokbench": "0.1.0",
    "packages": {"torch": "2.11.0"},
    "plugins": {"grokbench": "0.1.0"},
    "git": None,
}


def results(
    tell: Fates = noisy,
    *,
    seeds: Sequence[int] = ADDITION.seeds,
    experiments: Sequence[Experiment] = (ADDITION,),
    text: str = 'name = "small"\n',
    sittings: Sequence[Mapping[str, Any]] = (SITTING,),
) -> xr.DataTree:
    """The results of a suite of these experiments, with these seeds."""
    spanned = [replace(one, seeds=tuple(seeds)) for one in experiments]
    suite = Suite("small", {one.name: one for one in spanned}, {}, text=text)
    datasets = {name: dataset(one, tell) for name, one in suite.experiments.items()}
    carried = {"suite": {"name": "small", "text": text}, "sittings": list(sittings)}
    return results_of(suite, datasets, carried)
