"""Repetitions differ in their seeds only, and differences are planted in one cell."""

from __future__ import annotations

import tomllib

from studies.comparison import Repetition, compared, false_alarms, grafted, heavier, shifted
from tests.comparison.results import results


def test_a_repetition_has_other_seeds_and_nothing_else() -> None:
    text = 'name = "a"\nmodel_sizes = [4, 8]\nseeds = [30, 31]\n'
    expected = tomllib.loads(text) | {"seeds": [2030, 2031]}
    assert expected == tomllib.loads(shifted(text, by=2000))


def test_differences_are_planted_in_one_cell_of_a_copy() -> None:
    tree = results()
    norm = tree["addition"].parameter_norm.copy(deep=True)
    grown = heavier(2.0, tree, 0, 1)["addition"].parameter_norm
    assert (2 * norm[0, 1]).equals(grown[0, 1])
    assert norm[1:].equals(grown[1:])
    moved = grafted(tree, 0, 1)["addition"].parameter_norm
    assert norm[1, 1].to_numpy().tolist() == moved[0, 1].to_numpy().tolist()
    assert norm.equals(tree["addition"].parameter_norm)


def test_every_pair_of_repetitions_is_compared_and_alarms_are_counted() -> None:
    """The first two repetitions differ in their seeds only; the third has two heavier cells."""
    one, other = results(seeds=range(30, 35)), results(seeds=range(40, 45))
    odd = heavier(2.0, heavier(2.0, other, 0, 0), 0, 1)
    table = false_alarms(compared([Repetition(tree, ()) for tree in (one, other, odd)]))
    pairs, told, _, _ = (list(column.cells) for column in table.columns)
    assert ["0, 1", "0, 2", "1, 2", "all"] == pairs
    assert "nothing" == told[0]
    assert [2, 2] == [str(words).count("parameter_norm") for words in told[1:3]]
    assert "2 of 3 pairs" == told[3]
