"""A cohort while it trains: all that a step needs, and all that a step changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from grokbench.architectures.base import Program
from grokbench.plugins import Plugins
from grokbench.record import Run
from grokbench.training.batches import Batches
from grokbench.training.compiling import compile_program, pays
from grokbench.training.held_norm import HeldNorm
from grokbench.training.measuring import Measuring
from grokbench.training.meter import Meter
from grokbench.training.precision import arithmetic, factors
from grokbench.training.programs import choose_program
from grokbench.training.stack import Stack

State = dict[str, Any]
"""All that training has changed: tensors, numbers, strings, lists and dicts of them."""


class CohortTraining:
    """Runs that differ in nothing but data size, seed and the fields `plan.PER_RUN` of the recipe.

    The runs are trained at once. A step uses all training examples, or the next batch of the recipe's
    size. Every run has its own examples, weights and optimizer state, and computes what it would
    compute alone.

    Args:
        choose: picks the program that computes gradients and outputs.

    Attributes:
        taken: the number of steps taken so far.
        parameters: [runs, parameters], those that the optimizer changes.
        layout: which columns these are, and all other parameters.
        meter: what was measured so far.
        pays_to_compile: whether the program may be compiled, and the runs train long enough for
            the compiler to pay.

    Raises:
        Exception: whatever a plugin raises (see `Stack.of`).
    """

    def __init__(
        self,
        runs: Sequence[Run],
        plugins: Plugins,
        device: torch.device,
        choose: Callable[[Stack], Program] = choose_program,
    ) -> None:
        stack = Stack.of(runs, plugins, device)
        self.recipe = runs[0].recipe
        self.program = choose(stack)
        # As torch's optimizers, ours never sees a parameter without a gradient.
        self.layout = initial = stack.parameters.without(self.program.unreached)
        self.measuring = Measuring(stack)
        self.meter = Meter(stack, self.measuring.names)
        self.optimizer = stack.setup.optimizer

        self.parameters, self.gradients = initial.flat, torch.zeros_like(initial.flat)
        self.by_name = initial.by_name(self.parameters)
        self.gradients_by_name = initial.views(self.gradients)
        self.learning_rate = initial.flat.new_tensor([[run.recipe.learning_rate] for run in runs])
        decay = initial.flat.new_tensor([[run.recipe.weight_decay] for run in runs])
        self.weight_decay = decay * initial.decayed(self.recipe.decay_on)
        self.factors = factors(self.recipe.precision, device)
        self.held_norm = HeldNorm(self.parameters) if self.recipe.norm == "initial" else None
        self.batches: Batches | None = None
        if self.recipe.batch_size is not None:
            counts = [int(one.train.sum()) for one in stack.examples]
            self.batches = Batches(runs, counts, self.parameters)
        self.taken = 0
        # A tensor that each step increments: a captured step would repeat a Python number.
        self.count = torch.zeros((), dtype=torch.float64, device=device)
        self.optimizer.shapes = initial.shapes
        self.optimizer.start(self.parameters)
        self.pays_to_compile = self.program.compilable and pays(runs, initial.count, device)

    @property
    def device(self) -> torch.device:
        return self.parameters.device

    def compile(self) -> None:
        """Have the program compiled; before the first step."""
        if self.batches:
            self.program.select(*self.batches.next())
        with arithmetic(self.recipe.precision, self.device):
            compile_program(self.program, self.by_name, self.gradients_by_name)

    def prepare(self, steps: int) -> None:
        """Have ready what the next steps need, as many as are taken before the next call."""
        if self.batches:
            self.batches.prepare(self.taken, steps)

    def step(self) -> None:
        """Take one step of all runs, after `prepare`.

        A step changes nothing but tensors, in place, so that it can be captured and replayed. A
        replay runs no Python; the caller therefore adds to `taken`.
        """
        if self.batches:
            self.program.select(*self.batches.next())
        with self.factors:
            self.program.gradient(self.by_name, self.gradients_by_name)
        self.count += 1
        # The learning rate rises linearly over the first `warmup_steps` steps.
        warm = (self.count / max(1, self.recipe.warmup_steps)).clamp_(max=1.0)
        self.optimizer.step(
            self.parameters,
            self.gradients,
            self.learning_rate * warm,
            self.weight_decay,
            self.count,
        )
        if self.held_norm:
            self.held_norm.hold(self.parameters)

    def evaluate(self) -> Tensor:
        """Losses, accuracies and norms after `taken` steps: see `Meter.judge`."""
        with self.factors:
            outputs = self.program.outputs(self.by_name)
        # The norm is that of all parameters that want a gradient.
        unreached = [one.flatten(1) for one in self.layout.unreached.values()]
        weights = torch.cat([self.parameters, *unreached], 1) if unreached else self.parameters
        return self.meter.judge(outputs, weights)

    def measure(self) -> Tensor | None:
        """The measures' quantities after `taken` steps; None for runs without measures."""
        if not self.measuring.measures:
            return None
        with self.factors:
            return self.measuring.measure(self.taken, self.by_name, self.program)

    @property
    def ended(self) -> bool:
        """Whether the last step has been taken and evaluated."""
        return self.meter.steps[-1:] == [self.recipe.steps]

    def state(self) -> State:
        """What training has changed so far, for a checkpoint."""
        return {
            "taken": self.taken,
            "parameters": self.parameters,
            "beside": dict(self.layout.beside),
            "optimizer": self.optimizer.state(),
            "program": self.program.state(),
            "meter": self.meter.state(),
        }

    def state_of(self, rows: Sequence[int]) -> State:
        """The state that some of the runs alone would have."""
        state, keep = self.state(), torch.tensor(rows, dtype=torch.int64, device=self.device)
        # A tensor of an optimizer with fewer than two dimensions belongs to all runs.
        optimizer = {
            name: value[keep] if isinstance(value, Tensor) and value.ndim > 1 else value
            for name, value in state["optimizer"].items()
        }
        return {
            "taken": state["taken"],
            "parameters": state["parameters"][keep],
            "beside": rows_of(state["beside"], keep),
            "optimizer": optimizer,
            "program": rows_of(state["program"], keep),
            "meter": self.meter.state_of(keep.cpu()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same runs."""
        self.taken = state["taken"]
        self.count.fill_(self.taken)
        self.parameters.copy_(state["parameters"])
        for name, value in self.layout.beside.items():
            value.copy_(state["beside"][name])
        self.optimizer.restore(state["optimizer"])
        self.program.restore(state["program"])
        self.meter.restore(state["meter"])


def rows_of(value: Any, keep: Tensor) -> Any:
    """Some rows of every tensor, and some entries of every list, in a program's state."""
    if isinstance(value, Tensor):
        return value[keep.to(value.device)]
    if isinstance(value, dict):
        return {name: rows_of(one, keep) for name, one in value.items()}
    if isinstance(value, list):
        return [value[row] for row in keep.tolist()]
    return value
