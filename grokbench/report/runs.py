"""What was trained: the experiments, the status of their runs, and the runs that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from grokbench.amounts import count
from grokbench.record import Status
from grokbench.suite.model import Experiment, Suite

MOST_LISTED = 100
"""How many runs that went wrong are listed; the others are counted."""


@dataclass(frozen=True)
class Trained:
    """One experiment in words, and how many of its runs have each status."""

    name: str
    title: str
    task: str
    architecture: str
    recipe: str
    grid: str
    counts: Mapping[Status, int]

    @property
    def runs(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class WentWrong:
    """A run that diverged or failed."""

    experiment: str
    cell: str
    status: Status
    message: str


def trained(suite: Suite, tree: xr.DataTree) -> list[Trained]:
    """Every experiment of the suite, whether or not it was trained."""
    return [
        Trained(
            name=experiment.name,
            title=experiment.title,
            task=str(experiment.task),
            architecture=str(experiment.architecture),
            recipe=_recipe(experiment),
            grid=_grid(experiment),
            counts=_counts(experiment, tree),
        )
        for experiment in suite.experiments.values()
    ]


def went_wrong(suite: Suite, tree: xr.DataTree) -> list[WentWrong]:
    """The runs that diverged or failed, in the order of the grid."""
    found = []
    for name in suite.experiments:
        if name not in tree.children:
            continue
        dataset = tree[name].to_dataset()
        status = dataset["status"]
        for index in np.argwhere(status.isin([Status.DIVERGED, Status.FAILED]).to_numpy()):
            at = dict(zip((str(d) for d in status.dims), map(int, index), strict=True))
            cell = ", ".join(
                f"{_words(dimension)} {dataset[dimension].to_numpy()[position]}"
                for dimension, position in at.items()
            )
            message = str(dataset["message"].isel(at).item()) if "message" in dataset else ""
            found.append(WentWrong(name, cell, Status(int(status.isel(at))), message))
    return found


def moment(written: str) -> str:
    """`2026-11-21T11:00:00+00:00` as `2026-11-21 11:00 UTC`."""
    return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _counts(experiment: Experiment, tree: xr.DataTree) -> dict[Status, int]:
    total = int(np.prod(experiment.shape))
    found: Counter[int] = Counter()
    if experiment.name in tree.children:
        found.update(tree[experiment.name]["status"].to_numpy().ravel().tolist())
    counts = {status: found[int(status)] for status in Status}
    # Of an experiment that the results lack, no run was trained.
    return counts | {Status.NOT_RUN: counts[Status.NOT_RUN] or total - sum(counts.values())}


def _recipe(experiment: Experiment) -> str:
    recipe, swept = experiment.recipe, experiment.swept

    def value(field: str) -> str:
        values = swept.get(field, (getattr(recipe, field),))
        return " or ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)

    decay_on = {"all": "all parameters", "matrices": "matrices alone"}
    words = [
        value("optimizer"),
        f"{value('steps')} steps",
        f"learning rate {value('learning_rate')} after {value('warmup_steps')} steps of warm-up",
        f"weight decay {value('weight_decay')} on {decay_on.get(recipe.decay_on, recipe.decay_on)}",
        f"initial scale {value('initial_scale')}",
        value("precision"),
    ]
    if recipe.norm != "free" or "norm" in swept:
        words.append(f"norm {value('norm')}")
    if recipe.batch_size is not None or "batch_size" in swept:
        words.append(f"batches of {value('batch_size')}")
    return ", ".join(words)


def _grid(experiment: Experiment) -> str:
    axes = {
        **experiment.swept,
        "model_size": [size.label for size in experiment.model_sizes],
        "data_size": experiment.data_sizes,
    }
    parts = [f"{_words(name)} {', '.join(map(str, values))}" for name, values in axes.items()]
    return "; ".join([*parts, count(len(experiment.seeds), "seed")])


def _words(name: str) -> str:
    return name.replace("_", " ")
