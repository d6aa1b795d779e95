"""How often each detector finds what is not there, and how often what is.

    python -m studies.calibration --write docs/detectors.md
    python -m studies.calibration --only crossing --write docs/detectors.md

simulates experiments with and without each phenomenon (`grokbench.testing.simulator`), for 3, 5, 11
and 30 seeds, lets the detector look at them at a confidence of 0.95, and counts. A false positive
is a claim that a rule at the edge would call reproduced: where the truth is exactly so much, an
interval that lies wholly beyond it. An honest 95 % interval does that in 2.5 % of worlds. Power is
how often the suite's rule calls the claim reproduced where the phenomenon is as large as in the
paper; at 11 seeds also at the confidence that the first claim of `suites/paper.toml` to be decided
takes among the others (Holm 1979). With `--only`, the document's other lines stay as they are. All
come with Clopper and Pearson's 95 % interval for the number of worlds simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr
from scipy import stats

from grokbench.errors import NotEnoughDataError
from grokbench.plugins import Plugins
from grokbench.statistics.dips import Groups, as_it_is
from grokbench.statistics.intervals import CONFIDENCE
from grokbench.suite.model import Rule
from grokbench.testing.simulator import (
    Circuits,
    Emerging,
    Flaws,
    Grid,
    Law,
    Levels,
    Memory,
    dip,
    simulate,
)
from grokbench.testing.worlds import dealt_anew

MARKS = ("<!-- the calibration -->", "<!-- the end of the calibration -->")

SEEDS = (3, 5, 11, 30)
PAPER_SEEDS = 11

CLAIMS = 14
"""How many claims `suites/paper.toml` has; the first to be decided is so at 1 - 0.05/14."""

FLAWS = Flaws(missing=0.02)
"""Evaluation noise, slingshots, leaking mirrors, and two cells of a hundred never run."""

SIZES = Grid().model_sizes
LARGE = (64, 128, "2x128", "2x256", "4x256", "4x512", "8x512", "8x1024")
CRITICAL_SIZES, CRITICAL_DATA = (32, 36, 40, 44, 48, 56, 64), tuple(range(2000, 4001, 200))
ROOMY = Circuits(capacity_at=(9000, 1e6))
"""Models that hold any amount of data, so that nothing but the critical data size matters."""
PAPER = Circuits(band=0.3)

World = Mapping[str, xr.Dataset]
Draw = Callable[[int, int], World]
"""A world for each number of seeds and each number of a world."""


@dataclass(frozen=True)
class Trial:
    """A detector, and worlds in which it is known what it ought to find."""

    name: str
    detector: str
    truth: float
    """The effect in `without`, or the largest there; the rule at the edge is held against it."""
    rule: Rule
    """The suite's, for the power."""
    without: Draw
    having: Draw
    words: tuple[str, str]
    """What the two worlds are."""
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: bool = False
    """Whether `without` breaks what the detector presumes: its documentation says how often it errs."""
    cost: int = 1
    """How many times fewer worlds of it are simulated, because each takes so much longer."""

    @property
    def edge(self) -> Rule:
        """The rule that the truth just keeps, or just breaks."""
        if self.rule.at_least is not None:
            return Rule(at_least=self.truth)
        return Rule(at_most=self.truth)


def drawn(**roles: tuple[Law, Grid]) -> Draw:
    """Worlds of one experiment a role."""

    def world(seeds: int, number: int) -> World:
        return {
            role: simulate(law, _with(grid, seeds), [number, place], FLAWS)
            for place, (role, (law, grid)) in enumerate(roles.items())
        }

    return world


def dealt(draw: Draw, role: str) -> Draw:
    """The same worlds, where each cell of one experiment holds some cell's run, at random."""

    def world(seeds: int, number: int) -> World:
        made = draw(seeds, number)
        return {**made, **dealt_anew({role: made[role]}, np.random.default_rng([number, 1]))}

    return world


FALLEN = 0.02
"""The final accuracy of a run that fails."""


def failing(draw: Draw, share: float, sizes: Sequence[int] | None = None) -> Draw:
    """The same worlds, where such a share of runs at some hidden sizes fails by chance.

    At the smaller half of the sizes, unless they are named.
    """

    def world(seeds: int, number: int) -> World:
        made = draw(seeds, number)
        return {role: _failed(data, share, sizes, number) for role, data in made.items()}

    return world


def _failed(data: xr.Dataset, share: float, sizes: Sequence[int] | None, number: int) -> xr.Dataset:
    generator = np.random.default_rng([number, 2])
    if sizes is None:
        there = data["parameters"] <= data["parameters"].median()
    else:
        there = data["hidden_size"].isin(sizes)
    cells = data["status"]
    fails = cells.copy(data=generator.random(cells.shape) < share) & there
    curves = ("validation_accuracy", "mirror_free_accuracy")
    fallen = {name: data[name].where(~fails | data[name].isnull(), FALLEN) for name in curves}
    return data.assign({name: curve.transpose(*data[name].dims) for name, curve in fallen.items()})


def _with(grid: Grid, seeds: int) -> Grid:
    return Grid(**{**grid.__dict__, "seeds": seeds})


LINE, MEMORY = Grid(), Grid(data_sizes=(12_769,), random_labels=True)
CRITICAL = Grid(CRITICAL_SIZES, CRITICAL_DATA)
TARGET = Grid((4, 12, 20, 28, 36, 44, 56, 100), (2600, 3000, 4000, 5000))
MIXED = Grid(LARGE, parts=("addition", "subtraction"))
NORMS = Grid((8, 64))
EASY = Circuits(critical_at=(64_192, 2200))
"""Hidden size 64 groks 3000 examples in all but few seeds."""
STILL = Circuits(critical_at=(64_192, 2200), norm_in_grokking=1.0, norm_in_progression=1.0)


def along(depth: float, peak: float = 0.6, grid: Grid = LINE) -> tuple[Law, Grid]:
    """Final accuracy over model size: progression up to size 20, beyond it runs grok or do not.

    Where nothing dips, every run does or does not, which makes for the noisiest curves.
    """
    alike = [4.0 if depth and size.hidden_size < 24 else 0.6 for size in grid.sizes]
    return Levels(dip(grid, depth, peak=peak), tuple(alike)), grid


def unequally(depth: float) -> tuple[Law, Grid]:
    """As `along`, but runs do or do not at every other size up to 36, and agree at all the rest."""
    alike = tuple(0.6 if size.hidden_size in (12, 20, 28, 36) else 50.0 for size in LINE.sizes)
    return Levels(dip(LINE, depth), alike), LINE


@cache
def crossing() -> float:
    """The data size at which the two curves of `PAPER` cross.

    capacity = 2600 · (n / 9000) and critical size = 3000 · (n / 64 192)^-0.25 are equal there.
    """
    log2_n = (np.log2(3000 / 2600) + np.log2(9000) + 0.25 * np.log2(64_192)) / 1.25
    return float(2600 * 2**log2_n / 9000)


def trials() -> tuple[Trial, ...]:
    curves = drawn(memorization=(Memory(), MEMORY), critical=(PAPER, CRITICAL))
    zones = drawn(
        memorization=(Memory(), MEMORY), critical=(PAPER, CRITICAL), target=(PAPER, TARGET)
    )
    half, all_of_them = (
        drawn(experiment=(Emerging(at, 0.5), Grid((64,)))) for at in (64_192, 4000)
    )
    return (
        Trial(
            "`dynamics`",
            "dynamics",
            0.5,
            Rule(at_least=0.4),
            half,
            all_of_them,
            ("half of all runs grok", "every run groks"),
            {"expected": "grokking"},
        ),
        Trial(
            "`memorization_capacity`",
            "memorization_capacity",
            0.0,
            Rule(at_least=0.5),
            drawn(experiment=(Memory(slope=0, at=(9000, 6000)), MEMORY)),
            drawn(experiment=(Memory(), MEMORY)),
            ("as many labels held at every size", "in proportion to the parameters (Fig. 4)"),
        ),
        Trial(
            "`critical_data_size`",
            "critical_data_size",
            0.0,
            Rule(at_least=0.2),
            drawn(experiment=(Circuits(0.0, (64_192, 2900), capacity_at=(9000, 1e6)), CRITICAL)),
            drawn(experiment=(ROOMY, CRITICAL)),
            ("the same at every size", "4000 at size 32, 3000 at 64 (Fig. 3)"),
        ),
        *(
            Trial(
                f"`critical_data_size`, {100 * share:.0f} % fail",
                "critical_data_size",
                0.2,
                Rule(at_least=0.2),
                failing(
                    drawn(
                        experiment=(
                            Circuits(0.0, (64_192, 2900), capacity_at=(9000, 1e6)),
                            CRITICAL,
                        )
                    ),
                    share,
                ),
                failing(drawn(experiment=(ROOMY, CRITICAL)), share),
                (
                    "the same, runs at the smaller sizes fail by chance",
                    "as above, runs at the smaller sizes fail by chance",
                ),
                limit=True,
                cost=5,
            )
            for share in (0.03, 0.06, 0.1)
        ),
        Trial(
            "`norm_change`, grokking",
            "norm_change",
            0.0,
            Rule(at_most=-0.01),
            drawn(experiment=(STILL, NORMS)),
            drawn(experiment=(EASY, NORMS)),
            ("changes by a tenth, up or down", "falls by a fifth (as in results/quick)"),
        ),
        Trial(
            "`norm_change`, progression",
            "norm_change",
            0.0,
            Rule(at_least=0.01),
            drawn(experiment=(STILL, NORMS)),
            drawn(experiment=(EASY, NORMS)),
            ("changes by a tenth, up or down", "rises by 30 % (as in results/quick)"),
            {"dynamics": "progression"},
        ),
        Trial(
            "`double_descent`",
            "double_descent",
            0.0,
            Rule(at_least=0.1),
            drawn(experiment=along(0.0)),
            drawn(experiment=along(0.6)),
            ("a plateau, then a rise", "from 0.6 to nothing at sizes 24 to 40 (Fig. 6 (a))"),
            cost=3,
        ),
        Trial(
            "`double_descent`, sizes that vary unequally",
            "double_descent",
            0.0,
            Rule(at_least=0.1),
            drawn(experiment=unequally(0.0)),
            drawn(experiment=unequally(0.6)),
            ("a plateau, then a rise", "from 0.6 to nothing at sizes 24 to 40"),
            cost=3,
        ),
        Trial(
            "`double_descent`, no smoothing",
            "double_descent",
            0.0,
            Rule(at_least=0.1),
            drawn(experiment=along(0.0)),
            drawn(experiment=along(0.6)),
            ("a plateau, then a rise", "from 0.6 to nothing at sizes 24 to 40 (Fig. 6 (a))"),
            {"smoothing": False},
            cost=3,
        ),
        Trial(
            "`double_descent`, a shallow one",
            "double_descent",
            0.0,
            Rule(at_least=0.0),
            drawn(experiment=along(0.0, 0.8)),
            drawn(experiment=along(0.4, 0.8)),
            ("a plateau at 0.8, then a rise", "from 0.8 to 0.4 at sizes 24 to 40 (Fig. 6 (b))"),
        ),
        Trial(
            "`double_descent`, that it is not even shallow",
            "double_descent",
            0.05,
            Rule(at_most=0.05),
            drawn(experiment=along(0.05, 0.8)),
            drawn(experiment=along(0.0, 0.8)),
            ("from 0.8 to 0.75 at sizes 24 to 40", "a plateau at 0.8, then a rise"),
            cost=3,
        ),
        Trial(
            "`double_descent`, that nothing dips",
            "double_descent",
            0.1,
            Rule(at_most=0.1),
            drawn(experiment=along(0.1, 0.8)),
            drawn(experiment=(Levels(_rising()), LINE)),
            ("from 0.8 to 0.7 at sizes 24 to 40", "near-perfect from size 24 on (Fig. 6 (c, d))"),
            cost=3,
        ),
        Trial(
            "`double_descent`, that nothing dips, width 3",
            "double_descent",
            0.15,
            Rule(at_most=0.15),
            drawn(experiment=(Levels(_notched(0.15)), LINE)),
            drawn(experiment=(Levels(_rising()), LINE)),
            (
                "near-perfect but for 0.15 less at sizes 28 to 36",
                "near-perfect from size 24 on (Fig. 6 (c, d))",
            ),
            {"width": 3},
            cost=3,
        ),
        *(
            Trial(
                f"`double_descent`, that nothing dips, seeds agree{words}",
                "double_descent",
                _depth_where_fail(share, sizes),
                rule,
                failing(drawn(experiment=AGREED), share, sizes),
                drawn(experiment=AGREED),
                (
                    f"near-perfect, but {100 * share:.0f} % of runs fail at {where}",
                    "near-perfect from size 24 on (Fig. 6 (c, d))",
                ),
                {"width": len(sizes)},
                cost=3,
            )
            for share, sizes, where, rule, words in (
                (0.3, (36,), "size 36", Rule(at_most=0.1), ""),
                (0.11, (36, 40, 44), "sizes 36 to 44", Rule(at_most=0.15), ", width 3"),
            )
        ),
        *(
            Trial(
                f"`deeper_double_descent`{words}",
                "deeper_double_descent",
                0.0,
                Rule(at_least=0.0),
                drawn(easier=along(0.4, 0.8), harder=along(0.4, 0.8)),
                drawn(easier=along(0.2, 0.8), harder=along(0.8, 0.8)),
                (
                    "both dip from 0.8 to 0.4",
                    "one dips from 0.8 to 0.6, the other to nothing (Fig. 7)",
                ),
                {"width": width},
                cost=3,
            )
            for width, words in ((1, ""), (3, ", width 3"))
        ),
        Trial(
            "`emergence`",
            "emergence",
            0.0,
            Rule(at_least=1.0),
            drawn(reference=(Emerging(1e6), MIXED), shifted=(Emerging(1e6), MIXED)),
            drawn(reference=(Emerging(20_000), LINE), shifted=(Emerging(20_000 * 1570), MIXED)),
            ("at as many parameters", "at 1570 times as many (Fig. 8)"),
        ),
        Trial(
            "`emergence`, best of seeds",
            "emergence",
            0.0,
            Rule(at_least=1.0),
            drawn(reference=(Emerging(1e6), MIXED), shifted=(Emerging(1e6), MIXED)),
            drawn(reference=(Emerging(20_000), LINE), shifted=(Emerging(20_000 * 1570), MIXED)),
            ("at as many parameters", "at 1570 times as many (Fig. 8)"),
            {"best_of_seeds": True},
        ),
        Trial(
            "`zone_prediction`",
            "zone_prediction",
            0.0,
            Rule(at_least=0.05),
            dealt(zones, "target"),
            zones,
            ("runs dealt to cells at random", "as Fig. 1 has it, semi-grokking 30 % wide"),
            cost=5,
        ),
        Trial(
            "`crossing`",
            "crossing",
            float(np.log2(crossing() / 2600)),
            Rule(at_least=0.0),
            curves,
            curves,
            (
                "the crossing lies exactly there",
                f"at {crossing() / 2600:.1f} times as many examples",
            ),
            {"coordinate": "data_size", "relative_to": 2600},
        ),
    )


def _rising() -> tuple[float, ...]:
    hidden = np.log2([size.hidden_size for size in LINE.sizes])
    return tuple(float(v) for v in np.interp(hidden, [2, 3, np.log2(24), 7], [0.4, 0.7, 0.98, 1]))


def _notched(depth: float) -> tuple[float, ...]:
    """Three sizes of a curve that else only rises, so much below the three before them on average."""
    levels = np.clip(_rising(), 0.01, 0.99)
    places = [size.hidden_size for size in LINE.sizes]
    first = places.index(28)
    levels[first : first + 3] = levels[first - 3 : first].mean() - depth
    return tuple(float(level) for level in levels)


AGREED = (Levels(_rising(), 1000.0), LINE)
"""Final accuracy that rises, near-perfect from size 24 on, and that all seeds of a size agree in."""


def _depth_where_fail(share: float, sizes: Sequence[int]) -> float:
    """How deep `AGREED` dips where such a share of runs at these hidden sizes fails."""
    fails = np.isin([size.hidden_size for size in LINE.sizes], sizes)
    levels = np.array(_rising()) - share * fails * (np.array(_rising()) - FALLEN)
    width = len(sizes)
    return as_it_is(levels, Groups.of(len(levels), width, 2 * width - 1))


def reproduced(
    trial: Trial, rule: Rule, draw: Draw, seeds: int, number: int, confidence: float = CONFIDENCE
) -> bool:
    """Whether the rule calls the claim reproduced in one world."""
    detector = _detectors()[trial.detector].from_options(trial.options).at(confidence)
    try:
        finding = detector.find(draw(seeds, number))
    except NotEnoughDataError:
        return False
    if rule.at_least is not None:
        return bool(finding.low > rule.at_least)
    assert rule.at_most is not None
    return bool(finding.high < rule.at_most)


@cache
def _detectors() -> Mapping[str, Any]:
    return Plugins.load().detectors


@dataclass(frozen=True)
class Rate:
    """In how many of how many worlds."""

    count: int
    worlds: int

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's, 95 %."""
        found = stats.binomtest(self.count, self.worlds).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.count / self.worlds:.1f} ({100 * low:.1f}–{100 * high:.1f})"


@dataclass(frozen=True)
class Task:
    """A trial by its number, with or without its phenomenon, and how many worlds of it."""

    trial: int
    having: bool
    seeds: int
    worlds: int
    claims: int = 1
    """Among how many claims it is to be the first that is decided."""

    def rate(self) -> Rate:
        trial = trials()[self.trial]
        rule, draw = (trial.rule, trial.having) if self.having else (trial.edge, trial.without)
        confidence = 1 - (1 - CONFIDENCE) / self.claims
        offset = 10**6 * (1 + self.having) + 10**4 * self.seeds
        counts = (
            reproduced(trial, rule, draw, self.seeds, offset + number, confidence)
            for number in range(self.worlds)
        )
        return Rate(sum(counts), self.worlds)


def tasks(which: Sequence[str], seeds: Sequence[int], worlds: int) -> Iterator[Task]:
    """Every measurement: `worlds` at 11 seeds without the phenomenon, and fewer for the others."""
    for index, trial in enumerate(trials()):
        if which and trial.detector not in which:
            continue
        for having in (False, True):
            for number in seeds:
                paper = number == PAPER_SEEDS
                share = 1 if paper and not having else 3 if paper else 6
                task = Task(index, having, number, max(worlds // share // trial.cost, 1))
                yield task
                if paper and having:
                    yield replace(task, claims=CLAIMS)


def tables(rates: Mapping[Task, Rate], seeds: Sequence[int], before: str = "") -> str:
    """One table of false positives, one of power, in per cent.

    What was not measured is taken over from the tables `before`, if they have the same columns.
    """
    parts = []
    older = before.splitlines()
    for having, head in ((False, "false positives, %"), (True, "power, %")):
        columns = _columns(seeds, having)
        world = "where the phenomenon is" if having else "where it is not"
        header = _row(head, world, *columns)
        rows = [header, _row(*["---"] * (2 + len(columns)))]
        if older and header not in older:
            raise click.UsageError(f"the document has other columns than {header}; name the same")
        for index, trial in enumerate(trials()):
            mine = {t: rate for t, rate in rates.items() if (t.trial, t.having) == (index, having)}
            first = (trial.name + (f", {trial.rule}" if having else ""), trial.words[having])
            if mine:
                found = {(task.seeds, task.claims): str(rate) for task, rate in mine.items()}
                rows.append(_row(*first, *(found.get(key, "") for key in columns.values())))
            else:
                rows.extend(line for line in older if line.startswith(_row(*first)))
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _columns(seeds: Sequence[int], having: bool) -> dict[str, tuple[int, int]]:
    """What each column is headed, and the seeds and the claims that it is for."""
    columns = {}
    for number in seeds:
        columns[f"{number} seeds"] = (number, 1)
        if having and number == PAPER_SEEDS:
            columns[f"{number} seeds, first of {CLAIMS}"] = (number, CLAIMS)
    return columns


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


@click.command()
@click.option("--only", multiple=True, help="A detector's name; all of them unless given.")
@click.option("--seeds", multiple=True, type=int, default=SEEDS, show_default=True)
@click.option("--worlds", type=int, default=1000, show_default=True, help="Worlds at 11 seeds.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes.")
@click.option(
    "--write", type=click.Path(exists=True, path_type=Path), help="A document to put it in."
)
def main(
    only: tuple[str, ...], seeds: tuple[int, ...], worlds: int, jobs: int, write: Path | None
) -> None:
    """Measure false positives and power, and print them as two tables."""
    waiting = list(tasks(only, seeds, worlds))
    rates = {}
    for task, rate in zip(waiting, _measured(waiting, jobs), strict=True):
        rates[task] = rate
        name = trials()[task.trial].name
        click.echo(
            f"{name}, {'with' if task.having else 'without'}, {task.seeds}, "
            f"of {task.claims}: {rate}",
            err=True,
        )
    click.echo(tables(rates, seeds))
    if write is not None:
        before, rest = write.read_text(encoding="utf-8").split(MARKS[0])
        older, after = rest.split(MARKS[1])
        found = tables(rates, seeds, older.strip() if only else "")
        text = f"{before}{MARKS[0]}\n\n{found}\n\n{MARKS[1]}{after}"
        write.write_text(text, encoding="utf-8")


def _measured(waiting: Sequence[Task], jobs: int) -> Iterator[Rate]:
    if jobs == 1:
        yield from map(Task.rate, waiting)
    else:
        with ProcessPoolExecutor(jobs) as pool:
            yield from pool.map(Task.rate, waiting)


if __name__ == "__main__":
    main()
