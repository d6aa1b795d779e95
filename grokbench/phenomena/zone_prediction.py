"""Whether two measured curves tell which dynamic a run will show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.critical_data_size import critical_data_sizes
from grokbench.phenomena.curves import canonical, of_part, single_curve
from grokbench.phenomena.dynamics import Dynamic, Share, Thresholds, classify
from grokbench.phenomena.intervals import Floats, t_interval
from grokbench.phenomena.memorization_capacity import capacities

Labels = npt.NDArray[np.int8]


class ZonePredictionOptions(Thresholds):
    band: Annotated[Share, Field()] = 0.3
    """Semi-grokking is expected from this share below the critical data size up to it.

    Huang et al. 2024, § 2.2: about 1000 examples below critical sizes of 3000 to 4000.
    """


def zones(
    memorization: xr.Dataset, target: xr.Dataset, options: ZonePredictionOptions | None = None
) -> xr.DataArray:
    """The dynamic that each cell of `target` should show, by Fig. 1 of Huang et al. 2024.

    More data than the model's memorization capacity: progression. Otherwise less than the
    critical data size: ungrokking, or just below it semi-grokking; from it on: grokking.
    The capacity comes from `memorization`; the critical data size of each model size is
    interpolated from the *other* model sizes of `target`, so that no cell predicts itself. Both are
    interpolated over log2(parameters), on a logarithmic scale.

    Returns:
        Over `model_size` and `data_size`: int8, the values of `Dynamic`; UNKNOWN where fewer than
        two other model sizes have finished runs.
    """
    options = options or ZonePredictionOptions()
    data = _target(target, options)
    capacity = capacities(memorization).dropna("model_size", subset=["capacity"])
    if not capacity.sizes["model_size"]:
        raise NotEnoughDataError("the memorization experiment has no finished run")
    curve = critical_data_sizes(data, options.generalized_at)
    amounts = data["data_size"].to_numpy().astype(float)
    sizes = _log2(data["parameters"])
    limits = 2 ** np.interp(sizes, _log2(capacity["parameters"]), _log2(capacity["capacity"]))
    predicted = [
        _zones_of_size(amounts, limit, _critical_elsewhere(curve, index, amounts), options.band)
        for index, limit in enumerate(limits)
    ]
    return xr.DataArray(
        np.array(predicted, np.int8),
        {name: data[name] for name in ("model_size", "data_size")},
        ("model_size", "data_size"),
    )


def _target(target: xr.Dataset, options: ZonePredictionOptions) -> xr.Dataset:
    data = of_part(canonical(target), options.part)
    return single_curve(data, "model_size", "data_size", "seed")


def _zones_of_size(amounts: Floats, capacity: float, critical: float, band: float) -> list[Dynamic]:
    if np.isnan(critical):
        return [Dynamic.UNKNOWN] * len(amounts)
    zones = []
    for amount in amounts:
        if amount > capacity:
            zones.append(Dynamic.PROGRESSION)
        elif amount >= critical:
            zones.append(Dynamic.GROKKING)
        elif amount >= (1 - band) * critical:
            zones.append(Dynamic.SEMI_GROKKING)
        else:
            zones.append(Dynamic.UNGROKKING)
    return zones


def _critical_elsewhere(curve: xr.Dataset, index: int, amounts: Floats) -> float:
    """The critical data size at one model size, interpolated from all the others.

    Between two sizes at which no amount of data was enough, none is expected to be: infinite.
    Between one such and another, the former counts as one step of the grid beyond its last.
    """
    others = curve.drop_isel(model_size=index).dropna("model_size", subset=["low"])
    if others.sizes["model_size"] < 2:
        return float("nan")
    beyond = np.log2(amounts[-1]) + (np.log2(amounts[-1] / amounts[-2]) if len(amounts) > 1 else 0)
    known = np.log2(others["estimate"].to_numpy())
    known[others["left_censored"].to_numpy()] = np.log2(amounts[0])
    known[others["right_censored"].to_numpy()] = beyond
    here = _log2(curve["parameters"])[index]
    sizes = _log2(others["parameters"])
    position = int(np.searchsorted(sizes, here))
    neighbours = others["right_censored"].to_numpy()[max(position - 1, 0) : position + 1]
    if neighbours.all():
        return float("inf")
    return float(2 ** np.interp(here, sizes, known))


def _log2(values: xr.DataArray) -> Floats:
    return np.asarray(np.log2(np.maximum(values.to_numpy().astype(float), 1.0)))


def _most_frequent(labels: Labels) -> int:
    """The commonest label (of equals the lowest); UNKNOWN for none."""
    counts = Counter(int(label) for label in labels.ravel() if label != int(Dynamic.UNKNOWN))
    return min(counts, key=lambda label: (-counts[label], label), default=int(Dynamic.UNKNOWN))


class ZonePrediction(Detector):
    """How much better than a guess the capacity and critical-size curves foretell each run.

    The share of a seed's runs whose dynamic is the one predicted for their cell, less the share
    that a guess without the theory gets right: the dynamic most frequent among the runs of all
    other model sizes. Huang et al. 2024, takeaway 3, Fig. 1.
    """

    name = "zone_prediction"
    Options = ZonePredictionOptions
    roles = ("memorization", "target")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        target = _target(data["target"], self.options)
        predicted = zones(data["memorization"], data["target"], self.options)
        runs = classify(target, self.options.model_copy(update={"part": None}))
        observed = runs["dynamic"].transpose("model_size", "data_size", "seed").to_numpy()
        expected = np.broadcast_to(predicted.to_numpy()[:, :, None], observed.shape)
        guesses = [
            _most_frequent(np.delete(observed, index, axis=0)) for index in range(len(observed))
        ]
        guessed = np.broadcast_to(np.array(guesses, np.int8)[:, None, None], observed.shape)
        unknown = int(Dynamic.UNKNOWN)
        scored = (observed != unknown) & (expected != unknown)
        seeds = scored.any(axis=(0, 1))
        if seeds.sum() < 2:
            raise NotEnoughDataError(
                "a prediction needs finished runs of at least three model sizes and two seeds"
            )
        right = _share(observed == expected, scored)[seeds]
        lucky = _share(observed == guessed, scored)[seeds]
        gain = t_interval(right - lucky)
        return Finding(
            effect=gain.estimate,
            low=gain.low,
            high=gain.high,
            unit="share of runs foretold, less that of the most frequent dynamic",
            seeds=int(seeds.sum()),
            evidence=(
                f"the curves foretell {right.mean():.0%} of {int(scored.sum())} runs, "
                f"the most frequent dynamic {lucky.mean():.0%}"
            ),
            details={
                "agreement": float(right.mean()),
                "baseline": float(lucky.mean()),
                "confusion": _confusion(expected[scored], observed[scored]),
            },
        )


def _share(hits: npt.NDArray[np.bool_], scored: npt.NDArray[np.bool_]) -> Floats:
    """For each seed, the share of its scored runs that are hits; NaN for a seed without any."""
    total = scored.sum(axis=(0, 1))
    share = (hits & scored).sum(axis=(0, 1)) / np.where(total == 0, 1, total)
    return np.asarray(np.where(total == 0, np.nan, share))


def _confusion(expected: Labels, observed: Labels) -> dict[str, dict[str, int]]:
    """How many runs of each predicted dynamic showed each observed one."""
    pairs = Counter(
        (Dynamic(int(first)).label, Dynamic(int(second)).label)
        for first, second in zip(expected, observed, strict=True)
    )
    table: dict[str, dict[str, int]] = {}
    for (first, second), count in sorted(pairs.items()):
        table.setdefault(first, {})[second] = count
    return table
