"""Worlds in which one claim is true, by a stated amount: how soon is the claim decided?

The claim is one of nine of its suite. The other eight stay open, so that every decision needs the confidence of
the first one: the longest that the claim can take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grokbench.suite.model import Rule
from grokbench.testing.simulator import Circuits, Emerging, Grid, Law, Levels
from studies.calibration.accuracies import NEAR_PERFECT, dipping
from studies.calibration.trial import Simulated
from studies.calibration.trials import (
    CHANGING_NORM,
    CRITICAL_GRID,
    CROSSING,
    CURVES,
    FALLING_CRITICAL_SIZE,
    MEMORY,
    TARGET_GRID,
    ZONES,
)
from studies.sequential.plans import FIXED, SEQUENTIAL
from studies.sequential.world import Stated, World

OTHERS = 8

PLACES: Mapping[str, list[int]] = {"peak": [8, 12], "bottom": [28, 32, 36], "recovery": [64, 100]}
AT_PLACES = {"model_size": [size for sizes in PLACES.values() for size in sizes]}

EMERGENCE_SIZES = (12, 16, 24, 32, 48, 64, 96, 128)
ALONE = Emerging(9000, 0.5), Grid(EMERGENCE_SIZES)
MIXTURE = Emerging(72_000, 0.5), Grid(EMERGENCE_SIZES, parts=("addition", "subtraction"))

EQUAL_SIZES = Grid((64, 128))
EQUAL_SIZES_MIXED = Grid((64, 128), parts=("addition", "subtraction"))
ABLE, SPLIT, MIXED = (Levels(means, 4.0) for means in ((0.98, 0.98), (0.57, 0.87), (0.07, 0.27)))
"""Mean final accuracies of a pilot of suites/quick.toml: without the mixture, with a split network, dense."""

WITHOUT_BAND = Circuits()
ZONES_ALL_OR_NOTHING: Mapping[str, Simulated] = {
    "memorization": MEMORY,
    "critical": (WITHOUT_BAND, CRITICAL_GRID),
    "target": (WITHOUT_BAND, TARGET_GRID),
}


def world(
    key: str,
    words: str,
    experiments: Mapping[str, tuple[Law, Grid]],
    rule: Rule,
    detector: str,
    options: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
    share: float = 1.0,
) -> World:
    """A world with one claim, named as the detector is, whose roles are the experiments."""
    roles = {role: role for role in experiments}
    claim = Stated(detector, roles, rule, options or {}, where or {})
    plans = (SEQUENTIAL, *FIXED)
    return World(
        f"decisions-{key}", words, experiments, {detector: claim}, plans, OTHERS, share=share
    )


def alone(one: Simulated) -> dict[str, Simulated]:
    return {"experiment": one}


WORLDS: tuple[World, ...] = (
    world(
        "dynamics",
        "every run groks",
        alone((Emerging(4000, 0.5), Grid((64,)))),
        Rule(at_least=0.4),
        "dynamics",
        {"expected": "grokking"},
    ),
    world(
        "capacity",
        "in proportion to the parameters (Fig. 4)",
        alone(MEMORY),
        Rule(at_least=0.5),
        "memorization_capacity",
    ),
    world(
        "critical",
        "4000 examples at size 32, 3000 at size 64 (Fig. 3)",
        alone(FALLING_CRITICAL_SIZE),
        Rule(at_least=0.2),
        "critical_data_size",
    ),
    world(
        "critical-slope",
        "4000 examples at size 32, 3000 at size 64 (Fig. 3)",
        alone(FALLING_CRITICAL_SIZE),
        Rule(at_least=0.05),
        "critical_data_size",
        {"effect": "slope"},
    ),
    world(
        "norm-grokking",
        "falls by a fifth",
        alone(CHANGING_NORM),
        Rule(at_most=-0.01),
        "norm_change",
        {"dynamics": "grokking"},
    ),
    world(
        "norm-progression",
        "rises by 30 %",
        alone(CHANGING_NORM),
        Rule(at_least=0.01),
        "norm_change",
        {"dynamics": "progression"},
    ),
    world(
        "norm-grokking-by-size",
        "falls by a fifth",
        alone(CHANGING_NORM),
        Rule(at_most=-0.01),
        "norm_change",
        {"dynamics": "grokking", "by_size": True},
    ),
    world(
        "norm-progression-by-size",
        "rises by 30 %",
        alone(CHANGING_NORM),
        Rule(at_least=0.01),
        "norm_change",
        {"dynamics": "progression", "by_size": True},
    ),
    world(
        "dip",
        "dip from 0.6 to 0 (Fig. 6 (a))",
        alone(dipping(0.6)),
        Rule(at_least=0.1),
        "double_descent",
        share=0.25,
    ),
    world(
        "dip-places",
        "dip from 0.6 to 0 (Fig. 6 (a))",
        alone(dipping(0.6)),
        Rule(at_least=0.1),
        "double_descent",
        {"places": PLACES},
        AT_PLACES,
    ),
    world(
        "shallow",
        "dip from 0.8 to 0.4 (Fig. 6 (b))",
        alone(dipping(0.4, 0.8)),
        Rule(at_least=0.0),
        "double_descent",
        share=0.25,
    ),
    world(
        "shallow-places",
        "dip from 0.8 to 0.4 (Fig. 6 (b))",
        alone(dipping(0.4, 0.8)),
        Rule(at_least=0.0),
        "double_descent",
        {"places": PLACES},
        AT_PLACES,
    ),
    world(
        "no-dip",
        "near-perfect from size 24 on (Fig. 6 (c, d))",
        alone(NEAR_PERFECT),
        Rule(at_most=0.15),
        "double_descent",
        {"width": 3},
        share=0.25,
    ),
    world(
        "no-dip-places",
        "near-perfect from size 24 on (Fig. 6 (c, d))",
        alone(NEAR_PERFECT),
        Rule(at_most=0.15),
        "double_descent",
        {"places": PLACES},
        AT_PLACES,
    ),
    world(
        "deeper",
        "dips from 0.8 to 0.6 and from 0.8 to 0 (Fig. 7)",
        {"easier": dipping(0.2, 0.8), "harder": dipping(0.8, 0.8)},
        Rule(at_least=0.0),
        "deeper_double_descent",
        {"width": 3},
        share=0.25,
    ),
    world(
        "deeper-places",
        "dips from 0.8 to 0.6 and from 0.8 to 0 (Fig. 7)",
        {"easier": dipping(0.2, 0.8), "harder": dipping(0.8, 0.8)},
        Rule(at_least=0.0),
        "deeper_double_descent",
        {"places": PLACES},
        AT_PLACES,
        share=0.5,
    ),
    world(
        "emergence",
        "at 8 times the parameters",
        {"reference": ALONE, "shifted": MIXTURE},
        Rule(at_least=1.0),
        "emergence",
        {"shifted_part": "addition"},
    ),
    world(
        "emergence-best",
        "at 8 times the parameters",
        {"reference": ALONE, "shifted": MIXTURE},
        Rule(at_least=1.0),
        "emergence",
        {"shifted_part": "addition", "best_of_seeds": True},
    ),
    world(
        "gap",
        "0.98 against 0.07 and 0.27 at sizes 64 and 128",
        {"reference": (ABLE, EQUAL_SIZES), "shifted": (MIXED, EQUAL_SIZES_MIXED)},
        Rule(at_least=0.1),
        "accuracy_gap",
        {"shifted_part": "addition"},
    ),
    world(
        "gap-split",
        "0.57 and 0.87 against 0.07 and 0.27 at sizes 64 and 128",
        {"reference": (SPLIT, EQUAL_SIZES_MIXED), "shifted": (MIXED, EQUAL_SIZES_MIXED)},
        Rule(at_least=0.1),
        "accuracy_gap",
        {"reference_part": "addition", "shifted_part": "addition"},
    ),
    world(
        "zones",
        "zones of Fig. 1, semi-grokking 30 % wide",
        ZONES,
        Rule(at_least=0.05),
        "zone_prediction",
        share=0.25,
    ),
    world(
        "zone-probabilities",
        "zones of Fig. 1, runs generalize fully or not at all",
        ZONES_ALL_OR_NOTHING,
        Rule(at_least=0.05),
        "zone_probabilities",
        share=0.5,
    ),
    world(
        "crossing",
        f"at {CROSSING:.1f} times the bound of 2600 examples",
        CURVES,
        Rule(at_least=0.0),
        "crossing",
        {"coordinate": "data_size", "relative_to": 2600},
        share=0.25,
    ),
)
