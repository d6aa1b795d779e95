"""Questions with an operator token are trained exactly, by the programs that questions without one have."""

from __future__ import annotations

import pytest
import torch

from grokbench.architectures.factored import FactoredTransformer
from grokbench.architectures.prefix import PrefixTransformer
from grokbench.record import Choice, ModelSize
from tests.training.small_runs import STEADY, plain_loop, run, trained
from tests.training.stacks import (
    gradient,
    own_program,
    plain_gradient,
    plain_outputs,
    stack_of,
    views,
)

DIVISION = Choice("modular_division", {"modulus": 11, "operator_token": True})
CASES = [
    (Choice("dense"), ModelSize(8), FactoredTransformer),
    (Choice("dense"), ModelSize(8, layers=2), PrefixTransformer),
    (Choice("dense", {"layer_norm": True}), ModelSize(8), PrefixTransformer),
]
IDS = ["one layer", "two layers", "layer norm"]


@pytest.mark.parametrize(("architecture", "size", "program"), CASES, ids=IDS)
def test_gradients_outputs_and_thirty_steps_are_the_modules(
    architecture: Choice, size: ModelSize, program: type
) -> None:
    runs = [
        run(
            DIVISION, architecture, size, 40 + seed, seed, steps=30, precision="float64",
            optimizer=STEADY, learning_rate=1e-2,
        )
        for seed in range(3)
    ]  # fmt: skip
    stack = stack_of(runs)
    assert (3, 110, 4) == tuple(stack.evaluation.inputs.shape)
    own = own_program(stack)
    assert type(own) is program
    torch.testing.assert_close(gradient(stack, own), plain_gradient(stack), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(own.outputs(views(stack)), plain_outputs(stack))
    ends = trained(runs)
    for row, one in zip(ends, runs, strict=True):
        torch.testing.assert_close(row, plain_loop(one), rtol=1e-7, atol=1e-8)
