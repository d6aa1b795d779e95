"""At how many parameters an ability emerges, in one experiment against another."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.dynamics import Share
from grokbench.readout.emergence import EmergenceBrackets, emergence_brackets
from grokbench.statistics.intervals import Floats, welch_interval
from grokbench.statistics.minimum import luckiest

FEWEST = 3
"""The best of fewer seeds than this is too much a matter of luck to be compared."""


class EmergenceOptions(Options):
    threshold: Share = 0.9
    """Final mirror-free accuracy that counts as having emerged."""
    reference_part: str | None = None
    """Which part of the reference's task; the first unless said otherwise."""
    shifted_part: str | None = None
    """Which part of the shifted experiment's task; the first unless said otherwise."""
    best_of_seeds: bool = False
    """Compare the best seeds of each size, as Fig. 8 does; at least three a size."""


class Emergence(Detector):
    """How many times the parameters an ability needs to emerge, as a power of two.

    log2 of the shifted experiment's parameters over the reference's; 1 is twice as many. Each
    seed's value is known only to lie between two sizes tried, and the interval spans those
    brackets too: an end is infinite where an ability never emerged, or already at the smallest
    size. Over seeds it is Welch's t; of the best of seeds, see `luckiest`.
    Huang et al. 2024, takeaways 7 and 8, Fig. 8 and 10 (for 8 the roles change places).
    """

    name = "emergence"
    Options = EmergenceOptions
    roles = ("reference", "shifted")
    drawn_by = "grokbench.report.figures.emergence:emergence"
    figure_spans = ("model_size",)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        options = self.options
        parts = {"reference": options.reference_part, "shifted": options.shifted_part}
        every = [
            emergence_brackets(data[role], options.threshold, parts[role]) for role in self.roles
        ]
        reference, shifted = every
        if options.best_of_seeds:
            reference, shifted = (
                emergence_brackets(data[role], options.threshold, parts[role], best_of_seeds=True)
                for role in self.roles
            )
        if np.isinf(reference.high).all() and np.isinf(shifted.high).all():
            raise NotEnoughDataError(
                f"neither experiment reaches {options.threshold:g} at any size tried"
            )
        effect = float(shifted.middle.mean() - reference.middle.mean())
        if options.best_of_seeds:
            first, second = every
            seeds = min(first.fewest, second.fewest)
            if seeds < FEWEST:
                raise NotEnoughDataError(
                    f"the best of seeds takes {FEWEST} finished runs at every model size "
                    f"that has any; one has {seeds}"
                )
            low = shifted.low.item() - luckiest(first.high, second.fewest, self.confidence)
            high = luckiest(second.high, first.fewest, self.confidence) - reference.low.item()
            orders = math.comb(first.fewest + second.fewest, first.fewest)
            luck = f"; luck alone would put one's seeds all first in 1 of {orders} orders"
        else:
            luck, seeds = "", min(self._seeds(data[role]) for role in self.roles)
            low = self._end(shifted.low, reference.high, low=True)
            high = self._end(shifted.high, reference.low, low=False)
        return Finding(
            effect=effect,
            low=low,
            high=high,
            unit="log2 of the parameters needed, shifted over reference",
            seeds=seeds,
            evidence=(
                f"it takes {_words(reference)} parameters in the reference "
                f"and {_words(shifted)} when shifted{luck}"
            ),
            details={
                "reference_low": [float(value) for value in reference.low],
                "reference_high": [float(value) for value in reference.high],
                "shifted_low": [float(value) for value in shifted.low],
                "shifted_high": [float(value) for value in shifted.high],
            },
        )

    def _end(self, shifted: Floats, reference: Floats, *, low: bool) -> float:
        """One end of the interval: what the brackets' ends allow, and the spread over seeds."""
        if not (np.isfinite(shifted).all() and np.isfinite(reference).all()):
            return -np.inf if low else np.inf
        interval = welch_interval(shifted, reference, self.confidence)
        return interval.low if low else interval.high

    def _seeds(self, dataset: xr.Dataset) -> int:
        return int((dataset["status"] == 1).any(set(dataset["status"].dims) - {"seed"}).sum())


def _words(brackets: EmergenceBrackets) -> str:
    low, high = float(np.median(brackets.low)), float(np.median(brackets.high))
    if np.isinf(high):
        return f"more than {2**low:.0f}"
    return f"at most {2**high:.0f}" if np.isinf(low) else f"{2**low:.0f} to {2**high:.0f}"
