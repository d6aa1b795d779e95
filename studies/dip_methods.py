"""How many seeds do methods for a difference of bounded means need at declared places?

    python -m studies.dip_methods --write docs/detectors.md

Simulated are dips, and curves without one, at three sizes of the peak, three of the bottom and two of the
recovery. Counted is in how many experiments each method has decided the rule by each number of seeds. All
methods get the same experiments and the same tail for each leg: `melded` is what the detectors do.

| method | source |
| --- | --- |
| melded | `grokbench.statistics.dip_at_places` |
| betting | the product of both groups' e-values, each a mixture over bets (Waudby-Smith and Ramdas 2024, JRSS B 86, 1–27), its least value over all pairs of means that do not satisfy the rule; with the sum of all looks' tails, since e-values hold at all looks together |
| Clopper–Pearson | each accuracy rounded to 0 or 1 at random with its own probability, and the exact bound of each place at half the tail |
| Maurer–Pontil | the empirical Bernstein bound (2009, COLT) of each place at half the tail |
| Welch | Student's t, for comparison only: the error of each end is not what the confidence says where runs that no seed shows are possible |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from scipy import stats

from grokbench.statistics.dip_at_places import DipAtPlaces
from grokbench.statistics.intervals import Floats, welch_interval
from grokbench.suite.model import Rule
from studies.documents import Marks, table

LOOKS = (5, 8, 12, 18, 27, 40)
TAIL = 0.0005
"""Of each end at each look: 17 open claims at six looks, 0.05 / 6 / 17."""

SIZES = (3, 3, 2)
"""Sizes of peak, bottom and recovery."""

MARKS = Marks("<!-- the methods for dips -->", "<!-- the end of the methods for dips -->")

Draw = Callable[[np.random.Generator, int], Floats]
"""Final accuracies of so many runs."""


def fails(share: float, level: float = 0.99) -> Draw:
    """Runs that end at a level, or fail with this probability."""
    return lambda generator, runs: np.where(generator.random(runs) < share, 0.02, level)


def in_part(mean: float) -> Draw:
    """Runs that end anywhere (progression): a beta distribution of concentration 4."""
    return lambda generator, runs: generator.beta(4 * mean, 4 * (1 - mean), runs)


@dataclass(frozen=True)
class World:
    """What runs of the three places do, and the rule to decide."""

    words: str
    places: tuple[Draw, Draw, Draw]
    rule: Rule


DIP, NO_DIP = Rule(at_least=0.1), Rule(at_most=0.1)
WORLDS = (
    World("0.6, 0, 1; all or nothing", (fails(0.4), fails(1.0), fails(0.03)), DIP),
    World("0.6, 0, 1; the peak in part", (in_part(0.6), fails(1.0), fails(0.03)), DIP),
    World("0.8, 0.4, 1; all or nothing", (fails(0.2), fails(0.6), fails(0.03)), Rule(at_least=0.0)),
    World("0.8, 0.4, 1; in part", (in_part(0.8), in_part(0.4), fails(0.03)), Rule(at_least=0.0)),
    World("0.5, 0.03, 0.9; all or nothing", (fails(0.5), fails(0.99), fails(0.1)), DIP),
    World("no dip, near-perfect; no run fails", (fails(0, 0.98), fails(0), fails(0, 1)), NO_DIP),
    World("no dip, near-perfect; 3 % of runs fail", (fails(0.03),) * 3, NO_DIP),
    World("no dip, 0.6, 0.95, 1", (in_part(0.6), fails(0.03), fails(0.03)), NO_DIP),
)

LegAbove = Callable[[Floats, Floats, float, float], bool]
"""Whether the mean of the first values less that of the second is shown to exceed a bound, at a tail."""


def by_legs(above: LegAbove, looks: int = 1) -> Callable[[list[Floats], Rule], bool]:
    """Decides a rule by both legs, as `dip_at_places` does; `looks`: for how many the tail is enough."""

    def decides(places: list[Floats], rule: Rule) -> bool:
        peak, bottom, recovery = (accuracy.ravel() for accuracy in places)
        tail = TAIL * looks
        if rule.at_least is not None:
            return all(above(side, bottom, rule.at_least, tail) for side in (peak, recovery))
        assert rule.at_most is not None
        half = [above(bottom, side, -rule.at_most, tail / 2) for side in (peak, recovery)]
        return any(half) or all(
            above(bottom, side, -rule.at_most, tail) for side in (peak, recovery)
        )

    return decides


def melded(places: list[Floats], rule: Rule) -> bool:
    interval = DipAtPlaces(*places).depths.interval(1 - 2 * TAIL)
    if rule.at_least is not None:
        return interval.low > rule.at_least
    assert rule.at_most is not None
    return interval.high < rule.at_most


MEANS = np.linspace(0.0025, 0.9975, 400)
"""Means on the edge of a rule."""
ALTERNATIVES = np.array([0, 1, *((np.arange(40) + 0.5) / 40)])
"""What a bettor bets on. Runs that all agree are likely, so that the ends have weights of their own."""
_INSIDE = stats.beta.pdf(ALTERNATIVES[2:], 0.5, 0.5)
PRIOR = np.array([0.15, 0.15, *(0.7 * _INSIDE / _INSIDE.sum())])


def log_e(values: Floats) -> Floats:
    """Log of the e-value against each of MEANS.

    A bet on the mean q against the mean m multiplies the capital by x q/m + (1 − x)(1 − q)/(1 − m).
    """
    capital = np.zeros((len(ALTERNATIVES), len(MEANS)))
    q = ALTERNATIVES[:, None]
    with np.errstate(divide="ignore"):
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            capital += count * np.log(value * q / MEANS + (1 - value) * (1 - q) / (1 - MEANS))
    return np.asarray(np.logaddexp.reduce(np.log(PRIOR)[:, None] + capital, axis=0))


def betting(first: Floats, second: Floats, least: float, tail: float) -> bool:
    # All pairs of means that the rule rules out: for each second mean, every first mean up to `most`.
    most = MEANS + least
    possible = most > MEANS[0]
    lowest = np.minimum.accumulate(log_e(first))
    both = np.interp(most[possible], MEANS, lowest) + log_e(second)[possible]
    return bool(both.min() >= -np.log(tail))


def clopper_pearson(first: Floats, second: Floats, least: float, tail: float) -> bool:
    def low(values: Floats) -> float:
        hits = int((np.random.default_rng(0).random(len(values)) < values).sum())
        return float(stats.beta.ppf(tail / 2, hits, len(values) - hits + 1)) if hits else 0.0

    return low(first) + low(1 - second) - 1 > least


def maurer_pontil(first: Floats, second: Floats, least: float, tail: float) -> bool:
    def low(values: Floats) -> float:
        runs, log = len(values), np.log(2 / (tail / 2))
        error = np.sqrt(2 * values.var(ddof=1) * log / runs) + 7 * log / (3 * (runs - 1))
        return float(values.mean() - error)

    return low(first) + low(1 - second) - 1 > least


def welch(first: Floats, second: Floats, least: float, tail: float) -> bool:
    return welch_interval(first, second, 1 - 2 * tail).low > least


METHODS: Mapping[str, Callable[[list[Floats], Rule], bool]] = {
    "melded": melded,
    "betting": by_legs(betting, looks=len(LOOKS)),
    "Clopper–Pearson": by_legs(clopper_pearson),
    "Maurer–Pontil": by_legs(maurer_pontil),
    "Welch": by_legs(welch),
}


def decided(world: World, method: str, experiments: int) -> list[float]:
    """The share of experiments that are decided by each look."""
    generator, counts = np.random.default_rng(3), np.zeros(len(LOOKS))
    for _ in range(experiments):
        whole = [
            draw(generator, sizes * LOOKS[-1]).reshape(sizes, LOOKS[-1])
            for draw, sizes in zip(world.places, SIZES, strict=True)
        ]
        for look, seeds in enumerate(LOOKS):
            if METHODS[method]([accuracy[:, :seeds] for accuracy in whole], world.rule):
                counts[look:] += 1
                break
    return [float(count) / experiments for count in counts]


@click.command()
@click.option("--experiments", type=int, default=100, show_default=True)
@click.option(
    "--write",
    "document",
    type=click.Path(exists=True, path_type=Path),
    help="A document to update.",
)
def main(experiments: int, document: Path | None) -> None:
    """Count decided experiments by look, in per cent, and print a table."""
    rows = [
        [
            world.words,
            str(world.rule),
            name,
            *(f"{100 * s:.0f}" for s in decided(world, name, experiments)),
        ]
        for world in WORLDS
        for name in METHODS
    ]
    header = ["peak, bottom, recovery", "rule", "method", *(f"{look} seeds" for look in LOOKS)]
    text = table(header, rows)
    click.echo(text)
    if document is not None:
        MARKS.write(document, text)


if __name__ == "__main__":
    main(prog_name="python -m studies.dip_methods")
