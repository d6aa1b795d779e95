"""The table of trials: for each detector what is simulated, and what the right answer is.

Figures and takeaways are those of Huang et al. 2024. Where the paper prints a number, the scenario
with the phenomenon has that number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from grokbench.suite.model import Rule
from grokbench.testing.simulator import (
    Circuits,
    Delayed,
    Emerging,
    Goldilocks,
    Grid,
    Law,
    Levels,
    Memory,
)
from studies.calibration.accuracies import (
    AGREEING,
    ALL_OR_NOTHING,
    AT_PLACES_SIZES,
    IN_PART,
    LINE,
    NEAR_PERFECT,
    NEAR_PERFECT_AGREEING,
    ONE_NOISY_SIZE,
    PLACES,
    at_places,
    depth_with_failures,
    dipping,
    notched,
    with_unequal_variances,
)
from studies.calibration.shares import DrawnByOne
from studies.calibration.trial import FAILED, Failures, Scenario, Simulated, Trial

CRITICAL_GRID = Grid((32, 36, 40, 44, 48, 56, 64), tuple(range(2000, 4001, 200)))
COARSE_GRID = Grid((32, 40, 48, 64), (2000, 2600, 3000, 3400, 4000))
SMALL_MODELS = Grid((4, 8, 12), (4000, 5000))
TARGET_GRID = Grid((4, 12, 20, 28, 36, 44, 56, 100), (2600, 3000, 4000, 5000))
RANDOM_LABELS = Grid(data_sizes=(12_769,), random_labels=True)
NORM_GRID = Grid((8, 64))
MIXTURE_GRID = Grid(
    (64, 128, "2x128", "2x256", "4x256", "4x512", "8x512", "8x1024"),
    parts=("addition", "subtraction"),
)

MEMORY = Memory(), RANDOM_LABELS

FALLING_CRITICAL_SIZE = Circuits(capacity_at=(9000, 1e6)), CRITICAL_GRID
CONSTANT_CRITICAL_SIZE = Circuits(0.0, (64_192, 2900), capacity_at=(9000, 1e6)), CRITICAL_GRID
"""In both, models can hold any amount of data, so that only the critical data size matters."""

COARSE_FALL, COARSE_CONSTANT = (
    (law, COARSE_GRID) for law, _ in (FALLING_CRITICAL_SIZE, CONSTANT_CRITICAL_SIZE)
)
"""The same on a grid of four model sizes and five data sizes."""

FIGURE_1 = Circuits(band=0.3)
CURVES: Mapping[str, Simulated] = {"memorization": MEMORY, "critical": (FIGURE_1, CRITICAL_GRID)}
ZONES: Mapping[str, Simulated] = {**CURVES, "target": (FIGURE_1, TARGET_GRID)}

TWO_CURVES = Circuits()
"""The two curves; near the critical data size a run generalizes fully or not at all."""


def zones_of(law: Law) -> dict[str, Simulated]:
    """A critical experiment and a target by one law, and random labels by another."""
    return {"memorization": MEMORY, "critical": (law, CRITICAL_GRID), "target": (law, TARGET_GRID)}


BY_DATA_SIZE = DrawnByOne("data size", (0, 0.15, 0.85, 0), (0, 0.6, 0, 0.4))

WITHOUT_CURVES = "the dynamics depend on the data size alone"

SKILL_OF_THE_CURVES = 0.70
"""The Brier skill in `TWO_CURVES` against the best baseline, the capacity curve alone, with 120
seeds."""


def crossing_data_size() -> float:
    """The data size at which the two curves of `FIGURE_1` cross.

    Capacity is 2600 n / 9000 and the critical data size is 3000 (n / 64 192)^-0.25 for n parameters;
    both are equal there.
    """
    log2_n = (np.log2(3000 / 2600) + np.log2(9000) + 0.25 * np.log2(64_192)) / 1.25
    return float(2600 * 2**log2_n / 9000)


CROSSING = crossing_data_size() / 2600

CHANGING_NORM = Circuits(critical_at=(64_192, 2200)), NORM_GRID
CONSTANT_NORM = (
    Circuits(critical_at=(64_192, 2200), norm_in_grokking=1.0, norm_in_progression=1.0),
    NORM_GRID,
)
"""In both, hidden size 64 groks 3000 examples in nearly all seeds, and size 8 shows progression."""


PROGRESSING = (Circuits(norm_in_progression=1.0), SMALL_MODELS), (Circuits(), SMALL_MODELS)
"""Every run shows progression; its norm stays the same on average, or rises by 30 %."""


def alone(words: str, world: Simulated, failures: Failures | None = None) -> Scenario:
    """A scenario of a single experiment."""
    return Scenario(words, {"experiment": world}, failures)


NORM_STAYS = alone("no change on average, 12 % between runs", CONSTANT_NORM)

NO_DIP = alone("no dip: accuracy is level, then rises", dipping(0.0))
NO_DIP_AT_08 = alone("no dip: accuracy is level at 0.8, then rises", dipping(0.0, 0.8))
DEEP_DIP = alone("dip from 0.6 to 0 at sizes 24 to 40 (Fig. 6 (a))", dipping(0.6))
NOTHING_DIPS = "no dip: near-perfect from size 24 on (Fig. 6 (c, d))"

THE_CURVES = Scenario("zones of Fig. 1, runs all or nothing", zones_of(TWO_CURVES))

SAME_EMERGENCE = Scenario(
    "at the same number of parameters",
    {role: (Emerging(1e6), MIXTURE_GRID) for role in ("reference", "shifted")},
)
LATER_EMERGENCE = Scenario(
    "at 1570 times the parameters (Fig. 8)",
    {
        "reference": (Emerging(20_000), LINE),
        "shifted": (Emerging(20_000 * 1570), MIXTURE_GRID),
    },
)


BOTH = ("reference", "shifted")
PAIR = Grid((64, 128))
HALF_OF_THE_RUNS = Levels((0.6, 0.6), ALL_OR_NOTHING), PAIR
MIXED = Levels((0.07, 0.27), IN_PART)
"""Means of a pilot at sizes 64 and 128: a + b mod 31 mixed with random labels, in a dense network."""


def critical_data_size_with_failures(percent: int) -> Trial:
    """Some runs of small models fail, whose critical data size then seems larger than it is."""
    failures = Failures(percent / 100)
    fail = f"{percent} % of runs at the smaller sizes fail"
    return Trial(
        "critical_data_size",
        alone(f"the same at every size; {fail}", CONSTANT_CRITICAL_SIZE, failures),
        alone(f"as above; {fail}", FALLING_CRITICAL_SIZE, failures),
        truth=0.2,
        rule=Rule(at_least=0.2),
        variant=f"{percent} % of runs fail",
        assumptions_hold=False,
        cost=5,
    )


def dip_of_failures(percent: int, sizes: tuple[int, ...], where: str, deepest: float) -> Trial:
    """Only failing runs make a dip, among sizes whose runs agree."""
    width = len(sizes)
    failures = Failures(percent / 100, sizes)
    words = f"near-perfect, but {percent} % of runs fail at {where}"
    return Trial(
        "double_descent",
        alone(words, NEAR_PERFECT_AGREEING, failures),
        alone(NOTHING_DIPS, NEAR_PERFECT_AGREEING),
        truth=depth_with_failures(percent / 100, sizes),
        rule=Rule(at_most=deepest),
        options={"width": width},
        variant=f"no dip, seeds agree{f', `width = {width}`' if width > 1 else ''}",
        cost=3,
    )


def deeper_dip(width: int) -> Trial:
    both = {"easier": dipping(0.4, 0.8), "harder": dipping(0.4, 0.8)}
    deeper = {"easier": dipping(0.2, 0.8), "harder": dipping(0.8, 0.8)}
    return Trial(
        "deeper_double_descent",
        Scenario("both tasks dip from 0.8 to 0.4", both),
        Scenario("one task dips from 0.8 to 0.6, the other from 0.8 to 0 (Fig. 7)", deeper),
        truth=0.0,
        rule=Rule(at_least=0.0),
        options={"width": width},
        variant=f"`width = {width}`" if width > 1 else "",
        cost=3,
    )


DELAY_CELL = Grid((64,), evaluate_every=100)
DECAYS = replace(DELAY_CELL, swept=(("weight_decay", (0.3, 1.0, 3.0)),))
SCALES = replace(
    DELAY_CELL,
    steps=10_000,
    evaluate_every=500,
    swept=(("initial_scale", (0.1, 0.16, 0.25, 0.4, 0.63, 1.0, 1.6, 2.5, 4.0, 6.3, 10.0)),),
)
"""The eleven scales of Omnigrok's landscape (Liu et al. 2022)."""

HUNDRED_TIMES = Delayed(100.0), DELAY_CELL
"""At the end of training, about one run in eight has not generalized."""

OMNIGROK = Goldilocks(left=2.3, right=5.1, lowest=7.8e-5), SCALES
"""The walls of the stored landscape of Omnigrok's code, `teacher-student/landscape`."""

WITH_DELAYS: tuple[Trial, ...] = (
    Trial(
        "reduced_loss",
        alone("validation loss ten times the lowest at scale 0.1", (Goldilocks(left=1.0), SCALES)),
        alone("walls of 2.3 and 5.1 decades (Omnigrok's landscape)", OMNIGROK),
        truth=1.0,
        rule=Rule(at_least=1.0),
        cost=3,
    ),
    Trial(
        "grokking_delay",
        alone("a hundred times the steps, one run in eight is stopped before", HUNDRED_TIMES),
        alone("a hundred times the steps, one run in eight is stopped before", HUNDRED_TIMES),
        truth=2.0,
        rule=Rule(at_least=1.0),
        cost=3,
    ),
    Trial(
        "delay_law",
        alone("the same at each of three weight decays", (Delayed(30.0), DECAYS)),
        alone(
            "in proportion to 1 / weight decay (Omnigrok, § 3)",
            (Delayed(30.0, -1.0, "weight_decay"), DECAYS),
        ),
        truth=0.0,
        rule=Rule(at_most=-0.5),
        cost=3,
    ),
    Trial(
        "delay_ratio",
        Scenario(
            "the same, one run in eight is stopped before",
            {"reference": HUNDRED_TIMES, "shifted": HUNDRED_TIMES},
        ),
        Scenario(
            "a tenth of the delay",
            {"reference": HUNDRED_TIMES, "shifted": (Delayed(10.0), DELAY_CELL)},
        ),
        truth=0.0,
        rule=Rule(at_most=-0.5),
        cost=3,
    ),
)


EVERY_SIZE = tuple(size.hidden_size for size in LINE.sizes)
FULLY_OR_NOT = "runs generalize fully or not at all"


def declared(
    variant: str, null: Scenario, phenomenon: Scenario, rule: Rule, truth: float = 0.0
) -> Trial:
    """A dip at declared places."""
    return Trial(
        "double_descent",
        null,
        phenomenon,
        truth=truth,
        rule=rule,
        options={"places": PLACES},
        variant=f"places, {variant}",
        deciding=True,
        cost=3,
    )


def failing(share: float, level: float) -> float:
    """The mean of runs that end at `level`, or fail with this probability."""
    return level - share * (level - FAILED)


DECLARED: tuple[Trial, ...] = (
    declared(
        "a dip",
        alone(f"0.3 at peak and bottom, 0.9 after; {FULLY_OR_NOT}", at_places(0.3, 0.3, 0.9, 0.6)),
        alone(f"dip from 0.6 to 0 (Fig. 6 (a)); {FULLY_OR_NOT}", at_places(0.6, 0, 1, 0.6)),
        Rule(at_least=0.1),
    ),
    declared(
        "equal legs",
        alone(f"dip from 0.5 to 0.3 to 0.5; {FULLY_OR_NOT}", at_places(0.5, 0.3, 0.5, 0.6)),
        alone(f"dip from 0.8 to 0.4 (Fig. 6 (b)); {FULLY_OR_NOT}", at_places(0.8, 0.4, 1, 0.6)),
        Rule(at_least=0.0),
        truth=0.2,
    ),
    declared(
        "unequal variances",
        alone(
            "0.4 at peak and bottom, 0.9 after; runs of one size each fully or not at all",
            at_places(0.4, 0.4, 0.9, ONE_NOISY_SIZE),
        ),
        alone(
            "dip from 0.6 to 0.1; runs of one size each fully or not at all",
            at_places(0.6, 0.1, 0.9, ONE_NOISY_SIZE),
        ),
        Rule(at_least=0.1),
    ),
    declared(
        "no dip",
        alone(
            "near-perfect, but 11 % of runs fail at the bottom",
            at_places(0.99, 0.99, 0.99, 1e6),
            Failures(0.11, tuple(PLACES["bottom"])),
        ),
        alone("near-perfect; no run fails", at_places(0.99, 0.99, 0.99, 1e6)),
        Rule(at_most=0.1),
        truth=0.99 - failing(0.11, 0.99),
    ),
    declared(
        "no dip, 5 % of runs fail",
        alone(
            "near-perfect, 0.1 lower at the bottom; 5 % of runs fail at every size",
            at_places(0.99, 0.89, 0.99, 1e6),
            Failures(0.05, AT_PLACES_SIZES),
        ),
        alone(
            "0.6 in part, then near-perfect; 5 % of runs fail at every size",
            at_places(0.6, 0.99, 0.99, (IN_PART,) * 3 + (1e6,) * 5),
            Failures(0.05, AT_PLACES_SIZES),
        ),
        Rule(at_most=0.1),
        truth=failing(0.05, 0.99) - failing(0.05, 0.89),
    ),
    Trial(
        "deeper_double_descent",
        Scenario(
            f"both tasks dip from 0.8 to 0.4; {FULLY_OR_NOT}",
            {role: at_places(0.8, 0.4, 1, 0.6) for role in ("easier", "harder")},
        ),
        Scenario(
            f"one task dips from 0.8 to 0.6, the other to 0 (Fig. 7); {FULLY_OR_NOT}",
            {"easier": at_places(0.8, 0.6, 1, 0.6), "harder": at_places(0.8, 0, 1, 0.6)},
        ),
        truth=0.0,
        rule=Rule(at_least=0.0),
        options={"places": PLACES},
        variant="places",
        deciding=True,
        cost=3,
    ),
)


TRIALS: tuple[Trial, ...] = (
    Trial(
        "dynamics",
        alone("half of all runs grok", (Emerging(64_192, 0.5), Grid((64,)))),
        alone("every run groks", (Emerging(4000, 0.5), Grid((64,)))),
        truth=0.5,
        rule=Rule(at_least=0.4),
        options={"expected": "grokking"},
    ),
    Trial(
        "memorization_capacity",
        alone("the same at every size", (Memory(slope=0, at=(9000, 6000)), RANDOM_LABELS)),
        alone("in proportion to the parameters (Fig. 4)", MEMORY),
        truth=0.0,
        rule=Rule(at_least=0.5),
        deciding=True,
    ),
    Trial(
        "critical_data_size",
        alone("the same at every size", CONSTANT_CRITICAL_SIZE),
        alone("4000 examples at size 32, 3000 at size 64 (Fig. 3)", FALLING_CRITICAL_SIZE),
        truth=0.0,
        rule=Rule(at_least=0.2),
    ),
    *(critical_data_size_with_failures(percent) for percent in (3, 6, 10)),
    Trial(
        "critical_data_size",
        alone("the same at every size, coarse grid", COARSE_CONSTANT),
        alone("falls by 0.25 doublings per doubling of parameters, coarse grid", COARSE_FALL),
        truth=0.0,
        rule=Rule(at_least=0.0),
        options={"effect": "slope"},
        variant='`effect = "slope"`',
        deciding=True,
        cost=10,
    ),
    Trial(
        "critical_data_size",
        alone("falls by 0.25 doublings per doubling of parameters, coarse grid", COARSE_FALL),
        alone("as in the other table", COARSE_FALL),
        truth=0.25,
        rule=Rule(at_least=0.05),
        options={"effect": "slope"},
        variant='`effect = "slope"`, at its edge',
        deciding=True,
        cost=10,
    ),
    Trial(
        "norm_change",
        NORM_STAYS,
        alone("falls by a fifth (as in results/quick-fixed)", CHANGING_NORM),
        truth=0.0,
        rule=Rule(at_most=-0.01),
        variant="grokking",
    ),
    Trial(
        "norm_change",
        NORM_STAYS,
        alone("rises by 30 % (as in results/quick-fixed)", CHANGING_NORM),
        truth=0.0,
        rule=Rule(at_least=0.01),
        options={"dynamics": "progression"},
        variant="progression",
    ),
    Trial(
        "norm_change",
        alone("no change on average, sizes 4 to 12", PROGRESSING[0]),
        alone("rises by 30 %, sizes 4 to 12", PROGRESSING[1]),
        truth=0.0,
        rule=Rule(at_least=0.01),
        options={"dynamics": "progression", "by_size": True},
        variant="progression, `by_size = true`",
        deciding=True,
        cost=10,
    ),
    Trial("double_descent", NO_DIP, DEEP_DIP, truth=0.0, rule=Rule(at_least=0.1), cost=3),
    Trial(
        "double_descent",
        alone(NO_DIP.words, with_unequal_variances(0.0)),
        alone("dip from 0.6 to 0 at sizes 24 to 40", with_unequal_variances(0.6)),
        truth=0.0,
        rule=Rule(at_least=0.1),
        variant="unequal variances",
        deciding=True,
        cost=3,
    ),
    Trial(
        "double_descent",
        alone(NO_DIP.words, with_unequal_variances(0.0)),
        alone("dip from 0.6 to 0 at sizes 24 to 40", with_unequal_variances(0.6)),
        truth=0.0,
        rule=Rule(at_least=0.1),
        options={"cautious": True},
        variant="unequal variances, `cautious = true`",
        deciding=True,
        cost=3,
    ),
    Trial(
        "double_descent",
        NO_DIP,
        alone(f"{DEEP_DIP.words}; {FULLY_OR_NOT}", dipping(0.6, noisy_peak=True)),
        truth=0.0,
        rule=Rule(at_least=0.1),
        variant="runs of the peak too",
        cost=3,
    ),
    Trial(
        "double_descent",
        NO_DIP,
        DEEP_DIP,
        truth=0.0,
        rule=Rule(at_least=0.1),
        options={"smoothing": False},
        variant="`smoothing = false`",
        cost=3,
    ),
    Trial(
        "double_descent",
        NO_DIP_AT_08,
        alone("dip from 0.8 to 0.4 at sizes 24 to 40 (Fig. 6 (b))", dipping(0.4, 0.8)),
        truth=0.0,
        rule=Rule(at_least=0.0),
        variant="shallow dip",
    ),
    Trial(
        "double_descent",
        alone("dip from 0.8 to 0.75 at sizes 24 to 40", dipping(0.05, 0.8)),
        NO_DIP_AT_08,
        truth=0.05,
        rule=Rule(at_most=0.05),
        variant="no dip, at a plateau",
        cost=3,
    ),
    Trial(
        "double_descent",
        alone("dip from 0.8 to 0.7 at sizes 24 to 40", dipping(0.1, 0.8)),
        alone(NOTHING_DIPS, NEAR_PERFECT),
        truth=0.1,
        rule=Rule(at_most=0.1),
        variant="no dip",
        cost=3,
    ),
    Trial(
        "double_descent",
        alone("near-perfect, but 0.15 lower at sizes 28 to 36", notched(0.15)),
        alone(NOTHING_DIPS, NEAR_PERFECT),
        truth=0.15,
        rule=Rule(at_most=0.15),
        options={"width": 3},
        variant="no dip, `width = 3`",
        cost=3,
    ),
    Trial(
        "double_descent",
        alone("near-perfect, but 0.15 lower at sizes 28 to 36", notched(0.15)),
        alone(
            "no dip: near-perfect from size 24 on; 5 % of runs fail at every size",
            NEAR_PERFECT_AGREEING,
            Failures(0.05, EVERY_SIZE),
        ),
        truth=0.15,
        rule=Rule(at_most=0.15),
        options={"width": 3},
        variant="no dip, `width = 3`, 5 % of runs fail",
        cost=3,
    ),
    dip_of_failures(30, (36,), "size 36", deepest=0.1),
    dip_of_failures(11, (36, 40, 44), "sizes 36 to 44", deepest=0.15),
    deeper_dip(width=1),
    deeper_dip(width=3),
    *DECLARED,
    Trial("emergence", SAME_EMERGENCE, LATER_EMERGENCE, truth=0.0, rule=Rule(at_least=1.0)),
    Trial(
        "emergence",
        SAME_EMERGENCE,
        LATER_EMERGENCE,
        truth=0.0,
        rule=Rule(at_least=1.0),
        options={"best_of_seeds": True},
        variant="`best_of_seeds = true`",
    ),
    Trial(
        "accuracy_gap",
        Scenario(
            "the same: runs generalize fully or not at all", dict.fromkeys(BOTH, HALF_OF_THE_RUNS)
        ),
        Scenario(
            "1.00 and 1.00 against 0.07 and 0.27 (pilot, mixture)",
            {"reference": (Levels((1.0, 1.0), 50), PAIR), "shifted": (MIXED, PAIR)},
        ),
        truth=0.0,
        rule=Rule(at_least=0.1),
        deciding=True,
        cost=2,
    ),
    Trial(
        "accuracy_gap",
        Scenario(
            "the same mean: runs of one generalize fully or not at all, runs of the other agree",
            {"reference": HALF_OF_THE_RUNS, "shifted": (Levels((0.6, 0.6), AGREEING), PAIR)},
        ),
        Scenario(
            "0.57 and 0.87 against 0.07 and 0.27 (pilot, split)",
            {"reference": (Levels((0.57, 0.87), IN_PART), PAIR), "shifted": (MIXED, PAIR)},
        ),
        truth=0.0,
        rule=Rule(at_least=0.1),
        variant="unequal spread",
        deciding=True,
        cost=2,
    ),
    Trial(
        "zone_prediction",
        Scenario("every cell gets the run of a random cell", ZONES, shuffled="target"),
        Scenario("zones of Fig. 1, semi-grokking 30 % wide", ZONES),
        truth=0.0,
        rule=Rule(at_least=0.05),
        cost=5,
    ),
    Trial(
        "zone_prediction",
        Scenario(
            "every cell gets the run of a random cell", zones_of(TWO_CURVES), shuffled="target"
        ),
        THE_CURVES,
        truth=0.0,
        rule=Rule(at_least=0.05),
        variant="all or nothing",
        cost=10,
    ),
    *(
        Trial(
            "zone_probabilities",
            Scenario(words, zones_of(law)),
            THE_CURVES,
            truth=truth,
            rule=Rule(at_least=0.05),
            variant=variant,
            deciding=law is TWO_CURVES,
            cost=10,
        )
        for variant, words, law, truth in (
            (
                "by data size",
                WITHOUT_CURVES,
                BY_DATA_SIZE,
                0.0,
            ),
            (
                "by model size",
                "the dynamics depend on the model size alone",
                DrawnByOne("model size", (0.2, 0.7, 0, 0.1), (0, 0, 0.5, 0.5)),
                0.0,
            ),
            (
                "by nothing",
                "each run draws its dynamic by itself",
                DrawnByOne("nothing", (0.1, 0.3, 0.3, 0.3), (0.1, 0.3, 0.3, 0.3)),
                0.0,
            ),
            ("at its own skill", THE_CURVES.words, TWO_CURVES, SKILL_OF_THE_CURVES),
        )
    ),
    Trial(
        "zone_probabilities",
        THE_CURVES,
        Scenario(WITHOUT_CURVES, zones_of(BY_DATA_SIZE)),
        truth=SKILL_OF_THE_CURVES,
        rule=Rule(at_most=0.05),
        variant="no skill",
        cost=10,
    ),
    Trial(
        "crossing",
        Scenario("exactly at the bound", CURVES),
        Scenario(f"at {CROSSING:.1f} times the bound of 2600 examples", CURVES),
        truth=float(np.log2(CROSSING)),
        rule=Rule(at_least=0.0),
        options={"coordinate": "data_size", "relative_to": 2600},
    ),
    *WITH_DELAYS,
)
