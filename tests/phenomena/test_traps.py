"""One constructed case for each error that is easily made with such data."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr

from grokbench.claims import Outcome, judge
from grokbench.errors import NotEnoughDataError
from grokbench.phenomena import CriticalDataSize, DoubleDescent, Dynamics, Emergence, NormChange
from grokbench.readout import classify, settled
from grokbench.record import Choice
from grokbench.statistics.dip_depth import DipDepth
from grokbench.statistics.dips import Groups, exact_depth
from grokbench.statistics.intervals import Floats, t_interval
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


# Mirrors leak: a model that learned only that a + b is b + a has an accuracy of D / P².


@pytest.fixture
def symmetric_only() -> xr.Dataset:
    """Runs that answer only the mirrors of training pairs: almost half of the validation examples."""
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
    assert (Outcome.OUT_OF_REACH, None) == (verdict.outcome, verdict.finding)
    assert "nothing was learned" in verdict.reason


# The last evaluation can be a slingshot.


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


# A run that had not generalized by the last step is censored: it might have later.


def test_a_run_on_its_way_is_censored_and_not_called_memorizing_for_ever():
    """The same runs, whole and cut off at step 8000: the evidence counts those that were cut off."""
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


# Few seeds decide little.


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
    """Percentile intervals of a bootstrap contain the mean of five lognormal values too seldom."""
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


@cache
def plateaus() -> tuple[Floats, ...]:
    """Final accuracy, [sizes, seeds], in 60 experiments on a plateau: each run groks or does not."""
    grid = Grid(seeds=5)
    experiments = (simulate(Levels(dip(grid, 0.0)), grid, seed) for seed in range(60))
    return tuple(
        settled(experiment, "validation_accuracy").squeeze("data_size").to_numpy()
        for experiment in experiments
    )


def test_almost_every_mean_curve_on_a_plateau_dips_somewhere():
    means = [np.nanmean(accuracy, axis=1) for accuracy in plateaus()]
    single = Groups.of(len(means[0]), 1, 1)
    assert sum(exact_depth(mean, single) >= 0.1 for mean in means) > 0.8 * len(means)


@pytest.mark.parametrize("smoothing", [True, False])
def test_the_extreme_of_a_noisy_curve_is_seldom_taken_for_a_dip(smoothing):
    """The low end of the detector's interval is never above `lower_end`."""
    depths = [DipDepth.of(accuracy, smoothing=smoothing) for accuracy in plateaus()]
    assert sum(depth.lower_end() >= 0.1 for depth in depths) <= 3


# Precision changes the phenomenon.


def test_runs_of_two_precisions_are_not_taken_for_one_experiment():
    dataset = simulate(Circuits(), Grid(seeds=5), 1)
    both = xr.concat(
        [dataset, dataset], xr.Variable("precision", ["float32", "tf32"]), data_vars="all"
    )
    with pytest.raises(NotEnoughDataError, match="precision has 2 values"):
        found(DoubleDescent, both)
