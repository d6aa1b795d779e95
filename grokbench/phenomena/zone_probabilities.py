"""Whether the two curves of the theory predict how many runs of each cell show each dynamic.

*Estimated*: the Brier skill of the predicted shares against the best baseline: 1 minus the mean
score of the theory over that of the baseline. 0: as good as the best baseline; 1: certain and right.

*Method*: The capacity curve and the critical curve, with their widths, give each cell of the target
probabilities of the dynamics (`grokbench.theory.predicted_shares`). Each run is scored. The
interval joins two parts: the runs of the target vary while the predictions stay
(`grokbench.statistics.skill`), and the predictions vary with the runs that they come from (a
jackknife). Which baseline is best is not known beforehand. The lower end is the lowest of all
baselines' (intersection–union test). The upper end is the lowest of upper ends with the tail divided
by the number of baselines (Bonferroni).

*Source*: Huang et al. 2024, § 3, takeaway 3, Fig. 1. The score: Brier 1950.

*Assumptions*: Runs are independent trials, also those of one seed. The capacity rises with model
size and is a power law beyond the sizes measured; the critical data size is a power law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.dynamics import Dynamic
from grokbench.statistics.intervals import Floats, t_quantile
from grokbench.statistics.jackknife import Jackknife
from grokbench.statistics.skill import Skills, brier_scores, skill, skills
from grokbench.theory.predicted_shares import BASELINES, OUTCOMES, Predictor, predictor, zone_of
from grokbench.theory.zones import CurveOptions

FEWEST_SEEDS = 2


class ZoneProbabilities(Detector):
    """How much better than baselines the two curves predict the shares of the dynamics in a cell.

    The effect is a Brier skill: 0 as good as the best baseline, 1 perfect, negative if worse.
    Huang et al. 2024, takeaway 3, Fig. 1.
    """

    name = "zone_probabilities"
    Options = CurveOptions
    roles = ("memorization", "critical", "target")
    drawn_by = "grokbench.report.figures.zones:shares_of_zones"
    figure_spans = ("model_size", "data_size")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        comparison = self.once(
            _compared, data["memorization"], data["critical"], data["target"], self.options
        )
        source = comparison.source
        tail = (1 - self.confidence) / 2
        found = comparison.intervals(tail)
        best = int(found.estimate.argmin())
        ours, theirs = comparison.mean_scores
        counts = source.target.counts
        cells = int((counts.sum(axis=1) > 0).sum())
        runs = int(source.target.known.sum())
        held_out = int((source.left_out[counts.sum(axis=1) > 0] >= 0).sum())
        left_out = f" ({held_out} of them without their own runs)" if held_out else ""
        return Finding(
            effect=float(found.estimate[best]),
            low=float(found.low.min()),
            high=float(found.high.min()),
            unit="Brier skill against the best baseline",
            seeds=min(source.curve.seeds, source.fitted.seeds, source.target.seeds),
            evidence=(
                f"{runs} runs in {cells} cells{left_out}: the curves' probabilities of the dynamics "
                f"have a mean Brier score of {ours:.3f}, those of the best baseline, "
                f"{BASELINES[best]}, {theirs[best]:.3f} (0 is perfect)"
            ),
            # These keys are part of the document `verdicts.json`.
            details={
                "score": ours,
                "baselines": {
                    name: {
                        "score": float(theirs[index]),
                        "skill": float(found.estimate[index]),
                        "low": float(found.low[index]),
                        "high": float(found.high[index]),
                    }
                    for index, name in enumerate(BASELINES)
                },
                "cells": cells,
                "runs": runs,
                "cells_without_their_own_runs": held_out,
                "zones": comparison.zones(self.options),
            },
        )


@dataclass(frozen=True, eq=False)
class _Comparison:
    """Predicted shares, compared with the outcomes of the target's runs."""

    source: Predictor

    @cached_property
    def counts(self) -> Floats:
        return self.source.target.counts

    @cached_property
    def theory(self) -> Floats:
        return self.source.shares().theory

    @cached_property
    def baselines(self) -> Floats:
        return self.source.shares().baselines

    @property
    def mean_scores(self) -> tuple[float, Floats]:
        """The mean Brier score of the theory, and of each baseline."""
        runs = self.counts.sum()
        ours = (self.counts * brier_scores(self.theory)).sum() / runs
        theirs = (self.counts * brier_scores(self.baselines)).sum(axis=(-1, -2)) / runs
        return float(ours), np.asarray(theirs)

    def intervals(self, tail: float) -> Skills:
        """The skill against each baseline, with both parts of its uncertainty.

        The distances of the two parts from the estimate are joined as the root of the sum of their
        squares (Zou and Donner 2008, Statistics in Medicine 27, 1693–1702).

        Args:
            tail: in what share of experiments each end may lie on the wrong side.
        """
        tails = (tail, tail / len(BASELINES))
        of_runs = skills(self.theory, self.baselines, self.counts, tails)
        estimate = of_runs.estimate
        below, above = estimate - of_runs.low, of_runs.high - estimate
        for index, one in enumerate(self.jackknives):
            spread = np.sqrt(one.variance)
            if spread > 0:
                reach = [t_quantile(one.freedom, 1 - 2 * tail) * spread for tail in tails]
                below[index] = np.hypot(below[index], reach[0])
                above[index] = np.hypot(above[index], reach[1])
        return Skills(estimate, estimate - below, np.minimum(estimate + above, 1.0))

    @cached_property
    def jackknives(self) -> list[Jackknife]:
        """How the skill against each baseline varies with the runs that predictions come from."""

        def skills_of(theory: Floats, baselines: Floats) -> Floats:
            return skill(theory, baselines, self.counts)

        estimate = skills_of(self.theory, self.baselines)
        groups = [
            np.array([skills_of(one.theory, one.baselines) for one in replicates])
            for replicates in (self.source.without_runs(), self.source.without_random_labels())
        ]
        return [
            Jackknife(float(estimate[index]), [group[:, index] for group in groups], np.empty(0))
            for index in range(len(BASELINES))
        ]

    def zones(self, options: CurveOptions) -> dict[str, Any]:
        """For each predicted zone: predicted and observed shares, and the zones observed.

        A cell counts for the zone that its predicted shares give (see `zone_of`).
        """
        runs = self.counts.sum(axis=1)
        there = runs > 0
        expected, seen = zone_of(self.theory, options), zone_of(self.counts, options)
        names = [one.label for one in OUTCOMES]
        table: dict[str, Any] = {}
        for zone in np.unique(expected[there]):
            cells = there & (expected == zone)
            total = runs[cells].sum()
            predicted = (runs[cells, None] * self.theory[cells]).sum(axis=0) / total
            shown = self.counts[cells].sum(axis=0) / total
            of_zones, numbers = np.unique(seen[cells], return_counts=True)
            table[Dynamic(int(zone)).label] = {
                "cells": int(cells.sum()),
                "runs": round(float(total)),
                "predicted": dict(zip(names, map(float, predicted), strict=True)),
                "observed": dict(zip(names, map(float, shown), strict=True)),
                "observed_zones": {
                    Dynamic(int(one)).label: int(number)
                    for one, number in zip(of_zones, numbers, strict=True)
                },
            }
        return table


def _compared(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, options: CurveOptions
) -> _Comparison:
    source = predictor(memorization, critical, target, options)
    for role, seeds in (("critical", source.fitted.seeds), ("target", source.target.seeds)):
        if seeds < FEWEST_SEEDS:
            raise NotEnoughDataError(
                f"the experiment {role!r} needs finished runs of {FEWEST_SEEDS} seeds or more; "
                f"there is {seeds}"
            )
    return _Comparison(source)
