"""Whether a task that is harder to generalize dips deeper."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from grokbench.phenomena.base import Detector, Finding
from grokbench.phenomena.double_descent import DoubleDescentOptions, dip
from grokbench.phenomena.intervals import t_interval, welch_interval


class DeeperDoubleDescent(Detector):
    """How much deeper the dip is for the harder task than for the easier one.

    An easier task that does not dip counts as depth zero, so the harder one must dip itself.
    Each depth is measured as `double_descent` does. Huang et al. 2024, takeaway 6, Fig. 7.
    """

    name = "deeper_double_descent"
    Options = DoubleDescentOptions
    roles = ("easier", "harder")

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        easier, harder = (dip(data[role], self.options) for role in self.roles)
        legs = (harder.falls, harder.rises)
        # Deeper by x than a dip, and by x than no dip at all; both legs of it.
        margins = [welch_interval(leg, easier.shallow) for leg in legs]
        margins += [t_interval(leg) for leg in legs]
        return Finding(
            effect=min(margin.estimate for margin in margins),
            low=min(margin.low for margin in margins),
            high=min(margin.high for margin in margins),
            unit="difference in depth of the dip in final accuracy",
            seeds=min(len(easier.falls), len(harder.falls)),
            evidence=(
                f"the dip is {harder.depth:.2f} deep for the harder task (at size "
                f"{harder.sizes[1]}) and {easier.depth:.2f} for the easier one"
            ),
            details={"easier": easier.depth, "harder": harder.depth},
        )
