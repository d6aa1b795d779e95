"""What the strategies draw is what they say: datasets as stored, suites without a mistake."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from grokbench import Finding, NotEnoughDataError, parse_suite
from grokbench.phenomena import BUILT_IN
from grokbench.record import Status
from grokbench.schema import VARIABLES
from grokbench.testing import strategies

DRAWS = """
import sys

from hypothesis import HealthCheck, given, settings

from grokbench.testing import strategies

before = set(sys.modules)


@settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None)
@given(strategies.suites(), strategies.datasets())
def draw(suite, dataset):
    pass


draw()
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new & {"grokbench", "scipy", "torch", "xarray", "pandas", "matplotlib"}))
"""


def test_drawing_imports_none_of_the_large_packages():
    """An import at the first draw takes longer than hypothesis's health check allows."""
    told = subprocess.run([sys.executable, "-c", DRAWS], capture_output=True, text=True, check=True)
    assert "[]" == told.stdout.strip()


@given(strategies.suites())
@settings(max_examples=50)
def test_a_drawn_suite_has_no_mistake(text):
    suite = parse_suite(text, "drawn.toml")
    assert suite.experiments
    assert suite.runs()
    assert text == suite.text


@given(strategies.datasets())
@settings(max_examples=25)
def test_a_drawn_dataset_explains_every_nan_of_its_training_curves(dataset):
    assert set(VARIABLES) <= set(dataset.data_vars)
    done = dataset["train_accuracy"].where(dataset["status"] == Status.DONE, drop=False)
    known = (dataset["status"] == Status.DONE) & (dataset["evaluated"] == 1)
    assert not (done.isnull() & known).any()
    assert (
        dataset["train_accuracy"]
        .where(~known & (dataset["status"] != Status.DIVERGED))
        .isnull()
        .all()
    )


@pytest.mark.parametrize("detector", BUILT_IN, ids=lambda one: one.name)
@given(strategies.datasets())
@settings(max_examples=12)
def test_a_detector_finds_something_or_says_what_is_lacking(detector, dataset):
    world = dict.fromkeys(detector.roles, dataset)
    try:
        finding = detector().find(world)
    except NotEnoughDataError as error:
        finding = None
        lacking = str(error)
    if finding is None:
        assert lacking
        return
    assert isinstance(finding, Finding)
    assert not np.isnan([finding.effect, finding.low, finding.high]).any()
    assert json.dumps(dict(finding.details))
