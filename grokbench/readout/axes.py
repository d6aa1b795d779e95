"""Axes of the grid on which effects are measured against numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.statistics.intervals import Floats

NO_AXES = ("seed", "step", "part")
"""Dimensions of a dataset over which nothing is compared."""


def log10_positions(dataset: xr.Dataset, axis: str) -> Floats:
    """The logarithms (base 10) of the values of an axis; of the numbers of parameters for `model_size`.

    Args:
        dataset: an experiment's dataset.
        axis: `model_size`, `data_size` or a field of the recipe that the experiment varies.

    Raises:
        NotEnoughDataError: there is no such axis, its values are no numbers, or some are not above 0.
    """
    axes = [str(name) for name in dataset["status"].dims if name not in NO_AXES]
    if axis not in axes:
        raise NotEnoughDataError(
            f"the experiment has no axis {axis!r}; it has {', '.join(axes)}. A field of the recipe that is "
            "given as a list is an axis"
        )
    values = dataset["parameters" if axis == "model_size" else axis].to_numpy()
    if values.dtype.kind not in "if":
        raise NotEnoughDataError(f"{axis} has values that are no numbers: {_listed(values)}")
    if not (values > 0).all():
        raise NotEnoughDataError(
            f"{axis} has values without a logarithm: {_listed(values[values <= 0])}; select values above 0 "
            "with the claim's `where`"
        )
    return np.asarray(np.log10(values.astype(float)))


def _listed(values: np.typing.NDArray[np.generic]) -> str:
    return ", ".join(f"{value}" for value in values)


def checked_axis(axis: str) -> str:
    """The axis of an option.

    Raises:
        ValueError: nothing is compared over it.
    """
    if axis in NO_AXES:
        raise ValueError(
            f"{axis!r} is no axis that is compared; write data_size, model_size or a field of the recipe "
            "that the experiment varies, such as weight_decay"
        )
    return axis
