"""Worlds in which one claim is true, by a stated amount: how soon is the claim decided?

The claim is one of nine of its suite. The other eight stay open, so that every decision needs the confidence of
the first one: the longest that the claim can take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grokbench.suite.model import Rule
from grokbench.testing.simulator import Emerging, Grid, Law
from studies.calibration.accuracies import NEAR_PERFECT, dipping
from studies.calibration.trial import Simulated
from studies.calibration.trials import (
    CHANGING_NORM,
    CROSSING,
    CURVES,
    FALLING_CRITICAL_SIZE,
    MEMORY,
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
        "dip",
        "dip from 0.6 to 0 (Fig. 6 (a))",
        alone(dipping(0.6)),
        Rule(at_least=0.1),
        "double_descent",
        share=0.5,
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
        share=0.5,
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
        share=0.5,
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
        "zones",
        "zones of Fig. 1, semi-grokking 30 % wide",
        ZONES,
        Rule(at_least=0.05),
        "zone_prediction",
        share=0.25,
    ),
    world(
        "crossing",
        f"at {CROSSING:.1f} times the bound of 2600 examples",
        CURVES,
        Rule(at_least=0.0),
        "crossing",
        {"coordinate": "data_size", "relative_to": 2600},
        share=0.5,
    ),
)
