"""The procedure alone: nine claims whose intervals are exact, and which share runs as much as they can.

The detectors of grokbench have intervals that are exact in the limit, or wider than they need be. Here, the
effect is a mean of symmetric values, and Student's t gives its interval. What is then measured is the procedure
across claims and looks, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.statistics.intervals import t_interval
from grokbench.suite.model import Rule
from grokbench.testing.simulator import FLAWLESS, Grid, Levels
from studies.sequential.plans import PEEKING, SEQUENTIAL
from studies.sequential.world import Stated, World


class MeanOptions(Options):
    signs: tuple[float, ...]
    """One for each model size: how the accuracies of a seed are added up."""


class MeanAccuracy(Detector):
    """A sum of the final accuracies of a seed's runs, its mean over seeds."""

    name: ClassVar[str] = "mean_accuracy"
    Options = MeanOptions
    null = None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        final = data["experiment"]["mirror_free_accuracy"].isel(step=-1, data_size=0)
        values = (
            final.transpose("model_size", ..., "seed")
            .to_numpy()
            .reshape(final.sizes["model_size"], final.sizes["seed"])
        )
        if values.shape[1] < 2:
            raise NotEnoughDataError("an interval needs 2 seeds")
        mean = t_interval(np.asarray(self.options.signs) @ values, self.confidence)
        return Finding(mean.estimate, mean.low, mean.high, "accuracy", values.shape[1], "the mean")


GRID = Grid((16, 32, 64), steps=1000)
SYMMETRIC = Levels((0.5, 0.5, 0.5), 20.0)


def _claims() -> dict[str, Stated]:
    """Four sums, each with a claim in both directions: of these two, one is right if the other is wrong.

    The ninth claim is about the difference of two sizes.
    """
    sums = {"first": (1, 0, 0), "second": (0, 1, 0), "third": (0, 0, 1), "all": (1, 1, 1)}
    made = {}
    for name, signs in sums.items():
        for direction in ("at_least", "at_most"):
            rule = Rule(**{direction: 0.5 * sum(signs)})
            made[f"{name}_{direction}"] = _stated(signs, rule)
    made["difference"] = _stated((1, -1, 0), Rule(at_least=0.0))
    return made


def _stated(signs: tuple[int, ...], rule: Rule) -> Stated:
    return Stated(
        "mean_accuracy", {"experiment": "runs"}, rule, {"signs": [float(s) for s in signs]}
    )


EXACT = World(
    "errors-exact",
    "every true effect lies exactly at its rule's bound; intervals are exact",
    {"runs": (SYMMETRIC, GRID)},
    _claims(),
    (SEQUENTIAL, PEEKING),
    flaws=FLAWLESS,
)
