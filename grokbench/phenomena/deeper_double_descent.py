"""Whether a task that is harder to generalize dips deeper."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.double_descent import (
    Dip,
    DoubleDescentOptions,
    dip,
    hidden_by_smoothing,
)
from grokbench.phenomena.intervals import t_interval, welch_interval


class DeeperDoubleDescent(Detector):
    """How much deeper the dip is for the harder task than for the easier one.

    An easier task that does not dip counts as depth zero, so the harder one must dip itself.
    Each depth is measured as `double_descent` does. The interval is Welch's t between the experiments
    and Student's against zero, for both sides of the harder task's dip, widened as that detector's
    is; the lowest ends. Huang et al. 2024, takeaway 6, Fig. 7.
    """

    name = "deeper_double_descent"
    Options = DoubleDescentOptions
    roles = ("easier", "harder")

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        return hidden_by_smoothing(self.options, lengths)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        easier, harder = (dip(data[role], self.options) for role in self.roles)
        legs = (harder.falls, harder.rises)
        # Deeper by x than a dip, and by x than no dip at all; both legs of it.
        both = max(easier.widening, harder.widening)
        margins = [
            welch_interval(leg, easier.shallow, self.confidence).widened(both) for leg in legs
        ]
        margins += [t_interval(leg, self.confidence).widened(harder.widening) for leg in legs]
        return Finding(
            effect=min(margin.estimate for margin in margins),
            low=min(margin.low for margin in margins),
            high=min(margin.high for margin in margins),
            unit="difference in depth of the dip in final accuracy",
            seeds=min(len(easier.falls), len(harder.falls)),
            evidence=(
                f"depth of the dip for the harder task: {_words(harder)}; for the easier one: "
                f"{_words(easier)}"
            ),
            details={"easier": easier.depth, "harder": harder.depth},
        )


def _words(found: Dip) -> str:
    if found.depth > 0:
        return f"{found.depth:.2f}, at size {found.sizes[1]}"
    return f"none was found ({found.depth:z.2f})"
