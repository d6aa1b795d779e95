"""Simulated experiments have the form of trained ones, the truth they were given, and its spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

import grokbench
from grokbench.phenomena.norm_change import NormChangeOptions, transitions
from grokbench.readout import settled
from grokbench.readout.dynamics import Dynamic, classify
from grokbench.record import Record, Status, failed
from grokbench.schema import METRICS
from grokbench.store.dataset import assembled
from grokbench.suite.model import Suite
from grokbench.testing.simulator import (
    FLAWLESS,
    Circuits,
    Delayed,
    Emerging,
    Flaws,
    Goldilocks,
    Grid,
    Levels,
    Memory,
    dip,
    results_of,
    simulate,
)

QUICK = Path(__file__).parents[2] / "results" / "quick-fixed"
MANY = Grid((8, 64), (3000,), seeds=400)


def final(data: xr.Dataset, metric: str = "mirror_free_accuracy") -> np.ndarray:
    return settled(data, metric).to_numpy()


@pytest.mark.parametrize("parts", [("all",), ("addition", "subtraction")])
def test_a_simulated_dataset_is_the_one_that_the_store_assembles_from_records(parts):
    grid = Grid((32, "2x64"), (200, 400), 3, steps=30, parts=parts, learning_rates=(1e-3, 3e-3))
    experiment, steps = grid.layout.experiment, grid.layout.steps
    noise = np.random.default_rng(0)
    curves = {name: noise.random((*grid.shape, len(steps), len(parts))) for name in METRICS}
    norm = noise.random((*grid.shape, len(steps)))
    counts = {"train": 200, "validation": 100, "mirror_free": 50}
    status = noise.choice(Status, grid.shape)
    records = {}
    for index, run in experiment.grid():
        if status[index] == Status.FAILED:
            records[run.id] = failed(run, "ValueError: no")
        elif status[index] != Status.NOT_RUN:
            own = {name: values[index].astype(np.float32) for name, values in curves.items()}
            records[run.id] = Record(
                run.id,
                Status(status[index]),
                parts,
                np.array(steps),
                {**own, "parameter_norm": norm[index].astype(np.float32)},
                {name: (count,) * len(parts) for name, count in counts.items()},
                parameters=run.size.hidden_size,
            )
    suite = Suite("simulated", {"simulated": experiment}, {})
    expected = assembled(suite, records, {})
    simulated = grid.layout.dataset(
        {**curves, "parameter_norm": norm},
        examples=counts,
        parameters=[32, 64],
        status=status,
        message="ValueError: no",
    )
    assert expected.identical(results_of(suite, {"simulated": simulated}, {}))


def test_the_numbers_of_parameters_are_those_of_the_built_in_architecture():
    trained = grokbench.open_results(QUICK)["addition"].to_dataset()
    sizes = tuple(int(size) for size in trained["model_size"])
    assert trained["parameters"].to_numpy().tolist() == Grid(sizes, modulus=31).parameters.tolist()


def test_a_seed_draws_one_world_and_no_other():
    one, same, other = (simulate(Circuits(), Grid(seeds=3), seed) for seed in (1, 1, 2))
    assert one.identical(same)
    assert not one.identical(other)


sizes = st.lists(st.sampled_from([4, 8, 32, 64, "2x64"]), min_size=1, unique=True).map(tuple)
amounts = st.lists(st.integers(100, 12_000), min_size=1, max_size=3, unique=True).map(tuple)
laws = st.sampled_from([Circuits(), Circuits(band=0.3), Memory(), Emerging()])


@effort(max_examples=30, deadline=None)
@given(
    sizes,
    amounts,
    laws,
    st.builds(Flaws, missing=st.floats(0, 1), crashed=st.floats(0, 1)),
    st.integers(0, 2**32),
)
def test_every_nan_is_explained_and_every_accuracy_is_one(sizes, amounts, law, flaws, seed):
    grid = Grid(sizes, amounts, seeds=3, random_labels=isinstance(law, Memory))
    data = simulate(law, grid, seed, flaws)
    done = data["status"] == Status.DONE
    for name in METRICS:
        values = data[name]
        said = done & (data[f"{'train' if 'train' in name else 'validation'}_examples"] > 0)
        assert (values.notnull() == said).all(), name
        if name.endswith("accuracy"):
            assert ((values >= 0) & (values <= 1)).where(said, True).all(), name
    assert (data["evaluated"] == done).all()


def test_seeds_that_crash_failed_in_every_cell_and_say_so():
    data = simulate(Circuits(), Grid(seeds=40), 1, Flaws(crashed=0.3, missing=0.1))
    failed = (data["status"] == Status.FAILED).any(["model_size", "data_size"])
    assert 5 < int(failed.sum()) < 20
    assert set(np.unique(data["status"].isel(seed=failed))) == {Status.NOT_RUN, Status.FAILED}
    assert "" not in data["message"].to_numpy()[data["status"] == Status.FAILED]
    assert pytest.approx(0.1, abs=0.03) == (data["status"] == Status.NOT_RUN).mean().item()


def test_memorized_mirrors_raise_plain_accuracy_above_that_without_mirrors():
    grid = Grid((64,), (6000,), seeds=5)
    clean, leaking = (
        simulate(Levels((0.0,), 1e9), grid, 1, Flaws(0, 0, leak)) for leak in (0.0, 1.0)
    )
    assert final(clean, "validation_accuracy").max() < 0.02
    assert pytest.approx(6000 / 113**2, abs=0.02) == final(leaking, "validation_accuracy").mean()
    assert final(leaking).max() < 0.02


def test_slingshots_throw_evaluations_far_down_after_generalizing():
    grid = Grid((64,), (3000,), seeds=200)
    data = simulate(Emerging(at=1), grid, 1, Flaws(slingshots=0.05))
    late = data["mirror_free_accuracy"].isel(step=slice(-12, None))
    assert pytest.approx(0.05, abs=0.015) == (late < 0.95).mean().item()
    assert (final(data) > 0.95).mean() > 0.98


def test_evaluations_scatter_by_the_noise_about_one_half():
    grid = Grid((64,), (3000,), seeds=50)
    data = simulate(Levels((0.5,), 1e9), grid, 1, Flaws(noise=0.03, slingshots=0))
    late = data["mirror_free_accuracy"].isel(step=slice(-12, None))
    assert pytest.approx(0.03, rel=0.1) == late.std("step").mean().item()


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_what_memories_hold_grows_by_the_slope_of_the_law(slope):
    grid = Grid((8, 16), (12_769,), seeds=200, random_labels=True)
    data = simulate(Memory(slope, at=(6000, 4000)), grid, 1)
    held = np.log2(final(data, "train_accuracy").mean(axis=(1, 2)) - 1 / 113)
    doublings = np.diff(np.log2(grid.parameters)).item()
    assert pytest.approx(slope, abs=0.05) == np.diff(held).item() / doublings


def test_half_of_the_runs_grok_at_their_critical_data_size_and_censored_ones_are_on_their_way():
    data = simulate(Circuits(critical_at=(64_192, 3000)), Grid((64,), (2000, 3000, 4500), 300), 1)
    runs = classify(data)
    grokked = (runs["dynamic"] == Dynamic.GROKKING).mean(["model_size", "seed"]).to_numpy()
    assert grokked[0] < 0.05
    assert pytest.approx(0.5, abs=0.1) == grokked[1]
    assert grokked[2] > 0.95
    assert 0 < int((runs["dynamic"] == Dynamic.SEMI_GROKKING).sum())
    times = np.log(runs["generalized_step"].sel(data_size=4500).to_numpy().ravel())
    assert np.nanmax(times) - np.nanmedian(times) > 2 * (np.nanmedian(times) - np.nanmin(times)) / 3


def test_more_data_than_a_model_holds_makes_progression():
    runs = classify(simulate(Circuits(), MANY, 1))
    shown = (runs["dynamic"] == Dynamic.PROGRESSION).mean(["data_size", "seed"]).to_numpy()
    assert shown[0] > 0.9
    assert shown[1] < 0.05


@pytest.mark.parametrize(("dynamics", "ratio"), [("grokking", 0.7), ("progression", 1.4)])
def test_the_norm_changes_by_what_the_law_says(dynamics, ratio):
    law = Circuits(critical_at=(64_192, 2200), norm_in_grokking=0.7, norm_in_progression=1.4)
    shift = transitions(simulate(law, MANY, 1), NormChangeOptions(dynamics=dynamics))
    assert pytest.approx(np.log(ratio), abs=0.04) == shift["log_ratio"].median().item()


def test_the_mean_of_many_seeds_has_the_levels_asked_for():
    grid = Grid(seeds=500)
    levels = dip(grid, 0.5)
    observed = final(simulate(Levels(levels), grid, 1, FLAWLESS)).mean(axis=(1, 2))
    assert np.allclose(levels, observed, atol=0.06)


def test_a_dip_of_depth_zero_only_rises():
    assert list(dip(Grid(), 0.0)) == sorted(dip(Grid(), 0.0))
    deep = dict(zip(Grid().model_sizes, dip(Grid(), 0.6), strict=True))
    assert pytest.approx(0.0, abs=1e-12) == max(deep[size] for size in (24, 28, 32, 36, 40))
    assert pytest.approx((0.6, 1.0), abs=0.05) == (deep[8], deep[100])


def test_half_of_the_seeds_have_an_ability_at_the_parameters_asked_for():
    grid = Grid((64,), seeds=400)
    has_it = final(simulate(Emerging(at=64_192), grid, 1)) > 0.9
    assert pytest.approx(0.5, abs=0.08) == has_it.mean()


# The spreads, beside those of trained runs.


@pytest.fixture(scope="module")
def quick() -> xr.DataTree:
    return grokbench.open_results(QUICK)


@pytest.mark.parametrize(("size", "concentration"), [(4, 4.0), (96, 0.6)])
def test_final_accuracies_scatter_like_those_of_trained_runs(quick, size, concentration):
    """Runs of hidden size 4 show progression, runs of size 96 grok or do not."""
    data = quick["little_data"].to_dataset().sel(model_size=[size])
    trained = final(data).ravel()
    law = Levels((float(trained.mean()),), concentration)
    simulated = final(simulate(law, Grid((size,), (350,), 400, 31), 1))
    assert 0.6 < simulated.std() / trained.std(ddof=1) < 1.6


def test_random_labels_scatter_like_those_of_trained_runs(quick):
    data = quick["random_labels"].to_dataset().isel(model_size=[0, 1])
    trained = np.log(final(data, "train_accuracy")[:, 0] - 1 / 31).std(axis=1, ddof=1).mean()
    assert 0.5 < Memory().spread / trained < 2


@pytest.mark.parametrize("dynamics", ["grokking", "progression"])
def test_norms_change_and_scatter_like_those_of_trained_runs(quick, dynamics):
    options = NormChangeOptions(dynamics=dynamics)
    trained = transitions(quick["addition"].to_dataset(), options)["log_ratio"]
    law = Circuits(critical_at=(64_192, 2200))
    simulated = transitions(simulate(law, MANY, 1), options)["log_ratio"]
    assert trained.median().item() * simulated.median().item() > 0
    assert 0.5 < abs(simulated.median() / trained.median()).item() < 2
    assert 0.5 < (simulated.std() / trained.std()).item() < 2


def test_critical_data_sizes_scatter_like_those_of_trained_runs(quick):
    """At hidden size 48, 350 of 961 examples are enough for two seeds of five."""
    trained = final(quick["addition"].to_dataset().sel(model_size=[48])) > 0.9
    assert [[2, 5, 5]] == trained.sum(axis=-1).tolist()
    law = Circuits(0, (31_056, 365), capacity_at=(100, 1e6))
    grid = Grid((48,), (350, 500, 650), 400, 31, steps=6000, evaluate_every=100)
    alike = (final(simulate(law, grid, 1)) > 0.9).mean(axis=-1)
    assert np.allclose([[0.4, 1, 1]], alike, atol=0.2)


def test_delayed_runs_cross_the_thresholds_at_the_steps_of_the_law():
    """Medians of 400 runs at two values of a swept field; evaluated often enough to see them."""
    decays = (("weight_decay", (1.0, 4.0)),)
    grid = Grid((8,), (3000,), 400, steps=6000, evaluate_every=5, swept=decays)
    data = simulate(Delayed(10.0, -0.5, "weight_decay", memorized=200), grid, 0, FLAWLESS)
    runs = classify(data)
    medians = runs[["memorized_step", "generalized_step"]].median("seed")
    assert pytest.approx([200, 200], rel=0.05) == medians["memorized_step"].to_numpy().ravel()
    assert pytest.approx([2000, 1000], rel=0.05) == medians["generalized_step"].to_numpy().ravel()
    ratio = np.log10(runs["generalized_step"] / runs["memorized_step"])
    assert pytest.approx([0.1, 0.1], rel=0.15) == ratio.std("seed").to_numpy().ravel()


def test_losses_have_the_walls_of_the_law():
    scales = (("initial_scale", (0.1, 1.0, 10.0)),)
    grid = Grid((8,), (3000,), 200, steps=1000, evaluate_every=100, swept=scales)
    data = simulate(Goldilocks(left=1.5, right=3.0, lowest=1e-3), grid, 0, FLAWLESS)
    for name, expected in (("train", [-1.5, -3, -3]), ("validation", [-1.5, -3, 0])):
        final_loss = np.log10(settled(data, f"{name}_loss")).mean("seed").to_numpy().ravel()
        assert pytest.approx(expected, abs=0.06) == final_loss


def test_a_swept_field_is_a_dimension_of_the_dataset():
    swept = (("weight_decay", (0.1, 1.0)), ("initial_scale", (1.0, 2.0, 4.0)))
    data = simulate(Levels((0.5,)), Grid((8,), seeds=2, swept=swept), 0)
    assert (2, 3, 1, 1, 2) == data["status"].shape
    assert ("weight_decay", "initial_scale", "model_size") == data["status"].dims[:3]
