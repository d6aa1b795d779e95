"""Readings of a curve: its settled value, and the step at which it crosses a level.

All detectors read curves with these functions. "Settled" and "crossed" then mean the same
everywhere, a slingshot at the last evaluation changes no reading, and a missing run is NaN and
never zero. (A slingshot is a brief spike of the loss that adaptive optimizers cause: Thilak et al.
2022, arXiv:2206.04817.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.readout.grid import finished
from grokbench.statistics.intervals import Bools, Floats

TRAILING_SHARE = 0.1
"""A settled value is the median over this share of the steps, at the end of training."""

FEWEST_EVALUATIONS = 3
"""The trailing window holds at least this number: the median of 3 evaluations ignores one spike."""

COLLAPSE = 0.2
"""A run has collapsed if training accuracy ends this far below the level that it had held."""

SUSTAINED = 3
"""A level is crossed when this number of evaluations in a row reach it."""

ROUNDING = 1e-6
"""Accuracies are stored as float32, where 0.9 is 0.89999998."""


def generalization_accuracy(dataset: xr.Dataset) -> xr.DataArray:
    """Validation accuracy that measures generalization: that on mirror-free examples.

    The mirror of (a, b) is (b, a), which has the same label in a commutative task. A validation
    example whose mirror trains can be right by memory alone; a mirror-free one cannot. Where
    training data are so large that no validation example is mirror-free, plain validation
    accuracy replaces the mirror-free one.

    Returns:
        Over the grid and `step`, between 0 and 1.
    """
    mirror_free, validation = dataset["mirror_free_examples"], dataset["validation_examples"]
    if bool((mirror_free.to_numpy() > 0).all()):
        return dataset["mirror_free_accuracy"].copy()
    fallback = (mirror_free == 0) & (validation > 0)
    return dataset["mirror_free_accuracy"].where(~fallback, dataset["validation_accuracy"])


def settled(dataset: xr.Dataset, curve: xr.DataArray | str) -> xr.DataArray:
    """The final value of a curve, over the grid; NaN where a run has not finished.

    The value is the median over the last 10 % of the steps (at least 3 evaluations). If training
    collapsed at the end, it is the highest such median of any window of the same number of
    evaluations.

    Args:
        dataset: an experiment's dataset, any grid.
        curve: the name of a variable, or values over the grid and `step`.
    """

    def read(steps: Floats, values: Floats, collapsed: Bools) -> Floats:
        ended, fallen = _final(steps, values), collapsed
        ended[fallen] = _held(steps, values[fallen])
        return ended

    values = dataset[curve] if isinstance(curve, str) else curve
    return _over_steps(read, dataset, values, collapsed(dataset))


def collapsed(dataset: xr.Dataset) -> xr.DataArray:
    """Which finished runs end with training accuracy far below the level it had held.

    This tells a slingshot at the end from a result: a slingshot takes training accuracy down as
    well. Validation accuracy that falls while training accuracy stays is ungrokking, not a
    collapse.

    Returns:
        Bool over the grid.
    """

    def fall(steps: Floats, values: Floats) -> Floats:
        ended = _final(steps, values)
        # The maximum is never below a level held. Medians of all windows take long, and are needed
        # only where the fall from the maximum is large enough.
        fallen = values.max(axis=-1) - ended
        far = fallen > COLLAPSE
        fallen[far] = _held(steps, values[far]) - ended[far]
        return np.asarray(fallen)

    falls = _over_steps(fall, dataset, dataset["train_accuracy"])
    return falls.copy(deep=False, data=falls.to_numpy() > COLLAPSE)


def sustained_crossing(
    dataset: xr.Dataset,
    curve: xr.DataArray,
    level: xr.DataArray | float,
    evaluations: int = SUSTAINED,
) -> xr.DataArray:
    """The first step from which `evaluations` evaluations in a row reach a level.

    Args:
        dataset: an experiment's dataset, any grid.
        curve: values over the grid and `step`.
        level: one for all runs, or one for each run.
        evaluations: how many in a row.

    Returns:
        Steps over the grid; NaN where the level is not crossed, or the run has not finished.
    """

    def first(steps: Floats, values: Floats, level: Floats) -> Floats:
        above = reaches(values, level[:, None])
        if len(steps) < evaluations:
            return np.full(len(values), np.nan)
        # stays[i]: evaluation i and those after it, `evaluations` in all, reach the level.
        stays = np.lib.stride_tricks.sliding_window_view(above, evaluations, axis=-1).all(axis=-1)
        return np.where(stays.any(axis=-1), steps[stays.argmax(axis=-1)], np.nan)

    return _over_steps(first, dataset, curve, level)


def value_at(dataset: xr.Dataset, curve: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """The curve's value at the last evaluation at or before `step`; NaN where there is none."""

    def read(steps: Floats, values: Floats, step: Floats) -> Floats:
        before = (steps <= step[:, None]).sum(axis=-1)
        return np.where(before > 0, values[np.arange(len(values)), before - 1], np.nan)

    return _over_steps(read, dataset, curve, step, finished_only=False)


def reaches(values: Floats, level: Floats | float) -> Bools:
    """Which values are at or above the level, apart from float32's rounding."""
    return np.asarray(values >= level - ROUNDING)


def _over_steps(
    read: Callable[..., Floats],
    dataset: xr.Dataset,
    curve: xr.DataArray,
    *others: xr.DataArray | float,
    finished_only: bool = True,
) -> xr.DataArray:
    """Apply `read(steps, values, *others)` to the evaluations that each run has.

    Runs of one experiment may be evaluated at different steps; a NaN marks a step at which a run
    was not. Runs with the same steps are read together: `values` is [runs, steps], each of `others`
    is [runs]. A run without evaluations reads NaN, and so does a run that has not finished if
    `finished_only`.
    """
    # numpy and not xarray.apply_ufunc: a suite is judged by thousands of readings of small arrays, and
    # to compare labels takes ten times as long as to read the curves.
    like, done = curve.isel(step=0, drop=True), finished(dataset)
    beside = [one for one in (done, *others) if isinstance(one, xr.DataArray)]
    if not all({*one.dims} <= {*like.dims} for one in beside):
        like = xr.broadcast(like, *beside)[0]
        curve = curve.broadcast_like(like)
    steps = dataset["step"].to_numpy().astype(float)
    curves = _laid_out(curve, (*like.dims, "step")).astype(float).reshape(-1, len(steps))
    values = [np.broadcast_to(_laid_out(one, like.dims), like.shape).ravel() for one in others]
    found = np.full(len(curves), np.nan)
    # A schedule is a mask of the steps at which a run was evaluated. In a file, steps may stand in any
    # order, so a run's own steps are taken in ascending order.
    order = np.argsort(steps)
    for runs, schedule in _schedules(~np.isnan(curves)):
        own = order[schedule[order]]
        if own.size:
            alike = curves[np.ix_(runs, own)]
            found[runs] = read(steps[own], alike, *(one[runs] for one in values))
    reading = found.reshape(like.shape)
    if finished_only:
        reading = np.where(_laid_out(done, like.dims), reading, np.nan)
    filled = like.copy(deep=False, data=reading)
    filled.name, filled.attrs = None, {}
    return filled


def _schedules(evaluated: Bools) -> Iterator[tuple[npt.NDArray[np.int64], Bools]]:
    """The runs of each schedule, and the schedule; `evaluated` is [runs, steps]."""
    if not len(evaluated):
        return
    if (evaluated == evaluated[0]).all():
        yield np.arange(len(evaluated)), evaluated[0]
        return
    schedules, which = np.unique(evaluated, axis=0, return_inverse=True)
    for index, schedule in enumerate(schedules):
        yield np.flatnonzero(which.ravel() == index), schedule


def _laid_out(values: xr.DataArray | float, dims: tuple[Hashable, ...]) -> npt.NDArray[Any]:
    """The values with these dimensions in this order, of length one where absent."""
    if not isinstance(values, xr.DataArray):
        return np.asarray(values)
    places = [values.dims.index(name) for name in dims if name in values.dims]
    absent = tuple(at for at, name in enumerate(dims) if name not in values.dims)
    return np.expand_dims(values.to_numpy().transpose(places), absent)


def _window(steps: Floats) -> int:
    """The number of evaluations in the trailing window."""
    trailing = np.count_nonzero(steps >= (1 - TRAILING_SHARE) * steps[-1])
    return min(len(steps), max(FEWEST_EVALUATIONS, int(trailing)))


def _final(steps: Floats, values: Floats) -> Floats:
    """The median over the trailing window, [runs, steps] to [runs]."""
    return np.asarray(np.median(values[:, -_window(steps) :], axis=-1))


def _held(steps: Floats, values: Floats) -> Floats:
    """The highest median over any window as long as the trailing one, [runs, steps] to [runs]."""
    windows = np.lib.stride_tricks.sliding_window_view(values, _window(steps), axis=-1)
    return np.asarray(np.median(windows, axis=-1).max(axis=-1))
