"""How good the forecast of the number of seeds is that an undecided claim takes.

    python -m studies.outlook

Experiments are simulated with many seeds. The number of seeds is predicted from the first few of them, where
these do not decide the claim, and then really judged with more and more seeds: at looks that are
about a tenth apart. The table compares the predicted number with the number really taken. A claim that
all simulated seeds do not decide counts as taking more than every forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import xarray as xr

from grokbench.claims import Outcome, judge, seeds_expected
from grokbench.phenomena import BUILT_IN
from grokbench.phenomena.base import Detector
from grokbench.record import Choice
from grokbench.suite.model import Claim, Rule
from grokbench.testing.simulator import Circuits, Grid, Law, Levels, Memory, dip, simulate
from studies.documents import Marks, table

MARKS = Marks("<!-- outlook: start -->", "<!-- outlook: end -->")
CONFIDENCE = 0.99
"""As of the first of ten claims or of a look; one tail of 0.5 %."""
SEEDS = 80
"""The most seeds of a simulated experiment."""

SIZES = (4, 8, 16, 24, 32, 48, 64, 100)
LINE = Grid(SIZES, (3000,), SEEDS, steps=4000, evaluate_every=400)
PLACES = {"peak": [8], "bottom": [24, 32], "recovery": [100]}


@dataclass(frozen=True)
class World:
    """What is simulated, and the claim that is judged."""

    words: str
    detector: str
    options: Mapping[str, object]
    law: Law
    grid: Grid
    rule: Rule

    @property
    def claim(self) -> Claim:
        return Claim(
            "simulated",
            self.words,
            Choice(self.detector, dict(self.options)),
            {"experiment": "simulated"},
            self.rule,
        )


WORLDS = (
    World(
        "capacity rises: slope 0.7, rule ≥ 0.5",
        "memorization_capacity",
        {},
        Memory(slope=0.7, spread=0.4),
        Grid((4, 8, 16, 32), (12_769,), SEEDS, steps=4000, evaluate_every=400, random_labels=True),
        Rule(at_least=0.5),
    ),
    World(
        "norm falls by 10 %, rule ≤ −0.03",
        "norm_change",
        {},
        Circuits(critical_at=(64_192, 2200), norm_in_grokking=0.9),
        Grid((64,), (3000,), SEEDS, steps=4000, evaluate_every=200),
        Rule(at_most=-0.03),
    ),
    World(
        "critical data size falls, rule ≥ 0.4",
        "critical_data_size",
        {},
        Circuits(capacity_at=(9000, 1e6)),
        Grid(
            (32, 40, 48, 64), tuple(range(2000, 4001, 400)), SEEDS, steps=4000, evaluate_every=400
        ),
        Rule(at_least=0.4),
    ),
    World(
        "dip from 0.6 to 0.2, searched for, rule ≥ 0.1",
        "double_descent",
        {},
        Levels(dip(LINE, 0.4), 0.6),
        LINE,
        Rule(at_least=0.1),
    ),
    World(
        "the same dip at declared places, rule ≥ 0.1",
        "double_descent",
        {"places": PLACES},
        Levels(dip(LINE, 0.4), 0.6),
        LINE,
        Rule(at_least=0.1),
    ),
)


@dataclass(frozen=True)
class Forecasts:
    """Numbers of seeds, [experiments]; infinite where there is none."""

    predicted: np.ndarray
    taken: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """Foretold over taken, where either is finite; two infinite numbers agree."""
        both = np.isinf(self.predicted) & np.isinf(self.taken)
        with np.errstate(invalid="ignore"):
            return np.where(both, 1.0, self.predicted / self.taken)


def forecasts(world: World, seen: int, experiments: int) -> Forecasts:
    """Foretell the claim from the first `seen` seeds of each experiment that leaves it undecided."""
    detector = {one.name: one for one in BUILT_IN}[world.detector].from_options(world.options)
    found = []
    for number in range(experiments):
        whole = simulate(world.law, world.grid, number)
        if judged(world, detector, whole, seen):
            continue
        start = {"experiment": whole.isel(seed=slice(seen))}
        predicted = seeds_expected(world.claim, start, detector, CONFIDENCE).seeds
        looks = np.unique(np.geomspace(seen + 1, SEEDS, 24).astype(int)).tolist()
        taken = next((look for look in looks if judged(world, detector, whole, look)), np.inf)
        found.append((np.inf if predicted is None else predicted, taken))
    both = np.array(found, float).reshape(-1, 2)
    return Forecasts(both[:, 0], both[:, 1])


def judged(world: World, detector: Detector, whole: xr.Dataset, seeds: int) -> bool:
    """Whether the claim is decided by the first seeds."""
    data = {"experiment": whole.isel(seed=slice(seeds))}
    return judge(world.claim, data, detector, CONFIDENCE).outcome in (
        Outcome.REPRODUCED,
        Outcome.NOT_REPRODUCED,
    )


def quartiles(values: np.ndarray, digits: int = 0) -> str:
    """`18 [12–27]`: the median and the quartiles; `none` or `∞` where no number was found."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")

    def word(value: float) -> str:
        if np.isinf(value):
            return "none" if digits == 0 else "∞"
        return f"{value:.{digits}f}"

    return f"{word(middle)} [{word(low)}–{word(high)}]"


def line(world: World, seen: int, found: Forecasts) -> tuple[str, ...]:
    ratios = found.ratios
    if not len(ratios):
        return (world.detector, world.words, str(seen), "0", "", "", "", "")
    near = float(((ratios >= 0.5) & (ratios <= 2)).mean())
    return (
        f"`{world.detector}`",
        world.words,
        str(seen),
        str(len(ratios)),
        quartiles(found.taken),
        quartiles(found.predicted),
        quartiles(ratios, 2),
        f"{near:.0%}",
    )


HEADER = (
    "detector",
    "simulated",
    "seeds seen",
    "undecided",
    "seeds taken",
    "seeds predicted",
    "predicted / taken",
    "within a factor of 2",
)


@click.command()
@click.option("--seen", multiple=True, type=int, default=(5, 8), show_default=True)
@click.option("--experiments", type=int, default=24, show_default=True)
@click.option("--only", multiple=True, help="A detector's name; all of them unless given.")
@click.option(
    "--write",
    "document",
    type=click.Path(exists=True, path_type=Path),
    help="Also write the table into this document.",
)
def main(
    seen: tuple[int, ...], experiments: int, only: tuple[str, ...], document: Path | None
) -> None:
    """Print the medians and quartiles of forecasts on simulated experiments."""
    lines = []
    for world in WORLDS:
        for seeds in seen if not only or world.detector in only else ():
            lines.append(line(world, seeds, forecasts(world, seeds, experiments)))
            click.echo(" | ".join(lines[-1]), err=True)
    found = table(HEADER, lines)
    click.echo(found)
    if document is not None:
        MARKS.write(document, found)


if __name__ == "__main__":
    main(prog_name="python -m studies.outlook")
