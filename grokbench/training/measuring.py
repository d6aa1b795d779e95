"""Reads measures off every run of a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from grokbench.architectures.base import Program, Views
from grokbench.errors import PluginError
from grokbench.measures.base import Measure, Snapshot
from grokbench.randomness import Streams
from grokbench.record import Run
from grokbench.tasks.base import Examples
from grokbench.training.random_state import torchs_generators


class Measuring:
    """The measures of a stack's runs.

    Args:
        runs: all with the same measures.
        measures: theirs.
        models: one for each run, of which only shapes are used.
        takes_part: whether the models are also given each example's part.
        examples: each run's.
        device: where they train.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        measures: Sequence[Measure],
        models: Sequence[nn.Module],
        takes_part: bool,
        examples: Sequence[Examples],
        device: torch.device,
    ) -> None:
        self.runs, self.measures, self.device = runs, measures, device
        self.models, self.takes_part = models if measures else [], takes_part
        self.examples = [on_device(one, device) for one in examples] if measures else []
        self.names = [f"{one.name}_{name}" for one in measures for name in one.quantities]

    @torch.no_grad()
    def measure(self, step: int, parameters: Views, program: Program) -> Tensor:
        """All quantities of every run, on the CPU: [runs, quantities] float64.

        Raises:
            PluginError: a measure does not give what it says, or draws from another's generator.
        """
        outputs = program.outputs(parameters)
        rows = [
            [
                number
                for measure in self.measures
                # Each has a snapshot of its own, and may write into it.
                for number in self._read(
                    measure, run, self._snapshot(i, step, parameters, outputs[i], program.buffers)
                )
            ]
            for i, run in enumerate(self.runs)
        ]
        return torch.tensor(rows, dtype=torch.float64)

    def _snapshot(
        self, i: int, step: int, parameters: Views, outputs: Tensor, buffers: Views
    ) -> Snapshot:
        """The i-th run; `outputs` are its own, padded."""
        examples = self.examples[i]
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
            self.models[i],
        )

    def _read(self, measure: Measure, run: Run, snapshot: Snapshot) -> list[float]:
        """One measure's numbers, in the order of its quantities."""
        with torchs_generators(self.device, f"the measure {measure.name}"):
            torch.manual_seed(Streams(run.seed).key(measure.name))
            given = measure.measure(snapshot)
        return numbers(measure, given)


def numbers(measure: Measure, given: Any) -> list[float]:
    """What a measure gave, in the order of its quantities.

    Raises:
        PluginError: it is not one number for each.
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


def on_device(examples: Examples, device: torch.device) -> Examples:
    """The same examples, on the device that trains."""
    return replace(examples, **{name: value.to(device) for name, value in vars(examples).items()})
