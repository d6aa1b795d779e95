"""A suite with batches and a held norm, from the file to the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from grokbench import open_results

Grokbench = Callable[..., Result]


def test_batches_and_a_held_norm_are_axes_of_the_grid(grokbench: Grokbench, suite: Path) -> None:
    text = suite.read_text(encoding="utf-8")
    axes = 'steps = 4\nbatch_size = [4, 10]\nnorm = ["free", "initial"]'
    suite.write_text(text.replace("steps = 4", axes), encoding="utf-8")
    assert "32" in grokbench("plan", suite, "--no-measure").stdout
    assert 0 == grokbench("run", suite, "--jobs", 1).exit_code
    data = open_results("results/small")["addition"].to_dataset()
    assert {"batch_size": 2, "norm": 2}.items() <= dict(data.sizes).items()
    assert (1 == data["status"]).all()
    norms = data["parameter_norm"].transpose(..., "step").sel(norm="initial").to_numpy()
    np.testing.assert_allclose(norms, np.broadcast_to(norms[..., :1], norms.shape), rtol=1e-6)
    apart = data["train_loss"].isel(step=-1)
    assert (apart.sel(batch_size=4) != apart.sel(batch_size=10)).all()
    assert (apart.sel(norm="free") != apart.sel(norm="initial")).all()
    assert 0 == grokbench("check", "results/small").exit_code
    assert 0 == grokbench("report", "results/small").exit_code
    page = Path("results/small/report.html").read_text(encoding="utf-8")
    assert "norm free or initial" in page
    assert "batches of 4 or 10" in page


def test_results_do_not_store_the_defaults(results: Path) -> None:
    """So results of earlier versions, which lack the fields, mean the same."""
    recipe = json.loads(open_results(results)["addition"].attrs["recipe"])
    assert not {"batch_size", "norm"} & set(recipe)
