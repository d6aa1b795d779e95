"""How many random labels a model holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.errors import NotEnoughDataError
from grokbench.readout import capacities, memorization
from grokbench.readout.capacity import share_known
from tests.phenomena.worlds import NOT_RUN, memorizing_random_labels, world

PAIRS = 961
ACCURACY = {8: 0.2, 16: 0.4, 128: 1.0}


def random_labels(sizes=(16, 8, 128), unfinished=None, data_sizes=(PAIRS,)):
    """Accuracies as in ACCURACY, a little more or less by seed."""

    def run(size: int, _: int, seed: int):
        if size == unfinished:
            return NOT_RUN
        return memorizing_random_labels(ACCURACY[size] * (1 + 0.02 * (seed - 2) * (size < 128)))

    return world(run, sizes=sizes, data_sizes=data_sizes)


def test_capacities_are_accuracy_times_examples_with_their_interval():
    curve = capacities(random_labels())
    assert [8, 16, 128] == curve["model_size"].to_numpy().tolist()
    assert pytest.approx([0.2 * PAIRS, 0.4 * PAIRS, PAIRS]) == curve["capacity"].to_numpy()
    assert (curve["low"] < curve["capacity"])[:2].all()
    assert (curve["capacity"] < curve["high"])[:2].all()
    assert [False, False, True] == curve["saturated"].to_numpy().tolist()


def test_a_single_seed_has_a_capacity_and_no_interval():
    curve = capacities(random_labels().isel(seed=[2]))
    assert pytest.approx(0.2 * PAIRS) == curve["capacity"].item(0)
    assert np.isnan(curve["low"]).all()
    assert np.isnan(curve["high"]).all()


def test_a_size_without_a_finished_run_has_no_capacity():
    curve = capacities(random_labels(unfinished=16))
    assert [False, True, False] == np.isnan(curve["capacity"]).to_numpy().tolist()


def test_each_run_has_its_accuracy_and_its_number_of_examples():
    runs = memorization(random_labels(unfinished=16))
    assert {"model_size": 3, "seed": 5} == dict(runs.sizes)
    assert pytest.approx([0.192, 0.196, 0.2, 0.204, 0.208]) == runs["accuracy"].to_numpy()[0]
    assert np.isnan(runs["accuracy"].to_numpy()[1]).all()
    assert PAIRS == runs["examples"].item(0)


def test_two_data_sizes_have_no_one_capacity():
    with pytest.raises(NotEnoughDataError, match="data_size has 2 values"):
        capacities(random_labels(data_sizes=(400, PAIRS)))


@given(st.floats(0, 1), st.floats(0, 0.9))
def test_the_share_known_is_recovered_where_a_model_guesses_the_rest(known, chance):
    accuracy = np.array(known + (1 - known) * chance)
    assert pytest.approx(known, abs=1e-9) == share_known(accuracy, chance)
