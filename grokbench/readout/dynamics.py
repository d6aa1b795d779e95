"""The four training dynamics of Huang et al. 2024 (§ 3, Fig. 2), read from each run's curves."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal, Self

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from grokbench.definition import Options
from grokbench.readout.curves import (
    ROUNDING,
    SUSTAINED,
    collapsed,
    finished,
    generalization_accuracy,
    of_part,
    settled,
    sustained_crossing,
)

Share = Annotated[float, Field(gt=0, lt=1)]


DynamicName = Literal["none", "progression", "ungrokking", "semi-grokking", "grokking"]


class Dynamic(IntEnum):
    """What a run did within its budget of steps."""

    UNKNOWN = -1
    NONE = 0
    PROGRESSION = 1
    UNGROKKING = 2
    SEMI_GROKKING = 3
    GROKKING = 4

    @property
    def label(self) -> str:
        """The name as papers write it: "semi-grokking"."""
        return self.name.lower().replace("_", "-")

    @property
    def description(self) -> str:
        return {
            Dynamic.UNKNOWN: "no finished run, or nothing to validate on",
            Dynamic.NONE: "neither memorized nor generalized",
            Dynamic.PROGRESSION: "began to generalize before it had memorized",
            Dynamic.UNGROKKING: "memorized, and did not generalize within the budget",
            Dynamic.SEMI_GROKKING: "memorized, then generalized in part",
            Dynamic.GROKKING: "memorized first, generalized later",
        }[self]

    @classmethod
    def of_label(cls, label: str) -> Dynamic:
        return cls[label.upper().replace("-", "_")]


class Thresholds(Options):
    """What counts as memorized, as generalizing, as generalized."""

    memorized_at: Share = 0.99
    """Training accuracy from which a run has memorized its examples."""
    generalizing_at: Share = 0.1
    """Mirror-free accuracy below which generalization is negligible."""
    generalized_at: Share = 0.9
    """Mirror-free accuracy from which a run has generalized."""
    sustained: Annotated[int, Field(ge=1)] = SUSTAINED
    """How many evaluations in a row must stay above a threshold."""
    part: str | None = None
    """Which part of the task; the first unless said otherwise."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.generalizing_at >= self.generalized_at:
            raise ValueError("generalizing_at must be below generalized_at")
        return self


def classify(dataset: xr.Dataset, thresholds: Thresholds | None = None) -> xr.Dataset:
    """Label every run of an experiment.

    Args:
        dataset: an experiment's dataset, any grid.
        thresholds: what counts as memorized and as generalized.

    Returns:
        Over the grid: `dynamic` (int8, the values of `Dynamic`, CF flags); `censored` (bool, not
        generalized by the last step: not yet, rather than never); `collapsed` (bool, training
        accuracy ended far below what it held); `memorized_step`, `generalizing_step` and
        `generalized_step` (steps, NaN where it did not happen); `final_accuracy` (mirror-free).
    """
    options = thresholds or Thresholds()
    data = of_part(dataset, options.part)
    accuracy = generalization_accuracy(data)
    memorized = sustained_crossing(
        data, data["train_accuracy"], options.memorized_at, options.sustained
    )
    generalizing = sustained_crossing(data, accuracy, options.generalizing_at, options.sustained)
    generalized = sustained_crossing(data, accuracy, options.generalized_at, options.sustained)
    final = settled(data, accuracy)
    known = finished(data) & final.notnull()

    has_generalized = generalized.notnull()
    some = has_generalized | (final >= options.generalizing_at - ROUNDING)
    full = has_generalized | (final >= options.generalized_at - ROUNDING)
    # The same evaluation for both means that neither is known to have come first, and grokking
    # is only what visibly memorized first.
    first_memorized = memorized < generalizing.fillna(np.inf)
    dynamic = xr.full_like(final, int(Dynamic.NONE))
    for member, shown in {
        Dynamic.UNGROKKING: memorized.notnull() & ~some,
        Dynamic.PROGRESSION: some & ~first_memorized,
        Dynamic.SEMI_GROKKING: some & ~full & first_memorized,
        Dynamic.GROKKING: full & first_memorized,
        Dynamic.UNKNOWN: ~known,
    }.items():
        dynamic = dynamic.where(~shown, int(member))
    dynamic = dynamic.astype(np.int8)
    dynamic.attrs = {
        "long_name": "training dynamic",
        "flag_values": np.array([int(member) for member in Dynamic], np.int8),
        "flag_meanings": " ".join(member.name.lower() for member in Dynamic),
    }
    return xr.Dataset(
        {
            "dynamic": dynamic,
            "censored": known & ~has_generalized,
            "collapsed": collapsed(data),
            "memorized_step": memorized,
            "generalizing_step": generalizing,
            "generalized_step": generalized,
            "final_accuracy": final,
        }
    )
