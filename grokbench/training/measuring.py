"""Reads the measures' quantities off every run of a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Program, Views
from grokbench.architectures.copying import copied
from grokbench.errors import PluginError
from grokbench.measures.base import Measure, Snapshot
from grokbench.plugins import guard
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.base import Examples
from grokbench.training.random_state import LENDING, torchs_generators
from grokbench.training.single_modules import SingleModules
from grokbench.training.stack import Stack


class Measuring:
    """The measures of a stack's runs, all of which have the same measures."""

    def __init__(self, stack: Stack) -> None:
        self.runs, self.measures = stack.runs, stack.setup.measures
        self.device = stack.parameters.flat.device
        self.takes_part = stack.setup.architecture.takes_part
        # Without measures, nothing holds on to the modules and examples.
        # A module for each measure, because a measure may change the module that it is given.
        self.models = [
            [model if i == 0 else copied(model) for i, _ in enumerate(self.measures)]
            for model in (stack.models if self.measures else ())
        ]
        self.examples = (
            [on_device(one, self.device) for one in stack.examples] if self.measures else []
        )
        self.names = [f"{one.name}_{name}" for one in self.measures for name in one.quantities]

    @torch.no_grad()
    def measure(self, step: int, parameters: Views, program: Program) -> Tensor:
        """All quantities of every run, on the CPU: [runs, quantities] float64.

        Args:
            step: the number of steps taken.
            parameters: of all runs, by name.
            program: gives the outputs, and the modules' buffers.

        Raises:
            PluginError: a measure does not give one number for each of its quantities, or draws
                from numpy's or Python's global generator.
        """
        outputs = program.outputs(parameters)
        rows = [
            [
                number
                for like, measure in zip(self.models[i], self.measures, strict=True)
                # Each measure has a snapshot of its own, and may write into it.
                for number in self._read(
                    measure,
                    run,
                    self._snapshot(
                        i, now(program, i, like), step, parameters, outputs[i], program.buffers
                    ),
                )
            ]
            for i, run in enumerate(self.runs)
        ]
        return torch.tensor(rows, dtype=torch.float64)

    def _snapshot(
        self,
        i: int,
        like: nn.Module,
        step: int,
        parameters: Views,
        outputs: Tensor,
        buffers: Views,
    ) -> Snapshot:
        """What measures see of the i-th run.

        Args:
            outputs: of this run, padded: [examples, outputs].
        """
        examples = copies(self.examples[i])
        outputs, inputs = outputs[: len(examples.inputs)].clone(), examples.inputs
        inputs = inputs.to(outputs) if inputs.is_floating_point() else inputs
        return Snapshot(
            step,
            self.runs[i].size,
            {name: value[i].clone() for name, value in parameters.items()},
            outputs,
            examples,
            (inputs, examples.part) if self.takes_part else (inputs,),
            {name: value[i].clone() for name, value in buffers.items()},
            like,
        )

    def _read(self, measure: Measure, run: Run, snapshot: Snapshot) -> list[float]:
        """One measure's numbers, in the order of its quantities.

        The generators depend on the run's seed and on the measure: what a measure draws does not
        depend on other measures or on the step.
        """
        with (
            # Held around the guard too, which puts random states back.
            LENDING,
            guard(f"measure {measure.name!r}", aside=False),
            torchs_generators(self.device, f"the measure {measure.name}"),
        ):
            torch.manual_seed(Streams(run.seed).key(measure.name))
            return numbers(measure, measure.measure(snapshot))


def now(program: Program, run: int, like: nn.Module) -> nn.Module:
    """A module with the plain attributes that training has changed; `like` where it changes none."""
    return copied(program.models[run]) if isinstance(program, SingleModules) else like


def numbers(measure: Measure, given: Any) -> list[float]:
    """The numbers that a measure gave, in the order of its quantities.

    Raises:
        PluginError: the measure did not give one number for each of its quantities.
    """
    wanted = list(measure.quantities)
    if not isinstance(given, Mapping) or set(given) != set(wanted):
        found = list(given) if isinstance(given, Mapping) else type(given).__name__
        raise PluginError(
            f"the measure {measure.name} gives {found}; write one number for each of {wanted}"
        )
    try:
        return [float(given[name]) for name in wanted]
    except (TypeError, ValueError, RuntimeError) as error:
        raise PluginError(
            f"the measure {measure.name} gives something that is no number ({error}); "
            f"write one number for each of {wanted}"
        ) from error


def copies(examples: Examples) -> Examples:
    """The same examples in tensors of their own."""
    return replace(examples, **{name: value.clone() for name, value in vars(examples).items()})


def on_device(examples: Examples, device: torch.device) -> Examples:
    """The same examples, on the device that trains."""
    return replace(examples, **{name: value.to(device) for name, value in vars(examples).items()})
