"""The contract of a detector: a dataset in, a finding out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import xarray as xr

from grokbench.definition import Definition


@dataclass(frozen=True)
class Finding:
    """What a detector saw: an effect size, its interval, and what it rests on."""

    effect: float
    low: float
    high: float
    unit: str
    """What the effect is, in words: "fall of validation accuracy between sizes"."""
    seeds: int
    """How many seeds the interval rests on."""
    evidence: str
    """One sentence: which cells, and what they show."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else a reader may want; must survive JSON."""


class Detector(Definition, ABC):
    """Looks at experiments' datasets and says what it sees.

    A detector is final or it is this interface. `roles` names the datasets it looks at: a suite's
    claim says which experiment plays each role (`experiment = "x"` where there is just the one).
    """

    roles: ClassVar[tuple[str, ...]] = ("experiment",)

    null: ClassVar[float | None] = 0.0
    """The effect, or the largest, where nothing depends on anything; None for a level or a share."""

    confidence: float = 0.95
    """How sure the finding's interval is; a claim is judged at 0.95, many of them together at more."""

    def at(self, confidence: float) -> Self:
        """Return a copy of the detector whose intervals have another confidence.

        Raises:
            ValueError: it is not between 0 and 1.
        """
        if not 0 < confidence < 1:
            raise ValueError(f"a confidence lies between 0 and 1, such as 0.99; not {confidence}")
        other = copy(self)
        other.confidence = confidence
        return other

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        """What may escape this detector on such grids, and what to write instead; None if nothing.

        Args:
            lengths: for each of `roles`, how many values each dimension of the grid has, after the
                claim's selection.
        """
        return None

    @abstractmethod
    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        """Say what the datasets show, with an interval of `self.confidence`.

        Args:
            data: one dataset for each of `roles`, as `grokbench.store` assembles them, with the
                claim's selection applied (dimensions stay, even at length one). Cells whose
                `status` is not `done` hold NaN and are to be left out, never read as zero.

        Raises:
            NotEnoughDataError: when there is too little to say anything, and what is lacking.
        """
