"""How the delay of grokking, or another time, changes along a numeric axis of the grid.

*Estimated*: the slope of log10(time) over log10(value of the axis). -1 means that twice the value halves the
time. The time is the delay (steps to generalize over steps to memorize), or the steps to generalize, or those
to memorize.

*Method*: each run's time is known to lie in a bracket; runs that did not generalize within their steps have a
bracket without an upper end, and count. A line with logistic errors is fitted to the brackets of all runs, and
the interval comes from likelihood ratios (`grokbench.statistics.censored_times`).

*Source*: Liu et al. 2022 (Omnigrok, arXiv:2210.01117), § 3: the time to generalize is in proportion to
1/(weight decay), and the time to memorize does not depend on the weight decay.

*Assumptions*: Runs are independent, those of one seed too. The law is a power law over the values tried, and
runs spread equally about it at every value. A run that was stopped is no other than the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import AfterValidator

from grokbench.errors import NotEnoughDataError
from grokbench.labels import text_of
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.axes import checked_axis, log10_positions
from grokbench.readout.delays import Time, crossing_times, logarithms
from grokbench.readout.dynamics import Thresholds
from grokbench.readout.grid import canonical, of_part, single_curve
from grokbench.statistics.censored_times import Estimate, slope


class DelayLawOptions(Thresholds):
    axis: Annotated[str, AfterValidator(checked_axis)] = "weight_decay"
    """The axis: a field of the recipe that the experiment varies, `data_size`, or `model_size` (then the
    number of parameters)."""
    time: Time = "delay"
    """`delay`: the steps to generalize over the steps to memorize. `generalization`, `memorization`: these
    steps themselves."""


class DelayLaw(Detector):
    """The log-log slope of the delay of grokking, or of the time to generalize, along an axis.

    Runs that did not generalize within their steps count. Liu et al. 2022 (Omnigrok), § 3.
    """

    name = "delay_law"
    Options = DelayLawOptions

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        axis = self.options.axis
        if lengths["experiment"].get(axis, 1) < 2:
            return f"a slope over {axis} needs two values of {axis} or more; give the recipe a list"
        return None

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = self.once(_measured, data["experiment"], self.options)
        interval = found.slope.interval(self.confidence)
        return Finding(
            effect=interval.estimate,
            low=interval.low,
            high=interval.high,
            unit=f"log-log slope of the {NAMES[self.options.time]} over {self.options.axis}",
            seeds=found.seeds,
            evidence=found.evidence,
            details=found.details,
        )


NAMES = {
    "delay": "delay of grokking",
    "generalization": "time to generalize",
    "memorization": "time to memorize",
}


@dataclass(frozen=True, eq=False)
class _Measured:
    slope: Estimate
    seeds: int
    evidence: str
    details: dict[str, Any]


def _measured(dataset: xr.Dataset, options: DelayLawOptions) -> _Measured:
    axis = options.axis
    data = of_part(canonical(dataset), options.part)
    positions = log10_positions(data, axis)
    data = single_curve(data, axis, "seed")
    times = crossing_times(data, options.model_copy(update={"part": None}))
    times = times.transpose(axis, "seed")
    known = times["memorized_by"].notnull().to_numpy()
    if not known.any():
        raise NotEnoughDataError("no finished run has validation examples")
    found = logarithms(times, options.time)
    of_some_use = np.zeros_like(known)
    of_some_use[known] = found.of_some_use
    labels = [text_of(label) for label in data[axis].to_numpy().tolist()]
    medians = [
        float(
            np.median(
                logarithms(times.isel({axis: [index]}), options.time).brackets.informative().middles
            )
        )
        if row.any()
        else None
        for index, row in enumerate(of_some_use)
    ]
    x = np.broadcast_to(positions[:, None], known.shape)[known]
    return _Measured(
        slope(x, found.brackets),
        int(of_some_use.any(axis=0).sum()),
        f"{found.words()}, at {axis} {', '.join(labels)}",
        {
            "axis": labels,
            "log10_axis": positions.tolist(),
            "medians": medians,
            "runs": known.sum(axis=1).tolist(),
            "informative": of_some_use.sum(axis=1).tolist(),
        },
    )
