"""`grokbench check` on the committed quick results, doctored so that each claim in turn fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import Result

from grokbench.store import open_results
from grokbench.store.results import write_results
from grokbench.suite import load_suite

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "suites" / "quick-fixed.toml"

CURVES = ("validation_loss", "validation_accuracy", "mirror_free_accuracy", "parameter_norm")
Groups = dict[str, xr.Dataset]


def sizes_exchanged(experiment: str) -> Callable[[Groups], None]:
    """The smallest models get the curves of the largest, and the other way round."""

    def doctor(groups: Groups) -> None:
        data = groups[experiment]
        for name in ("train_loss", "train_accuracy", *CURVES):
            data[name] = data[name].copy(data=data[name].isel(model_size=slice(None, None, -1)))

    return doctor


def norms_inverted(groups: Groups) -> None:
    """The norm rises where it fell, and falls where it rose."""
    norm = groups["addition"]["parameter_norm"]
    groups["addition"]["parameter_norm"] = norm.copy(data=400 / norm)


def accuracies(experiment: str, *values: float) -> Callable[[Groups], None]:
    """Each model size has a given accuracy, the same for every seed and step."""

    def doctor(groups: Groups) -> None:
        data = groups[experiment]
        level = xr.DataArray(np.array(values, np.float32), dims="model_size")
        for name in ("validation_accuracy", "mirror_free_accuracy"):
            data[name] = data[name].copy(data=level.broadcast_like(data[name]))

    return doctor


def each(*doctors: Callable[[Groups], None]) -> Callable[[Groups], None]:
    def doctor(groups: Groups) -> None:
        for one in doctors:
            one(groups)

    return doctor


def every_second_size_groks(groups: Groups) -> None:
    """Every second model size groks, so that neighbouring sizes predict nothing."""
    data = groups["addition"]
    groks = xr.DataArray(np.arange(data.sizes["model_size"]) % 2 == 0, dims="model_size")
    told = {
        "train_accuracy": data["step"] >= 500,
        "validation_accuracy": groks & (data["step"] >= 3000),
        "mirror_free_accuracy": groks & (data["step"] >= 3000),
    }
    for name, right in told.items():
        data[name] = data[name].copy(data=right.astype(np.float32).broadcast_like(data[name]))


DOCTORS: dict[str, Callable[[Groups], None]] = {
    "critical_data_size_falls": sizes_exchanged("addition"),
    "memorization_capacity_rises": sizes_exchanged("random_labels"),
    "zones_predicted": every_second_size_groks,
    "norm_falls_in_grokking": norms_inverted,
    "norm_rises_in_progression": norms_inverted,
    # Sizes 4 and 16 are runs of both experiments.
    "double_descent_with_little_data": each(
        accuracies("little_data", 0.1, 0.2, 0.3, 0.4), accuracies("addition", 0.1, 0.2, 0.3, 0.4)
    ),
}


UNDECIDED = {"double_descent_with_little_data"}
"""Claims that cannot come out reversed: eight seeds never exclude a dip of 0.1 at a single size."""

NEVER_DECIDED: dict[str, Callable[[Groups], None]] = {
    "no_double_descent_with_much_data": accuracies("addition", 0.9, 0.1, 0.1, 0.9),
    "mixture_delays_emergence": each(
        accuracies("addition", 0.0, 0.0, 0.0, 1.0), accuracies("mixture", 1.0, 1.0)
    ),
    "split_ffn_emerges_earlier": each(
        accuracies("mixture_split", 0.0, 1.0), accuracies("mixture", 1.0, 1.0)
    ),
}
"""Claims that cannot be decided among nine claims, whatever the runs show. The mixtures have three seeds.
The search for a dip has five, and runs that no seed shows may fill a dip."""


def test_every_claim_of_the_quick_suite_is_doctored() -> None:
    assert DOCTORS.keys() | NEVER_DECIDED.keys() == load_suite(SUITE).claims.keys()


def doctored(folder: Path, doctor: Callable[[Groups], None]) -> Path:
    """A copy of the committed results, changed by a doctor."""
    path = folder / "quick-fixed.nc"
    shutil.copy(ROOT / "results" / "quick-fixed" / "quick-fixed.nc", path)
    tree = open_results(path)
    groups = {name: child.to_dataset() for name, child in tree.children.items()}
    doctor(groups)
    write_results(xr.DataTree.from_dict({"/": tree.to_dataset(), **groups}), path)
    return path


@pytest.mark.parametrize("claim", DOCTORS)
def test_doctored_results_are_no_success_and_the_claim_is_named(
    grokbench: Callable[..., Result], tmp_path: Path, claim: str
) -> None:
    told = grokbench("check", doctored(tmp_path, DOCTORS[claim]), "--suite", SUITE)
    outcome, codes = ("undecided", {1, 3}) if claim in UNDECIDED else ("not reproduced", {1})
    assert told.exit_code in codes, told.output
    expected = load_suite(SUITE).claims[claim].expect
    assert f"{claim}: expected to be {expected}, came out {outcome}" in told.stdout


@pytest.mark.parametrize("claim", NEVER_DECIDED)
def test_a_claim_whose_seeds_are_too_few_stays_undecided_whatever_its_runs_show(
    grokbench: Callable[..., Result], tmp_path: Path, claim: str
) -> None:
    told = grokbench("score", doctored(tmp_path, NEVER_DECIDED[claim]), "--suite", SUITE, "--json")
    (verdict,) = (one for one in json.loads(told.stdout)["claims"] if one["claim"] == claim)
    assert "undecided" == verdict["outcome"]
    assert "too few" in verdict["reason"] or "would be not reproduced" in verdict["reason"]
