"""Whether two measured curves tell which dynamic a run will show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.curves import canonical, of_part, single_curve
from grokbench.readout.dynamics import Dynamic, Thresholds, classify
from grokbench.statistics.intervals import Floats
from grokbench.statistics.jackknife import Replicates
from grokbench.theory.baselines import GUESSES, Known, Labels, Observed
from grokbench.theory.dividing_curves import log2_parameters
from grokbench.theory.zones import FORETOLD, ZoneMap, ZoneOptions, zone_map


class ZonePrediction(Detector):
    """How much better than a guess the capacity and critical-size curves foretell each run.

    A run counts as foretold as far as the curves, with their uncertainty, give its dynamic: to 0.7
    if its cell lies in that zone with probability 0.7. The effect is the share of runs foretold
    less the share that the best of several guesses without the theory gets right.
    Huang et al. 2024, takeaway 3, Fig. 1.
    """

    name = "zone_prediction"
    Options = ZoneOptions
    roles = ("memorization", "critical", "target")
    drawn_by = "grokbench.report.figures.zones:map_of_zones"
    figure_spans = ("model_size", "data_size")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        options = self.options
        found = zone_map(data["memorization"], data["critical"], data["target"], options)
        found.critical.check_seeds()
        target = _observed(found.target, options)
        critical = (
            target
            if found.alone.all() and data["critical"] is data["target"]
            else _observed(data["critical"], options)
        )
        score = _Score(found, target)
        own = found.target["model_size"].to_numpy().astype(str)
        fitted = canonical(data["critical"])["model_size"].to_numpy().astype(str)
        known = Known(target, critical, (own[:, None] == fitted) & found.alone[:, None])
        gains = {name: score.gain(guess(known)) for name, guess in GUESSES.items()}
        intervals = {name: gain.interval(self.confidence) for name, gain in gains.items()}
        agreement = float(score.foretold().mean())
        best = min(gains, key=lambda name: gains[name].value)
        cells, runs = int(score.scored.any(axis=-1).sum()), int(score.scored.sum())
        return Finding(
            effect=gains[best].value,
            low=min(interval.low for interval in intervals.values()),
            high=min(interval.high for interval in intervals.values()),
            unit="share of runs foretold, less that of the best guess without the theory",
            seeds=min(found.capacity.seeds, len(found.critical.seeds), len(score.seeds)),
            evidence=(
                f"the curves foretell {agreement:.0%} of {runs} runs in {cells} of "
                f"{score.scored[..., 0].size} cells{_alone(found, score)}; the best guess, {best}, "
                f"{agreement - gains[best].value:.0%}"
            ),
            details={
                "agreement": agreement,
                "guesses": {name: agreement - gain.value for name, gain in gains.items()},
                "cells": cells,
                "runs": runs,
                "never_foretold": int((target.dynamics[score.scored] == int(Dynamic.NONE)).sum()),
                **score.by_distance(),
                "confusion": score.confusion(),
            },
        )


def _observed(dataset: xr.Dataset, options: ZoneOptions) -> Observed:
    data = of_part(canonical(dataset), options.part)
    data = single_curve(data, "model_size", "data_size", "seed")
    thresholds = Thresholds(
        **{name: getattr(options, name) for name in Thresholds.model_fields if name != "part"}
    )
    runs = classify(data, thresholds)["dynamic"].transpose("model_size", "data_size", "seed")
    amounts = np.log2(data["data_size"].to_numpy().astype(float))
    return Observed(runs.to_numpy(), log2_parameters(data), amounts)


def _alone(found: ZoneMap, score: _Score) -> str:
    """How many of the scored cells were foretold from other model sizes alone."""
    cells = int(np.asarray(score.scored.any(axis=-1))[found.alone].sum())
    return f" ({cells} of them with their model size left out of the fit)" if cells else ""


@dataclass(frozen=True, eq=False)
class _Score:
    """The zone_map held against what the target's runs did."""

    found: ZoneMap
    target: Observed

    def __post_init__(self) -> None:
        if len(self.seeds) < 2:
            raise NotEnoughDataError(
                "a prediction needs a target with finished runs of two seeds, at model sizes whose "
                "critical data size can be read off two others"
            )

    @property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Which runs count: finished ones in cells that the curves reach."""
        reached = np.asarray(~np.isnan(self._probable(0, 0)).any(axis=-1))
        return np.asarray((self.target.dynamics != int(Dynamic.UNKNOWN)) & reached[..., None])

    @property
    def seeds(self) -> npt.NDArray[np.int64]:
        """The labels of the seeds with such runs."""
        return np.asarray(self.found.target["seed"].to_numpy()[self.scored.any(axis=(0, 1))])

    def foretold(self, capacity: int = 0, critical: int = 0) -> Floats:
        """The share of each seed's runs that these rows of the curves foretell."""
        probable = np.nan_to_num(self._probable(capacity, critical))
        hits = sum(
            probable[..., None, index] * (self.target.dynamics == int(dynamic))
            for index, dynamic in enumerate(FORETOLD)
        )
        return self._shares(np.asarray(hits, float))

    def gain(self, guessed: Labels) -> Replicates:
        """How much more is foretold than guessed, and without each seed of each experiment.

        A seed that the target and the critical experiment have runs in common of is left out of
        both at once.
        """
        lucky = self._shares((self.target.dynamics == guessed[..., None]).astype(float))
        every = np.ones(len(lucky), bool)

        def gained(capacity: int = 0, critical: int = 0, kept: Labels = every) -> float:
            return float((self.foretold(capacity, critical) - lucky)[kept].mean())

        fitted, ours = self.found.critical.seeds, self.seeds
        memory = [gained(capacity=1 + i) for i in range(len(self.found.capacity.labels) - 1)]
        if self.found.alone.any():
            row = {seed: 1 + i for i, seed in enumerate(fitted.tolist())}
            together = [
                gained(critical=row.get(seed, 0), kept=ours != seed)
                for seed in np.union1d(fitted, ours).tolist()
            ]
            groups = [memory, together]
        else:
            alone = [gained(critical=1 + i) for i in range(len(fitted))]
            groups = [memory, alone, [gained(kept=ours != seed) for seed in ours.tolist()]]
        moved = range(1 + len(fitted), len(self.found.critical.levels))
        return Replicates(
            gained(),
            [np.array(group) for group in groups],
            np.array([gained(critical=index) for index in moved]),
        )

    def by_distance(self) -> dict[str, float | None]:
        """Agreement at model sizes within those of the critical curve's fit, and beyond them."""
        sizes, curve = self.found.sizes, self.found.critical
        within = (sizes >= curve.smallest) & (sizes <= curve.largest)
        return {
            "agreement_within_the_fit": self._agreement(within),
            "agreement_beyond_the_fit": self._agreement(~within),
        }

    def confusion(self) -> dict[str, dict[str, int]]:
        """How many runs of each likeliest zone showed each dynamic."""
        likeliest = np.array(FORETOLD)[np.nan_to_num(self._probable(0, 0)).argmax(axis=-1)]
        expected = np.broadcast_to(likeliest[..., None], self.target.dynamics.shape)[self.scored]
        pairs = Counter(
            (Dynamic(int(first)).label, Dynamic(int(second)).label)
            for first, second in zip(expected, self.target.dynamics[self.scored], strict=True)
        )
        table: dict[str, dict[str, int]] = {}
        for (first, second), count in sorted(pairs.items()):
            table.setdefault(first, {})[second] = count
        return table

    def _probable(self, capacity: int, critical: int) -> Floats:
        return self.found.borders.probabilities(self.found.amounts, capacity, critical)

    def _agreement(self, sizes: npt.NDArray[np.bool_]) -> float | None:
        probable, scored = self._probable(0, 0)[sizes], self.scored[sizes]
        if not scored.any():
            return None
        runs = self.target.dynamics[sizes]
        hits = sum(
            probable[..., None, index] * (runs == int(dynamic))
            for index, dynamic in enumerate(FORETOLD)
        )
        return float(np.asarray(hits)[scored].mean())

    def _shares(self, hits: Floats) -> Floats:
        """For each seed with runs that count, the mean of its hits ([sizes, amounts, seeds])."""
        total = self.scored.sum(axis=(0, 1))
        return np.asarray(
            np.where(self.scored, hits, 0).sum(axis=(0, 1))[total > 0] / total[total > 0]
        )
