"""The contracts are kept, and the results say what README says."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from grokbench import (
    Finding,
    ModelSize,
    NotEnoughDataError,
    Snapshot,
    Streams,
    load_suite,
    open_results,
    run_suite,
)
from grokbench.tasks import ModularAddition
from grokbench.testing import Check, parametrize_with_checks
from grokbench.testing.simulator import World

from grokbench_fourier.key_frequencies import KeyFrequencies
from grokbench_fourier.measure import Fourier

ROOT = Path(__file__).parents[1]
STORED = ROOT / "results"


def world(mean: float, seeds: int = 6) -> World:
    """The stored dataset's shape, with other seeds and numbers of key frequencies."""
    data = open_results(STORED)["grokked"].to_dataset().isel(step=slice(-4, None), seed=[0])
    data = xr.concat([data.assign_coords(seed=[seed]) for seed in range(seeds)], "seed")
    counts = np.random.default_rng(0).poisson(mean, data["fourier_key_frequencies"].shape)
    data["fourier_key_frequencies"] = data["fourier_key_frequencies"].copy(
        data=counts.astype(np.float32)
    )
    return {"experiment": data}


@parametrize_with_checks([Fourier])
def test_the_measures_contract_is_kept(check: Check) -> None:
    check()


@parametrize_with_checks([KeyFrequencies], worlds=[world(3.0)])
def test_the_detectors_contract_is_kept(check: Check) -> None:
    check()


def found(data: Mapping[str, xr.Dataset]) -> Finding:
    return KeyFrequencies().find(data)


def test_the_mean_over_seeds_is_found() -> None:
    data = world(3.0)
    expected = float(data["experiment"]["fourier_key_frequencies"].isel(step=-1).mean())
    assert found(data).effect == pytest.approx(expected)


def test_what_was_not_measured_is_said() -> None:
    data = {"experiment": world(3.0)["experiment"].drop_vars("fourier_key_frequencies")}
    with pytest.raises(NotEnoughDataError, match=r'write measures = \["fourier"\]'):
        found(data)


def test_the_suite_has_no_mistakes() -> None:
    assert load_suite(ROOT / "suite.toml").runs()


def test_training_measures_a_model_that_has_not_learned_yet(tmp_path: Path) -> None:
    text = (ROOT / "suite.toml").read_text().replace("steps = 6000", "steps = 2")
    suite = tmp_path / "suite.toml"
    suite.write_text(text)
    data = run_suite(suite, tmp_path / "out", seeds=1).tree["grokked"].to_dataset()
    assert 0 == float(data["fourier_key_frequencies"].isel(step=-1).max())
    chance = torch.tensor(31.0).log()
    assert float(data["fourier_restricted_loss"].isel(step=-1).max()) < 2 * chance


def measured(*, operator_token: bool) -> Mapping[str, torch.Tensor]:
    """What is measured on logits that are waves of a + b, whichever way the pairs are asked."""
    task = ModularAddition.from_options({"modulus": 7, "operator_token": operator_token})
    examples = task.examples(20, Streams(0))
    sums = examples.labels.unsqueeze(1) - torch.arange(7)
    outputs = torch.cos(2 * torch.pi * 2 * sums / 7)
    weights = {"tokens.weight": torch.eye(7)}
    size, inputs = ModelSize(8), (examples.inputs,)
    return Fourier().measure(
        Snapshot(0, size, weights, outputs, examples, inputs, {}, torch.nn.Identity())
    )


def test_pairs_with_an_operator_token_are_read_as_pairs_without() -> None:
    plain, token = measured(operator_token=False), measured(operator_token=True)
    assert 1 == int(plain["key_frequencies"]) == int(token["key_frequencies"])
    assert 0.99 < float(token["sums_share"])
    assert plain == token


def stated() -> Iterator[str]:
    """README's table, as the stored results say it."""
    tree = open_results(STORED)
    for name in ("grokked", "memorized"):
        last = tree[name].to_dataset().isel(step=-1)
        mean = {
            key: float(last[key].mean())
            for key in last
            if key != "message" and last[key].dtype.kind == "f"
        }
        yield (
            f"| {name} | {mean['mirror_free_accuracy']:.2f} "
            f"| {mean['fourier_key_frequencies']:.1f} | {mean['fourier_sums_share']:.2f} "
            f"| {mean['fourier_embedding_sparsity']:.2f} | {mean['fourier_restricted_loss']:.2f} "
            f"| {mean['fourier_excluded_loss']:.2f} |"
        )


def test_readme_says_what_came_out() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in stated():
        assert row in text
