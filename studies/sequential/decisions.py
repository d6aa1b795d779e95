"""Worlds in which one claim is true, by a stated amount: how soon is the claim decided?

The claim is one of nine of its suite. The other eight stay open, so that every decision needs the confidence of
the first one: the longest that the claim can take. Most worlds are those in which `studies.calibration.trials`
measures the power of a detector, with the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from grokbench.suite.model import Rule
from grokbench.testing.simulator import Emerging, Grid, Levels
from studies.calibration.accuracies import NEAR_PERFECT
from studies.calibration.trial import Scenario, Trial
from studies.calibration.trials import TRIALS, alone
from studies.sequential.plans import FIXED, SEQUENTIAL
from studies.sequential.world import Stated, World

OTHERS = 8

PLACES: Mapping[str, list[int]] = {"peak": [8, 12], "bottom": [28, 32, 36], "recovery": [64, 100]}
AT_PLACES = {"model_size": [size for sizes in PLACES.values() for size in sizes]}
DECLARED = {"places": PLACES}

EMERGENCE_SIZES = (12, 16, 24, 32, 48, 64, 96, 128)
EIGHT_TIMES = Scenario(
    "at 8 times the parameters",
    {
        "reference": (Emerging(9000, 0.5), Grid(EMERGENCE_SIZES)),
        "shifted": (
            Emerging(72_000, 0.5),
            Grid(EMERGENCE_SIZES, parts=("addition", "subtraction")),
        ),
    },
)

PAIR = Grid((64, 128))
PAIR_MIXED = Grid((64, 128), parts=("addition", "subtraction"))
ABLE, SPLIT, MIXED = (Levels(means, 4.0) for means in ((0.98, 0.98), (0.57, 0.87), (0.07, 0.27)))
"""Mean final accuracies of a pilot of suites/quick.toml: without the mixture, with a split network, dense."""


def trial(detector: str, variant: str = "") -> Trial:
    """The trial of the calibration with this name."""
    (found,) = (one for one in TRIALS if (one.detector, one.variant) == (detector, variant))
    return found


def world(
    key: str,
    simulated: Trial | Scenario,
    options: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
    *,
    detector: str = "",
    rule: Rule | None = None,
    share: float = 1.0,
) -> World:
    """A world with one claim, named as the detector is, whose roles are the experiments.

    Args:
        simulated: a trial with its phenomenon; or a scenario, which needs a detector and a rule.
        options: of the detector, besides those of the trial.
    """
    if isinstance(simulated, Trial):
        detector, rule = simulated.detector, rule or simulated.rule
        options = {**simulated.options, **(options or {})}
        simulated = simulated.phenomenon
    assert rule is not None
    roles = {role: role for role in simulated.experiments}
    claim = Stated(detector, roles, rule, options or {}, where or {})
    plans = (SEQUENTIAL, *FIXED)
    return World(
        f"decisions-{key}",
        simulated.words,
        simulated.experiments,
        {detector: claim},
        plans,
        OTHERS,
        share=share,
    )


GROKKING, PROGRESSION = trial("norm_change", "grokking"), trial("norm_change", "progression")
DIP, SHALLOW = trial("double_descent"), trial("double_descent", "shallow dip")
NO_DIP = replace(
    trial("double_descent", "no dip"),
    phenomenon=alone("near-perfect from size 24 on (Fig. 6 (c, d))", NEAR_PERFECT),
    rule=Rule(at_most=0.15),
)
DEEPER = trial("deeper_double_descent", "`width = 3`")
GAP = Rule(at_least=0.1)

WORLDS: tuple[World, ...] = (
    world("dynamics", trial("dynamics")),
    world("capacity", trial("memorization_capacity")),
    world("critical", trial("critical_data_size")),
    world(
        "critical-slope",
        trial("critical_data_size"),
        {"effect": "slope"},
        rule=Rule(at_least=0.05),
    ),
    world("norm-grokking", GROKKING, {"dynamics": "grokking"}),
    world("norm-progression", PROGRESSION),
    world("norm-grokking-by-size", GROKKING, {"dynamics": "grokking", "by_size": True}),
    world("norm-progression-by-size", PROGRESSION, {"by_size": True}),
    world("dip", DIP, share=0.25),
    world("dip-places", DIP, DECLARED, AT_PLACES),
    world("shallow", SHALLOW, share=0.25),
    world("shallow-places", SHALLOW, DECLARED, AT_PLACES),
    world("no-dip", NO_DIP, {"width": 3}, share=0.25),
    world("no-dip-places", NO_DIP, DECLARED, AT_PLACES),
    world("deeper", DEEPER, share=0.25),
    world("deeper-places", replace(DEEPER, options={}), DECLARED, AT_PLACES, share=0.5),
    world(
        "emergence",
        EIGHT_TIMES,
        {"shifted_part": "addition"},
        detector="emergence",
        rule=Rule(at_least=1.0),
    ),
    world(
        "emergence-best",
        EIGHT_TIMES,
        {"shifted_part": "addition", "best_of_seeds": True},
        detector="emergence",
        rule=Rule(at_least=1.0),
    ),
    world(
        "gap",
        Scenario(
            "0.98 against 0.07 and 0.27 at sizes 64 and 128",
            {"reference": (ABLE, PAIR), "shifted": (MIXED, PAIR_MIXED)},
        ),
        {"shifted_part": "addition"},
        detector="accuracy_gap",
        rule=GAP,
    ),
    world(
        "gap-split",
        Scenario(
            "0.57 and 0.87 against 0.07 and 0.27 at sizes 64 and 128",
            {"reference": (SPLIT, PAIR_MIXED), "shifted": (MIXED, PAIR_MIXED)},
        ),
        {"reference_part": "addition", "shifted_part": "addition"},
        detector="accuracy_gap",
        rule=GAP,
    ),
    world("zones", trial("zone_prediction"), share=0.25),
    world("zone-probabilities", trial("zone_probabilities", "by data size"), share=0.5),
    world("crossing", trial("crossing"), share=0.25),
    world("reduced-loss", trial("reduced_loss"), share=0.25),
    world("delay", trial("grokking_delay"), share=0.25),
    world("delay-law", trial("delay_law"), share=0.1),
    world("delay-ratio", trial("delay_ratio"), share=0.25),
)
