"""A suite that has no mistake, and ways to read it with something in it changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grokbench.errors import SuiteError
from grokbench.suite import Suite, parse_suite

DOUBLES = Path(__file__).with_name("doubles.py")

VALID = """\
title = "A valid suite"
citation = "Nobody 2026"

[recipes.small]
optimizer = { name = "drift", speed = 2 }
learning_rate = 3e-3
steps = 60

[experiments.alone]
title = "Counting alone"
task = { name = "counting", limit = 50 }
architecture = "even"
recipe = "small"
model_sizes = [4, 8, "2x64"]
data_sizes = [10, 20]
seeds = 5

[experiments.swept]
task = "counting"
architecture = { name = "even" }
recipe = { from = "small", learning_rate = [1e-3, 1], optimizer = ["drift", "sgd"] }
model_sizes = [4]
data_sizes = [10]
seeds = [7, 3]

[claims.seen]
statement = "Something is seen"
source = "Fig. 1"
detector = { name = "stare", patience = 2 }
experiment = "alone"
where = { data_size = 10, model_size = [8, "2x64"] }
rule = { at_least = 0.2 }

[claims.compared]
statement = "The one is no larger than the other"
detector = "compare"
experiments = { left = "alone", right = "swept" }
where = { learning_rate = 0.001, optimizer = "sgd" }
rule = { at_most = 1 }
minimum_seeds = 3
"""


@pytest.fixture(scope="session")
def valid() -> str:
    return VALID


@pytest.fixture(scope="session")
def read() -> Callable[[str], Suite]:
    """Parse a suite that may use the doubles."""
    return lambda text: parse_suite(text, "valid.toml", [DOUBLES])


@pytest.fixture
def mistakes(read) -> Callable[..., list[str]]:
    """What is wrong with the valid suite after replacements: `mistakes("seeds = 5", "seeds = 0")`."""

    def find(*changes: str) -> list[str]:
        text = VALID
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text, f"{old!r} is not in the valid suite"
            text = text.replace(old, new, 1)
        try:
            read(text)
        except SuiteError as error:
            return [str(mistake) for mistake in error.mistakes]
        return []

    return find
