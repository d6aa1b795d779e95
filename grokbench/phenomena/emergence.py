"""At how many parameters an ability emerges, in one experiment against another.

*Estimated*: log2 of the ratio of the parameters needed: those in the experiment `shifted` over
those in the experiment `reference`. 1 is twice as many.

*Method*: For each seed, the model size at which the ability emerges is known to lie between two
sizes tried (`grokbench.readout.emergence_brackets`). The effect is the difference of the brackets'
mean middles. Each end of the interval comes from Welch's t over the least, or the greatest,
differences that the brackets allow; an end is infinite where an ability never emerges, or does so
at the smallest size.

With `best_of_seeds`, the best run of each size decides. The best of few seeds may be the best by
luck. The interval therefore replaces the first seed to have the ability by an upper confidence
bound (`grokbench.statistics.minimum`).

*Source*: Huang et al. 2024, § 5, takeaways 7 and 8, Fig. 8 and 10 (for takeaway 8 the roles change
places).

*Assumptions*: Seeds are independent. A size that reaches the threshold has the ability for good,
whatever larger sizes do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import without_empty_seeds
from grokbench.readout.dynamics import Share
from grokbench.readout.emergence import EmergenceBrackets, emergence_brackets
from grokbench.statistics.intervals import Floats, welch_interval
from grokbench.statistics.minimum import minimum_upper_bound

FEWEST = 3
"""The best of fewer seeds depends too much on luck to be compared."""


class EmergenceOptions(Options):
    threshold: Share = 0.9
    """Settled mirror-free accuracy from which a run has the ability."""
    reference_part: str | None = None
    """A part of the reference's task, by default the first."""
    shifted_part: str | None = None
    """A part of the shifted experiment's task, by default the first."""
    best_of_seeds: bool = False
    """Compare the best run of each size, as Fig. 8 does; takes three runs a size."""


class Emergence(Detector):
    """How many times the parameters an ability needs to emerge, as a power of two.

    log2 of the shifted experiment's parameters over the reference's; 1 is twice as many.
    Huang et al. 2024, takeaways 7 and 8, Fig. 8 and 10.
    """

    name = "emergence"
    Options = EmergenceOptions
    roles = ("reference", "shifted")
    drawn_by = "grokbench.report.figures.emergence:emergence"
    figure_spans = ("model_size",)
    figure_ignores = ("best_of_seeds",)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        of_seeds = self._brackets(data)
        best = self.options.best_of_seeds
        reference, shifted = self._brackets(data, best_of_seeds=True) if best else of_seeds
        if np.isinf(reference.high).all() and np.isinf(shifted.high).all():
            raise NotEnoughDataError(
                f"neither experiment reaches {self.options.threshold:g} at any size tried"
            )
        evidence = (
            f"the ability takes {_words(reference)} parameters in the reference "
            f"and {_words(shifted)} when shifted"
        )
        if best:
            seeds = self._runs_at_each_size(*of_seeds)
            low = shifted.low.item() - self._bound(*of_seeds)
            high = self._bound(*reversed(of_seeds)) - reference.low.item()
            evidence += f"; {_luck(*of_seeds)}"
        else:
            seeds = min(without_empty_seeds(data[role]).sizes["seed"] for role in self.roles)
            low = self._end("low", shifted.low, reference.high)
            high = self._end("high", shifted.high, reference.low)
        return Finding(
            effect=float(shifted.middle.mean() - reference.middle.mean()),
            low=low,
            high=high,
            unit="log2 of the ratio of parameters needed (shifted over reference)",
            seeds=seeds,
            evidence=evidence,
            details={
                "reference_low": [float(value) for value in reference.low],
                "reference_high": [float(value) for value in reference.high],
                "shifted_low": [float(value) for value in shifted.low],
                "shifted_high": [float(value) for value in shifted.high],
            },
        )

    def _brackets(
        self, data: Mapping[str, xr.Dataset], *, best_of_seeds: bool = False
    ) -> tuple[EmergenceBrackets, EmergenceBrackets]:
        """Those of the reference and of the shifted experiment."""
        options = self.options
        return (
            emergence_brackets(
                data["reference"], options.threshold, options.reference_part, best_of_seeds
            ),
            emergence_brackets(
                data["shifted"], options.threshold, options.shifted_part, best_of_seeds
            ),
        )

    def _end(self, end: Literal["low", "high"], shifted: Floats, reference: Floats) -> float:
        """One end of the interval over seeds, from one end of each seed's brackets."""
        if not (np.isfinite(shifted).all() and np.isfinite(reference).all()):
            return -np.inf if end == "low" else np.inf
        interval = welch_interval(shifted, reference, self.confidence)
        return interval.low if end == "low" else interval.high

    def _bound(self, group: EmergenceBrackets, other: EmergenceBrackets) -> float:
        """How large the smallest size of a group may be, allowing for its luckiest seeds."""
        return minimum_upper_bound(group.high, other.fewest, self.confidence)

    def _runs_at_each_size(self, first: EmergenceBrackets, second: EmergenceBrackets) -> int:
        seeds = min(first.fewest, second.fewest)
        if seeds < FEWEST:
            raise NotEnoughDataError(
                f"the best of seeds takes {FEWEST} finished runs at every model size "
                f"that has any; one has {seeds}"
            )
        return seeds


def _luck(first: EmergenceBrackets, second: EmergenceBrackets) -> str:
    orders = math.comb(first.fewest + second.fewest, first.fewest)
    return f"by luck alone, all seeds of one would come first in 1 of {orders} orders"


def _words(brackets: EmergenceBrackets) -> str:
    low, high = float(np.median(brackets.low)), float(np.median(brackets.high))
    if np.isinf(high):
        return f"more than {2**low:.0f}"
    return f"at most {2**high:.0f}" if np.isinf(low) else f"{2**low:.0f} to {2**high:.0f}"
