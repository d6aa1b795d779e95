"""The capacity curve of Huang et al. 2024, Fig. 1: how many labels each model size memorizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import isotonic_regression

from grokbench.errors import NotEnoughDataError
from grokbench.readout import log2_parameters, without_empty_seeds
from grokbench.readout.capacity import memorization, share_known
from grokbench.statistics.intervals import Bools, Floats
from grokbench.statistics.jackknife import Replicates, means_over_seeds
from grokbench.theory.mirrors import Pairs


@dataclass(frozen=True, eq=False)
class CapacityCurve:
    """log2 of the number of labels that a model memorizes.

    Linear in log2 of the parameters between the sizes measured, and a power law beyond them.
    """

    sizes: Floats
    """log2 of the parameters, [sizes], ascending."""
    labels: Replicates
    """log2 of the number of labels memorized, [sizes]."""
    slopes: Replicates
    """Slope of the power law beyond the sizes, [] (a number)."""
    saturated: Bools
    """Where the number of labels is only a lower bound, [sizes]."""

    @property
    def seeds(self) -> int:
        """How many seeds the curve rests on."""
        return self.labels.seeds

    def at(self, sizes: Floats, pairs: Pairs) -> Replicates:
        """log2 of the number of training examples that models memorize, [n].

        Args:
            sizes: log2 of the parameters, [n].
            pairs: what the models train on; fewer labels than examples where pairs have mirrors.
        """
        below = np.minimum(sizes - self.sizes[0], 0)
        above = np.maximum(sizes - self.sizes[-1], 0)
        rows = [
            np.interp(sizes, self.sizes, labels) + slope * (below + above)
            for labels, slope in zip(self.labels.rows, self.slopes.rows, strict=True)
        ]
        examples = pairs.examples(np.exp2(rows))
        return Replicates.from_rows(np.asarray(np.log2(examples)), self.seeds)


def capacity_curve(random_labels: xr.Dataset, pairs: Pairs, saturated_at: float) -> CapacityCurve:
    """Measure the capacity curve.

    A model memorizes the share of its labels that it knows (see `share_known`). The means over
    seeds are made monotone by isotonic regression of their logarithms, because the theory's
    capacity rises with model size (Huang et al. 2024, assumption 3.2). Beyond the sizes tried, the
    curve continues with the slope of the least-squares line, or with 0 if that is negative.

    A saturated model knows all its labels, and its capacity is at least that number. Only the
    smallest saturated size is used, since each larger one adds the same bound at a larger size and
    would flatten the curve.

    Args:
        random_labels: an experiment on random labels.
        pairs: the pairs that it trains on.
        saturated_at: mean training accuracy from which a capacity is only a lower bound.

    Raises:
        NotEnoughDataError: fewer than two model sizes with finished runs of two seeds, or more
            than one data size or value of a swept field.
    """
    runs = memorization(without_empty_seeds(random_labels))
    accuracy, examples = runs["accuracy"].to_numpy(), runs["examples"].to_numpy()
    chance = 1 / pairs.modulus if pairs.modulus else 0.0
    # The logarithm needs a positive share: what guessing alone gets right, or one example.
    least = chance or 1 / max(int(examples.max(initial=1)), 1)
    labels = np.clip(share_known(accuracy, chance), least, 1) * pairs.labels(examples)
    sizes = log2_parameters(runs)
    saturated = means_over_seeds(accuracy).estimate >= saturated_at
    # A mean without one seed needs two.
    usable = ((~np.isnan(labels)).sum(axis=1) >= 2) & ~np.isnan(sizes)
    smallest_saturated = np.flatnonzero(usable & saturated)[:1]
    kept = np.union1d(np.flatnonzero(usable & ~saturated), smallest_saturated)
    if len(kept) < 2:
        raise NotEnoughDataError(
            "a capacity curve needs finished runs of two seeds at two model sizes, at one of which "
            f"they do not memorize everything; the number of such sizes is {len(kept)}"
        )
    means = means_over_seeds(labels[kept])
    return CapacityCurve(
        sizes[kept],
        means.map(lambda mean: isotonic_regression(np.log2(mean)).x),
        means.map(lambda mean: max(np.polyfit(sizes[kept], np.log2(mean), 1)[0], 0.0)),
        saturated[kept],
    )
