"""By what factor the delay of grokking, or another time, is longer in one experiment than in another.

*Estimated*: the median of log10 of the time in the experiment `shifted` minus that in the experiment
`reference`, in decades. -0.7 means a fifth of the time. `time` is the delay (steps to generalize over steps to
memorize), or the steps to generalize, or those to memorize.

*Method*: the location of each experiment and its interval are those of `grokking_delay`, which keeps censored
runs. The interval of the difference joins the two: the distance from each end to the effect is the root of the
sum of the squared distances of the two intervals there (Zou and Donner 2008). An end that one of the two does
not have is infinite.

*Source*: Liu et al. 2022 (Omnigrok, arXiv:2210.01117), § 3: constraining the norm of the weights removes the
delay. Zou and Donner 2008, Statistics in Medicine 27, 1693–1702.

*Assumptions*: those of `grokking_delay`, and that the experiments are independent. The two may spread
differently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import xarray as xr

from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.delays import Time, Times, crossing_times, logarithms
from grokbench.readout.dynamics import Thresholds
from grokbench.readout.grid import canonical, of_part, single_curve
from grokbench.statistics.censored_times import Estimate, Median, location


class DelayRatioOptions(Thresholds):
    time: Time = "delay"
    """`delay`: the steps to generalize over the steps to memorize. `generalization`, `memorization`: these
    steps themselves."""


class DelayRatio(Detector):
    """log10 of the factor by which the delay of grokking is longer in shifted than in the reference.

    Runs that did not generalize within their steps count. Liu et al. 2022 (Omnigrok), § 3.
    """

    name = "delay_ratio"
    Options = DelayRatioOptions
    roles = ("reference", "shifted")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = {role: self.once(_measured, data[role], self.options) for role in self.roles}
        reference, shifted = (found[role][1].interval(self.confidence) for role in self.roles)
        effect = shifted.estimate - reference.estimate
        below = math.hypot(shifted.estimate - shifted.low, reference.high - reference.estimate)
        above = math.hypot(shifted.high - shifted.estimate, reference.estimate - reference.low)
        of_runs = {role: times for role, (times, _) in found.items()}
        return Finding(
            effect=effect,
            low=effect - below,
            high=effect + above,
            unit=f"log10 of the ratio of the time to {WORDS[self.options.time]} (shifted over reference)",
            seeds=min(int(times.of_some_use.sum()) for times in of_runs.values()),
            evidence="; ".join(f"{role}: {times.words()}" for role, times in of_runs.items())
            + f"; the fitted time of shifted is {10**effect:.3g} times that of the reference",
            details={
                "factor": float(10**effect),
                "reference": [reference.estimate, reference.low, reference.high],
                "shifted": [shifted.estimate, shifted.low, shifted.high],
            },
        )


WORDS = {
    "delay": "generalize, over that to memorize",
    "generalization": "generalize",
    "memorization": "memorize",
}


def _measured(dataset: xr.Dataset, options: DelayRatioOptions) -> tuple[Times, Estimate | Median]:
    data = single_curve(of_part(canonical(dataset), options.part), "seed")
    times = logarithms(
        crossing_times(data, options.model_copy(update={"part": None})), options.time
    )
    if not len(times.memorized):
        raise NotEnoughDataError("no finished run has validation examples")
    return times, location(times.brackets)
