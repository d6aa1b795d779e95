"""How many random labels a model can hold, and how that grows with its size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import Field

from grokbench.definition import Options
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena.base import Detector, Finding
from grokbench.readout.capacity import SATURATED_AT, capacities
from grokbench.readout.curves import canonical, finished, of_part, settled, single_curve
from grokbench.statistics.intervals import Floats, t_interval


class MemorizationCapacityOptions(Options):
    saturated_at: Annotated[float, Field(gt=0, le=1)] = SATURATED_AT
    """Sizes whose mean training accuracy reaches this do not shape the slope."""
    chance: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Accuracy by guessing; what the untrained models score unless said otherwise."""


class MemorizationCapacity(Detector):
    """How steeply memorization capacity rises with the number of parameters.

    The slope of log2(capacity) over log2(parameters), one for each seed, with what guessing gets
    right taken out of the capacity. Sizes that hold everything, or little more than chance, say
    only "more" or "less"; they are used, as such bounds, where fewer than two others remain. The
    effect is then at most the true slope, and nothing bounds that from above.
    The interval is Student's t over the seeds' slopes.
    Huang et al. 2024, takeaway 2, Fig. 4.
    """

    name = "memorization_capacity"
    Options = MemorizationCapacityOptions
    drawn_by = "grokbench.report.figures.capacity:capacity_against_model_size"
    figure_spans = ("model_size",)

    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        dataset = single_curve(of_part(canonical(data["experiment"]), None), "model_size", "seed")
        curve = capacities(dataset, self.options.saturated_at)
        chance = self._chance(dataset)
        sizes, bounded = self._informative(curve, chance)
        slopes = self._slopes(dataset.isel(model_size=sizes), chance)
        slope = t_interval(slopes, self.confidence)
        shown = curve.isel(model_size=sizes)
        first, last = shown.isel(model_size=0), shown.isel(model_size=-1)
        return Finding(
            effect=slope.estimate,
            low=slope.low,
            high=np.inf if bounded else slope.high,
            unit="doublings of memorization capacity per doubling of parameters",
            seeds=len(slopes),
            evidence=(
                f"size {first['model_size'].item()} holds {float(first['capacity']):.0f} examples, "
                f"size {last['model_size'].item()} {float(last['capacity']):.0f}"
                f"{' (too few sizes lie between chance and all: a bound)' if bounded else ''}"
            ),
            details={
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
        training = dataset["train_accuracy"].where(finished(dataset))
        untrained = training.sel(step=dataset["step"] == 0).to_numpy()
        untrained = untrained[~np.isnan(untrained)]
        return float(np.median(untrained)) if untrained.size else 0.0

    def _informative(self, curve: xr.Dataset, chance: float) -> tuple[list[int], bool]:
        """Which sizes to fit, and whether some of them are only bounds."""
        accuracy = curve["accuracy"].to_numpy()
        known = np.flatnonzero(~np.isnan(accuracy))
        full = [int(i) for i in known if accuracy[i] >= self.options.saturated_at]
        floor = [int(i) for i in known if accuracy[i] <= 2 * chance]
        between = [int(i) for i in known if i not in full and i not in floor]
        if len(between) >= 2:
            return between, False
        sizes = sorted({*floor[-1:], *between, *full[:1]})
        if len(sizes) < 2:
            raise NotEnoughDataError(
                "a rise needs at least two model sizes that are neither all at chance nor all "
                f"saturated; {len(known)} sizes have finished runs, {len(full)} of them saturated"
            )
        return sizes, True

    def _slopes(self, dataset: xr.Dataset, chance: float) -> Floats:
        accuracy = settled(dataset, "train_accuracy").transpose("model_size", "seed").to_numpy()
        examples = dataset["train_examples"].transpose("model_size", "seed").to_numpy()
        # At the floor a size has learned at most about as much again as guessing gets right.
        learned = np.maximum((accuracy - chance) / (1 - chance), chance) * examples
        size = np.log2(dataset["parameters"].to_numpy().astype(float))
        slopes = []
        for values in learned.T:
            known = values > 0
            if len(set(size[known])) >= 2:
                slopes.append(np.polyfit(size[known], np.log2(values[known]), 1)[0])
        return np.array(slopes)
