"""At how many parameters an ability emerges, in one experiment against another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.curves import (
    canonical,
    generalization_accuracy,
    of_part,
    reaches,
    settled,
    single_curve,
)
from grokbench.phenomena.dynamics import Share
from grokbench.phenomena.intervals import Floats, welch_interval

FEWEST = 3
"""The best of fewer seeds than this is too much a matter of luck to be compared."""


class EmergenceOptions(Options):
    threshold: Share = 0.9
    """Final mirror-free accuracy that counts as having emerged."""
    reference_part: str | None = None
    """Which part of the reference's task; the first unless said otherwise."""
    shifted_part: str | None = None
    """Which part of the shifted experiment's task; the first unless said otherwise."""
    best_of_seeds: bool = False
    """Compare the best seeds of each size, as Fig. 8 does; at least three a size."""


@dataclass(frozen=True)
class Brackets:
    """Between which two numbers of parameters an ability emerges, as log2; each [seeds].

    `low` is the largest size tried below the first that reaches the threshold (minus infinity
    where the smallest did), `high` that first size (infinite where none did).
    """

    low: Floats
    high: Floats

    fewest: int
    """How many runs there are at the size with the fewest."""

    @property
    def middle(self) -> Floats:
        """The middle of each bracket; of a bracket open at one side, its other end."""
        ends = np.stack([self.low, self.high])
        finite = np.isfinite(ends)
        return np.asarray(np.where(finite, ends, 0).sum(axis=0) / finite.sum(axis=0))


def emergence_brackets(
    dataset: xr.Dataset, threshold: float, part: str | None = None, best_of_seeds: bool = False
) -> Brackets:
    """Where an ability emerges, for each seed (or once, for the best of them).

    Raises:
        NotEnoughDataError: no finished run, or more than one data size or swept value.
    """
    data = single_curve(of_part(canonical(dataset), part), "model_size", "seed")
    accuracy = settled(data, generalization_accuracy(data))
    accuracy = accuracy.dropna("seed", how="all").dropna("model_size", how="all")
    if not accuracy.size:
        raise NotEnoughDataError("no finished run has validation examples")
    fewest = int(accuracy.notnull().sum("seed").min())
    if best_of_seeds:
        accuracy = accuracy.max("seed").expand_dims("seed")
    size = np.log2(accuracy["parameters"].to_numpy().astype(float))
    values = accuracy.transpose("seed", "model_size").to_numpy()
    high = np.where(reaches(values, threshold), size, np.inf).min(axis=1)
    failed = ~np.isnan(values) & (size < high[:, None])
    return Brackets(np.where(failed, size, -np.inf).max(axis=1), high, fewest)


class Emergence(Detector):
    """How many times the parameters an ability needs to emerge, as a power of two.

    log2 of the shifted experiment's parameters over the reference's; 1 is twice as many. Each
    seed's value is known only to lie between two sizes tried, and the interval spans those
    brackets too: an end is infinite where an ability never emerged, or already at the smallest
    size. Over seeds it is Welch's t; of the best of seeds, see `luckiest`.
    Huang et al. 2024, takeaways 7 and 8, Fig. 8 and 10 (for 8 the roles change places).
    """

    name = "emergence"
    Options = EmergenceOptions
    roles = ("reference", "shifted")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        options = self.options
        parts = {"reference": options.reference_part, "shifted": options.shifted_part}
        every = [
            emergence_brackets(data[role], options.threshold, parts[role]) for role in self.roles
        ]
        reference, shifted = every
        if options.best_of_seeds:
            reference, shifted = (
                emergence_brackets(data[role], options.threshold, parts[role], best_of_seeds=True)
                for role in self.roles
            )
        if np.isinf(reference.high).all() and np.isinf(shifted.high).all():
            raise NotEnoughDataError(
                f"neither experiment reaches {options.threshold:g} at any size tried"
            )
        effect = float(shifted.middle.mean() - reference.middle.mean())
        if options.best_of_seeds:
            first, second = every
            seeds = min(first.fewest, second.fewest)
            if seeds < FEWEST:
                raise NotEnoughDataError(
                    f"the best of seeds takes {FEWEST} finished runs at every model size "
                    f"that has any; one has {seeds}"
                )
            low = shifted.low.item() - luckiest(first.high, second.fewest, self.confidence)
            high = luckiest(second.high, first.fewest, self.confidence) - reference.low.item()
            orders = math.comb(first.fewest + second.fewest, first.fewest)
            luck = f"; luck alone would put one's seeds all first in 1 of {orders} orders"
        else:
            luck, seeds = "", min(self._seeds(data[role]) for role in self.roles)
            low = self._end(shifted.low, reference.high, low=True)
            high = self._end(shifted.high, reference.low, low=False)
        return Finding(
            effect=effect,
            low=low,
            high=high,
            unit="log2 of the parameters needed, shifted over reference",
            seeds=seeds,
            evidence=(
                f"it takes {_words(reference)} parameters in the reference "
                f"and {_words(shifted)} when shifted{luck}"
            ),
            details={
                "reference_low": [float(value) for value in reference.low],
                "reference_high": [float(value) for value in reference.high],
                "shifted_low": [float(value) for value in shifted.low],
                "shifted_high": [float(value) for value in shifted.high],
            },
        )

    def _end(self, shifted: Floats, reference: Floats, *, low: bool) -> float:
        """One end of the interval: what the brackets' ends allow, and the spread over seeds."""
        if not (np.isfinite(shifted).all() and np.isfinite(reference).all()):
            return -np.inf if low else np.inf
        interval = welch_interval(shifted, reference, self.confidence)
        return interval.low if low else interval.high

    def _seeds(self, dataset: xr.Dataset) -> int:
        return int((dataset["status"] == 1).any(set(dataset["status"].dims) - {"seed"}).sum())


def luckiest(values: Floats, others: int, confidence: float) -> float:
    """How large the smallest of some values may have to be taken for, had luck favoured them.

    Were they of one kind with as many `others`, the smallest r of all would be among them with the
    probability C(N - r, others) / C(N, others). The first r that is as improbable as an end of the
    interval may be is taken; where none is, the largest value. With three seeds against three that
    is the end of a one-sided interval of 0.95, and no surer one can be had.

    Args:
        values: log2 of the parameters at which each seed has the ability.
        others: how many seeds they are compared with, at the size with the fewest runs.
        confidence: of the two-sided interval.
    """
    tail, number = (1 - confidence) / 2, len(values)
    orders = math.comb(number + others, others)
    for rank in range(1, number):
        if math.comb(number + others - rank, others) / orders <= tail:
            return float(np.sort(values)[rank - 1])
    return float(values.max())


def _words(brackets: Brackets) -> str:
    low, high = float(np.median(brackets.low)), float(np.median(brackets.high))
    if np.isinf(high):
        return f"more than {2**low:.0f}"
    return f"at most {2**high:.0f}" if np.isinf(low) else f"{2**low:.0f} to {2**high:.0f}"
