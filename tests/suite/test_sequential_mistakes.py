"""Mistakes of sequential suites: looks, places, and what no run or claim could ever do."""

from __future__ import annotations

import pytest

from grokbench.errors import SuiteError
from grokbench.suite.warnings import warnings_about

LOOKS = "sequential = { looks = [5, 8], first_seed = 100 }\n"


@pytest.fixture
def with_looks(valid: str) -> str:
    """The valid suite with looks, and without seeds of its own."""
    lines = [line for line in valid.splitlines() if not line.startswith("seeds = ")]
    return LOOKS + "\n".join(lines)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "first_seed = 100",
            "first_seed = 100, futility = 5",
            "sequential.futility: should be more than 5 (the first look), not 5: no claim would have "
            "a second look",
        ),
        (
            "where = { learning_rate",
            "where = { seed = 100, learning_rate",
            "claims.compared.where.seed: leave this out: [sequential] says which seeds are judged at "
            "each look",
        ),
    ],
)
def test_a_mistake_about_looks_is_found(old, new, message, with_looks, read):
    assert read(with_looks).sequential is not None
    with pytest.raises(SuiteError) as error:
        read(with_looks.replace(old, new, 1))
    assert [message] == [str(mistake) for mistake in error.value.mistakes]


def test_a_sequential_suite_without_claims_would_train_nothing(with_looks, read):
    with pytest.raises(SuiteError) as error:
        read(with_looks.split("[claims.")[0])
    (mistake,) = error.value.mistakes
    assert mistake.place == "claims"
    assert "trains what claims wait for" in mistake.message


PLACES = """
[sequential]
looks = [5, 8]
first_seed = 100

[recipes.small]
optimizer = "adamw"
steps = 60

[experiments.addition]
task = { name = "modular_addition", modulus = 7 }
architecture = "dense"
recipe = "small"
model_sizes = [4, 8, 16, 32]
data_sizes = [20]

[claims.dip]
statement = "Accuracy dips"
detector = "double_descent"
experiment = "addition"
rule = { at_least = 0.1 }

[claims.dip.places]
peak = [4]
bottom = [8, 16]
recovery = [32]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "peak = [4]",
            "peak = [5]",
            "claims.dip.places.peak[0]: 'addition' has no model_size 5; it has 4, 8, 16, 32",
        ),
        ("peak = [4]", "peak = 4", "claims.dip.places.peak: should be a list, not 4; write [4]"),
        ("peak = [4]\n", "", "claims.dip.places.peak: is missing"),
        ("peak = [4]", "peak = [8]", "claims.dip.places: size 8 is named twice; "),
        (
            'detector = "double_descent"',
            'detector = { name = "dynamics", expected = "grokking" }',
            "claims.dip.places: the detector 'dynamics' has no places; leave this table out",
        ),
    ],
)
def test_a_mistake_in_places_is_shown_where_the_file_has_it(old, new, message, read):
    assert read(PLACES)
    with pytest.raises(SuiteError) as error:
        read(PLACES.replace(old, new, 1))
    (mistake,) = error.value.mistakes
    assert str(mistake).startswith(message)


def test_a_look_with_too_few_seeds_for_any_claim_is_a_warning(read):
    suite = read(PLACES)
    assert not warnings_about(suite, suite.plugins)
    looks = read(PLACES.replace("[5, 8]", "[3, 5, 8]"))
    (warning,) = warnings_about(looks, looks.plugins)
    assert warning.place == "sequential.looks[0]"
    assert "every claim takes at least 5" in warning.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("steps = 60", "steps = 100000000\nevaluate_every = 1"),
            "experiments.addition.recipe: a run would be evaluated 100 000 001 times",
        ),
        (
            ("steps = 60", "steps = 1000000\nevaluate_every = 2\nlearning_rate = [LIST]"),
            "experiments.addition: the curves of its 3 200 runs would take 38 GB, and 32 GB at most",
        ),
        (
            ("[5, 8]", "[5, 100000]", "data_sizes = [20]", "data_sizes = [20, 21, 22]"),
            "experiments.addition: has 1 200 000 runs, and 1 000 000 at most can be planned",
        ),
        (
            ("[4, 8, 16, 32]", "[4, 8, 16, 32, 1000000]"),
            "experiments.addition.model_sizes[4]: the layers of a model of size 1000000 have 1.2e+13 "
            "parameters, and 1e+10 at most can be trained",
        ),
    ],
    ids=["evaluations", "curves", "runs", "parameters"],
)
def test_what_cannot_fit_in_memory_is_a_mistake(change, message, read):
    """At the place of the suite where less can be written; nothing of that size is made."""
    text = PLACES
    for old, new in zip(change[::2], change[1::2], strict=True):
        assert old in text
        text = text.replace(old, new.replace("LIST", ", ".join(f"{n}e-4" for n in range(1, 101))))
    with pytest.raises(SuiteError) as error:
        read(text)
    (mistake,) = error.value.mistakes
    assert str(mistake).replace("\u202f", " ").startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "rule = { at_least = 0.1 }",
            "rule = { at_least = 0.1 }\nminimum_seeds = 9",
            "claims.dip.minimum_seeds: is 9, but the last look has 8 seeds, so that the claim can "
            "never be decided; write 8 or less, or a later look",
        ),
        (
            'experiment = "addition"',
            'experiment = "addition"\nwhere = { model_size = [4, 16, 32] }',
            "claims.dip.where.model_size: leaves out 8, which `places` names, so that the claim can "
            "never be judged",
        ),
    ],
)
def test_a_claim_that_could_never_be_judged_is_a_mistake(old, new, message, read):
    with pytest.raises(SuiteError) as error:
        read(PLACES.replace(old, new, 1))
    (mistake,) = error.value.mistakes
    assert str(mistake).startswith(message)


def test_many_seeds_are_read_and_selected_one_by_one(read):
    """A number of steps that grew with the square of the seeds would take minutes."""
    seeds = list(range(100_000))
    text = PLACES.replace("[sequential]\nlooks = [5, 8]\nfirst_seed = 100\n", "")
    text = text.replace("data_sizes = [20]", f"data_sizes = [20]\nseeds = {seeds}")
    text = text.replace("[4, 8, 16, 32]", "[4, 8]").split("[claims.dip.places]")[0]
    selected = f'experiment = "addition"\nwhere = {{ seed = {seeds} }}'
    suite = read(text.replace('experiment = "addition"', selected))
    assert 200_000 == suite.run_count
    assert seeds == suite.claims["dip"].where["seed"]
