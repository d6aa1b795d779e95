"""By what factor generalizing takes longer than memorizing.

*Estimated*: the median of log10(step from which a run has generalized / step from which it has memorized), in
decades. 1 means ten times the steps; 0 means at the same step; a negative number means that runs generalize
first.

*Method*: each run's delay is known to lie between two numbers, because runs are evaluated at some steps only. A
run that has not generalized by its last step has a delay of at least a known one (right-censored), and a run
that generalizes without memorizing one of at most a known one. All of these count. A location with logistic
errors is fitted to the brackets, and the interval comes from likelihood ratios
(`grokbench.statistics.censored_times`). Its upper end may be infinite. If all runs but one at most are
censored, the interval is that of the sign test.

*Source*: Power et al. 2022 (arXiv:2201.02177), Fig. 1; Liu et al. 2022 (Omnigrok, arXiv:2210.01117), § 2 and 3,
which show single runs and have no statistic.

*Assumptions*: Seeds are independent. The logarithms are symmetric about their median, nearly as logistic or
normal values are. A run that was stopped is no other than the rest: how soon a run memorizes says nothing of
its delay.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.curves import generalization_accuracy
from grokbench.readout.delays import Times, crossing_times, logarithms
from grokbench.readout.dynamics import Thresholds
from grokbench.readout.grid import canonical, finished, of_part, single_curve
from grokbench.statistics.censored_times import Estimate, Median, location


class GrokkingDelayOptions(Thresholds):
    """Those of the dynamics; `generalizing_at` has no part in the delay."""


class GrokkingDelay(Detector):
    """log10 of the factor by which generalizing takes more steps than memorizing.

    Runs that did not generalize within their steps count. Power et al. 2022, Fig. 1.
    """

    name = "grokking_delay"
    Options = GrokkingDelayOptions
    null = None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        times, delay = self.once(_measured, data["experiment"], self.options)
        interval = delay.interval(self.confidence)
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit="log10 of the steps to generalize over the steps to memorize",
            seeds=int(times.of_some_use.sum()),
            evidence=f"{times.words()}; runs generalize after {_bound(times)}{10**interval.estimate:.3g} "
            "times the steps that they take to memorize",
            details={
                "factor": float(10**interval.estimate),
                "runs": len(times.memorized),
                "censored": int((~(times.memorized & times.generalized)).sum()),
                "low_of_runs": np.sort(times.brackets.lower).tolist(),
                "high_of_runs": np.sort(times.brackets.upper).tolist(),
            },
        )


def _bound(times: Times) -> str:
    """What to write before a factor that is only a bound."""
    if not times.generalized.any():
        return "more than "
    return "" if times.memorized.any() else "less than "


def _measured(dataset: xr.Dataset, options: Thresholds) -> tuple[Times, Estimate | Median]:
    data = single_curve(of_part(canonical(dataset), options.part), "seed")
    times = logarithms(crossing_times(data, options.model_copy(update={"part": None})), "delay")
    if not times.of_some_use.any():
        words = "no run memorizes or generalizes within its steps"
        known = finished(data) & generalization_accuracy(data).notnull().any("step")
        if not bool(known.any()):
            raise NotEnoughDataError("no finished run has validation examples")
        if bool(known.all()):
            raise OutOfReachError(
                f"{words}, so more seeds cannot test the claim: try more steps, or larger models"
            )
        raise NotEnoughDataError(words)
    return times, location(times.brackets)
