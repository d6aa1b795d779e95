"""Ways of training are told apart by what comes out over seeds, if they differ, and not if not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from grokbench.plugins import Plugins
from grokbench.training.memory import keep_freed_memory
from studies.distributions.p_values import compared, holm, verdict
from studies.distributions.programs import PROGRAMS
from studies.distributions.samples import Curves, Sample, sample, summary
from studies.distributions.ways import PLAIN, WAYS, Way

ROOT = Path(__file__).parents[2]
WATCHED = {name: way for name, way in WAYS.items() if way.expected is not None or name == PLAIN}


def sample_of(generator: np.random.Generator, later: float = 0, share: float = 0.5) -> Sample:
    """30 runs, of which this share generalizes; their curves are `later` by so many steps."""
    generalized = generator.normal(400, 100, 30) + later
    generalized[round(30 * share) :] = np.inf
    return Sample(
        generator.normal(200, 20, 30) + later,
        generalized,
        generator.uniform(0.8, 1, 30),
        generator.normal(20, 1, 30),
    )


def test_samples_of_one_distribution_are_the_same_and_others_are_not() -> None:
    generator = np.random.default_rng(0)
    samples = {
        PLAIN: sample_of(generator),
        "again": sample_of(generator),
        "later": sample_of(generator, later=40),
        "more often": sample_of(generator, share=1),
    }
    corrected = compared(samples)
    assert ["again", "later", "more often"] == list(corrected)
    verdicts = {name: verdict(values) for name, values in corrected.items()}
    assert {
        "again": "not told apart",
        "later": "told apart",
        "more often": "told apart",
    } == verdicts
    assert corrected["later"]["fitted"] < 0.01 < corrected["later"]["generalizing"]
    assert corrected["more often"]["generalizing"] < 0.01 < corrected["more often"]["fitted"]


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert [0.03, 0.06, 0.06, 0.02] == pytest.approx(holm([0.01, 0.04, 0.03, 0.005]), rel=1e-12)
    assert [1.0, 1.0] == holm([0.9, 0.7])


def test_what_a_run_never_reaches_is_infinite() -> None:
    steps = np.array([0, 10, 20])
    reached = np.array([0.1, 0.95, 0.9], np.float32)
    run = Curves(steps, train=reached, validation=reached * 0.9, norm=7.0)
    found = summary([run])
    assert [10.0] == found.fitted.tolist()
    assert [np.inf] == found.generalized.tolist()
    assert [pytest.approx(0.81)] == found.accuracy.tolist()
    assert ([7.0], 0) == (found.norm.tolist(), found.generalizing)


def test_every_program_starts_out_like_the_plain_loop() -> None:
    """Before chaos: after five steps each run is where its plain loop is."""
    plugins = Plugins.load()
    expected = sample(WAYS[PLAIN], plugins, seeds=2, steps=5)
    for program in PROGRAMS:
        found = sample(Way(program), plugins, seeds=2, steps=5)
        assert expected.norm.tolist() == pytest.approx(found.norm.tolist(), rel=1e-5)
        assert expected.accuracy.tolist() == pytest.approx(found.accuracy.tolist(), abs=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, on import
def test_every_way_of_training_gives_the_plain_loops_distributions_and_the_controls_do_not() -> (
    None
):
    """30 seeds, the same for all ways: see the docstring of `studies.distributions`."""
    keep_freed_memory()
    torch._dynamo.reset()
    plugins = Plugins.load()
    corrected = compared({name: sample(way, plugins) for name, way in WATCHED.items()})
    expected = {name: WAYS[name].expected for name in corrected}
    assert expected == {name: verdict(values) for name, values in corrected.items()}, corrected


@pytest.mark.slow
def test_the_script_prints_its_tables() -> None:
    command = [sys.executable, "-m", "studies.distributions", "--seeds", "2", "--steps", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    assert all(done.stdout.count(f"| {name}") >= 1 for name in WAYS)
    assert "the distributions are" in done.stdout
