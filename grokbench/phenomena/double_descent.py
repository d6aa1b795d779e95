"""Double descent in model size: accuracy that falls and rises again on its way up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.curves import canonical, of_part, settled, single_curve
from grokbench.phenomena.intervals import Floats, t_interval

Metric = Literal["validation_accuracy", "mirror_free_accuracy"]

FEW_SIZES = 8
"""Model sizes with which a dip may well be one or two sizes wide."""


class DoubleDescentOptions(Options):
    metric: Metric = "validation_accuracy"
    """The paper's figures show plain validation accuracy."""
    smoothing: bool = True
    """Average each size with its neighbours (1-2-1): steadier, blind to a dip of one size."""
    part: str | None = None
    """Which part of the task; the first unless said otherwise."""


@dataclass(frozen=True)
class Dip:
    """A dip as each seed shows it, at the sizes that the other seeds point to.

    `falls` and `rises` are [seeds]: how far accuracy falls into the dip, and rises out of it.
    `sizes` names where the mean over all seeds peaks, dips and recovers, or comes nearest to it.
    """

    falls: Floats
    rises: Floats
    sizes: tuple[str, str, str]

    @property
    def depth(self) -> float:
        """The smaller of the mean fall and the mean rise; negative where nothing dips."""
        return float(min(self.falls.mean(), self.rises.mean()))

    @property
    def evidence(self) -> str:
        """What the seeds show, in words; peak, dip and recovery only where there is a dip."""
        legs = (
            f"on seeds left out of choosing, accuracy falls by {self.falls.mean():z.2f} and rises "
            f"by {self.rises.mean():z.2f}"
        )
        if self.depth > 0:
            peak, bottom, recovery = self.sizes
            return (
                f"{legs}; the mean peaks at size {peak}, dips at {bottom} "
                f"and is up again at {recovery}"
            )
        return f"no dip was found: {legs}; the smaller, {self.depth:z.2f}, is not above zero"

    @property
    def shallow(self) -> Floats:
        """The leg that the depth is measured on."""
        return self.falls if self.falls.mean() <= self.rises.mean() else self.rises


def dip(dataset: xr.Dataset, options: DoubleDescentOptions) -> Dip:
    """Measure the dip in an experiment's curve of final accuracy over model size.

    Each seed in turn is left out: the others choose three sizes (a peak, a dip, a recovery), and
    the seed left out says how far it falls and rises there. On a curve that has no dip, one of the
    two is zero or less on average wherever the others point, so looking everywhere for the
    deepest dip finds none.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field, fewer than three
            model sizes, or fewer than two seeds.
    """
    data = single_curve(of_part(canonical(dataset), options.part), "model_size", "seed")
    accuracy = settled(data, options.metric).transpose("model_size", "seed").to_numpy()
    if options.smoothing:
        accuracy = _smoothed(accuracy)
    legs = [leg for seed in range(accuracy.shape[1]) if (leg := _left_out(accuracy, seed))]
    if len(legs) < 2:
        raise NotEnoughDataError(
            "a dip needs three model sizes and two seeds with finished runs; there are "
            f"{int((~np.isnan(accuracy)).any(axis=1).sum())} sizes and "
            f"{int((~np.isnan(accuracy)).any(axis=0).sum())} seeds"
        )
    falls, rises = np.array(legs).T
    known = np.flatnonzero(~np.isnan(accuracy).all(axis=1))
    labels = data["model_size"].to_numpy()[known]
    peak, bottom, recovery = deepest(np.nanmean(accuracy[known], axis=1))
    return Dip(falls, rises, (str(labels[peak]), str(labels[bottom]), str(labels[recovery])))


def deepest(curve: Floats) -> tuple[int, int, int]:
    """The indices i < j < k that make min(curve[i], curve[k]) - curve[j] largest (or least bad)."""
    candidates = []
    for bottom in range(1, len(curve) - 1):
        peak = int(np.argmax(curve[:bottom]))
        recovery = bottom + 1 + int(np.argmax(curve[bottom + 1 :]))
        depth = min(curve[peak], curve[recovery]) - curve[bottom]
        candidates.append((depth, (peak, bottom, recovery)))
    return max(candidates, key=lambda candidate: candidate[0])[1]


def hidden_by_smoothing(
    options: DoubleDescentOptions, lengths: Mapping[str, Mapping[str, int]]
) -> str | None:
    """The warning that goes with few model sizes; `lengths` as `Detector.warning` has them."""
    sizes = min(length["model_size"] for length in lengths.values())
    if not options.smoothing or sizes > FEW_SIZES:
        return None
    return (
        f"smoothing hides a dip of one model size, and few sizes ({sizes}) may have no wider one; "
        "write smoothing = false"
    )


def _left_out(accuracy: Floats, seed: int) -> tuple[float, float] | None:
    """One seed's fall and rise at the sizes that the others choose; None if it has too few."""
    own, others = accuracy[:, seed], np.delete(accuracy, seed, axis=1)
    usable = ~np.isnan(own) & ~np.isnan(others).all(axis=1)
    if usable.sum() < 3:
        return None
    own, chosen = own[usable], deepest(np.nanmean(others[usable], axis=1))
    peak, bottom, recovery = chosen
    return float(own[peak] - own[bottom]), float(own[recovery] - own[bottom])


def _smoothed(accuracy: Floats) -> Floats:
    """The 1-2-1 average over neighbouring sizes, of those that there are; monotone stays monotone."""
    padded = np.pad(accuracy, ((1, 1), (0, 0)), constant_values=np.nan)
    stacked = np.stack([padded[:-2], padded[1:-1], padded[2:]])
    weights = np.array([1.0, 2.0, 1.0])[:, None, None] * ~np.isnan(stacked)
    total = weights.sum(axis=0)
    mean = (weights * np.nan_to_num(stacked)).sum(axis=0) / np.where(total == 0, 1, total)
    return np.where(np.isnan(accuracy), np.nan, mean)


class DoubleDescent(Detector):
    """How deep final accuracy dips on its way up with model size.

    The effect is the smaller of the fall into the dip and the rise out of it, so that both must be
    there. Negative: nothing dips. Huang et al. 2024, takeaway 5, Fig. 6.
    """

    name = "double_descent"
    Options = DoubleDescentOptions

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return hidden_by_smoothing(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seen = dip(data["experiment"], self.options)
        falls, rises = t_interval(seen.falls), t_interval(seen.rises)
        return Finding(
            effect=seen.depth,
            low=min(falls.low, rises.low),
            high=min(falls.high, rises.high),
            unit="depth of the dip in final accuracy",
            seeds=len(seen.falls),
            evidence=seen.evidence,
            details={
                "falls": [float(value) for value in seen.falls],
                "rises": [float(value) for value in seen.rises],
                "sizes": list(seen.sizes),
            },
        )
