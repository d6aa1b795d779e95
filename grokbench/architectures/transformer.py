"""The decoder-only transformer behind `dense` and `split_ffn`."""

from __future__ import annotations

import math
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from grokbench.architectures.base import Architecture, Batch, Program
from grokbench.architectures.factored import FactoredTransformer
from grokbench.architectures.prefix import PrefixTransformer
from grokbench.architectures.stacked_layers import Design
from grokbench.definition import Options
from grokbench.record import ModelSize
from grokbench.tasks.base import Task, Tokens
from grokbench.tasks.judging import Judgement


class TransformerOptions(Options):
    # Four heads and four hidden units for each unit of width, as in Nanda et al. 2023.
    heads: Annotated[int, Field(ge=1)] = 4
    mlp_ratio: Annotated[int, Field(ge=1)] = 4
    """The width of the feed-forward network divided by the hidden size."""
    layer_norm: bool = False
    """Normalize before each attention, each feed-forward network and the unembedding."""
    initialization: Literal["scaled_normal", "torch"] = "scaled_normal"
    """`scaled_normal`: standard deviation 1/√hidden_size everywhere, 1/√classes for the
    unembedding, biases zero (Nanda et al. 2023, arXiv:2301.05217). `torch`: the
    default of PyTorch's layers."""


class Layer(nn.Module):
    """Causal attention and a feed-forward network, each added to the residual stream."""

    units: Tensor

    def __init__(self, width: int, options: TransformerOptions, parts: int) -> None:
        super().__init__()
        self.heads = options.heads
        hidden = options.mlp_ratio * width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        norm = nn.LayerNorm if options.layer_norm else nn.Identity
        self.norm_attention, self.norm_mlp = norm(width), norm(width)
        self.register_buffer("units", units_of_parts(hidden, parts))

    def forward(self, stream: Tensor, part: Tensor | None) -> Tensor:
        # Norms come before the sublayers and not after them ("pre-norm"), where there are norms.
        stream = stream + self.attend(self.norm_attention(stream))
        hidden = functional.relu(self.expand(self.norm_mlp(stream)))
        if part is not None:
            # The units of other parts give zero, and so their weights get no gradient.
            hidden = hidden * functional.embedding(part, self.units).unsqueeze(-2)
        contracted: Tensor = self.contract(hidden)
        return stream + contracted

    def attend(self, stream: Tensor) -> Tensor:
        """[examples, length, width] → the same; position i attends to positions 0 … i."""
        split = (*stream.shape[:-1], self.heads, stream.shape[-1] // self.heads)
        query, key, value = (
            layer(stream).view(split).transpose(-3, -2)
            for layer in (self.query, self.key, self.value)
        )
        # Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, equation 1).
        scores = query @ key.transpose(-1, -2) / math.sqrt(split[-1])
        # A position does not see later positions: their scores are −∞ and their weights zero.
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        weights = scores.masked_fill(later, -math.inf).softmax(-1)
        mixed: Tensor = self.output((weights @ value).transpose(-3, -2).reshape(stream.shape))
        return mixed


class Transformer(nn.Module):
    """Tokens [examples, length] → logits at the last position [examples, classes].

    With `parts` > 1, `forward` also takes the part of each example, and the feed-forward networks
    are divided: one equal share of their units for each part.
    """

    def __init__(
        self, tokens: Tokens, classes: int, size: ModelSize, options: TransformerOptions, parts: int
    ) -> None:
        super().__init__()
        width = size.hidden_size
        self.tokens = nn.Embedding(tokens.vocabulary, width)
        self.positions = nn.Embedding(tokens.length, width)
        self.layers = nn.ModuleList(Layer(width, options, parts) for _ in range(size.layers))
        self.norm = nn.LayerNorm(width) if options.layer_norm else nn.Identity()
        self.unembed = nn.Linear(width, classes, bias=False)
        if options.initialization == "scaled_normal":
            self.initialize(width, classes)
        # `own_program` compares this with the model when training starts.
        self.as_built = anatomy(self)

    def initialize(self, width: int, classes: int) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                rows = classes if module is self.unembed else width
                nn.init.normal_(module.weight, std=rows**-0.5)
                if isinstance(module, nn.Linear) and module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, inputs: Tensor, part: Tensor | None = None) -> Tensor:
        stream = self.tokens(inputs) + self.positions.weight
        for layer in self.layers:
            stream = layer(stream, part)
        # Only the prediction at the last position is trained, so only that position is unembedded.
        logits: Tensor = self.unembed(self.norm(stream[..., -1, :]))
        return logits


def units_of_parts(hidden: int, parts: int) -> Tensor:
    """One where a hidden unit serves a part, else zero, in equal shares: [parts, hidden]."""
    owner = torch.arange(hidden) * parts // hidden
    return (owner == torch.arange(parts).unsqueeze(1)).to(torch.get_default_dtype())


MOST_PARAMETERS = 10**10
"""More parameters than this are taken for a typing error: training would take 280 GB."""


class Dense(Architecture):
    """Decoder-only transformer: causal attention, ReLU network, learned positions.

    As in Nanda et al. 2023 (arXiv:2301.05217) and Huang et al. 2024, § 2.1: no layer norm, no
    biases but the feed-forward network's, and only the last position's prediction is used.
    """

    name = "dense"
    Options = TransformerOptions

    def refuses(self, task: Task, size: ModelSize) -> str | None:
        return (
            refuses_tokens(task)
            or refuses_heads(size, self.options.heads)
            or refuses_parameters(size, self.options)
        )

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        assert isinstance(task.inputs, Tokens)
        return Transformer(task.inputs, task.judgement.outputs, size, self.options, parts=1)

    def program(
        self, model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> Program | None:
        return own_program(model, judgement, train, evaluation)


class SplitFFN(Architecture):
    """`dense` with each feed-forward network divided, one share for each part of a mixture.

    Huang et al. 2024, appendix B: the intermediate dimension is divided among the tasks, and each
    example is served by its own task's share alone; attention and embeddings stay common.
    """

    name = "split_ffn"
    Options = TransformerOptions
    takes_part = True

    def refuses(self, task: Task, size: ModelSize) -> str | None:
        if len(task.parts) < 2:
            return (
                f"split_ffn divides its network among a task's parts and {task.name} has only "
                "one; write a task with more (mixture), or architecture = 'dense'"
            )
        return (
            refuses_tokens(task)
            or refuses_heads(size, self.options.heads)
            or refuses_shares(size, self.options, len(task.parts))
            or refuses_parameters(size, self.options)
        )

    def build(self, size: ModelSize, task: Task) -> nn.Module:
        assert isinstance(task.inputs, Tokens)
        return Transformer(
            task.inputs, task.judgement.outputs, size, self.options, parts=len(task.parts)
        )

    def program(
        self, model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
    ) -> Program | None:
        return own_program(model, judgement, train, evaluation)


def refuses_tokens(task: Task) -> str | None:
    if isinstance(task.inputs, Tokens):
        return None
    return f"it reads tokens and {task.name} gives {task.inputs}; write an architecture for vectors"


def refuses_heads(size: ModelSize, heads: int) -> str | None:
    if size.hidden_size % heads == 0:
        return None
    remedy = nearest_multiples(size.hidden_size, heads)
    return f"{heads} heads do not divide a hidden size of {size.hidden_size}; write {remedy}"


def refuses_parameters(size: ModelSize, options: TransformerOptions) -> str | None:
    """Why a model has too many parameters: each takes seven numbers of four bytes in training."""
    in_layers = size.layers * size.hidden_size**2 * (4 + 2 * options.mlp_ratio)
    if in_layers <= MOST_PARAMETERS:
        return None
    return (
        f"the layers of a model of size {size.label} have {in_layers:.1e} parameters, and "
        f"{MOST_PARAMETERS:.0e} at most can be trained; write a smaller size"
    )


def refuses_shares(size: ModelSize, options: TransformerOptions, parts: int) -> str | None:
    """Why parts have no equal shares; unequal shares would be models of unequal sizes."""
    units = options.mlp_ratio * size.hidden_size
    if units % parts == 0:
        return None
    step = math.lcm(options.heads, parts // math.gcd(options.mlp_ratio, parts))
    return (
        f"a feed-forward network of {units} units (mlp_ratio times hidden size) has no equal "
        f"shares for {parts} parts; write a hidden size of "
        f"{nearest_multiples(size.hidden_size, step)}, or an mlp_ratio that is a multiple of {parts}"
    )


def nearest_multiples(number: int, factor: int) -> str:
    """The positive multiples of `factor` just below and above `number`, in words."""
    below = number // factor * factor
    return " or ".join(str(multiple) for multiple in (below, below + factor) if multiple)


def own_program(
    model: nn.Module, judgement: Judgement, train: Batch, evaluation: Batch
) -> Program | None:
    """The token-factored program where it is exact, and otherwise the prefix program.

    The token-factored form is exact for one layer, no layer norm and one token at the end of all
    examples. None for a subclass of `Transformer`, and for a model that was changed after it was
    built: such a model may compute something else.
    """
    if type(model) is not Transformer or model.as_built != anatomy(model):
        return None
    design = design_of(model)
    ends = torch.cat([batch.inputs[..., -1].flatten() for batch in (train, evaluation)])
    if design.layers == 1 and design.epsilon is None and bool((ends == ends[0]).all()):
        return FactoredTransformer(design.heads, design.units, judgement, train, evaluation)
    return PrefixTransformer(design, judgement, train, evaluation)


def design_of(model: Transformer) -> Design:
    """The shape of a model, read off the model itself."""
    layer = cast(Layer, model.layers[0])
    hidden, width = layer.expand.weight.shape
    return Design(
        width,
        hidden,
        layer.heads,
        len(model.layers),
        epsilon=model.norm.eps if isinstance(model.norm, nn.LayerNorm) else None,
        units=layer.units if len(layer.units) > 1 else None,
    )


def anatomy(model: nn.Module) -> tuple[str, list[str]]:
    """The modules of a model, and the names of its parameters (tied parameters have one name)."""
    return repr(model), [name for name, _ in model.named_parameters()]
