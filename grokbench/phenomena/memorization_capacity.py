"""How steeply the memorization capacity rises with the number of parameters.

*Estimated*: the slope of log2(capacity) over log2(parameters); 1 is a capacity in proportion to the
parameters.

*Method*: The capacity is the number of random labels that a model knows; what guessing alone gets
right is taken out. A least-squares line through the informative model sizes gives one slope for
each seed. The interval is Student's t over the slopes.

*Source*: Huang et al. 2024, § 2.3, takeaway 2, Fig. 4.

*Assumptions*: Seeds are independent, and the capacity is a power law of the parameters. It holds
for the experiment's budget of steps. Model sizes that know all labels, or hardly more than chance,
only bound the capacity. They are used where fewer than two others remain; the slope is then a lower
bound, provided that the capacity does not fall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout import finished, log2_parameters, of_part
from grokbench.readout.capacity import SATURATED_AT, capacities, memorization, share_known
from grokbench.statistics.intervals import Floats, t_interval


class MemorizationCapacityOptions(Options):
    saturated_at: Annotated[float, Field(gt=0, le=1)] = SATURATED_AT
    """Mean training accuracy from which a model size is saturated and only bounds the capacity."""
    chance: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Accuracy by chance, by default the median accuracy of the untrained models."""


@dataclass(frozen=True, eq=False)
class _Measured:
    """The slopes of the seeds, and the words that go with them."""

    slopes: Floats
    bounded: bool
    """Whether the slopes are lower bounds."""
    evidence: str
    details: dict[str, Any]


class MemorizationCapacity(Detector):
    """How steeply memorization capacity rises with the number of parameters.

    The slope of log2(capacity) over log2(parameters).
    Huang et al. 2024, takeaway 2, Fig. 4.
    """

    name = "memorization_capacity"
    Options = MemorizationCapacityOptions
    drawn_by = "grokbench.report.figures.capacity:capacity_against_model_size"
    figure_spans = ("model_size",)
    figure_ignores = ("chance",)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        found = self.once(self._measured, data["experiment"])
        slope = t_interval(found.slopes, self.confidence)
        return Finding(
            effect=slope.estimate,
            low=slope.low,
            high=np.inf if found.bounded else slope.high,
            unit="doublings of memorization capacity per doubling of parameters",
            seeds=len(found.slopes),
            evidence=found.evidence,
            details=found.details,
        )

    def _measured(self, dataset: xr.Dataset) -> _Measured:
        curve = capacities(dataset, self.options.saturated_at)
        chance = self._chance(dataset)
        sizes, bounded = self._informative(curve, chance)
        shown = curve.isel(model_size=sizes)
        first, last = shown.isel(model_size=0), shown.isel(model_size=-1)
        return _Measured(
            _slopes(memorization(dataset).isel(model_size=sizes), chance),
            bounded,
            f"size {first['model_size'].item()} holds {float(first['capacity']):.0f} examples, "
            f"size {last['model_size'].item()} {float(last['capacity']):.0f}"
            f"{' (too few sizes lie between chance and all: a lower bound)' if bounded else ''}",
            {
                "model_sizes": [str(label) for label in curve["model_size"].to_numpy()],
                "capacities": [float(value) for value in curve["capacity"]],
                "saturated": [bool(value) for value in curve["saturated"]],
                "chance": chance,
                "bound": bounded,
            },
        )

    def _chance(self, dataset: xr.Dataset) -> float:
        if self.options.chance is not None:
            return float(self.options.chance)
        training = of_part(dataset, None)["train_accuracy"].where(finished(dataset))
        untrained = training.sel(step=dataset["step"] == 0).to_numpy()
        untrained = untrained[~np.isnan(untrained)]
        return float(np.median(untrained)) if untrained.size else 0.0

    def _informative(self, curve: xr.Dataset, chance: float) -> tuple[list[int], bool]:
        """The indices of the model sizes to fit, and whether some of them are only bounds."""
        accuracy = curve["accuracy"].to_numpy()
        known = np.flatnonzero(~np.isnan(accuracy))
        full = [int(i) for i in known if accuracy[i] >= self.options.saturated_at]
        # Up to twice chance, a model knows at most about as many labels as guessing gets right.
        floor = [int(i) for i in known if accuracy[i] <= 2 * chance]
        between = [int(i) for i in known if i not in full and i not in floor]
        if len(between) >= 2:
            return between, False
        # The bounds with the least slope: the largest size at the floor, the smallest full one.
        sizes = sorted({*floor[-1:], *between, *full[:1]})
        if len(sizes) < 2:
            words = (
                "a rise needs at least two model sizes that are neither all at chance nor all "
                f"saturated; {len(known)} sizes have finished runs, {len(full)} of them saturated"
            )
            if len(known) < len(accuracy):
                raise NotEnoughDataError(words)
            change = "smaller models, or more examples" if full else "larger models, or more steps"
            raise OutOfReachError(f"{words}; more seeds cannot test the claim: try {change}")
        return sizes, True


def _slopes(runs: xr.Dataset, chance: float) -> Floats:
    """The slope for each seed with known capacities at two model sizes or more."""
    accuracy, examples = runs["accuracy"].to_numpy(), runs["examples"].to_numpy()
    # At the floor, a model knows at most about as much as guessing gets right (see `_informative`).
    learned = np.maximum(share_known(accuracy, chance), chance) * examples
    size = log2_parameters(runs)
    slopes = []
    for values in learned.T:
        known = values > 0
        if len(set(size[known])) >= 2:
            slopes.append(np.polyfit(size[known], np.log2(values[known]), 1)[0])
    return np.array(slopes)
