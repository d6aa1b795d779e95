"""How a curve is read: its final value, what it held, when it crossed a level for good.

Every detector reads through here, so that all of them mean the same by "final" and by "crossed",
and none is fooled by a slingshot at the last evaluation or takes a missing run for a zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.record import Status
from grokbench.statistics.intervals import Floats

TRAILING_SHARE = 0.1
"""The share of the steps at the end whose median is the final value."""

FEWEST_EVALUATIONS = 3
"""The trailing window never holds fewer evaluations than this."""

COLLAPSE = 0.2
"""A run collapsed when training accuracy ends this far below what it had held."""

SUSTAINED = 3
"""A crossing counts when so many evaluations in a row stay above the level."""

ROUNDING = 1e-6
"""Accuracies are stored as float32, where 0.9 is 0.89999998."""

Bools = npt.NDArray[np.bool_]


def canonical(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with every dimension in its natural order, so that no order in a file matters.

    Model sizes go by their number of parameters, everything else by its value.

    Raises:
        NotEnoughDataError: a seed is there twice, which would count as two independent ones.
    """
    order = {}
    for dimension in dataset.sizes:
        if dimension == "part" or dimension not in dataset.coords:
            continue
        labels = dataset[dimension].to_numpy()
        if dimension == "seed":
            _check_once(labels)
        keys = [labels.astype(str)] if labels.dtype.kind in "OUS" else [labels]
        if dimension == "model_size":
            keys.append(dataset["parameters"].to_numpy())
        order[dimension] = np.lexsort(keys)
    return dataset.isel(order)


def _check_once(seeds: npt.NDArray[np.generic]) -> None:
    labels, counts = np.unique(seeds, return_counts=True)
    if (counts > 1).any():
        twice = ", ".join(str(label) for label in labels[counts > 1])
        raise NotEnoughDataError(
            f"seed {twice} is there more than once, and runs of one seed are no independent ones: "
            "keep one of each, or give them seeds of their own"
        )


def finished(dataset: xr.Dataset) -> xr.DataArray:
    """Which runs were trained to their last step: bool over the grid."""
    return dataset["status"] == int(Status.DONE)


def of_part(dataset: xr.Dataset, part: str | None) -> xr.Dataset:
    """One part of the task, by default the first; the dimension `part` is gone.

    Raises:
        NotEnoughDataError: a part that the task does not have.
    """
    if "part" not in dataset.dims:
        if part is None:
            return dataset
        raise NotEnoughDataError(f"there is no part {part!r}: the task has only the one")
    names = [str(name) for name in dataset["part"].to_numpy()]
    if part is not None and part not in names:
        raise NotEnoughDataError(f"there is no part {part!r}; known: {', '.join(names)}")
    return dataset.isel(part=0 if part is None else names.index(part))


def single_curve(dataset: xr.Dataset, *kept: str) -> xr.Dataset:
    """The dataset with only the dimensions `kept` and `step`.

    Raises:
        NotEnoughDataError: another dimension still has more than one value.
    """
    for dimension, length in dataset.sizes.items():
        if dimension in (*kept, "step"):
            continue
        if length != 1:
            values = ", ".join(str(value) for value in dataset[dimension].to_numpy())
            raise NotEnoughDataError(
                f"{dimension} has {length} values ({values}) where one is needed: "
                f"name one in the claim's `where`"
            )
        dataset = dataset.isel({dimension: 0}, drop=True)
    return dataset


def generalization_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """Accuracy on the validation examples that no mirror in training gives away.

    Where a run has no such example although it has validation examples (data so large that
    every pair's mirror trains), plain validation accuracy takes its place.
    """
    fallback = (dataset["mirror_free_examples"] == 0) & (dataset["validation_examples"] > 0)
    return dataset["mirror_free_accuracy"].where(~fallback, dataset["validation_accuracy"])


def settled(dataset: xr.Dataset, curve: xr.DataArray | str) -> xr.DataArray:
    """Where a curve ended, over the grid; NaN where no run finished.

    The median over the trailing window, or, where training itself collapsed at the end, the
    highest level that the curve held for as long as that window.
    """

    def read(steps: Floats, values: Floats, collapsed: Floats) -> Floats:
        ended, fallen = _final(steps, values), collapsed.astype(bool)
        ended[fallen] = _held(steps, values[fallen])
        return ended

    values = dataset[curve] if isinstance(curve, str) else curve
    return _over_steps(read, dataset, values, collapsed(dataset)).where(finished(dataset))


def collapsed(dataset: xr.Dataset) -> xr.DataArray:
    """Which finished runs end with training accuracy far below what it had held: bool, the grid.

    Slingshots take training accuracy down too. Validation accuracy that falls while training
    accuracy stays is no collapse but ungrokking, and must not be read away.
    """

    def fall(steps: Floats, values: Floats) -> Floats:
        ended = _final(steps, values)
        fallen = values.max(axis=-1) - ended
        far = fallen > COLLAPSE
        fallen[far] = _held(steps, values[far]) - ended[far]
        return np.asarray(fallen)

    return (_over_steps(fall, dataset, dataset["train_accuracy"]) > COLLAPSE) & finished(dataset)


def sustained_crossing(
    dataset: xr.Dataset,
    curve: xr.DataArray,
    level: xr.DataArray | float,
    evaluations: int = SUSTAINED,
) -> xr.DataArray:
    """The first step from which so many evaluations in a row reach the level; NaN if none."""

    def first(steps: Floats, values: Floats, level: Floats) -> Floats:
        above = reaches(values, level[:, None])
        if len(steps) < evaluations:
            return np.full(len(values), np.nan)
        stays = np.lib.stride_tricks.sliding_window_view(above, evaluations, axis=-1).all(axis=-1)
        return np.where(stays.any(axis=-1), steps[stays.argmax(axis=-1)], np.nan)

    return _over_steps(first, dataset, curve, level).where(finished(dataset))


def value_at(dataset: xr.Dataset, curve: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """The curve's value at the last evaluation at or before `step`; NaN where there is none."""

    def read(steps: Floats, values: Floats, step: Floats) -> Floats:
        before = (steps <= step[:, None]).sum(axis=-1)
        return np.where(before > 0, values[np.arange(len(values)), before - 1], np.nan)

    return _over_steps(read, dataset, curve, step)


def reaches(values: Floats, level: Floats | float) -> Bools:
    """Which values are at or above the level, give or take float32's rounding."""
    return np.asarray(values >= level - ROUNDING)


def _over_steps(
    read: Callable[..., Floats],
    dataset: xr.Dataset,
    curve: xr.DataArray,
    *others: xr.DataArray | float,
) -> xr.DataArray:
    """Apply `read(steps, values, *others)` to runs' own evaluations, those that are not NaN.

    Runs evaluated at the same steps are read together: `values` is [runs, steps], each of `others`
    [runs]. A run without evaluations reads NaN.
    """

    def every(values: Floats, steps: Floats, *rest: Floats) -> Floats:
        shape = np.broadcast_shapes(values.shape[:-1], *(np.shape(one) for one in rest))
        curves = np.broadcast_to(values, (*shape, len(steps))).reshape(-1, len(steps))
        beside = [np.broadcast_to(one, shape).ravel() for one in rest]
        found = np.full(len(curves), np.nan)
        order = np.argsort(steps)
        schedules, which = np.unique(~np.isnan(curves), axis=0, return_inverse=True)
        for index, schedule in enumerate(schedules):
            runs, own = np.flatnonzero(which.ravel() == index), order[schedule[order]]
            if own.size:
                alike = curves[np.ix_(runs, own)]
                found[runs] = read(steps[own], alike, *(one[runs] for one in beside))
        return found.reshape(shape)

    reading: xr.DataArray = xr.apply_ufunc(
        every,
        curve.astype(float),
        dataset["step"].astype(float),
        *others,
        input_core_dims=[["step"], ["step"], *([] for _ in others)],
    )
    return reading


def _window(steps: Floats) -> int:
    """How many evaluations the trailing window holds."""
    trailing = np.count_nonzero(steps >= (1 - TRAILING_SHARE) * steps[-1])
    return min(len(steps), max(FEWEST_EVALUATIONS, int(trailing)))


def _final(steps: Floats, values: Floats) -> Floats:
    return np.asarray(np.median(values[:, -_window(steps) :], axis=-1))


def _held(steps: Floats, values: Floats) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(values, _window(steps), axis=-1)
    return np.asarray(np.median(windows, axis=-1).max(axis=-1))
