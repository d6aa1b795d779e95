"""At how many parameters an ability emerges, in one experiment against another.

*Estimated*: log2 of the ratio of the parameters needed: those in the experiment `shifted` over
those in the experiment `reference`. 1 is twice as many.

*Method*: All sizes are log2 of numbers of parameters. For each seed, the size at which the ability
emerges is known to lie between two sizes tried (`grokbench.readout.emergence_brackets`). The effect
is the difference of the brackets' mean middles. Each end of the interval comes from Welch's t over
the least, or the greatest, differences that the brackets allow. Seeds that agree do not show that the
next one does, so each experiment's seeds are taken to vary at least as much as if one of them differed
by one size. The lower end is minus infinity if any seed of `shifted` has the ability at the smallest
size, or any seed of `reference` never has it; the upper end is infinite the other way round.

With `best_of_seeds`, the best run of each size decides. The best of few seeds may be the best by
luck. The interval therefore replaces the first seed to have the ability by an upper confidence
bound (`grokbench.statistics.minimum`). Few seeds have no such bound at a high confidence, and the
end is then infinite. An end exists if 1 / C(n + m, n) is at most (1 - confidence)/2 for n seeds against
m: three against three up to a confidence of 90 %, three against four up to 94 %, four against four
up to 97 %.

*Source*: Huang et al. 2024, § 5, takeaways 7 and 8, Fig. 8 and 10 (for takeaway 8 the roles change
places).

*Assumptions*: Seeds are independent. A size that reaches the threshold has the ability for good,
whatever larger sizes do. With `best_of_seeds`, the two experiments differ by a shift of log2 size
only, with the same spread between seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import finished, without_empty_seeds
from grokbench.readout.dynamics import Share
from grokbench.readout.emergence import EmergenceBrackets, emergence_brackets, size_to_try
from grokbench.statistics.intervals import Floats, at_least_apart, welch_interval
from grokbench.statistics.minimum import minimum_upper_bound

FEWEST = 3
"""The fewest seeds whose best is compared. Two against two come in the strongest order in 1 of 6
cases by luck; three against three in 1 of 20."""


class EmergenceOptions(Options):
    threshold: Share = 0.9
    """Final accuracy (median of the last evaluations) on examples (a, b) whose mirror (b, a) was not
    trained, from which a run has the ability."""
    reference_part: str | None = None
    """A part of the reference's task, by default the first."""
    shifted_part: str | None = None
    """A part of the shifted experiment's task, by default the first."""
    best_of_seeds: bool = False
    """Compare the best run of each size, as Fig. 8 does; takes three runs a size."""


class Emergence(Detector):
    """log2 of the factor by which the parameters needed grow, from the reference to shifted.

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
            raise self._nothing_emerges(data)
        evidence = (
            f"number of parameters that the ability takes: {_words(reference)} in the reference, "
            f"{_words(shifted)} when shifted"
        )
        if max(len(reference.low), len(shifted.low)) > 1:
            evidence += " (medians over seeds)"
        if best:
            seeds = self._fewest_runs_at_a_size(*of_seeds)
            low = shifted.low.item() - self._bound(*of_seeds)
            high = self._bound(*reversed(of_seeds)) - reference.low.item()
            evidence += f"; {_luck(*of_seeds)}{self._without_an_end(*of_seeds)}"
        else:
            seeds = min(without_empty_seeds(data[role]).sizes["seed"] for role in self.roles)
            # Least difference: shifted's lower end minus reference's upper end. Greatest: the reverse.
            steps = shifted.step, reference.step
            low = self._end("low", shifted.low, reference.high, steps)
            high = self._end("high", shifted.high, reference.low, steps)
        sizes = {
            role: size
            for role, one in zip(self.roles, (reference, shifted), strict=True)
            if (size := size_to_try(data[role], one)) is not None
        }
        if sizes:
            words = " and ".join(f"size {size} in {role!r}" for role, size in sizes.items())
            evidence += f"; training {words} would narrow the bracket"
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
                "sizes_to_try": sizes,
            },
        )

    def _brackets(
        self, data: Mapping[str, xr.Dataset], *, best_of_seeds: bool = False
    ) -> tuple[EmergenceBrackets, EmergenceBrackets]:
        """Those of the reference and of the shifted experiment."""
        parts = {"reference": self.options.reference_part, "shifted": self.options.shifted_part}
        reference, shifted = (
            self.once(
                emergence_brackets, data[role], self.options.threshold, parts[role], best_of_seeds
            )
            for role in self.roles
        )
        return reference, shifted

    def _end(
        self,
        end: Literal["low", "high"],
        shifted: Floats,
        reference: Floats,
        steps: tuple[float, float],
    ) -> float:
        """One end of the interval over seeds, from one end of each seed's brackets.

        Valid because the true mean difference is at least that of the least differences, and at most
        that of the greatest.

        Args:
            steps: by how much a seed of each experiment differs from the others if it differs by one size.
        """
        if not np.isfinite([*shifted, *reference, *steps]).all():
            return -np.inf if end == "low" else np.inf
        first, second = (
            at_least_apart(values, step)
            for values, step in zip((shifted, reference), steps, strict=True)
        )
        interval = welch_interval(first, second, self.confidence)
        half = interval.high - interval.estimate
        difference = float(shifted.mean() - reference.mean())
        return difference - half if end == "low" else difference + half

    def _bound(self, group: EmergenceBrackets, other: EmergenceBrackets) -> float:
        """The r-th smallest of the seeds' upper ends; infinite where there are too few seeds.

        r seeds of one experiment come before all of the other by luck with probability at most
        (1 - confidence)/2.
        """
        return minimum_upper_bound(group.high, other.fewest, self.confidence)

    def _without_an_end(self, reference: EmergenceBrackets, shifted: EmergenceBrackets) -> str:
        """Which ends of the interval do not exist for so few seeds, in words for the evidence."""
        # The bound of values that are all finite is infinite only where there are too few.
        missing = [
            end
            for end, group, other in (
                ("lower", reference, shifted),
                ("upper", shifted, reference),
            )
            if math.isinf(
                minimum_upper_bound(np.zeros_like(group.high), other.fewest, self.confidence)
            )
        ]
        if not missing:
            return ""
        which = " and ".join(missing)
        return f"; too few seeds for a {which} end at {100 * self.confidence:g} % confidence"

    def _nothing_emerges(self, data: Mapping[str, xr.Dataset]) -> NotEnoughDataError:
        """The error where no run of either experiment has the ability."""
        words = f"neither experiment reaches {self.options.threshold:g} at any size tried"
        if all(_tried_everywhere(data[role]) for role in self.roles):
            return OutOfReachError(
                f"{words}; more seeds cannot test the claim: try larger models, or train for more steps"
            )
        return NotEnoughDataError(words)

    def _fewest_runs_at_a_size(self, first: EmergenceBrackets, second: EmergenceBrackets) -> int:
        seeds = min(first.fewest, second.fewest)
        if seeds < FEWEST:
            raise NotEnoughDataError(
                f"the best of seeds takes {FEWEST} finished runs at every model size "
                f"that has any; one has {seeds}"
            )
        return seeds


def _tried_everywhere(dataset: xr.Dataset) -> bool:
    """Whether every model size of the grid has a finished run."""
    done = finished(dataset)
    return bool(done.any([name for name in done.dims if name != "model_size"]).all())


def _luck(first: EmergenceBrackets, second: EmergenceBrackets) -> str:
    orders = math.comb(first.fewest + second.fewest, first.fewest)
    return (
        f"by luck alone, all seeds of the reference come first in 1 of {orders} orders, "
        "and likewise all seeds of the shifted experiment"
    )


def _words(brackets: EmergenceBrackets) -> str:
    low, high = float(np.median(brackets.low)), float(np.median(brackets.high))
    if np.isinf(low) and np.isinf(high):
        # Half of the seeds have the ability at the smallest size, the other half never.
        return "no bound"
    if np.isinf(high):
        return f"more than {2**low:.0f}"
    return f"at most {2**high:.0f}" if np.isinf(low) else f"{2**low:.0f} to {2**high:.0f}"
