"""One constructed case for each trap that the field fell into."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from grokbench.claims import Outcome, judge
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import CriticalDataSize, DoubleDescent, Dynamics, Emergence, NormChange
from grokbench.readout import classify, settled
from grokbench.record import Choice
from grokbench.statistics.dips import Groups, exact_depth
from grokbench.statistics.intervals import t_interval
from grokbench.suite.model import Claim, Rule
from grokbench.testing.simulator import (
    FLAWLESS,
    Circuits,
    Emerging,
    Flaws,
    Grid,
    Levels,
    dip,
    simulate,
)

SIZES = Grid().model_sizes


def found(detector, dataset, **options):
    return detector.from_options(options).find({"experiment": dataset})


# Mirrors leak: a net that learned only that a + b is b + a scores D / P².


@pytest.fixture
def symmetric_only() -> xr.Dataset:
    """Nothing but the mirrors of training pairs is answered: almost half of what validates."""
    leaking = Flaws(mirror_leak=1.0)
    return simulate(Levels((0.0,) * 15, concentration=1e9), Grid(data_sizes=(6000,)), 1, leaking)


def test_a_net_that_learned_the_symmetry_alone_has_not_generalized(symmetric_only):
    assert settled(symmetric_only, "validation_accuracy").min() > 0.4
    finding = found(Dynamics, symmetric_only, expected="ungrokking")
    assert 1.0 == finding.effect
    assert finding.details["runs"]["semi-grokking"] == 0


def test_no_dip_is_not_said_of_models_that_learned_the_symmetry_alone(symmetric_only):
    with pytest.raises(NotEnoughDataError, match="nothing was learned that could dip"):
        found(DoubleDescent, symmetric_only)


def test_no_dip_is_not_reproduced_where_nothing_learned_anything():
    floor = simulate(Levels((0.02,) * 15, concentration=50), Grid(), 1)
    claim = Claim("none", "", Choice("double_descent"), {"experiment": "x"}, Rule(at_most=0.1))
    verdict = judge(claim, {"experiment": floor}, DoubleDescent())
    assert (Outcome.UNDECIDED, None) == (verdict.outcome, verdict.finding)
    assert "nothing was learned" in verdict.reason


# The last epoch lies: slingshots.


@pytest.mark.parametrize(
    "detector", [Dynamics, NormChange, CriticalDataSize], ids=lambda kind: kind.name
)
def test_a_slingshot_at_the_last_evaluation_changes_no_finding(detector):
    law = Circuits(critical_at=(64_192, 2500))
    dataset = simulate(law, Grid((8, 32, 64), (2600, 3000, 4000), seeds=5), 3, FLAWLESS)
    thrown = dataset.copy(deep=True)
    for name in ("train_accuracy", "validation_accuracy", "mirror_free_accuracy"):
        thrown[name].values[..., -1] *= 0.1
    assert found(detector, dataset) == found(detector, thrown)


def test_a_run_that_collapsed_at_the_end_is_read_where_it_stood_and_flagged():
    dataset = simulate(Emerging(at=1), Grid((64,), seeds=5), 1, FLAWLESS)
    for name in ("train_accuracy", "mirror_free_accuracy"):
        dataset[name].values[..., -8:] *= 0.2
    runs = classify(dataset)
    assert runs["collapsed"].all()
    assert (runs["final_accuracy"] > 0.99).all()


# A budget is not a fact: what had not generalized by the last step is censored.


def test_a_run_on_its_way_is_censored_and_not_called_memorizing_for_ever():
    """The same runs, to 20 000 steps and to the end: what is cut off is said to be."""
    dataset = simulate(Emerging(at=1), Grid((64,), seeds=11), 2, FLAWLESS)
    short = dataset.isel(step=dataset["step"] <= 8000)
    cut, whole = (found(Dynamics, data, expected="ungrokking") for data in (short, dataset))
    assert (0, 0.0) == (whole.details["censored"], whole.effect)
    assert cut.details["censored"] >= cut.details["runs"]["ungrokking"] > 0
    assert f"{cut.details['censored']} had not generalized by their last step" in cut.evidence


def test_a_critical_data_size_beyond_the_grid_is_a_bound_and_no_value():
    law = Circuits(critical_at=(64_192, 3000), capacity_at=(9000, 1e6))
    dataset = simulate(law, Grid((8, 64), (2600, 3000, 3600, 4400), seeds=5), 1)
    finding = found(CriticalDataSize, dataset)
    assert np.inf == finding.details["high"][0] == finding.details["doublings_at_most"]
    assert finding.details["low"][0] == 4400


def test_an_ability_that_never_emerged_needs_at_least_so_many_parameters():
    grid = Grid((16, 64, 256))
    finding = Emergence().find(
        {
            "reference": simulate(Emerging(at=20_000, spread=0.1), grid, 1),
            "shifted": simulate(Emerging(at=np.inf), grid, 2),
        }
    )
    assert np.inf == finding.high
    assert finding.low > 0


# Few seeds decide nothing.


def test_five_of_five_seeds_is_an_interval_from_forty_eight_percent():
    finding = found(Dynamics, simulate(Emerging(at=1), Grid((64,), seeds=5), 1))
    assert (1.0, 0.48) == (finding.effect, round(finding.low, 2))


def test_three_seeds_leave_a_claim_undecided_however_alike_they_are():
    claim = Claim("one", "", Choice("dynamics"), {"experiment": "x"}, Rule(at_least=0.1))
    outcomes = [
        judge(
            claim, {"experiment": simulate(Emerging(at=1), Grid((64,), seeds=n), 1)}, Dynamics()
        ).outcome
        for n in (3, 5)
    ]
    assert [Outcome.UNDECIDED, Outcome.REPRODUCED] == outcomes


def test_five_skewed_seeds_are_covered_better_than_by_resampling_them():
    """Percentiles of a bootstrap cover the mean of five lognormal values far too seldom."""
    generator = np.random.default_rng(0)
    mean, student, resampled = np.exp(0.5), 0, 0
    for _ in range(400):
        values = generator.lognormal(size=5)
        means = values[generator.integers(0, 5, (400, 5))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        interval = t_interval(values)
        student += interval.low <= mean <= interval.high
        resampled += low <= mean <= high
    assert resampled < 0.75 * 400 < student


# Taking the extreme of a noisy curve finds double descent anywhere.


@pytest.mark.parametrize("smoothing", [True, False])
def test_the_extreme_of_a_noisy_curve_is_seldom_taken_for_a_dip(smoothing):
    """On a plateau where each run groks or does not, almost every mean curve dips somewhere."""
    grid = Grid(seeds=5)
    law, worlds = Levels(dip(grid, 0.0)), 60
    dips = seeming = 0
    for seed in range(worlds):
        dataset = simulate(law, grid, seed)
        dips += found(DoubleDescent, dataset, smoothing=smoothing).low >= 0.1
        mean = settled(dataset, "validation_accuracy").mean("seed").to_numpy().ravel()
        seeming += exact_depth(mean, Groups.of(len(mean), 1, 1)) >= 0.1
    assert seeming > 0.8 * worlds
    assert dips <= 3


# Precision changes the phenomenon.


def test_runs_of_two_precisions_are_not_taken_for_one_experiment():
    dataset = simulate(Circuits(), Grid(seeds=5), 1)
    both = xr.concat(
        [dataset, dataset], xr.Variable("precision", ["float32", "tf32"]), data_vars="all"
    )
    with pytest.raises(NotEnoughDataError, match="precision has 2 values"):
        found(DoubleDescent, both)
