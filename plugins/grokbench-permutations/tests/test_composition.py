"""The task keeps its contract, the table is a group's, and only commuting pairs are mirrors."""

from pathlib import Path

import pytest
import torch
from grokbench import Streams, load_suite
from grokbench.testing import Check, parametrize_with_checks

from grokbench_permutations.composition import PermutationComposition, composition_table


@parametrize_with_checks([PermutationComposition])
def test_the_contract_is_kept(check: Check) -> None:
    check()


def s5() -> PermutationComposition:
    return PermutationComposition.from_options({"points": 5})


@pytest.mark.parametrize("points", [3, 4, 5])
def test_the_table_is_a_group(points: int) -> None:
    table = composition_table(points)
    order = len(table)
    everything = torch.arange(order)
    assert torch.equal(everything, table[0])
    assert torch.equal(everything, table[:, 0])
    for lines in (table, table.T):
        assert torch.equal(everything.expand(order, order), lines.sort(dim=1).values)
    # (a ∘ b) ∘ c = a ∘ (b ∘ c)
    assert torch.equal(table[table], table[:, table])


def test_b_comes_first() -> None:
    """In S3 the second element, (0, 2, 1), after the fourth, (1, 2, 0), gives (2, 1, 0)."""
    assert 5 == int(composition_table(3)[1, 3])
    assert 2 == int(composition_table(3)[3, 1])


def test_s5_is_not_commutative() -> None:
    table = composition_table(5)
    # In every group, the number of commuting pairs is the order times the number of conjugacy
    # classes; S5 has 7 classes.
    assert 120 * 7 == int((table == table.T).sum())


def test_every_pair_is_asked_once() -> None:
    examples = s5().examples(8000, Streams(0))
    assert 14400 == len({tuple(row) for row in examples.inputs.tolist()})
    assert 8000 == int(examples.train.sum())
    assert torch.equal(~examples.train, examples.validation)


def test_what_is_not_mirror_free_commutes_with_what_trains() -> None:
    task = s5()
    examples = task.examples(8000, Streams(0))
    leaking = examples.validation & ~examples.mirror_free
    a, b = examples.inputs[leaking][:, :2].T
    table = composition_table(5)
    assert 0 < int(leaking.sum()) < 840
    assert torch.equal(table[a, b], table[b, a])
    assert bool(examples.train[b * 120 + a].all())


def test_impossible_data_sizes_are_refused_in_words() -> None:
    assert "S5 has 14400 pairs; write 1 to 14400, not 14401" == s5().check(14401)
    assert s5().check(0)
    assert s5().check(14400) is None


def test_the_suite_has_no_mistakes() -> None:
    assert load_suite(Path(__file__).parents[1] / "suite.toml").runs()
