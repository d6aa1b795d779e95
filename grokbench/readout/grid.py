"""An experiment's grid: its order, the runs that count, and the cells that a reading is about."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.record import Status
from grokbench.statistics.intervals import Floats


def canonical(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with every dimension sorted, so that the order in a file does not matter.

    Model sizes are sorted by their number of parameters, every other dimension by its values. Parts
    of a task keep their order, since the first part is the default.

    Raises:
        NotEnoughDataError: a seed occurs twice. Its runs are not independent.
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
        places = np.lexsort(keys)
        if (np.diff(places) < 0).any():
            order[dimension] = places
    # Most data are in order, and to take all of a dimension would copy all variables.
    return dataset.isel(order) if order else dataset


def _check_once(seeds: npt.NDArray[np.generic]) -> None:
    labels, counts = np.unique(seeds, return_counts=True)
    if (counts > 1).any():
        twice = ", ".join(str(label) for label in labels[counts > 1])
        raise NotEnoughDataError(
            f"seed {twice} is there more than once, and runs of one seed are not independent: "
            "keep one of them, or give each run its own seed"
        )


def finished(dataset: xr.Dataset) -> xr.DataArray:
    """Which runs were trained to their last step: bool over the grid."""
    return dataset["status"] == int(Status.DONE)


def without_empty_seeds(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset without the seeds none of whose runs finished."""
    done = finished(dataset)
    other = [dimension for dimension in done.dims if dimension != "seed"]
    return dataset.isel(seed=np.flatnonzero(done.any(other)))


def log2_parameters(dataset: xr.Dataset | xr.DataArray) -> Floats:
    """log2 of the number of parameters of each model size, [model_size]; NaN where not known."""
    parameters = dataset["parameters"].to_numpy().astype(float)
    return np.asarray(np.log2(np.where(parameters > 0, parameters, np.nan)))


def of_part(dataset: xr.Dataset, part: str | None) -> xr.Dataset:
    """One part of the task, by default the first, without the dimension `part`.

    Raises:
        NotEnoughDataError: the task does not have this part.
    """
    if "part" not in dataset.dims:
        if part is None:
            return dataset
        raise NotEnoughDataError(f"there is no part {part!r}: the task has one part only")
    names = [str(name) for name in dataset["part"].to_numpy()]
    if part is not None and part not in names:
        raise NotEnoughDataError(f"there is no part {part!r}; known: {', '.join(names)}")
    return dataset.isel(part=0 if part is None else names.index(part))


def single_curve(dataset: xr.Dataset, *kept: str) -> xr.Dataset:
    """The dataset with the dimensions `kept` and `step` alone.

    Raises:
        NotEnoughDataError: another dimension has more than one value.
    """
    single = [dimension for dimension in dataset.sizes if dimension not in (*kept, "step")]
    for dimension in single:
        length = dataset.sizes[dimension]
        if length != 1:
            values = ", ".join(str(value) for value in dataset[dimension].to_numpy())
            raise NotEnoughDataError(
                f"{dimension} has {length} values ({values}) where one is needed: "
                f"name one in the claim's `where`"
            )
    return dataset.isel(dict.fromkeys(single, 0), drop=True)
