"""The contract of a detector: datasets in, a finding out."""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, TypeVarTuple

import xarray as xr

from grokbench.definition import Definition

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Finding:
    """What a detector found: an effect, its confidence interval, and the evidence."""

    effect: float
    low: float
    high: float
    unit: str
    """What the effect measures, in words: "fall of validation accuracy between sizes"."""
    seeds: int
    """The number of seeds that the interval rests on."""
    evidence: str
    """One sentence: which cells were looked at, and what they show."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that a reader may want to know; must survive JSON."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure for the report, and the words that go with it."""

    figure: Figure
    title: str
    """The heading over the figure."""
    caption: str
    """What is drawn, from how many seeds."""
    alternative: str
    """What the figure shows, in a sentence or two, for readers who do not see it."""

    def __post_init__(self) -> None:
        """Check the words.

        Raises:
            TypeError: the title, the caption or the alternative text is not a plain str.
            ValueError: one of them is empty, or cannot be written as UTF-8.
        """
        for name in ("title", "caption", "alternative"):
            words = getattr(self, name)
            # A subclass of str may bring markup of its own, which the page would not escape.
            if type(words) is not str:
                raise TypeError(f"Drawing.{name} is {type(words).__name__}; write a str")
            if not words.strip():
                raise ValueError(f"Drawing.{name} is empty; write a sentence")
            words.encode()


class Detector(Definition, ABC):
    """Measures a phenomenon in the datasets of one or several experiments.

    Subclass this interface directly; detectors do not extend one another.
    """

    roles: ClassVar[tuple[str, ...]] = ("experiment",)
    """Names of the datasets that the detector looks at.

    A claim in a suite says which experiment plays each role: `experiment = "x"` if there is one
    role, `experiments = { reference = "x", shifted = "y" }` if there are several.
    """

    null: ClassVar[float | None] = 0.0
    """The largest effect in data where nothing depends on anything.

    `grokbench check` exchanges runs at random; the interval must hardly ever lie above `null`. None
    where the effect is a level or a share, which such data have too.
    """

    confidence: float = 0.95
    """The confidence of the finding's interval.

    A claim is judged at 0.95, and at a higher confidence where several claims are judged together.
    """

    _kept: dict[Any, Any] | None = None

    drawn_by: ClassVar[str | None] = None
    """The function that `figure` calls, as `package.module:function`, with the detector, the data
    and the finding. Its module is imported when a figure is drawn."""

    figure_spans: ClassVar[tuple[str, ...]] = ()
    """Dimensions that `figure` shows whole. Claims that differ only in what they select along them
    share one figure."""

    figure_ignores: ClassVar[tuple[str, ...]] = ()
    """Options that do not change the figure. Claims that differ only in them share one figure."""

    def at(self, confidence: float) -> Self:
        """A copy of the detector whose intervals have another confidence.

        Raises:
            ValueError: the confidence does not lie between 0 and 1.
        """
        if not 0 < confidence < 1:
            raise ValueError(f"a confidence lies between 0 and 1, such as 0.99; not {confidence}")
        other = copy(self)
        other.confidence = confidence
        return other

    def remembering(self) -> Self:
        """A copy that keeps what `once` computes, as do all copies that `at` makes of the copy.

        For judging the same data at several confidences. The data must not change in the meantime.
        """
        other = copy(self)
        other._kept = {}
        return other

    def once(self, function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """`function(*arguments)`, for the part of `find` that does not depend on the confidence.

        The suites of `grokbench run` are judged at several confidences. With `self.once(function, dataset)`,
        a detector reads the same dataset object once for all of them. Everywhere else, the function is simply
        called.
        """
        if self._kept is None:
            return function(*arguments)
        # A method of one copy is a method of all copies: they differ in their confidence only.
        key = (getattr(function, "__func__", function), *map(id, arguments))
        if key not in self._kept:
            # The arguments are kept as well, so that no other object gets the same id.
            self._kept[key] = (arguments, function(*arguments))
        result: Result = self._kept[key][1]
        return result

    def warning(self, lengths: Mapping[str, Mapping[str, int]]) -> str | None:
        """What this detector may miss on these grids, and what to write instead; None if nothing.

        Args:
            lengths: for each of `roles`, how many values each dimension of the grid has, after the
                claim's selection.
        """
        return None

    @abstractmethod
    def find(self, data: Mapping[str, xr.Dataset]) -> Finding:
        """Measure the phenomenon, with an interval of `self.confidence`.

        Args:
            data: one dataset for each of `roles`, as `grokbench.store` assembles them, with the
                claim's selection applied (dimensions stay, even at length one). Cells whose
                `status` is not `done` hold NaN. Leave them out; never read them as zero.

        Raises:
            NotEnoughDataError: there is too little data. The message says what is lacking.
        """

    def figure(self, data: Mapping[str, xr.Dataset], finding: Finding | None) -> Drawing | None:
        """Draw what a claim looks at, for the report; None to leave that to the report.

        The report then draws final accuracy over model sizes or data sizes, or training curves.
        Import matplotlib inside this method, or write a function elsewhere and name it in
        `drawn_by`: judging claims must not need matplotlib. Where drawing raises an error, the
        page shows the error in place of the figure.

        Args:
            data: as `find` gets it, but whole along `figure_spans`.
            finding: what `find` returned for the claim, or for the first of several claims that
                share the figure; None where there was too little data.

        Raises:
            NotEnoughDataError: there is nothing to draw, and why.
        """
        if self.drawn_by is None:
            return None
        drawing: Drawing | None = pkgutil.resolve_name(self.drawn_by)(self, data, finding)
        return drawing
