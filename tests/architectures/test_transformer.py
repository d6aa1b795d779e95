"""Which transformers are refused, and what the refusal says to write instead."""

from __future__ import annotations

import re

import pytest

from grokbench.architectures.transformer import SplitFFN
from grokbench.record import ModelSize
from grokbench.tasks import Mixture


@pytest.mark.parametrize(
    ("options", "size", "remedy"),
    [
        ({"heads": 1, "mlp_ratio": 3}, 5, "network of 15 units .* for 2 parts; .* size of 4 or 6,"),
        ({"heads": 1, "mlp_ratio": 1}, 1, "network of 1 units .* size of 2,"),
        (
            {"heads": 3, "mlp_ratio": 1},
            9,
            "hidden size of 6 or 12, or an mlp_ratio .* multiple of 2",
        ),
    ],
)
def test_a_network_without_equal_shares_is_refused_with_the_nearest_that_has_them(
    options, size, remedy
):
    refusal = SplitFFN.from_options(options).refuses(Mixture(), ModelSize(size))
    assert refusal is not None
    assert re.search(remedy, refusal)


@pytest.mark.parametrize(("options", "size"), [({"heads": 1, "mlp_ratio": 3}, 6), ({}, 4)])
def test_what_is_not_refused_has_equal_shares_that_are_all_of_it(options, size):
    architecture = SplitFFN.from_options(options)
    assert architecture.refuses(Mixture(), ModelSize(size)) is None
    model = architecture.build(ModelSize(size), Mixture())
    units = model.layers[0].units
    assert [units.shape[1] / 2] * 2 == units.sum(1).tolist()
    assert (units.sum(0) == 1).all()
