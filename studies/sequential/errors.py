"""Whole suites in which wrong decisions are counted.

The nine claims of a suite share runs as those of suites/quick.toml do: critical size and norms look at
one experiment, dips and the deeper dip at another, both claims about emergence at a third.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from grokbench.suite.model import Rule
from grokbench.testing.simulator import Circuits, Emerging, Grid, Law, Levels, Memory
from studies.sequential.plans import PEEKING, SEQUENTIAL
from studies.sequential.world import Stated, World

LARGE = (32, 48, 64)
ADDITION_GRID = Grid((8, *LARGE), (2500, 2900, 3300), evaluate_every=2000)
LABELS_GRID = Grid((8, 16, 24), (12_769,), evaluate_every=2000, random_labels=True)
LINE = Grid((8, 24, 100), evaluate_every=2000)
ALONE_GRID = Grid((48, 64), evaluate_every=2000)
MIXTURE_GRID = replace(ALONE_GRID, parts=("addition", "subtraction"))

PLACES = {"peak": [8], "bottom": [24], "recovery": [100]}

SAME_CRITICAL_SIZE = Circuits(
    critical_slope=0.0, critical_at=(64_192, 2900), norm_in_grokking=1.0, norm_in_progression=1.0
)
"""From hidden size 32 on, the critical data size is the same; size 8 shows progression; no norm changes."""

LEVEL = Levels((0.6, 0.6, 0.98), (4.0, 0.6, 0.6))
"""Accuracy is the same at peak and bottom; the runs of the bottom generalize fully or not at all."""
DIP_OF_04 = Levels((0.8, 0.4, 0.98), (4.0, 0.6, 0.6))
DIP_OF_02 = Levels((0.8, 0.6, 0.98), (4.0, 0.6, 0.6))
EMERGING = Emerging(64_192, 1.0)
"""Half of the runs of hidden size 64 have the ability, and a quarter of those of size 48, in all experiments."""


def experiments(memory: Law, little: Law, much: Law, harder: Law) -> dict[str, tuple[Law, Grid]]:
    return {
        "addition": (SAME_CRITICAL_SIZE, ADDITION_GRID),
        "random_labels": (memory, LABELS_GRID),
        "little_data": (little, LINE),
        "much_data": (much, LINE),
        "square": (harder, LINE),
        "alone": (EMERGING, ALONE_GRID),
        "mixture": (EMERGING, MIXTURE_GRID),
        "mixture_split": (EMERGING, MIXTURE_GRID),
    }


def claims(bounds: Mapping[str, float]) -> dict[str, Stated]:
    """The nine claims of a suite, with these bounds."""

    def at_least(name: str) -> Rule:
        return Rule(at_least=bounds[name])

    addition = {"experiment": "addition"}
    shifted = {"shifted_part": "addition"}
    return {
        "critical_data_size_falls": Stated(
            "critical_data_size",
            addition,
            at_least("critical_data_size_falls"),
            {"effect": "slope"},
            {"model_size": list(LARGE)},
        ),
        "memorization_capacity_rises": Stated(
            "memorization_capacity",
            {"experiment": "random_labels"},
            at_least("memorization_capacity_rises"),
        ),
        "norm_falls_in_grokking": Stated(
            "norm_change",
            addition,
            Rule(at_most=bounds["norm_falls_in_grokking"]),
            {"dynamics": "grokking", "by_size": True},
            {"model_size": list(LARGE), "data_size": 3300},
        ),
        "norm_rises_in_progression": Stated(
            "norm_change",
            addition,
            at_least("norm_rises_in_progression"),
            {"dynamics": "progression", "by_size": True},
            {"model_size": 8, "data_size": 3300},
        ),
        "double_descent_with_little_data": Stated(
            "double_descent",
            {"experiment": "little_data"},
            at_least("double_descent_with_little_data"),
            {"places": PLACES},
        ),
        "no_double_descent_with_much_data": Stated(
            "double_descent",
            {"experiment": "much_data"},
            Rule(at_most=bounds["no_double_descent_with_much_data"]),
            {"places": PLACES},
        ),
        "deeper_double_descent_when_harder": Stated(
            "deeper_double_descent",
            {"easier": "little_data", "harder": "square"},
            at_least("deeper_double_descent_when_harder"),
            {"places": PLACES},
        ),
        "mixture_delays_emergence": Stated(
            "accuracy_gap",
            {"reference": "alone", "shifted": "mixture"},
            at_least("mixture_delays_emergence"),
            shifted,
        ),
        "split_ffn_emerges_earlier": Stated(
            "accuracy_gap",
            {"reference": "mixture_split", "shifted": "mixture"},
            at_least("split_ffn_emerges_earlier"),
            {"reference_part": "addition", **shifted},
        ),
    }


NOTHING_IS_THERE = World(
    "errors-nothing",
    "nothing of the paper is there; rules with a margin",
    experiments(Memory(slope=0.0, at=(9000, 6000)), LEVEL, DIP_OF_04, LEVEL),
    claims(
        {
            "critical_data_size_falls": 0.05,
            "memorization_capacity_rises": 0.5,
            "norm_falls_in_grokking": -0.01,
            "norm_rises_in_progression": 0.01,
            "double_descent_with_little_data": 0.1,
            "no_double_descent_with_much_data": 0.1,
            "deeper_double_descent_when_harder": 0.0,
            "mixture_delays_emergence": 0.1,
            "split_ffn_emerges_earlier": 0.1,
        }
    ),
    (SEQUENTIAL, PEEKING),
)
"""Every claim is false: `reproduced` is wrong."""

AT_THE_BOUNDS = World(
    "errors-bounds",
    "every true effect lies exactly at its rule's bound",
    experiments(Memory(slope=1.0, at=(9000, 4300)), DIP_OF_04, DIP_OF_02, DIP_OF_04),
    claims(
        {
            "critical_data_size_falls": 0.0,
            "memorization_capacity_rises": 1.0,
            "norm_falls_in_grokking": 0.0,
            "norm_rises_in_progression": 0.0,
            "double_descent_with_little_data": 0.4,
            "no_double_descent_with_much_data": 0.2,
            "deeper_double_descent_when_harder": 0.0,
            "mixture_delays_emergence": 0.0,
            "split_ffn_emerges_earlier": 0.0,
        }
    ),
    (SEQUENTIAL, PEEKING),
)
"""A decision in either direction may be the wrong one."""

SUITES = (NOTHING_IS_THERE, AT_THE_BOUNDS)
