"""Double descent in model size: accuracy that falls and rises again on its way up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field
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
from grokbench.phenomena.intervals import CONFIDENCE, Floats, Interval

Metric = Literal["validation_accuracy", "mirror_free_accuracy"]

Places = npt.NDArray[np.intp]

LEARNED = 0.1
"""Where no model size reaches this mirror-free accuracy, nothing was learned that could dip."""

LONGEST = 6
"""Groups of more neighbouring sizes than this are not tried."""

LEAST_VARIANCE = 0.3
"""No size's seeds are taken to vary less than this share of what sizes' seeds vary by on average:
that a few seeds agree does not show that all do."""

RESAMPLES = 500
"""How many curves are drawn to learn how deep a dip noise makes, and how much of one it hides."""

ROUNDS = 3
"""How often the curve that just dips deeply enough is fitted anew; the upper end stands by then."""


class DoubleDescentOptions(Options):
    metric: Metric = "validation_accuracy"
    """The paper's figures show plain validation accuracy."""
    smoothing: bool = True
    """Show a dip by groups of neighbouring sizes, too; without, each size stands for itself."""
    width: Annotated[int, Field(ge=1)] = 1
    """How many neighbouring sizes peak, dip and recovery each span; narrower dips do not count."""
    part: str | None = None
    """Which part of the task; the first unless said otherwise."""


@dataclass(frozen=True)
class Curve:
    """Mean final accuracy along model size, and the variances of those means.

    Both are [sizes], or [resamples, sizes] for many curves.
    """

    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, accuracy: Floats) -> Curve:
        """The means over seeds ([..., sizes, seeds], NaN where there is no run).

        A few seeds say little of how much they vary, so each size's variance is averaged with its
        neighbours' (1-2-1) and is not taken to be below `LEAST_VARIANCE` of all sizes'.
        """
        known = ~np.isnan(accuracy)
        seeds = known.sum(axis=-1)
        mean = np.where(known, accuracy, 0).sum(axis=-1) / seeds
        squares = np.where(known, accuracy - mean[..., None], 0) ** 2
        own = squares.sum(axis=-1) / (seeds - 1)
        beside = np.concatenate([own[..., :1], own, own[..., -1:]], axis=-1)
        shared = (beside[..., :-2] + 2 * own + beside[..., 2:]) / 4
        least = LEAST_VARIANCE * shared.mean(axis=-1, keepdims=True)
        return cls(mean, np.maximum(shared, least) / seeds)


@dataclass(frozen=True)
class Groups:
    """Groups of neighbouring sizes, each from `start` up to and without `end` (both [groups])."""

    start: Places
    end: Places

    @classmethod
    def of(cls, sizes: int, shortest: int, longest: int) -> Groups:
        """All groups of `shortest` to `longest` of so many sizes."""
        pairs = [
            (start, start + length)
            for start in range(sizes)
            for length in range(shortest, longest + 1)
            if start + length <= sizes
        ]
        return cls(*np.array(pairs, np.intp).reshape(-1, 2).T)

    def over(self, curve: Curve) -> Curve:
        """The mean over each group, and its variance; groups in place of sizes."""
        length = self.end - self.start
        return Curve(self._sums(curve.mean) / length, self._sums(curve.variance) / length**2)

    def _sums(self, values: Floats) -> Floats:
        zero = np.zeros((*values.shape[:-1], 1))
        up_to = np.concatenate([zero, np.cumsum(values, axis=-1)], axis=-1)
        return np.asarray(up_to[..., self.end] - up_to[..., self.start])

    @cached_property
    def dips(self) -> tuple[tuple[int, Places, Places], ...]:
        """Each group that may be a dip, and which groups lie wholly before it and wholly after it."""
        sides = (
            (bottom, np.flatnonzero(self.end <= start), np.flatnonzero(self.start >= end))
            for bottom, (start, end) in enumerate(zip(self.start, self.end, strict=True))
        )
        return tuple(dip for dip in sides if dip[1].size and dip[2].size)


Measure = Callable[[Floats, Floats], Floats]
"""What a leg counts for: from how far it goes, and the standard error of that."""


def allowing(errors: float) -> Measure:
    """How far a leg goes, less so many of its standard errors."""
    return lambda leg, error: leg - errors * error


def beyond(depth: float) -> Measure:
    """By how many of its standard errors a leg goes farther than `depth`."""
    return lambda leg, error: (leg - depth) / error


def deepest(curve: Curve, groups: Groups, measure: Measure) -> Floats:
    """The deepest dip of each curve, [...]: the smaller leg of it, as `measure` has them.

    A dip is a group of neighbouring sizes, one before it from which accuracy falls, and one after it
    to which it rises.
    """
    over = groups.over(curve)
    depths = [
        np.minimum(
            _legs(over, before, bottom, measure).max(axis=-1),
            _legs(over, after, bottom, measure).max(axis=-1),
        )
        for bottom, before, after in groups.dips
    ]
    return np.asarray(np.max(depths, axis=0))


def place(curve: Curve, groups: Groups, measure: Measure) -> tuple[int, int, int]:
    """Which groups the deepest dip of one curve has for peak, dip and recovery."""
    over, best, deep = groups.over(curve), (0, 0, 0), -np.inf
    for bottom, before, after in groups.dips:
        falls, rises = (_legs(over, side, bottom, measure) for side in (before, after))
        if min(falls.max(), rises.max()) > deep:
            deep = min(falls.max(), rises.max())
            best = int(before[falls.argmax()]), bottom, int(after[rises.argmax()])
    return best


def _legs(over: Curve, side: Places, bottom: int, measure: Measure) -> Floats:
    leg = over.mean[..., side] - over.mean[..., [bottom]]
    variance = over.variance[..., side] + over.variance[..., [bottom]]
    return measure(leg, np.sqrt(variance) + ROUNDING)


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


def with_dip(curve: Curve, groups: Groups, depth: float) -> Floats:
    """The nearest curve that dips by `depth` or more, [sizes]; near as variances measure it.

    For each peak, dip and recovery the two legs are two inequalities on three means, and the nearest
    means that keep them are those of Lagrange; the cheapest of all is taken.
    """
    over = groups.over(curve)
    variance = over.variance + ROUNDING**2
    best, least = np.zeros(len(groups.start)), np.inf
    for bottom, before, after in groups.dips:
        lacking = np.maximum(depth - over.mean + over.mean[bottom], 0)
        short_fall, short_rise = lacking[before][:, None], lacking[after]
        fall, rise = _pulls(
            short_fall, short_rise, variance[before][:, None], variance[after], variance[bottom]
        )
        costs = fall * short_fall + rise * short_rise
        cheapest = np.unravel_index(costs.argmin(), costs.shape)
        if costs[cheapest] < least:
            least, best = costs[cheapest], np.zeros(len(groups.start))
            best[before[cheapest[0]]] = fall[cheapest]
            best[after[cheapest[1]]] = rise[cheapest]
            best[bottom] = -fall[cheapest] - rise[cheapest]
    moved = curve.mean.copy()
    for group in np.flatnonzero(best):
        moved[groups.start[group] : groups.end[group]] += best[group] * variance[group]
    return moved


def _pulls(
    fall: Floats, rise: Floats, peak: Floats, recovery: Floats, dip: float
) -> tuple[Floats, Floats]:
    """How hard each leg has to be pulled to make good what it lacks, given the means' variances."""
    determinant = (peak + dip) * (recovery + dip) - dip**2
    falling = ((recovery + dip) * fall - dip * rise) / determinant
    rising = ((peak + dip) * rise - dip * fall) / determinant
    return (
        np.where(falling < 0, 0, np.where(rising < 0, fall / (peak + dip), falling)),
        np.where(rising < 0, 0, np.where(falling < 0, rise / (recovery + dip), rising)),
    )


@dataclass(frozen=True)
class Dip:
    """How deep an experiment's curve dips, and where.

    `curve` is [sizes], with the sizes' `labels`. A dip is shown by any of `groups`, and may hide in
    those of `narrow`. What it takes is told in standard errors of a leg, those of a 95 % interval:
    `showing` so many by which both legs must exceed a depth to show it; `seeming` so many by which
    they exceed zero every second time where nothing dips; `hiding` so many, zero or fewer, by which
    all dips must fall short of a depth to exclude it.
    """

    curve: Curve
    labels: tuple[str, ...]
    seeds: int
    groups: Groups
    narrow: Groups
    showing: float
    seeming: float
    hiding: float

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """How deep the dip is; the estimate is zero or less every second time where nothing dips."""
        surer = student(confidence, self.seeds) - student(CONFIDENCE, self.seeds)
        low, estimate = (
            float(deepest(self.curve, self.groups, allowing(errors)))
            for errors in (self.showing + surer, self.seeming)
        )
        high = float(deepest(self.curve, self.narrow, allowing(self.hiding - surer)))
        return Interval(estimate, min(low, estimate), max(high, estimate))

    @cached_property
    def depth(self) -> float:
        return self.interval().estimate

    @property
    def sizes(self) -> tuple[str, str, str]:
        """Where the curve peaks, dips and recovers, or comes nearest to it: `8–16` is a group."""
        peak, bottom, recovery = (self._name(group) for group in self._place)
        return peak, bottom, recovery

    @property
    def legs(self) -> tuple[float, float]:
        """How far the mean falls there into the dip, and rises out of it."""
        peak, bottom, recovery = self.groups.over(self.curve).mean[list(self._place)]
        return float(peak - bottom), float(recovery - bottom)

    @property
    def evidence(self) -> str:
        """What the seeds show, in words."""
        (peak, bottom, recovery), (fall, rise) = self.sizes, self.legs
        legs = (
            f"falls by {fall:z.2f} from size {peak} to {bottom} and rises by {rise:z.2f} "
            f"to {recovery}"
        )
        if self.depth > 0:
            return f"mean accuracy {legs}"
        return f"no dip was found: what comes nearest {legs}, no more than noise does without a dip"

    @cached_property
    def _place(self) -> tuple[int, int, int]:
        return place(self.curve, self.groups, allowing(self.seeming))

    def _name(self, group: int) -> str:
        first, last = self.groups.start[group], self.groups.end[group] - 1
        return f"{self.labels[first]}–{self.labels[last]}" if last > first else self.labels[first]


def dip(dataset: xr.Dataset, options: DoubleDescentOptions) -> Dip:
    """Measure the dip in an experiment's curve of final accuracy over model size.

    Raises:
        NotEnoughDataError: more than one data size or value of a swept field, fewer than three
            model sizes (three times the width) or two seeds, or nothing learned at any size.
    """
    data = single_curve(of_part(canonical(dataset), options.part), "model_size", "seed")
    accuracy = settled(data, options.metric).transpose("model_size", "seed").to_numpy()
    seeds = (~np.isnan(accuracy)).sum(axis=0) >= 3
    sizes = (~np.isnan(accuracy[:, seeds])).sum(axis=1) >= 2
    if sizes.sum() < 3 * options.width or seeds.sum() < 2:
        wide = f" ({3 * options.width} sizes for a width of {options.width})"
        raise NotEnoughDataError(
            "a dip needs three model sizes and two seeds with finished runs"
            f"{wide if options.width > 1 else ''}; there are {sizes.sum()} sizes and "
            f"{seeds.sum()} seeds"
        )
    learned = settled(data, generalization_accuracy(data)).mean("seed").max().item()
    if learned < LEARNED:
        raise NotEnoughDataError(
            "nothing was learned that could dip: mean mirror-free accuracy is "
            f"{learned:.2f} at the most, at any model size"
        )
    labels = tuple(str(label) for label in data["model_size"].to_numpy()[sizes])
    return measured(accuracy[np.ix_(sizes, seeds)], labels, options)


def measured(accuracy: Floats, labels: tuple[str, ...], options: DoubleDescentOptions) -> Dip:
    """The dip of accuracies, [sizes, seeds]: at least two seeds a size."""
    (sizes, seeds), curve = accuracy.shape, Curve.of(accuracy)
    # Any group longer than these holds two of them, one of which is as high, or as low.
    narrow = Groups.of(sizes, options.width, 2 * options.width - 1)
    longest = max(LONGEST, 2 * options.width - 1)
    groups = Groups.of(sizes, options.width, longest) if options.smoothing else narrow
    seeming = depths_without_a_dip(accuracy, groups)
    tail = (1 - CONFIDENCE) / 2
    return Dip(
        curve,
        labels,
        seeds,
        groups,
        narrow,
        showing=max(student(CONFIDENCE, seeds), float(np.quantile(seeming, 1 - tail))),
        seeming=max(0.0, float(np.median(seeming))),
        hiding=errors_that_hide_a_dip(accuracy, narrow),
    )


def depths_without_a_dip(accuracy: Floats, groups: Groups) -> Floats:
    """How deep noise dips where nothing does, in standard errors: [resamples].

    Curves are drawn about the nearest one without a dip, and a dip is looked for all over them.
    """
    weights = (~np.isnan(accuracy)).sum(axis=1).astype(float)
    flat = without_dip(Curve.of(accuracy).mean, weights)
    return deepest(Curve.of(drawn(accuracy, flat)), groups, beyond(0))


def errors_that_hide_a_dip(accuracy: Floats, groups: Groups) -> float:
    """By how many standard errors no dip may come up to a depth that is excluded; zero or fewer.

    Where a dip can hide in one place only, these are Student's. Where noise makes many, the deepest
    of them seldom falls so far short: how far shows on curves drawn about the nearest one that dips
    by just the depth at the upper end. Either leg may fall short, so each has half of the 2.5 %.
    """
    curve, tail = Curve.of(accuracy), (1 - CONFIDENCE) / 4
    errors = -student(CONFIDENCE, accuracy.shape[1])
    for _ in range(ROUNDS):
        depth = float(deepest(curve, groups, allowing(errors)))
        dipping = Curve.of(drawn(accuracy, with_dip(curve, groups, depth)))
        errors = min(0.0, float(np.quantile(deepest(dipping, groups, beyond(depth)), tail)))
    return errors


def drawn(accuracy: Floats, truth: Floats) -> Floats:
    """Experiments as this one may have been if `truth` ([sizes]) were so: [resamples, sizes, seeds].

    Each residual about its size's mean comes under a random sign (the wild bootstrap: Wu 1986,
    Annals of Statistics 14).
    """
    seeds = (~np.isnan(accuracy)).sum(axis=1)
    spread = accuracy - np.nanmean(accuracy, axis=1)[:, None]
    spread = spread * np.sqrt(seeds / (seeds - 1))[:, None]
    signs = np.random.default_rng(0).integers(0, 2, (RESAMPLES, *accuracy.shape), np.int8) * 2 - 1
    return np.asarray(truth[:, None] + signs * spread)


def student(confidence: float, seeds: int) -> float:
    """Student's quantile for a two-sided interval over so many seeds."""
    return float(stats.t.ppf((1 + confidence) / 2, seeds - 1))


def wider_than_the_grid(
    options: DoubleDescentOptions, lengths: Mapping[str, Mapping[str, int]]
) -> str | None:
    """The warning that goes with few model sizes; `lengths` as `Detector.warning` has them."""
    sizes, needed = min(length["model_size"] for length in lengths.values()), 3 * options.width
    if options.width == 1 or sizes >= needed:
        return None
    return (
        f"a dip {options.width} sizes wide takes {needed} model sizes, and there are {sizes}; "
        "write a smaller width, or none"
    )


class DoubleDescent(Detector):
    """How deep final accuracy dips on its way up with model size.

    The effect is the smaller of the fall into the dip and the rise out of it, so that both must be
    there; zero or negative where nothing dips. The lower end allows for dips having been looked for
    everywhere, the upper for one hiding anywhere. Huang et al. 2024, takeaway 5, Fig. 6; model-wise
    double descent: Nakkiran et al. 2020.
    """

    name = "double_descent"
    Options = DoubleDescentOptions

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return wider_than_the_grid(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        seen = dip(data["experiment"], self.options)
        depth = seen.interval(self.confidence)
        fall, rise = seen.legs
        return Finding(
            effect=depth.estimate,
            low=depth.low,
            high=depth.high,
            unit="depth of the dip in final accuracy",
            seeds=seen.seeds,
            evidence=seen.evidence,
            details={
                "fall": fall,
                "rise": rise,
                "sizes": list(seen.sizes),
                "standard_errors": {
                    "showing": seen.showing,
                    "seeming": seen.seeming,
                    "hiding": seen.hiding,
                },
            },
        )
