"""Properties that every detector has, on simulated experiments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scipy import stats

from grokbench.claims import Outcome, judge, score
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import BUILT_IN
from grokbench.phenomena.base import Finding
from grokbench.record import Choice, Status
from grokbench.suite.model import Claim, Rule, Suite
from grokbench.testing.simulator import (
    Circuits,
    Delayed,
    Emerging,
    Flaws,
    Goldilocks,
    Grid,
    Law,
    Levels,
    Memory,
    dip,
    simulate,
)
from grokbench.testing.simulator.changes import shuffled, without_runs

FLAWS = Flaws(missing=0.05)
LINE = Grid()
MEMORY = Grid((4, 8, 12, 16, 20, 24), (12_769,), random_labels=True)
CRITICAL = Grid((32, 36, 44, 56, 64), (2000, 2400, 2800, 3200, 3600, 4000))
TARGET = Grid((4, 12, 24, 36, 48, 100), (2600, 3400, 5000), 7)
PAPER = Circuits(band=0.3)
CELL = Grid((64,), (3000,), evaluate_every=250)
DECAYS = replace(CELL, swept=(("weight_decay", (0.3, 1.0, 3.0)),))
SCALES = replace(CELL, swept=(("initial_scale", (0.1, 0.3, 1.0, 3.0, 10.0)),))


@dataclass(frozen=True)
class Case:
    """A claim, and simulated experiments in which the claim is true."""

    detector: str
    rule: Rule
    roles: Mapping[str, tuple[Law, Grid]]
    options: Mapping[str, Any] = field(default_factory=dict)
    destroyed: bool = True
    """Whether the claim compares runs of different model sizes."""
    cheap: bool = True
    """Whether the detector is fast, so that many worlds are tried."""

    def __str__(self) -> str:
        return " ".join([self.detector, *map(str, self.options.values())])

    @property
    def claim(self) -> Claim:
        roles = {role: role for role in self.roles}
        return Claim("it", "", Choice(self.detector, self.options), roles, self.rule)

    def world(self, seed: int) -> dict[str, xr.Dataset]:
        return {role: data.copy(deep=True) for role, data in _world(self.detector, seed).items()}

    def unchanged(self, seed: int) -> tuple[Outcome, Finding | None]:
        """The verdict on a world as it was simulated."""
        return _judged(self.detector, seed)

    def without_the_first_seed(self, seed: int) -> Finding | None:
        return _without_the_first_seed(self.detector, seed)

    def several(self, seed: int) -> list[int]:
        """The seeds of four worlds from this one on, or of this one where the detector is slow."""
        return [(seed + further) % WORLDS for further in range(4 if self.cheap else 1)]

    def judged(self, world: Mapping[str, xr.Dataset]) -> tuple[Outcome, Finding | None]:
        verdict = judge(self.claim, world, KINDS[self.detector].from_options(self.options))
        return verdict.outcome, verdict.finding


WORLDS = 8
KINDS = {kind.name: kind for kind in BUILT_IN}
CASES = (
    Case(
        "dynamics",
        Rule(at_least=0.5),
        {"experiment": (Circuits(critical_at=(64_192, 2000)), Grid((64, 100), (3000,)))},
        destroyed=False,
    ),
    Case("memorization_capacity", Rule(at_least=0.5), {"experiment": (Memory(), MEMORY)}),
    Case("critical_data_size", Rule(at_least=0.2), {"experiment": (Circuits(-0.5), CRITICAL)}),
    Case(
        "norm_change",
        Rule(at_most=-0.01),
        {"experiment": (Circuits(critical_at=(64_192, 2000)), Grid((48, 64), (3000,)))},
        destroyed=False,
    ),
    Case("double_descent", Rule(at_least=0.1), {"experiment": (Levels(dip(LINE, 0.6), 4), LINE)}),
    Case(
        "deeper_double_descent",
        Rule(at_least=0.05),
        {
            "easier": (Levels(dip(LINE, 0.1, peak=0.8), 4), LINE),
            "harder": (Levels(dip(LINE, 0.8, peak=0.8), 4), LINE),
        },
        cheap=False,
    ),
    Case(
        "emergence",
        Rule(at_least=1.0),
        {
            "reference": (Emerging(6000), LINE),
            "shifted": (Emerging(1e6), Grid((64, "2x128", "2x256", "4x512"))),
        },
    ),
    Case(
        "accuracy_gap",
        Rule(at_least=0.1),
        {
            "reference": (Levels((0.9, 0.95), 4), Grid((64, 128))),
            "shifted": (Levels((0.1, 0.3), 4), Grid((64, 128))),
        },
        destroyed=False,
    ),
    Case(
        "zone_prediction",
        Rule(at_least=0.05),
        {
            "memorization": (Memory(), MEMORY),
            "critical": (PAPER, CRITICAL),
            "target": (PAPER, TARGET),
        },
        cheap=False,
    ),
    Case(
        "zone_probabilities",
        Rule(at_least=0.05),
        {
            "memorization": (Memory(), MEMORY),
            "critical": (PAPER, CRITICAL),
            "target": (PAPER, TARGET),
        },
        cheap=False,
    ),
    Case(
        "crossing",
        Rule(at_least=0.0),
        {"memorization": (Memory(), MEMORY), "critical": (PAPER, CRITICAL)},
        {"coordinate": "data_size", "relative_to": 2600},
        destroyed=False,
        cheap=False,
    ),
    Case(
        "reduced_loss",
        Rule(at_least=1.0),
        {"experiment": (Goldilocks(), SCALES)},
        destroyed=False,
    ),
    Case(
        "grokking_delay",
        Rule(at_least=1.0),
        {"experiment": (Delayed(50.0), CELL)},
        destroyed=False,
    ),
    Case(
        "delay_law",
        Rule(at_most=-0.5),
        {"experiment": (Delayed(30.0, -1.0, "weight_decay"), DECAYS)},
        destroyed=False,
        cheap=False,
    ),
    Case(
        "delay_ratio",
        Rule(at_most=-0.5),
        {"reference": (Delayed(100.0), CELL), "shifted": (Delayed(5.0), CELL)},
        destroyed=False,
    ),
)
every_case = pytest.mark.parametrize("case", CASES, ids=str)
numbers = st.integers(0, WORLDS - 1)
few = effort(
    max_examples=3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
"""Each example is a whole experiment. Shrinking it would take minutes and show nothing more."""


def case_of(detector: str) -> Case:
    (case,) = (case for case in CASES if case.detector == detector)
    return case


# What several tests compare with is computed once.


@cache
def _world(detector: str, seed: int) -> dict[str, xr.Dataset]:
    return {
        role: simulate(law, grid, [seed, place], FLAWS)
        for place, (role, (law, grid)) in enumerate(case_of(detector).roles.items())
    }


@cache
def _judged(detector: str, seed: int) -> tuple[Outcome, Finding | None]:
    case = case_of(detector)
    return case.judged(case.world(seed))


@cache
def _without_the_first_seed(detector: str, seed: int) -> Finding | None:
    case = case_of(detector)
    world = {role: data.isel(seed=slice(1, None)) for role, data in case.world(seed).items()}
    return case.judged(world)[1]


def same(first: Finding | None, second: Finding | None) -> bool:
    """Equal, apart from the order in which float32 numbers are added."""
    if first is None or second is None:
        return first is second
    ends = [(found.effect, found.low, found.high) for found in (first, second)]
    return np.allclose(*ends, rtol=1e-5, atol=1e-6) and first.seeds == second.seeds


def test_every_built_in_detector_has_a_case():
    assert {kind.name for kind in BUILT_IN} == {case.detector for case in CASES}


@every_case
def test_what_is_there_is_found_in_most_worlds(case):
    outcomes = [case.unchanged(seed)[0] for seed in range(5)]
    assert outcomes.count(Outcome.REPRODUCED) >= 3


@every_case
@few
@given(seed=numbers, order=st.integers(0, 2**16))
def test_no_order_of_seeds_sizes_or_cells_changes_a_verdict(case, seed, order):
    for one in case.several(seed):
        outcome, finding = case.unchanged(one)
        again, found = case.judged(shuffled(case.world(one), order))
        assert outcome is again
        assert same(finding, found)


@every_case
@few
@given(seed=numbers, confidence=st.floats(0.951, 0.9999))
def test_an_interval_of_higher_confidence_contains_that_of_95_percent(case, seed, confidence):
    detector = KINDS[case.detector].from_options(case.options)
    for one in case.several(seed):
        _, narrow = case.unchanged(one)
        if narrow is None:
            with pytest.raises(NotEnoughDataError):
                detector.find(case.world(one))
            continue
        wide = detector.at(confidence).find(case.world(one))
        assert narrow.effect == wide.effect
        assert wide.low <= narrow.low <= narrow.effect <= narrow.high <= wide.high


@every_case
@few
@given(seed=numbers, status=st.sampled_from([Status.NOT_RUN, Status.DIVERGED, Status.FAILED]))
def test_a_seed_that_is_there_and_was_not_run_says_nothing(case, seed, status):
    for one in case.several(seed):
        lost = without_runs(
            case.world(one),
            lambda cells: (cells["seed"] == cells["seed"][0]).broadcast_like(cells),
            status,
        )
        assert same(case.without_the_first_seed(one), case.judged(lost)[1])


@few
@given(st.integers(0, 2**16), st.sampled_from(CASES), st.sampled_from(CASES), numbers)
def test_a_cell_lost_in_one_experiment_changes_no_finding_of_another(drawn, one, other, seed):
    """Both claims in one suite, the experiments side by side."""
    cases = {"a": one, "b": other}
    worlds = {name: case.world(seed) for name, case in cases.items()}
    generator = np.random.default_rng(drawn)
    lost = without_runs(
        worlds["b"],
        lambda cells: cells.copy(data=generator.random(cells.shape) < 0.2),
        Status.NOT_RUN,
    )
    claims = {
        name: Claim(
            name,
            "",
            Choice(case.detector, case.options),
            {role: f"{name}_{role}" for role in case.roles},
            case.rule,
        )
        for name, case in cases.items()
    }
    before, after = (
        score(Suite("two", {}, claims), tree({"a": worlds["a"], "b": second}), KINDS)[0]
        for second in (worlds["b"], lost)
    )
    assert before.finding == after.finding


def tree(worlds: Mapping[str, Mapping[str, xr.Dataset]]) -> xr.DataTree:
    return xr.DataTree.from_dict(
        {f"/{name}_{role}": data for name, world in worlds.items() for role, data in world.items()}
    )


@pytest.mark.parametrize("case", [case for case in CASES if case.destroyed], ids=str)
def test_permuting_labels_between_sizes_destroys_what_was_found(case):
    """Each run keeps its data size and seed, and gets the label of a random model size.

    A correct interval of 95 % lies above zero in at most 2.5 % of worlds. With just 2.5 %, more than
    `tolerated` of the worlds would be called reproduced in one of a thousand such tests.
    """
    worlds = 30 if case.cheap else 10
    tolerated = stats.binom.ppf(0.999, worlds, 0.025)
    kept = sum(
        case.judged(
            {role: relabelled(data, seed) for role, data in case.world(seed % WORLDS).items()}
        )[0]
        is Outcome.REPRODUCED
        for seed in range(worlds)
    )
    assert kept <= tolerated


def relabelled(data: xr.Dataset, seed: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(data.sizes["model_size"]) for _ in range(data.sizes["seed"])]
    run = np.arange(data.sizes["seed"])
    permuted = data.copy(deep=True)
    for variable in permuted.data_vars.values():
        if "model_size" in variable.dims:
            at = [variable.get_axis_num(name) for name in ("model_size", "seed")]
            runs = np.moveaxis(variable.to_numpy(), at, (0, 1))
            runs[:] = runs[np.transpose(orders), run]
    return permuted
