"""The training dynamic of each run: Huang et al. 2024, § 3, Fig. 2.

Two thresholds on mirror-free validation accuracy and one on training accuracy decide. The order of
the steps at which the curves cross them tells progression from grokking.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, Literal, Self

import numpy as np
import xarray as xr
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from grokbench.definition import Options
from grokbench.readout.chance import above_chance, chance_level
from grokbench.readout.curves import (
    ROUNDING,
    SUSTAINED,
    collapsed,
    generalization_accuracy,
    settled,
    sustained_crossing,
)
from grokbench.readout.grid import finished, of_part

Share = Annotated[float, Field(gt=0, lt=1)]

DynamicName = Literal["none", "progression", "ungrokking", "semi-grokking", "grokking"]


class Dynamic(IntEnum):
    """The training dynamic that a run showed within its budget of steps."""

    UNKNOWN = -1
    NONE = 0
    PROGRESSION = 1
    UNGROKKING = 2
    SEMI_GROKKING = 3
    GROKKING = 4

    @property
    def label(self) -> str:
        """The name as the paper writes it: "semi-grokking"."""
        return self.name.lower().replace("_", "-")

    @property
    def description(self) -> str:
        """What a run with this dynamic did, in a few words."""
        return {
            Dynamic.UNKNOWN: "not finished, or without validation examples",
            Dynamic.NONE: "neither memorized nor generalized",
            Dynamic.PROGRESSION: "began to generalize before it had memorized",
            Dynamic.UNGROKKING: "memorized, and did not generalize within its steps",
            Dynamic.SEMI_GROKKING: "memorized, then generalized in part",
            Dynamic.GROKKING: "memorized first, generalized later",
        }[self]

    @classmethod
    def of_label(cls, label: str) -> Dynamic:
        """The inverse of `label`."""
        return cls[label.upper().replace("-", "_")]


class Thresholds(Options):
    """The thresholds between the dynamics.

    The paper describes its dynamics without numbers. These values are conventions.
    """

    memorized_at: Share = 0.99
    """Training accuracy from which a run has memorized its examples."""
    generalizing_at: Share = 0.1
    """Mirror-free accuracy from which a run generalizes at least in part."""
    generalized_at: Share = 0.9
    """Mirror-free accuracy from which a run has generalized."""
    above_chance: bool = False
    """Whether `generalizing_at` and `generalized_at` count from chance: 0 is the accuracy of the untrained
    models (`chance_level`), and 1 is every answer right. With 10 classes, `generalizing_at` = 0.1 is then an
    accuracy of 0.19, and not that of a model that guesses. Without the option, accuracies count from 0,
    which is about the same with 31 classes and more."""
    sustained: Annotated[int, Field(ge=1)] = SUSTAINED
    """How many evaluations in a row must reach a threshold."""
    part: str | None = None
    """A part of the task, by default the first."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.generalizing_at >= self.generalized_at:
            raise ValueError("generalizing_at must be below generalized_at")
        return self

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Declarations and verdicts contain the options. Those from before there was this option keep theirs.
        options: dict[str, Any] = handler(self)
        if not self.above_chance:
            del options["above_chance"]
        return options


@dataclass(frozen=True)
class Levels:
    """The mirror-free accuracies that thresholds mean in a dataset."""

    generalizing: float
    generalized: float


def levels_of(dataset: xr.Dataset, thresholds: Thresholds) -> Levels:
    """The accuracies from which runs generalize in part, and from which they have generalized.

    Raises:
        NotEnoughDataError: the task does not have the part, or with `above_chance`, the chance level is
            not known (see `chance_level`).
    """
    partly, fully = thresholds.generalizing_at, thresholds.generalized_at
    if not thresholds.above_chance:
        return Levels(partly, fully)
    chance = chance_level(dataset, thresholds.part)
    return Levels(above_chance(partly, chance), above_chance(fully, chance))


def classify(dataset: xr.Dataset, thresholds: Thresholds | None = None) -> xr.Dataset:
    """The dynamic of every run of an experiment.

    Args:
        dataset: an experiment's dataset, any grid.
        thresholds: from which accuracies a run has memorized, generalizes in part, and has
            generalized.

    Returns:
        Over the grid: `dynamic` (int8, the values of `Dynamic`, with CF flags); `censored` (bool:
        not generalized by the last step, which may mean not yet); `collapsed` (bool: see
        `collapsed`); `memorized_step`, `generalizing_step` and `generalized_step` (steps; NaN where
        the threshold was not crossed); `final_accuracy` (settled mirror-free accuracy).

    Raises:
        NotEnoughDataError: the task does not have the part, or with `above_chance`, the chance level is
            not known.
    """
    options = thresholds or Thresholds()
    data = of_part(dataset, options.part)
    levels = levels_of(dataset, options)
    accuracy = generalization_accuracy(data)
    memorized = sustained_crossing(
        data, data["train_accuracy"], options.memorized_at, options.sustained
    )
    generalizing = sustained_crossing(data, accuracy, levels.generalizing, options.sustained)
    generalized = sustained_crossing(data, accuracy, levels.generalized, options.sustained)
    final = settled(data, accuracy)
    fallen = collapsed(data)
    # All readings lie over the same grid, in the same order. In numpy, because a suite is classified hundreds
    # of times.
    ended = final.to_numpy()
    steps = [
        one.transpose(*final.dims).to_numpy() for one in (memorized, generalizing, generalized)
    ]
    at_memorized, at_generalizing, at_generalized = steps
    known = finished(data).transpose(*final.dims).to_numpy() & ~np.isnan(ended)

    # A run that crossed a threshold and fell back again still crossed it, except that partial
    # generalization must last to the end: a run that loses it is ungrokking.
    has_generalized = ~np.isnan(at_generalized)
    some = has_generalized | (ended >= levels.generalizing - ROUNDING)
    full = has_generalized | (ended >= levels.generalized - ROUNDING)
    # Where both thresholds are crossed at one evaluation, neither is known to come first. Grokking
    # needs evidence that the run memorized first, so such a run is progression.
    first_memorized = at_memorized < np.where(np.isnan(at_generalizing), np.inf, at_generalizing)
    # The first entry that holds decides.
    shown = {
        Dynamic.UNKNOWN: ~known,
        Dynamic.GROKKING: full & first_memorized,
        Dynamic.SEMI_GROKKING: some & ~full & first_memorized,
        Dynamic.PROGRESSION: some & ~first_memorized,
        Dynamic.UNGROKKING: ~np.isnan(at_memorized) & ~some,
    }
    members = np.select(list(shown.values()), [int(one) for one in shown], int(Dynamic.NONE))
    dynamic = final.copy(deep=False, data=members.astype(np.int8))
    dynamic.attrs = {
        "long_name": "training dynamic",
        "flag_values": np.array([int(member) for member in Dynamic], np.int8),
        "flag_meanings": " ".join(member.name.lower() for member in Dynamic),
    }
    return xr.Dataset(
        {
            "dynamic": dynamic,
            "censored": final.copy(deep=False, data=known & ~has_generalized),
            "collapsed": fallen,
            "memorized_step": memorized,
            "generalizing_step": generalizing,
            "generalized_step": generalized,
            "final_accuracy": final,
        }
    )
