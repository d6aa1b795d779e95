"""Whether the two curves of the theory predict the training dynamic of each run. Superseded.

`zone_probabilities` takes this detector's place; suites with stored results still name this one. It
rejects a true theory in which runs near the critical data size generalize fully or not at all: its
best baseline knows the target's own runs around a cell, and it predicts semi-grokking for each run
of the zone below the critical curve, where single runs grok or do not.

*Estimated*: the share of runs whose dynamic the curves predict, minus the share that the best
baseline predicts. A baseline does not use the theory (`grokbench.theory.baselines`).

*Method*: The capacity curve and the critical curve are measured and divide the grid into zones
(`grokbench.theory.zones`). A run is predicted with the probability that its cell lies in the zone
of its dynamic, given the curves' errors. The gain over each baseline has an interval: a jackknife
over the seeds of all experiments and over the rounding errors of the data sizes. The best baseline
is not known beforehand, so the lowest of the lower ends and the lowest of the upper ends are
reported. The lower end is valid whichever baseline is the best (intersection–union test). The upper
end has no correction for choosing among the baselines, and may lie too low.

*Source*: Huang et al. 2024, § 3, takeaway 3, Fig. 1.

*Assumptions*: The capacity rises with model size and is a power law beyond the sizes measured; the
critical data size is a power law. Seeds are independent, and so are experiments unless they share
runs. Runs that show `none` are never predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import canonical, log2_parameters, of_part, single_curve
from grokbench.readout.dynamics import Dynamic, Thresholds, classify
from grokbench.statistics.intervals import Bools, Floats
from grokbench.statistics.jackknife import Jackknife, Replicates
from grokbench.theory.baselines import BASELINES, Known, Labels, Observed
from grokbench.theory.zones import ZONES, ZoneMap, ZoneOptions, ZoneProbabilities, zone_map


class ZonePrediction(Detector):
    """How much better than a baseline the capacity and critical curves predict each run's dynamic.

    The effect is the share of runs predicted, minus the share that the best baseline predicts.
    Superseded by `zone_probabilities`. Huang et al. 2024, takeaway 3, Fig. 1.
    """

    name = "zone_prediction"
    Options = ZoneOptions
    roles = ("memorization", "critical", "target")
    drawn_by = "grokbench.report.figures.zones:map_of_zones"
    figure_spans = ("model_size", "data_size")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        known, comparison, gains = self.once(
            self._compared, data["memorization"], data["critical"], data["target"]
        )
        zones = comparison.zones
        intervals = [gain.interval(self.confidence) for gain in gains.values()]
        best = min(gains, key=lambda name: gains[name].estimate)
        agreement = comparison.agreement
        scored = comparison.scored
        cells, runs = int(scored.any(axis=-1).sum()), int(scored.sum())
        return Finding(
            effect=gains[best].estimate,
            low=min(interval.low for interval in intervals),
            high=min(interval.high for interval in intervals),
            unit="share of runs predicted, minus the share that the best baseline predicts",
            seeds=min(zones.capacity.seeds, len(zones.critical.seeds), len(comparison.seeds)),
            evidence=(
                f"the curves predict {agreement:.0%} of {runs} runs in {cells} of "
                f"{scored[..., 0].size} cells{comparison.cells_held_out}; the best baseline, "
                f"{best}, predicts {agreement - gains[best].estimate:.0%}"
            ),
            # These keys are part of the document `verdicts.json`.
            details={
                "agreement": agreement,
                "guesses": {name: agreement - gain.estimate for name, gain in gains.items()},
                "cells": cells,
                "runs": runs,
                "never_foretold": int((known.target.dynamics[scored] == int(Dynamic.NONE)).sum()),
                **comparison.by_distance(),
                "confusion": comparison.confusion(),
            },
        )

    def _compared(
        self, memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset
    ) -> tuple[Known, _Comparison, dict[str, Jackknife]]:
        """What baselines know, the comparison, and the gain over each baseline."""
        zones = zone_map(memorization, critical, target, self.options)
        zones.critical.check_seeds()
        known = self._known(zones, critical, same_data=critical is target)
        comparison = _Comparison(zones, known.target)
        return (
            known,
            comparison,
            {name: comparison.gain(predict(known)) for name, predict in BASELINES.items()},
        )

    def _known(self, zones: ZoneMap, critical: xr.Dataset, *, same_data: bool) -> Known:
        """What the baselines may know of the target and of the critical experiment.

        Args:
            same_data: whether the critical experiment is the target.
        """
        target = self._observed(zones.target)
        # To classify runs takes time, and one experiment often plays both roles.
        same = same_data and bool(zones.held_out.all())
        own = zones.target["model_size"].to_numpy().astype(str)
        fitted = canonical(critical)["model_size"].to_numpy().astype(str)
        return Known(
            target,
            target if same else self._observed(critical),
            excluded=(own[:, None] == fitted) & zones.held_out[:, None],
        )

    def _observed(self, dataset: xr.Dataset) -> Observed:
        options = self.options
        data = of_part(canonical(dataset), options.part)
        data = single_curve(data, "model_size", "data_size", "seed")
        # `data` has one part only, so the thresholds name none.
        thresholds = Thresholds(
            **{name: getattr(options, name) for name in Thresholds.model_fields if name != "part"}
        )
        runs = classify(data, thresholds)["dynamic"].transpose("model_size", "data_size", "seed")
        data_sizes = np.log2(data["data_size"].to_numpy().astype(float))
        return Observed(runs.to_numpy(), log2_parameters(data), data_sizes)


@dataclass(frozen=True, eq=False)
class _Comparison:
    """The zone map compared with the dynamics that the target's runs showed."""

    zones: ZoneMap
    target: Observed

    def __post_init__(self) -> None:
        if len(self.seeds) < 2:
            raise NotEnoughDataError(
                "a prediction needs a target with finished runs of two seeds, at model sizes whose "
                "critical data size can be read off two others"
            )

    @cached_property
    def probabilities(self) -> ZoneProbabilities:
        """Of each zone in each cell, [sizes, data sizes, zones]."""
        return self.zones.borders.probabilities(self.zones.data_sizes)

    @cached_property
    def scored(self) -> Bools:
        """Runs of a known dynamic in cells with a prediction: bool [sizes, data sizes, seeds]."""
        has_prediction = np.asarray(~np.isnan(self.probabilities.estimate).any(axis=-1))
        return np.asarray(
            (self.target.dynamics != int(Dynamic.UNKNOWN)) & has_prediction[..., None]
        )

    @cached_property
    def seeds(self) -> npt.NDArray[np.int64]:
        """Labels of the target's seeds that have scored runs."""
        return np.asarray(self.zones.target["seed"].to_numpy()[self.scored.any(axis=(0, 1))])

    @cached_property
    def predicted(self) -> tuple[Replicates, Replicates]:
        """The share of each seed's runs that the curves predict, [seeds].

        First with the replicates of the experiment on random labels, then with the replicates of
        the critical experiment; both have the same estimate.
        """

        def share(probable: Floats) -> Floats:
            return self._share_of_seeds(self._credit(probable))

        return self.probabilities.memorization.map(share), self.probabilities.critical.map(share)

    @property
    def agreement(self) -> float:
        """The share of runs predicted: the mean over seeds of each seed's share."""
        _, by_critical = self.predicted
        return float(by_critical.estimate.mean())

    def gain(self, baseline: Labels) -> Jackknife:
        """The share of runs that the curves predict, minus the share that a baseline predicts.

        Where the target and the critical experiment share runs, a seed is left out of both at once,
        because the two are not independent.

        Args:
            baseline: the dynamic that the baseline predicts for each cell, [sizes, data sizes].
        """
        right = self._share_of_seeds((self.target.dynamics == baseline[..., None]).astype(float))
        everyone = np.ones(len(right), bool)

        def gain(predicted: Floats, kept: Bools = everyone) -> float:
            return float((predicted - right)[kept].mean())

        by_memorization, by_critical = self.predicted
        estimate, ours, fitted = by_critical.estimate, self.seeds, self.zones.critical.seeds
        memorization, critical = by_memorization.map(gain), by_critical.map(gain)
        if self.zones.held_out.any():
            without = dict(zip(fitted.tolist(), by_critical.left_out, strict=True))
            either = [
                gain(without.get(seed, estimate), ours != seed)
                for seed in np.union1d(fitted, ours).tolist()
            ]
            groups = [memorization.left_out, np.array(either)]
        else:
            target = [gain(estimate, ours != seed) for seed in ours.tolist()]
            groups = [memorization.left_out, critical.left_out, np.array(target)]
        return Jackknife(gain(estimate), groups, critical.moved)

    def by_distance(self) -> dict[str, float | None]:
        """The agreement at model sizes in the range of the critical curve's fit, and beyond it."""
        sizes, curve = self.zones.sizes, self.zones.critical
        within = (sizes >= curve.smallest) & (sizes <= curve.largest)
        return {
            "agreement_within_the_fit": self._agreement(within),
            "agreement_beyond_the_fit": self._agreement(~within),
        }

    def confusion(self) -> dict[str, dict[str, int]]:
        """The numbers of scored runs, by the most probable dynamic and then the dynamic shown."""
        probable = np.nan_to_num(self.probabilities.estimate)
        likeliest = np.array(ZONES)[probable.argmax(axis=-1)]
        expected = np.broadcast_to(likeliest[..., None], self.target.dynamics.shape)[self.scored]
        pairs = Counter(
            (Dynamic(int(first)).label, Dynamic(int(second)).label)
            for first, second in zip(expected, self.target.dynamics[self.scored], strict=True)
        )
        table: dict[str, dict[str, int]] = {}
        for (first, second), count in sorted(pairs.items()):
            table.setdefault(first, {})[second] = count
        return table

    @property
    def cells_held_out(self) -> str:
        """For the evidence: how many cells are predicted by a curve fitted without their size."""
        cells = int(np.asarray(self.scored.any(axis=-1))[self.zones.held_out].sum())
        return f" ({cells} of them with their model size left out of the fit)" if cells else ""

    def _credit(self, probable: Floats) -> Floats:
        """The predicted probability of the dynamic that each run showed.

        [sizes, data sizes, seeds]; 0 for the dynamic `none`, and in cells without a prediction.
        """
        credit = sum(
            np.nan_to_num(probable)[..., None, index] * (self.target.dynamics == int(dynamic))
            for index, dynamic in enumerate(ZONES)
        )
        return np.asarray(credit, float)

    def _agreement(self, sizes: Bools) -> float | None:
        """The mean credit of the scored runs at some model sizes; None without scored runs."""
        scored = self.scored[sizes]
        if not scored.any():
            return None
        return float(self._credit(self.probabilities.estimate)[sizes][scored].mean())

    def _share_of_seeds(self, credit: Floats) -> Floats:
        """The mean credit of each seed's scored runs, [seeds] of `self.seeds`."""
        runs = self.scored.sum(axis=(0, 1))
        credited = np.where(self.scored, credit, 0).sum(axis=(0, 1))
        return np.asarray(credited[runs > 0] / runs[runs > 0])
