"""A stack of runs ready to be differentiated, and what each run's own module says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from grokbench.architectures import Program
from grokbench.randomness import Streams
from grokbench.record import Choice, ModelSize
from grokbench.training import Setup
from grokbench.training.stack import Parameters, build_model, evaluation_batch, training_batch
from tests.training.worlds import PLUGINS, run


class Stack:
    """Runs of several data sizes, each with a seed of its own."""

    def __init__(
        self,
        task: Choice,
        architecture: str,
        size: ModelSize,
        data_sizes: Sequence[int],
        precision: str = "float32",
        initial_scale: float = 1.0,
        **options: Any,
    ) -> None:
        runs = [
            run(
                task, Choice(architecture, options), size, data_size, seed,
                precision=precision, initial_scale=initial_scale,
            )
            for seed, data_size in enumerate(data_sizes)
        ]  # fmt: skip
        self.made = Setup.of(runs[0], PLUGINS)
        self.models = [build_model(one, self.made.architecture, self.made.task) for one in runs]
        self.examples = [self.made.task.examples(one.data_size, Streams(one.seed)) for one in runs]
        self.stack = Parameters.of(self.models, torch.device("cpu"))
        self.views = self.stack.views(self.stack.flat)
        self.train = training_batch(self.examples, self.stack.flat)
        self.evaluation = evaluation_batch(self.examples, self.stack.flat)

    def program(self) -> Program:
        """The architecture's own."""
        made = self.made
        own = made.architecture.program(
            self.models[0], made.task.judgement, self.train, self.evaluation
        )
        assert own is not None
        return own

    def gradient(self, program: Program) -> torch.Tensor:
        """[runs, parameters]"""
        found = torch.full_like(self.stack.flat, torch.nan)
        program.gradient(self.views, self.stack.views(found))
        return found

    def plain_gradient(self) -> torch.Tensor:
        """By each module alone, with torch's loss and autograd: [runs, parameters]."""
        return torch.stack([self._plain_gradient(i) for i in range(len(self.models))])

    def plain_outputs(self) -> torch.Tensor:
        """Of each module alone, for all its examples: [runs, examples, outputs]."""
        every = torch.ones(len(self.examples[0].train), dtype=torch.bool)
        with torch.no_grad():
            return torch.stack([self._forward(i, every) for i in range(len(self.models))])

    def _plain_gradient(self, i: int) -> torch.Tensor:
        model, train = self.models[i], self.examples[i].train
        loss = functional.cross_entropy(self._forward(i, train), self.examples[i].labels[train])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return torch.nn.utils.parameters_to_vector(gradients)

    def _forward(self, i: int, which: torch.Tensor) -> torch.Tensor:
        one = self.examples[i]
        given = (one.inputs[which], one.part[which])
        return self.models[i](*given[: 2 if self.made.architecture.takes_part else 1])
