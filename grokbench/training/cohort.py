"""A stack of runs on its way down: what a step needs, and everything that a step changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from grokbench.plugins import Plugins
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.checks import check_examples
from grokbench.training.compiling import compile_program, pays
from grokbench.training.measuring import Measuring
from grokbench.training.meter import Meter
from grokbench.training.precision import arithmetic, factors
from grokbench.training.programs import choose_program
from grokbench.training.setup import Setup
from grokbench.training.stack import Parameters, build_model, evaluation_batch, training_batch

State = dict[str, Any]
"""All that training has changed: tensors, numbers, strings, lists and dicts of them."""


class CohortTraining:
    """Runs that differ in data size, seed and the recipe's per-run fields only, trained at once.

    Full batch; every run has its own examples, weights and optimizer state, and is what it would
    be alone.

    Attributes:
        taken: steps taken so far.
        parameters: [runs, parameters].
        meter: what was measured so far.
        pays_to_compile: whether its program may be compiled, and trains long enough to pay for it.
    """

    def __init__(self, runs: Sequence[Run], plugins: Plugins, device: torch.device) -> None:
        self.recipe, made = runs[0].recipe, Setup.of(runs[0], plugins)
        models = [build_model(run, made.architecture, made.task) for run in runs]
        examples = [made.task.examples(run.data_size, Streams(run.seed)) for run in runs]
        for run, one in zip(runs, examples, strict=True):
            check_examples(one, made.task, run.data_size)
        stack = Parameters.of(models, device)
        train = training_batch(examples, stack.flat)
        evaluation = evaluation_batch(examples, stack.flat)
        self.program = choose_program(runs, models, made, train, evaluation)
        self.measuring = Measuring(
            runs, made.measures, models, made.architecture.takes_part, examples, device
        )
        self.meter = Meter(made.task, examples, evaluation, self.measuring.names)
        self.optimizer = made.optimizer

        self.parameters, self.gradients = stack.flat, torch.zeros_like(stack.flat)
        self.by_name = stack.views(self.parameters)
        self.gradients_by_name = stack.views(self.gradients)
        self.learning_rate = stack.flat.new_tensor([[run.recipe.learning_rate] for run in runs])
        decay = stack.flat.new_tensor([[run.recipe.weight_decay] for run in runs])
        self.weight_decay = decay * stack.decayed(self.recipe.decay_on)
        self.trained = stack.trained()
        self.factors = factors(self.recipe.precision, device)
        self.taken = 0
        self.count = torch.zeros((), dtype=torch.float64, device=device)
        self.optimizer.start(self.parameters)
        self.pays_to_compile = self.program.compilable and pays(runs, stack.flat.shape[1], device)

    @property
    def device(self) -> torch.device:
        return self.parameters.device

    def compile(self) -> None:
        """Have the program compiled; before the first step."""
        with arithmetic(self.recipe.precision, self.device):
            compile_program(self.program, self.by_name, self.gradients_by_name)

    def step(self) -> None:
        """One step of all runs.

        Changes nothing but tensors, in place, so that it can be captured and replayed; whoever
        takes a step adds to `taken`.
        """
        with self.factors:
            self.program.gradient(self.by_name, self.gradients_by_name)
        if self.trained is not None:
            self.gradients *= self.trained
        self.count += 1
        warm = (self.count / max(1, self.recipe.warmup_steps)).clamp_(max=1.0)
        self.optimizer.step(
            self.parameters,
            self.gradients,
            self.learning_rate * warm,
            self.weight_decay,
            self.count,
        )

    def evaluate(self) -> Tensor:
        """Losses, accuracies and norms as they stand: see `Meter.judge`."""
        with self.factors:
            outputs = self.program.outputs(self.by_name)
        return self.meter.judge(outputs, self.parameters)

    def measure(self) -> Tensor | None:
        """What the runs' measures say as things stand; None where there are none."""
        if not self.measuring.measures:
            return None
        with self.factors:
            return self.measuring.measure(self.taken, self.by_name, self.program)

    @property
    def ended(self) -> bool:
        """Whether the last step has been taken and measured."""
        return self.meter.steps[-1:] == [self.recipe.steps]

    def state(self) -> State:
        """Where the descent stands."""
        return {
            "taken": self.taken,
            "parameters": self.parameters,
            "optimizer": self.optimizer.state(),
            "program": self.program.state(),
            "meter": self.meter.state(),
        }

    def state_of(self, rows: Sequence[int]) -> State:
        """The state that some of the runs alone would have."""
        state, keep = self.state(), torch.tensor(rows, dtype=torch.int64, device=self.device)
        optimizer = {
            name: value[keep] if isinstance(value, Tensor) and value.ndim > 1 else value
            for name, value in state["optimizer"].items()
        }
        readings = [reading[keep.cpu()] for reading in state["meter"]["readings"]]
        return {
            "taken": state["taken"],
            "parameters": state["parameters"][keep],
            "optimizer": optimizer,
            "program": rows_of(state["program"], keep),
            "meter": {**state["meter"], "readings": readings},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same runs."""
        self.taken = state["taken"]
        self.count.fill_(self.taken)
        self.parameters.copy_(state["parameters"])
        self.optimizer.restore(state["optimizer"])
        self.program.restore(state["program"])
        self.meter.restore(state["meter"])


def rows_of(value: Any, keep: Tensor) -> Any:
    """Some rows of every tensor in a program's state."""
    if isinstance(value, Tensor):
        return value[keep.to(value.device)]
    if isinstance(value, dict):
        return {name: rows_of(one, keep) for name, one in value.items()}
    return value
