"""Double descent in model size: accuracy that falls and rises again on its way up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats
from scipy.optimize import isotonic_regression

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.curves import (
    ROUNDING,
    canonical,
    generalization_accuracy,
    of_part,
    settled,
    single_curve,
)
from grokbench.phenomena.intervals import CONFIDENCE, Floats, t_interval

Metric = Literal["validation_accuracy", "mirror_free_accuracy"]

FEW_SIZES = 8
"""Model sizes with which a dip may well be one or two sizes wide."""

LEARNED = 0.1
"""Where no model size reaches this mirror-free accuracy, nothing was learned that could dip."""

RESAMPLES = 500
"""How many curves without a dip are drawn to learn how often one seems to have a dip."""


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
    `widening` is how many times wider than Student's t an interval has to be.
    """

    falls: Floats
    rises: Floats
    sizes: tuple[str, str, str]
    widening: float

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
            model sizes, fewer than two seeds, or nothing learned at any size.
    """
    data = single_curve(of_part(canonical(dataset), options.part), "model_size", "seed")
    accuracy = settled(data, options.metric).transpose("model_size", "seed").to_numpy()
    known = ~np.isnan(accuracy)
    accuracy = accuracy[np.ix_(known.any(axis=1), known.any(axis=0))]
    sizes, seeds = accuracy.shape
    falls, rises = legs(accuracy, options.smoothing) if sizes else (np.zeros(0), np.zeros(0))
    told = ~np.isnan(falls)
    if told.sum() < 2:
        raise NotEnoughDataError(
            "a dip needs three model sizes and two seeds with finished runs; there are "
            f"{sizes} sizes and {seeds} seeds"
        )
    learned = settled(data, generalization_accuracy(data)).mean("seed").max().item()
    if learned < LEARNED:
        raise NotEnoughDataError(
            "nothing was learned that could dip: mean mirror-free accuracy is "
            f"{learned:.2f} at the most, at any model size"
        )
    labels = data["model_size"].to_numpy()[known.any(axis=1)]
    curve = _smoothed(accuracy) if options.smoothing else accuracy
    peak, bottom, recovery = (str(labels[i]) for i in deepest(np.nanmean(curve, axis=1)))
    widening = needed_widening(accuracy, options.smoothing)
    return Dip(falls[told], rises[told], (peak, bottom, recovery), widening)


def deepest(curves: Floats) -> npt.NDArray[np.intp]:
    """The indices i < j < k that make min(curve[i], curve[k]) - curve[j] largest (or least bad).

    Args:
        curves: [..., sizes]; a size that is NaN is passed over.

    Returns:
        i, j and k, [..., 3].
    """
    known, places = ~np.isnan(curves), np.arange(curves.shape[-1])
    high, low = np.where(known, curves, -np.inf), np.where(known, curves, np.inf)
    end = np.full((*curves.shape[:-1], 1), -np.inf)
    before = np.concatenate([end, np.maximum.accumulate(high, axis=-1)[..., :-1]], axis=-1)
    turned = np.maximum.accumulate(high[..., ::-1], axis=-1)[..., ::-1]
    after = np.concatenate([turned[..., 1:], end], axis=-1)
    bottom = (np.minimum(before, after) - low).argmax(axis=-1, keepdims=True)
    peak = np.where(places < bottom, high, -np.inf).argmax(axis=-1)
    recovery = np.where(places > bottom, high, -np.inf).argmax(axis=-1)
    return np.stack([peak, bottom[..., 0], recovery], axis=-1)


def legs(accuracy: Floats, smoothing: bool) -> tuple[Floats, Floats]:
    """Each seed's fall and rise at the sizes that the others choose; NaN if it has too few.

    Args:
        accuracy: [..., sizes, seeds].
        smoothing: whether neighbouring sizes are averaged first.

    Returns:
        Falls and rises, both [..., seeds].
    """
    curves = np.swapaxes(_smoothed(accuracy) if smoothing else accuracy, -1, -2)
    known = ~np.isnan(curves)
    others = known.sum(axis=-2, keepdims=True) - known
    summed = np.where(known, curves, 0)
    means = (summed.sum(axis=-2, keepdims=True) - summed) / np.maximum(others, 1)
    usable = known & (others > 0)
    chosen = deepest(np.where(usable, means, np.nan))
    peak, bottom, recovery = np.moveaxis(np.take_along_axis(curves, chosen, axis=-1), -1, 0)
    enough = usable.sum(axis=-1) >= 3
    return np.where(enough, peak - bottom, np.nan), np.where(enough, recovery - bottom, np.nan)


def needed_widening(accuracy: Floats, smoothing: bool) -> float:
    """How much wider than Student's t an interval has to be for the seeds' having chosen together.

    Seeds that were left out in turn share most of those that chose for them, so that their legs
    resemble each other and vary too little. How much shows on curves that have no dip: the best fit
    that rises to some size and falls from there (isotonic regression), with the residuals about
    each size's mean under random signs (wild bootstrap: Wu 1986, Annals of Statistics 14). The
    widening makes 2.5 % of them seem to dip, and is never below one.

    Args:
        accuracy: [sizes, seeds].
    """
    seeds = (~np.isnan(accuracy)).sum(axis=1)
    mean = np.nanmean(accuracy, axis=1)
    spread = (accuracy - mean[:, None]) * np.sqrt(seeds / np.maximum(seeds - 1, 1))[:, None]
    generator = np.random.default_rng(0)
    signs = generator.integers(0, 2, (RESAMPLES, *accuracy.shape), np.int8) * 2 - 1
    falls, rises = legs(without_dip(mean, seeds)[:, None] + signs * spread, smoothing)
    number = (~np.isnan(falls[0])).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [
            np.nanmean(leg, axis=1) / (np.nanstd(leg, axis=1, ddof=1) / np.sqrt(number) + ROUNDING)
            for leg in (falls, rises)
        ]
    tail = (1 - CONFIDENCE) / 2
    seeming = float(np.quantile(np.nan_to_num(np.minimum(*ratios)), 1 - tail))
    return max(1.0, seeming / float(stats.t.ppf(1 - tail, number - 1)))


def without_dip(curve: Floats, weights: Floats) -> Floats:
    """The nearest curve that nowhere falls and then rises: up to some size, and down from there."""
    best, least = curve, np.inf
    for top in range(len(curve)):
        up = isotonic_regression(curve[: top + 1], weights=weights[: top + 1]).x
        down = isotonic_regression(curve[top:], weights=weights[top:], increasing=False).x
        fit = np.concatenate([up[:-1], [max(up[-1], down[0])], down[1:]])
        distance = float((weights * (fit - curve) ** 2).sum())
        if distance < least:
            best, least = fit, distance
    return best


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


def _smoothed(accuracy: Floats) -> Floats:
    """The 1-2-1 average over neighbouring sizes ([..., sizes, seeds]), of those that there are.

    What is monotone stays so.
    """
    known = ~np.isnan(accuracy)
    values, weights = np.where(known, accuracy, 0), known.astype(float)
    total, weight = 2 * values, 2 * weights
    for to, of in (
        (np.s_[..., 1:, :], np.s_[..., :-1, :]),
        (np.s_[..., :-1, :], np.s_[..., 1:, :]),
    ):
        total[to] += values[of]
        weight[to] += weights[of]
    return np.where(known, total / np.maximum(weight, 1), np.nan)


class DoubleDescent(Detector):
    """How deep final accuracy dips on its way up with model size.

    The effect is the smaller of the fall into the dip and the rise out of it, so that both must be
    there; negative where nothing dips. The interval is Student's t over seeds for each of the two,
    widened by as much as curves without a dip ask for, and of both the lower low and the lower high
    end. Huang et al. 2024, takeaway 5, Fig. 6; model-wise double descent: Nakkiran et al. 2020.
    """

    name = "double_descent"
    Options = DoubleDescentOptions

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return hidden_by_smoothing(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seen = dip(data["experiment"], self.options)
        falls, rises = (
            t_interval(leg, self.confidence).widened(seen.widening)
            for leg in (seen.falls, seen.rises)
        )
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
                "widening": seen.widening,
            },
        )
