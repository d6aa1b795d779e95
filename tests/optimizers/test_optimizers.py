"""grokbench's optimizers are torch's, with a learning rate and a weight decay for each run."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from grokbench.optimizers import SGD, AdamW, Optimizer

CASES = [
    (AdamW, {}, torch.optim.AdamW, {"betas": (0.9, 0.98)}),
    (AdamW, {"betas": [0.8, 0.999], "epsilon": 1e-6}, torch.optim.AdamW,
     {"betas": (0.8, 0.999), "eps": 1e-6}),
    (SGD, {}, torch.optim.SGD, {}),
    (SGD, {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "nesterov": True}, torch.optim.SGD,
     {"momentum": 0.9, "nesterov": True}),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "options", "theirs", "arguments"), CASES)
def test_each_row_is_what_torch_does_with_that_rows_rates(
    ours: type[Optimizer],
    options: dict[str, Any],
    theirs: type[torch.optim.Optimizer],
    arguments: dict[str, Any],
) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 20, generator=generator, dtype=torch.float64)
    target = torch.randn(3, 20, generator=generator, dtype=torch.float64)
    rates, decays = [1e-3, 1e-2, 3e-2], [0.0, 1.0, 0.1]
    parameters, optimizer = start.clone(), ours.from_options(options)
    optimizer.start(parameters)
    column = torch.tensor(rates, dtype=torch.float64)[:, None]
    decay = torch.tensor(decays, dtype=torch.float64)[:, None].expand(3, 20).contiguous()
    for step in range(1, 51):
        count = torch.tensor(step, dtype=torch.float64)
        optimizer.step(parameters, parameters - target, column, decay, count)
    for row in range(3):
        leaf = start[row].clone().requires_grad_()
        reference = theirs([leaf], lr=rates[row], weight_decay=decays[row], **arguments)
        for _ in range(50):
            leaf.grad = (leaf - target[row]).detach()
            reference.step()
        torch.testing.assert_close(parameters[row], leaf.detach(), rtol=1e-12, atol=1e-13)
