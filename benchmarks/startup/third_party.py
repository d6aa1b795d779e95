"""An architecture as plugin authors write it: a plain module, and no program for the trainer."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

import grokbench
from grokbench.architectures.base import Architecture
from grokbench.record import ModelSize
from grokbench.tasks.base import Task, Tokens


class Concatenation(nn.Module):
    """Embeds the tokens, concatenates them, and applies one hidden layer."""

    def __init__(self, tokens: Tokens, classes: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens.vocabulary, width)
        self.expand = nn.Linear(tokens.length * width, 4 * width)
        self.contract = nn.Linear(4 * width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.contract(
            functional.gelu(self.expand(self.tokens(inputs).flatten(-2)))
        )
        return outputs


class ThirdParty(Architecture):
    """A perceptron over concatenated embeddings."""

    name = "third_party"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        assert isinstance(task.inputs, Tokens)
        return Concatenation(task.inputs, task.judgement.outputs, size.hidden_size)


@grokbench.hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(ThirdParty)
