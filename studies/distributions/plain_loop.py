"""The plain PyTorch loop that every way of training is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from grokbench.optimizers import AdamW
from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.training import Setup
from grokbench.training.models import build_model


class PlainLoop:
    """One run, trained with its module, autograd, torch's losses and torch's AdamW.

    The gradient, the update and the loop are torch's, so that an error of the trainer shows as a
    difference. The model, its initial weights and the examples are the trainer's own.

    Attributes:
        taken: steps taken so far.
    """

    def __init__(self, run: Run, plugins: Plugins) -> None:
        made = Setup.of(run, plugins)
        assert isinstance(made.optimizer, AdamW)
        options = made.optimizer.options
        self.recipe, self.taken = run.recipe, 0
        self.model = build_model(run, made.architecture, made.task).train()
        self.examples = made.task.examples(run.data_size, Streams(run.seed))
        inputs, precision = self.examples.inputs, next(self.model.parameters()).dtype
        inputs = inputs.to(precision) if inputs.is_floating_point() else inputs
        given = (inputs, self.examples.part)
        self.given = given if made.architecture.takes_part else given[:1]
        self.optimizer = torch.optim.AdamW(
            [value for value in self.model.parameters() if value.requires_grad],
            betas=options.betas,
            eps=options.epsilon,
            weight_decay=run.recipe.weight_decay,
        )

    @property
    def parameters(self) -> Tensor:
        """[parameters]"""
        return self._flat(self.model.parameters())

    @property
    def gradient(self) -> Tensor:
        """The gradient of the last step: [parameters]"""
        return self._flat(value.grad for value in self.model.parameters())

    def moments(self, name: str) -> Tensor:
        """AdamW's moment `exp_avg` or `exp_avg_sq`: [parameters], zero before the first step."""
        state = self.optimizer.state
        return self._flat(
            state[value][name] if value in state else torch.zeros_like(value)
            for value in self.model.parameters()
        )

    def outputs(self, which: Tensor) -> Tensor:
        """The outputs for the examples in the mask `which`: [examples, outputs]."""
        outputs: Tensor = self.model(*(given[which] for given in self.given))
        return outputs

    def accuracy(self, which: Tensor) -> float:
        """The accuracy on the examples in the mask `which`."""
        with torch.no_grad():
            correct = self.outputs(which).argmax(1) == self.examples.labels[which]
        return float(correct.double().mean())

    def differentiate(self) -> None:
        """Compute `gradient` at the current parameters, without a step."""
        self.model.zero_grad()
        train = self.examples.train
        outputs, labels = self.outputs(train), self.examples.labels[train]
        if labels.is_floating_point():
            loss = functional.mse_loss(outputs, labels.to(outputs))
        else:
            loss = functional.cross_entropy(outputs, labels)
        loss.backward()  # type: ignore[no-untyped-call]

    def step(self) -> None:
        """Take one step; the learning rate rises linearly over the warm-up."""
        warm = min(1.0, (self.taken + 1) / max(1, self.recipe.warmup_steps))
        self.optimizer.param_groups[0]["lr"] = self.recipe.learning_rate * warm
        self.differentiate()
        self.optimizer.step()
        self.taken += 1

    @staticmethod
    def _flat(values: Iterable[Any]) -> Tensor:
        return torch.cat([value.detach().flatten() for value in values])
