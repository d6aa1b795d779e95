"""A single-file plugin: an ordinary task over vectors, and modules that are hard to stack."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import grokbench
from grokbench import Architecture, Examples, Features, ModelSize, SquaredError, Streams, Task
from grokbench.architectures import Dense


class Teacher(Task):
    """A linear teacher's outputs from vectors of features, correct within a tolerance."""

    name = "teacher"

    @property
    def inputs(self) -> Features:
        return Features(6)

    @property
    def judgement(self) -> SquaredError:
        return SquaredError(2, correct_by="tolerance", tolerance=0.1)

    def check(self, data_size: int) -> str | None:
        return None if data_size <= 60 else f"write at most 60, not {data_size}"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        inputs = torch.randn(80, 6, generator=streams("inputs"))
        train = torch.arange(80) < data_size
        return Examples(
            inputs=inputs,
            labels=inputs @ torch.randn(6, 2, generator=streams("teacher")),
            train=train,
            validation=~train,
            part=torch.zeros(80, dtype=torch.int64),
            mirror_free=~train,
        )


class Unlucky(Teacher):
    """Raises an error for seed 1."""

    name = "unlucky"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        if streams.seed == 1:
            raise ValueError("seed 1 is unlucky")
        return super().examples(data_size, streams)


class Perceptron(Architecture):
    """Two layers over a vector of features."""

    name = "perceptron"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        assert isinstance(task.inputs, Features)
        return nn.Sequential(
            nn.Linear(task.inputs.width, size.hidden_size),
            nn.Tanh(),
            nn.Linear(size.hidden_size, task.judgement.outputs),
        )


class TokenModel(nn.Module):
    """Embeds tokens, mixes them with `body`, and reads out."""

    def __init__(self, size: ModelSize, task: Task, body: nn.Module, padding: int | None) -> None:
        super().__init__()
        self.embed = nn.Embedding(task.inputs.vocabulary, size.hidden_size, padding_idx=padding)
        self.body = body
        self.read = nn.Linear(size.hidden_size, task.judgement.outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        mixed = self.body(self.embed(inputs))
        if isinstance(mixed, tuple):
            mixed = mixed[0]
        return self.read(mixed[..., -1, :] + mixed.mean(-2))


class Branching(nn.Module):
    """Looks at a value, which vmap cannot."""

    def forward(self, stream: Tensor) -> Tensor:
        return stream * 2 if stream.mean().item() > 0 else stream


class Lstm(Architecture):
    """An LSTM: vmap has no rule for it."""

    name = "lstm"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        body = nn.LSTM(size.hidden_size, size.hidden_size, batch_first=True)
        return TokenModel(size, task, body, None)


class Padded(Architecture):
    """An embedding with padding: vmap masks the padding row of the first run only."""

    name = "padded"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, nn.Tanh(), padding=3)


class Dropping(Architecture):
    """Dropout: random numbers in the forward pass."""

    name = "dropping"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, nn.Dropout(0.5), None)


class Looking(Architecture):
    """Control flow that depends on values."""

    name = "looking"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, Branching(), None)


class Normalizing(Architecture):
    """Batch normalization: buffers that the forward pass updates."""

    name = "normalizing"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        assert isinstance(task.inputs, Features)
        return nn.Sequential(
            nn.Linear(task.inputs.width, size.hidden_size),
            nn.BatchNorm1d(size.hidden_size),
            nn.Linear(size.hidden_size, task.judgement.outputs),
        )


class Tied(Architecture):
    """The unembedding is the embedding: one tensor under two names."""

    name = "tied"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        model = TokenModel(size, task, nn.Tanh(), None)
        model.read = nn.Linear(size.hidden_size, task.inputs.vocabulary, bias=False)
        model.read.weight = model.embed.weight
        return nn.Sequential(model, Narrow(task.judgement.outputs))


class Narrow(nn.Module):
    """The first `outputs` outputs."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs[..., : self.outputs]


class Numpyish(Architecture):
    """The forward pass draws random numbers with numpy."""

    name = "numpyish"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, Noise(), None)


class Noise(nn.Module):
    def forward(self, stream: Tensor) -> Tensor:
        return stream * np.random.rand() if self.training else stream  # noqa: NPY002


class Frozen(Architecture):
    """A random embedding that is not to be trained."""

    name = "frozen"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        model = TokenModel(size, task, nn.Tanh(), None)
        model.embed.weight.requires_grad_(False)
        return model


class Remembering(Architecture):
    """Random features kept in a plain attribute, another for each run."""

    name = "remembering"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, Shifted(size.hidden_size), None)


class Shifted(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.shift = torch.randn(width)

    def forward(self, stream: Tensor) -> Tensor:
        return (stream + self.shift.to(stream)).tanh()


class Counting(Architecture):
    """A buffer that the forward pass replaces by another tensor."""

    name = "counting"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, Ramp(), None)


class Ramp(nn.Module):
    """Weak at first, and stronger with every forward pass in training."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.ones(()))

    def forward(self, stream: Tensor) -> Tensor:
        strength = 1 - 0.8**self.seen
        if self.training:
            self.seen = self.seen + 1
        return stream.tanh() * strength


class Ticking(Architecture):
    """A counter and an average in plain attributes, which the forward pass changes."""

    name = "ticking"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return TokenModel(size, task, Ticks(size.hidden_size), None)


class Ticks(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.seen, self.mean = 0, torch.zeros(width)

    def forward(self, stream: Tensor) -> Tensor:
        if self.training:
            self.seen += 1
            self.mean = 0.9 * self.mean + 0.1 * stream.detach().mean((0, 1))
        return (stream - self.mean).tanh() * (1 - 0.8**self.seen)


class OneHot(Architecture):
    """Makes float32 numbers of its own, whatever its parameters are."""

    name = "one_hot"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return Encoded(task.inputs.vocabulary, task.inputs.length, task.judgement.outputs)


class Encoded(nn.Module):
    def __init__(self, vocabulary: int, length: int, outputs: int) -> None:
        super().__init__()
        self.vocabulary, self.read = vocabulary, nn.Linear(vocabulary * length, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.read(nn.functional.one_hot(inputs, self.vocabulary).float().flatten(-2))


class Complex(Architecture):
    """Parameters that are complex numbers."""

    name = "complex"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        model = TokenModel(size, task, nn.Tanh(), None)
        model.phase = nn.Parameter(torch.randn(size.hidden_size, dtype=torch.complex64))
        return model


class Variant(Dense):
    """A built-in's subclass that computes something else."""

    name = "variant"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        model = super().build(size, task)
        model.norm = nn.LayerNorm(size.hidden_size)
        return model


class Wide(Perceptron):
    """More outputs than the task has."""

    name = "wide"

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        return nn.Linear(task.inputs.width, task.judgement.outputs + 3)


class Leaking(Teacher):
    """The training examples also validate."""

    name = "leaking"

    def examples(self, data_size: int, streams: Streams) -> Examples:
        fair = super().examples(data_size, streams)
        return Examples(**{**vars(fair), "validation": fair.train, "mirror_free": fair.train})


@grokbench.hookimpl
def register_tasks(register) -> None:  # type: ignore[no-untyped-def]
    register(Teacher)
    register(Unlucky)
    register(Leaking)


@grokbench.hookimpl
def register_architectures(register) -> None:  # type: ignore[no-untyped-def]
    for architecture in (Perceptron, Lstm, Padded, Dropping, Looking, Normalizing):
        register(architecture)
    for architecture in (Tied, Numpyish, Frozen, Remembering, Variant, Wide, Counting):
        register(architecture)
    for architecture in (OneHot, Complex, Ticking):
        register(architecture)
