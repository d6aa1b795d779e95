"""The parts of the token-factored form."""

from __future__ import annotations

import torch

from grokbench.architectures.factored import DeterministicIndexAdd
from grokbench.architectures.token_rows import TokenRows


def test_added_values_are_the_sums_that_index_add_makes() -> None:
    generator = torch.Generator().manual_seed(0)
    index = torch.randint(40, (500,), generator=generator) + 5
    values = torch.randn(500, 3, dtype=torch.float64, generator=generator)
    table = torch.randn(50, 3, dtype=torch.float64, generator=generator)
    expected = table.index_add(0, index, values)
    DeterministicIndexAdd(index, 50).add(values, table)
    torch.testing.assert_close(table, expected, rtol=1e-12, atol=1e-12)


def test_a_value_that_is_not_finite_reaches_its_own_place_alone() -> None:
    table = torch.zeros(4, 1)
    DeterministicIndexAdd(torch.tensor([0, 2, 2]), 4).add(
        torch.tensor([[1.0], [torch.inf], [-torch.inf]]), table
    )
    assert [1.0, 0.0, 0.0] == table[[0, 1, 3], 0].tolist()
    assert table[2].isnan()


def test_rows_are_numbered_by_position_and_token() -> None:
    inputs = torch.tensor([[[5, 2, 9], [7, 5, 9]], [[5, 5, 9], [5, 2, 9]]])
    rows = TokenRows.of(inputs)
    assert [5, 7, 2, 5, 9] == rows.tokens.tolist()
    assert [0, 0, 1, 1, 2] == rows.positions.tolist()
    assert [slice(0, 2), slice(2, 4), slice(4, 5)] == list(rows.spans)
    index = rows.index(inputs)
    assert (3, 2, 2) == index.shape
    assert torch.equal(inputs.permute(2, 0, 1), rows.tokens.repeat(2)[index])
    assert [[0, 1], [5, 5]] == index[0].tolist()
