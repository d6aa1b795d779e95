"""A regression task: what a random network, the teacher, makes of random vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from grokbench.definition import Options
from grokbench.randomness import Streams
from grokbench.tasks.base import Examples, Features, Task
from grokbench.tasks.judging import SquaredError

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "leaky_relu": functional.leaky_relu,
}

MOST_EXAMPLES = 1_000_000
"""The largest data size and the largest validation size."""

BLOCK = 16
"""torch fills a tensor with normal numbers in blocks of this length. Rows of whole blocks do not depend on
how many rows follow."""

Units = Annotated[int, Field(ge=1, le=4096)]


class TeacherStudentOptions(Options):
    input_size: Units = 5
    """The number of entries of each input."""
    output_size: Units = 5
    """The number of outputs of the teacher, and of a student."""
    hidden_sizes: Annotated[tuple[Units, ...], Field(max_length=16)] = (100, 100)
    """The numbers of units in the hidden layers of the teacher."""
    activation: Literal["relu", "tanh", "gelu", "leaky_relu"] = "tanh"
    """The teacher's; a student has that of its architecture."""
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    """An answer is correct if its squared error, the mean over outputs, is below this."""
    validation_size: Annotated[int, Field(ge=1, le=MOST_EXAMPLES)] = 100
    """The number of examples that validate."""


class TeacherStudent(Task):
    """The outputs of a random teacher network for Gaussian inputs: regression.

    The teacher-student experiment of Omnigrok (Liu et al. 2022, arXiv:2210.01117): a 5-100-100-5 network
    with tanh, 100 examples to train and 100 to validate, mean squared error. An example counts as correct
    if its squared error, the mean over outputs, is below 0.001, as in the paper's code.

    Inputs have independent standard normal entries. The teacher has PyTorch's initial weights and biases:
    uniform between -1/√n and 1/√n for n incoming units. The seed draws the teacher and the inputs; a larger
    data size only adds examples, of the same teacher. Omnigrok has one teacher for all its runs. Here each
    seed has a teacher of its own, so that an interval over seeds is about teachers, too, and not about a
    single one.
    """

    name = "teacher_student"
    Options = TeacherStudentOptions
    tested_with: ClassVar[list[dict[str, Any]]] = [
        {},
        {"input_size": 3, "output_size": 1, "hidden_sizes": [8], "activation": "relu"},
    ]

    @property
    def inputs(self) -> Features:
        return Features(self.options.input_size)

    @property
    def judgement(self) -> SquaredError:
        options = self.options
        return SquaredError(options.output_size, "mean_square", options.tolerance)

    def check(self, data_size: int) -> str | None:
        if 1 <= data_size <= MOST_EXAMPLES:
            return None
        return f"a teacher labels 1 to {MOST_EXAMPLES} examples to train on, not {data_size}"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        wanted = {"inputs": data_size, "validation": self.options.validation_size}
        inputs = torch.cat([self._drawn(rows, streams(name)) for name, rows in wanted.items()])
        train = torch.arange(len(inputs)) < data_size
        return Examples(
            inputs=inputs.float(),
            labels=self._taught(inputs, streams("teacher")).float(),
            train=train,
            validation=~train,
            part=torch.zeros(len(inputs), dtype=torch.int64),
            mirror_free=~train,
        )

    def _drawn(self, rows: int, generator: torch.Generator) -> Tensor:
        width = self.options.input_size
        blocks = math.ceil(width / BLOCK) * BLOCK
        return torch.randn(rows, blocks, generator=generator, dtype=torch.float64)[:, :width]

    def _taught(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """The teacher's outputs, [examples, outputs]."""
        options = self.options
        widths = (options.input_size, *options.hidden_sizes, options.output_size)
        stream = inputs
        for layer, (incoming, outgoing) in enumerate(pairwise(widths)):
            bound = 1 / math.sqrt(incoming)
            weight, bias = (
                torch.empty(shape, dtype=torch.float64).uniform_(-bound, bound, generator=generator)
                for shape in ((outgoing, incoming), (outgoing,))
            )
            before = stream if layer == 0 else ACTIVATIONS[options.activation](stream)
            stream = functional.linear(before, weight, bias)
        return stream
