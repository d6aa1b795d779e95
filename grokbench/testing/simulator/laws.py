"""Laws: what becomes of simulated runs. Their fields are the truth that detectors should find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from grokbench.testing.simulator.grid import Grid
from grokbench.testing.simulator.layout import Floats


@dataclass(frozen=True, eq=False)
class Runs:
    """What becomes of each run if it trains long enough; each field is [*grid].

    A run whose `at` lies beyond the last step is censored: it has generalized in part, or not yet.
    """

    trained: Floats
    """Final training accuracy."""
    memorized: Floats
    """The step at which it is reached."""
    generalized: Floats
    """Final accuracy on mirror-free validation examples; NaN if nothing validates."""
    at: Floats
    """The step at which it is reached."""
    norm: Floats
    """The parameter norm at that step over the norm before generalization began."""
    losses: tuple[Floats, Floats] | None = None
    """Final training and validation loss; those of the accuracies if None."""


class Law(Protocol):
    """Says what becomes of the runs of a grid."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        """Draw what becomes of the runs. Every random number comes from the generator."""


@dataclass(frozen=True)
class Circuits:
    """The competition of two circuits: Huang et al. 2024, § 2.2, Fig. 1.

    With more data than its capacity, a model shows progression: it generalizes early and in part.
    Otherwise it memorizes first. It groks, and with data closer to the critical data size it groks
    later. At the critical data size it finishes about the last step; a little below, it ends on its
    way (semi-grokking); far below, it stays at chance.
    """

    critical_slope: float = -0.25
    """Doublings of the critical data size per doubling of parameters; 0: independent of them.
    From 4000 examples at hidden size 32 and 3000 at 64 (Fig. 3) it is -0.245."""
    critical_at: tuple[float, float] = (64_192, 3000)
    """A number of parameters, and the critical data size there."""
    band: float = 0.0
    """How far below the critical data size, as a share of it, runs end between chance and perfect
    accuracy. The paper's words give 0.3: 1000 examples below 3000 to 4000."""
    capacity_slope: float = 1.0
    """Doublings of the capacity per doubling of parameters."""
    capacity_at: tuple[float, float] = (9_000, 2600)
    """A number of parameters, and how many examples such a model memorizes."""
    norm_in_grokking: float = 0.8
    """The median of the norm after grokking over the norm before."""
    norm_in_progression: float = 1.3
    norm_spread: float = 0.12
    """The standard deviation of its logarithm from run to run."""
    critical_spread: float = 0.13
    """The standard deviation of log2 of the critical data size from run to run."""
    tail: float = 0.25
    """The scale of the logarithm of the time to grok, which has Student's t distribution with 3
    degrees of freedom: some runs grok very late."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        size = np.log2(grid.parameters)[:, None, None]
        data = np.log2(grid.examples)[None, :, None]

        def normal(spread: float) -> Floats:
            return spread * generator.standard_normal(grid.shape)

        critical = _line(size, self.critical_at, self.critical_slope)
        critical = critical + normal(self.critical_spread)
        capacity = _line(size, self.capacity_at, self.capacity_slope) + normal(0.1)
        progression = np.broadcast_to(data, grid.shape) > capacity

        tails = np.exp(self.tail * generator.standard_t(3, grid.shape))
        # The time to grok grows with the 8th power of the critical over the actual data size: with
        # the tails, 2 to 10 times for a tenth of the data.
        grokked = 0.9 * grid.steps * np.exp2(8 * (critical - data)) * tails
        memorized = 0.01 * grid.steps * np.exp2(normal(0.5))
        partly = generator.beta(3, 2, grid.shape)
        soon = np.minimum(0.1 * grid.steps * np.exp2(normal(0.5)), 0.8 * grid.steps)
        held = np.minimum(0.55 + 0.45 * partly, 0.97)
        lacking = 1 - np.exp2(data - critical)
        stuck = ~progression & (lacking > 0) & (lacking < self.band)
        share = 1 - lacking / (self.band or 1)
        norm = np.where(progression, self.norm_in_progression, self.norm_in_grokking)
        return Runs(
            trained=np.where(progression, held, 1.0),
            memorized=np.where(progression, soon, memorized),
            generalized=np.where(progression, partly, np.where(stuck, share, 1.0)),
            at=np.select(
                [progression, stuck],
                [soon, 0.8 * grid.steps * np.ones(grid.shape)],
                np.maximum(grokked, 10 * memorized),
            ),
            norm=norm * np.exp(normal(self.norm_spread)),
        )


@dataclass(frozen=True)
class Memory:
    """Random labels: a model memorizes as many as its capacity, and nothing validates."""

    slope: float = 1.0
    """Doublings of the capacity per doubling of parameters; 0: it does not depend on them."""
    at: tuple[float, float] = (9_000, 4300)
    """A number of parameters, and how many labels such a model memorizes."""
    spread: float = 0.07
    """The standard deviation of the logarithm of the number that a run memorizes."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        size = np.log2(grid.parameters)[:, None, None]
        held = np.exp2(_line(size, self.at, self.slope)) / grid.examples[None, :, None]
        held = held * np.exp(self.spread * generator.standard_normal(grid.shape))
        nothing, late = np.full(grid.shape, np.nan), np.full(grid.shape, grid.steps / 3)
        trained = np.clip(grid.chance + (1 - grid.chance) * held, grid.chance, 1)
        return Runs(trained, late, nothing, late, np.ones(grid.shape))


@dataclass(frozen=True)
class Levels:
    """Final accuracy depends on model size alone: its mean over many seeds is `levels`."""

    levels: tuple[float, ...]
    """One for each model size, between 0 and 1."""
    concentration: float | tuple[float, ...] = 0.6
    """The concentration of the beta distribution from which final accuracies are drawn, for all
    sizes or for each: larger values make runs of one size more alike. In results/quick-fixed, runs of
    hidden size 96 grok or do not, and seldom end between (0.6); runs of hidden size 4 show
    progression (4)."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        level = np.clip(np.asarray(self.levels, float), 0.01, 0.99)[:, None, None]
        alike = np.broadcast_to(self.concentration, len(self.levels))[:, None, None]
        final = generator.beta(level * alike, (1 - level) * alike, grid.shape)
        memorized = 0.01 * grid.steps * np.exp2(0.5 * generator.standard_normal(grid.shape))
        at = grid.steps * generator.uniform(0.1, 0.6, grid.shape)
        everything = np.ones(grid.shape)
        return Runs(everything, memorized, final, np.maximum(at, 2 * memorized), 0.8 * everything)


@dataclass(frozen=True)
class Emerging:
    """Models with enough parameters learn the first part of the task; smaller models do not."""

    at: float = 10_000
    """The number of parameters that is enough, the median over seeds; infinite for none."""
    spread: float = 0.5
    """The standard deviation of its log2, from run to run."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        needed = np.log2(self.at) + self.spread * generator.standard_normal(grid.shape)
        has_it = np.log2(grid.parameters)[:, None, None] >= needed
        memorized = 0.01 * grid.steps * np.exp2(0.5 * generator.standard_normal(grid.shape))
        at = grid.steps * generator.uniform(0.1, 0.6, grid.shape)
        everything = np.ones(grid.shape)
        final = np.where(has_it, 1.0, generator.beta(1, 20, grid.shape))
        return Runs(everything, memorized, final, np.maximum(at, 2 * memorized), 0.8 * everything)


@dataclass(frozen=True)
class Delayed:
    """Every run memorizes, and generalizes later: power laws of one swept field (Liu et al. 2022, § 3)."""

    delay: float = 10.0
    """The median of the step from which a run has generalized (accuracy 0.9) over that from which it has
    memorized (0.99), where the field is 1."""
    slope: float = 0.0
    """The log-log slope of the delay over the field."""
    field: str = ""
    """A swept field; the delay is the same everywhere if empty."""
    memorized: float = 300.0
    """The median step from which runs have memorized."""
    spread: float = 0.1
    """The standard deviation of log10 of the delay, from run to run."""
    memorized_spread: float = 0.05
    """That of log10 of the step from which a run has memorized."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        normal = generator.standard_normal(size=(2, *grid.shape))
        memorized = self.memorized * 10 ** (self.memorized_spread * normal[0])
        values = grid.along(self.field) if self.field else 1.0
        delay = self.delay * values**self.slope * 10 ** (self.spread * normal[1])
        everything = np.ones(grid.shape)
        # Training accuracy rises in a line from chance; validation accuracy in a line that begins at 0.6
        # of its last step, from the floor of `curves.FLOOR`.
        last_memorized = memorized * (1 - grid.chance) / (0.99 - grid.chance)
        last_generalized = memorized * delay / (0.6 + 0.4 * (0.9 - 0.01) / (1 - 0.01))
        return Runs(everything, last_memorized, everything, last_generalized, everything)


@dataclass(frozen=True)
class Goldilocks:
    """Final losses over a swept field: training loss is L-shaped, validation loss U-shaped.

    Both are parabolas in log10 of the field, and so are walls (Liu et al. 2022, Fig. 1).
    """

    field: str = "initial_scale"
    minimum: float = 1.0
    """The value with the lowest losses."""
    left: float = 2.0
    """How much larger both losses are a decade below, in decades."""
    right: float = 4.0
    """How much larger validation loss is a decade above, in decades."""
    lowest: float = 1e-4
    """Both losses at the minimum."""
    spread: float = 0.2
    """The standard deviation of log10 of the losses, from run to run."""

    def runs(self, grid: Grid, generator: np.random.Generator) -> Runs:
        away = np.log10(grid.along(self.field) / self.minimum)
        below, above = np.minimum(away, 0) ** 2, np.maximum(away, 0) ** 2
        train, validation = (
            self.lowest
            * 10
            ** (
                self.left * below
                + right * above
                + self.spread * generator.standard_normal(grid.shape)
            )
            for right in (0.0, self.right)
        )
        everything = np.ones(grid.shape)
        at = 0.1 * grid.steps * everything
        return Runs(everything, at, everything, 2 * at, everything, (train, validation))


def dip(grid: Grid, depth: float, *, peak: float = 0.6, width: float = 1.0) -> tuple[float, ...]:
    """Levels that rise to `peak` at size 8, fall by `depth` at sizes 24 to 40, and rise to 1.

    Args:
        grid: whose model sizes.
        depth: 0 for a curve that only rises; `peak` for a curve that falls to 0, as in Huang et
            al. 2024, Fig. 6 (a).
        peak: accuracy before the dip.
        width: 1 for the dip of Fig. 6 (a); a smaller number makes it narrower around size 31.
    """
    floor = np.log2(24 / 31) * width, np.log2(40 / 31) * width
    places = [2.0, 3.0, *(np.log2(31) + end for end in floor), 6.0, 7.0]
    heights = [0.5 * peak, peak, peak - depth, peak - depth, max(0.95, peak), 1.0]
    hidden = np.log2([size.hidden_size for size in grid.sizes])
    return tuple(float(level) for level in np.interp(hidden, places, heights))


def _line(size: Floats, through: tuple[float, float], slope: float) -> Floats:
    """log2 of a power law through a point, at `size` = log2 of the number of parameters."""
    return np.asarray(np.log2(through[1]) + slope * (size - np.log2(through[0])))
