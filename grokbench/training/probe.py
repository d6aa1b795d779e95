"""The probe: whether modules can be stacked under `torch.func.vmap`, found by trying.

Some operations raise an error under `vmap` (an LSTM, a branch on a value), and some give wrong
gradients without one: `nn.Embedding(padding_idx=…)` masks the padding row of the first run only,
because the batching rule shifts the indices of the other runs and not their padding index.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Architecture, Batch
from grokbench.plugins import describe
from grokbench.tasks.judging import Judgement
from grokbench.training.module_program import ModuleProgram

AGREEMENT = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far, relatively, stacked and single gradients may differ for the probe to pass."""

PROBED_EXAMPLES = 64
"""About how many evenly spread examples the probe looks at."""


def why_not_stacked(
    models: Sequence[nn.Module], architecture: Architecture, judgement: Judgement, batch: Batch
) -> str:
    """Why modules cannot be trained under `vmap`; empty when they can.

    Computes one gradient both ways in float64 and compares. A module that makes float32 numbers of
    its own (`one_hot(…).float()`) raises an error in float64 and is compared in float32.

    Args:
        models: two or more, with weights of their own.
        batch: the runs' training examples.

    Raises:
        Exception: whatever a single module raises.
    """
    try:
        return difference(models, architecture, judgement, batch, torch.float64)
    except Exception:  # noqa: BLE001 (a plugin's module may raise anything, and does so again)
        return difference(models, architecture, judgement, batch, torch.float32)


def difference(
    models: Sequence[nn.Module],
    architecture: Architecture,
    judgement: Judgement,
    batch: Batch,
    dtype: torch.dtype,
) -> str:
    """How stacked modules' gradients and outputs differ from single modules'; empty if they do not.

    Raises:
        Exception: what a single module raises when it is computed in `dtype`.
    """
    models = [copy.deepcopy(model).to(dtype) for model in models]
    sample = probe_batch(batch, dtype)
    found = []
    for stacked in (False, True):
        program = ModuleProgram(
            models,
            architecture.takes_part,
            judgement,
            sample,
            sample,
            stacked=stacked,
            noise=range(len(models)),
        )
        rows = {
            name: torch.stack([dict(model.named_parameters())[name].detach() for model in models])
            for name, _ in models[0].named_parameters()
        }
        gradients = {name: torch.empty_like(value) for name, value in rows.items()}
        try:
            program.gradient(rows, gradients)
            found.append({**gradients, "outputs": program.outputs(rows)[sample.weights > 0]})
        except Exception as error:  # a plugin's module may raise anything
            if not stacked:
                raise
            return f"torch.func.vmap refuses it: {describe(error)}"
    single, together = found
    within = AGREEMENT[dtype]
    # A gradient that is zero but for rounding is compared with the largest of all gradients.
    largest = max(float(value.abs().max()) for value in single.values())
    for name, value in single.items():
        if not torch.allclose(together[name], value, rtol=within, atol=within * min(1.0, largest)):
            return f"stacked and single {name} disagree under torch.func.vmap"
    return ""


def probe_batch(batch: Batch, dtype: torch.dtype) -> Batch:
    """A few of the batch's examples, in `dtype`: evenly spread, and one with each token."""
    count = batch.inputs.shape[1]
    rows = set(range(0, count, max(1, count // PROBED_EXAMPLES)))
    if not batch.inputs.is_floating_point():
        for column in batch.inputs.flatten(0, 1).T:
            _, where = column.unique(return_inverse=True)
            first = {int(token): row % count for row, token in reversed(list(enumerate(where)))}
            rows |= set(first.values())
    chosen = torch.tensor(sorted(rows))

    def pick(values: Tensor) -> Tensor:
        values = values[:, chosen].cpu()
        return values.to(dtype) if values.is_floating_point() else values

    weights = torch.full((len(batch.inputs), len(chosen)), 1 / len(chosen), dtype=dtype)
    # The first run's last example is padding: this finds modules that mix examples.
    weights[0, -1] = 0
    return Batch(pick(batch.inputs), pick(batch.labels), pick(batch.part), weights)
