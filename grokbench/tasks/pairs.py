"""Pairs of numbers below a modulus: all of them, how they are split, and which are mirrors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from torch import Tensor

from grokbench.definition import Options
from grokbench.tasks.base import Examples, Task, Tokens
from grokbench.tasks.judging import CrossEntropy

Split = Literal["ordered", "unordered"]


LARGEST_MODULUS = 4096


class ModulusOptions(Options):
    modulus: Annotated[int, Field(ge=2, le=LARGEST_MODULUS)] = 113


class PairOptions(ModulusOptions):
    split: Split = "ordered"
    """`ordered`: (a, b) and (b, a) are split independently, as is usual, so that about
    data_size/modulus² of the validation pairs have their mirror in training. `unordered`: mirrors
    stay together, so that no validation pair has its mirror in training."""


class EquationOptions(ModulusOptions):
    operator_token: bool = False
    """Ask `a ∘ b =`, with a token for the operator, and not `a b =`. Power et al. 2022 and most
    repositories after them ask in this way; Nanda et al. 2023 leave the operator out."""

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The ids of runs contain the options. Runs from before there was this option keep theirs.
        options: dict[str, Any] = handler(self)
        if not self.operator_token:
            del options["operator_token"]
        return options


class CommutativeOptions(PairOptions, EquationOptions):
    """Of an operation with a ∘ b = b ∘ a."""


class PairTask(Task):
    """A task that asks `a b =` or `a ∘ b =` for pairs of numbers below a modulus.

    Tokens are the numbers below the modulus, then the operator if it has a token, then `=`.
    """

    Options = EquationOptions

    @property
    def operator_token(self) -> bool:
        """Whether the operator has a token; false if there is no such option."""
        return bool(getattr(self.options, "operator_token", False))

    @property
    def inputs(self) -> Tokens:
        operator = int(self.operator_token)
        return Tokens(vocabulary=self.options.modulus + 1 + operator, length=3 + operator)

    @property
    def judgement(self) -> CrossEntropy:
        return CrossEntropy(self.options.modulus)

    def check(self, data_size: int) -> str | None:
        return check_pairs(self.options.modulus, data_size)


def all_pairs(modulus: int) -> tuple[Tensor, Tensor]:
    """Every ordered pair (a, b): two int64 tensors [modulus²]; a varies slowest."""
    numbers = torch.arange(modulus)
    return numbers.repeat_interleave(modulus), numbers.repeat(modulus)


def check_pairs(modulus: int, data_size: int, asked: int | None = None) -> str | None:
    """Why `data_size` of the pairs cannot train; None if they can.

    Args:
        asked: the number of pairs that are asked; all modulus² pairs when None.
    """
    pairs = modulus**2 if asked is None else asked
    if 1 <= data_size <= pairs:
        return None
    return f"there are {pairs} pairs below {modulus}; write 1 to {pairs}, not {data_size}"


def train_mask(
    modulus: int,
    data_size: int,
    split: Split,
    generator: torch.Generator,
    asked: Tensor | None = None,
) -> Tensor:
    """Which of `all_pairs(modulus)` train: bool [modulus²], exactly `data_size` of them true.

    From the same generator state, a larger data size only adds pairs. The exception is `unordered`,
    where one pair may differ to make the count exact.

    Args:
        asked: bool [modulus²], the pairs that may train; all pairs when None. The split
            `unordered` splits all pairs.

    Raises:
        ValueError: the split is `unordered` and some pairs are not asked.
    """
    mask = torch.zeros(modulus**2, dtype=torch.bool)
    if split == "ordered":
        pairs = torch.arange(modulus**2) if asked is None else asked.nonzero().squeeze(1)
        mask[pairs[torch.randperm(len(pairs), generator=generator)[:data_size]]] = True
        return mask
    if asked is not None and not bool(asked.all()):
        raise ValueError('the split "unordered" splits all pairs; write split = "ordered"')
    a, b = all_pairs(modulus)
    upper = torch.nonzero(a <= b).squeeze(1)
    shuffled = upper[torch.randperm(len(upper), generator=generator)]
    # A diagonal pair (a, a) is one example, any other pair is two with its mirror.
    width = torch.where(a[shuffled] == b[shuffled], 1, 2)
    chosen = shuffled[width.cumsum(0) <= data_size]
    mask[chosen] = True
    mask[b[chosen] * modulus + a[chosen]] = True
    if int(mask.sum()) < data_size:
        # One example is missing, and the next pair would add two. Add the next free diagonal pair.
        # If none is free, replace a diagonal pair by the next pair.
        diagonal = shuffled[width == 1]
        free = diagonal[~mask[diagonal]]
        if len(free):
            mask[free[0]] = True
        else:
            pair = shuffled[~mask[shuffled]][0]
            mask[diagonal[-1]] = False
            mask[pair] = mask[b[pair] * modulus + a[pair]] = True
    return mask


def has_mirror_in(mask: Tensor, modulus: int) -> Tensor:
    """Which of `all_pairs(modulus)` have their mirror (b, a) in `mask`: bool [modulus²]."""
    return mask.view(modulus, modulus).T.reshape(-1)


def symmetric_random_labels(modulus: int, generator: torch.Generator) -> Tensor:
    """A random label below `modulus` for every pair, the same for (a, b) and (b, a): [modulus²]."""
    table = torch.randint(modulus, (modulus, modulus), generator=generator)
    return torch.triu(table).add(torch.triu(table, 1).T).reshape(-1)


def equation_examples(
    modulus: int,
    labels: Tensor,
    train: Tensor,
    *,
    asked: Tensor | None = None,
    operator_token: bool = False,
) -> Examples:
    """The examples `a b =` for every pair; pairs that do not train validate.

    The mirror of (a, b) is (b, a), where both have the same label. So a - b has no mirrors, and
    only those pairs of a / b that have the same quotient both ways.

    Args:
        labels: [modulus²] int64, in the order of `all_pairs`.
        train: [modulus²] bool.
        asked: [modulus²] bool, the pairs that are examples; all pairs when None.
        operator_token: ask `a ∘ b =`.
    """
    a, b = all_pairs(modulus)
    equals = torch.full_like(a, modulus + int(operator_token))
    operator = [torch.full_like(a, modulus)] if operator_token else []
    same_label = labels == labels.reshape(modulus, modulus).T.reshape(-1)
    examples = Examples(
        inputs=torch.stack([a, *operator, b, equals], dim=1),
        labels=labels,
        train=train,
        validation=~train,
        part=torch.zeros_like(a),
        mirror_free=~train & ~(has_mirror_in(train, modulus) & same_label),
    )
    if asked is None:
        return examples
    return Examples(**{name: values[asked] for name, values in vars(examples).items()})
