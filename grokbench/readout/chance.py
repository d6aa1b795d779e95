"""The accuracy that guessing gives."""

from __future__ import annotations

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.readout.curves import generalization_accuracy
from grokbench.readout.grid import finished, of_part


def chance_level(dataset: xr.Dataset, part: str | None = None) -> float:
    """The chance level: the mean accuracy of the untrained models on validation examples.

    Read at step 0, from all finished runs of the dataset together; a dataset does not say how many classes
    its task has. An untrained model often gives one answer to all questions. The accuracy of one such
    model says little, and the mean over models is near 1/classes.

    Args:
        dataset: an experiment's dataset, any grid.
        part: a part of the task, by default the first.

    Returns:
        An accuracy, mirror-free where there are mirror-free examples.

    Raises:
        NotEnoughDataError: no finished run was evaluated at step 0 with validation examples.
    """
    data = of_part(dataset, part)
    accuracy = generalization_accuracy(data).where(finished(data))
    untrained = accuracy.sel(step=data["step"] == 0).to_numpy()
    known = np.sort(untrained[~np.isnan(untrained)])
    if not known.size:
        raise NotEnoughDataError(
            "the chance level is the accuracy of untrained models, and no finished run has a validation "
            "accuracy at step 0"
        )
    return float(known.mean())


def above_chance(share: float, chance: float) -> float:
    """The accuracy of a model that knows a share of the answers and guesses the others."""
    return chance + share * (1 - chance)
