"""Muon for the hidden matrices of a model, and AdamW for all other parameters."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple

import torch
from grokbench.optimizers.adamw import AdamW, AdamWOptions, Beta
from pydantic import Field
from torch import Tensor

from grokbench_optimizers.orthogonal import orthogonalized


class MuonOptions(AdamWOptions):
    matrices: Annotated[tuple[str, ...], Field(min_length=1)] = ("layers.*",)
    """The names of the parameters that Muon trains, with `*` for any letters. Of these parameters,
    Muon trains those of two dimensions. AdamW trains everything else, with `betas` and `epsilon`."""
    momentum: Beta = 0.95
    nesterov: bool = True
    iterations: Annotated[int, Field(ge=1, le=50)] = 5
    """Newton–Schulz iterations for each step."""
    scale: Literal["match_rms_adamw", "original"] = "match_rms_adamw"
    """The length of a step for a matrix of A rows and B columns, in learning rates.
    `match_rms_adamw`: 0.2 √max(A, B), which gives each entry about the step that AdamW gives it (Liu
    et al. 2025, arXiv:2502.16982). `original`: √max(1, A/B) (Jordan et al. 2024)."""
    adamw_factor: Annotated[float, Field(gt=0)] = 1.0
    """AdamW's learning rate divided by the recipe's learning rate. With `scale = "original"`, the two
    learning rates usually differ by a factor of 10 or more."""


class Group(NamedTuple):
    """Matrices of one shape, turned so that they have no more rows than columns.

    Attributes:
        count: the number of matrices in one run.
        start, end: where the group lies among the columns of all matrices.
    """

    count: int
    rows: int
    columns: int
    start: int
    end: int


class Muon(AdamW):
    """Momentum whose matrices are orthogonalized, and AdamW for all other parameters.

    Jordan et al. 2024, *Muon: An optimizer for hidden layers in neural networks*
    (kellerjordan.github.io/posts/muon), in the form of `torch.optim.Muon`: weight decay is decoupled,
    and multiplied by the learning rate. torch rounds the products of the iteration to bfloat16; here
    they are computed in the precision of the parameters.

    Muon is made for the matrices of hidden layers. By default it trains the parameters named
    `layers.…` that have two dimensions: in grokbench's transformers, the matrices of attention and of
    the feed-forward networks. Embeddings, unembedding, biases and gains are left to AdamW, as Jordan
    et al. advise. For a module with other names, write `matrices = ["blocks.*"]` and so on.
    """

    name = "muon"
    Options = MuonOptions
    # The conformance kit calls its matrix `matrix.weight`.
    tested_with = (
        {"matrices": ["matrix.*"]},
        {"matrices": ["matrix.*"], "scale": "original", "nesterov": False, "adamw_factor": 0.5},
    )

    def start(self, parameters: Tensor) -> None:
        # The number of each column, cut into parameters: where each entry of a matrix is found.
        number = self.views(torch.arange(parameters.shape[1]).unsqueeze(0))
        groups = list(grouped([number[name][0] for name in self._chosen()], self._length))
        hidden = torch.cat([columns for _, columns, _ in groups])
        others = torch.ones(parameters.shape[1], dtype=torch.bool)
        others[hidden] = False
        self._groups = [group for group, _, _ in groups]
        self._hidden = hidden.to(parameters.device)
        self._others = others.nonzero().squeeze(1).to(parameters.device)
        self._lengths = torch.cat([lengths for _, _, lengths in groups]).to(parameters)
        super().start(parameters[:, self._others])
        self.momentum = torch.zeros_like(parameters[:, self._hidden])

    def step(
        self,
        parameters: Tensor,
        gradients: Tensor,
        learning_rate: Tensor,
        weight_decay: Tensor,
        count: Tensor,
    ) -> None:
        others = parameters[:, self._others]
        super().step(
            others,
            gradients[:, self._others],
            learning_rate * self.options.adamw_factor,
            weight_decay[:, self._others],
            count,
        )
        parameters.index_copy_(1, self._others, others)

        # m ← μ m + (1 − μ) g; the step follows m, or with Nesterov's momentum μ m + (1 − μ) g again
        gradient = gradients[:, self._hidden]
        self.momentum.lerp_(gradient, 1 - self.options.momentum)
        step = self.momentum
        if self.options.nesterov:
            step = gradient.lerp(self.momentum, self.options.momentum)
        step = self._orthogonalized(step).mul_(self._lengths)
        # θ ← θ − η λ θ − η · length · U Vᵀ
        hidden = parameters[:, self._hidden]
        step.addcmul_(hidden, weight_decay[:, self._hidden])
        parameters.index_copy_(1, self._hidden, hidden.addcmul_(step, learning_rate, value=-1))

    def _orthogonalized(self, step: Tensor) -> Tensor:
        """The step [runs, entries of all matrices] with each matrix of each run orthogonalized.

        All runs' matrices of one shape are one batch.
        """
        found = torch.empty_like(step)
        for group in self._groups:
            piece = step[:, group.start : group.end]
            batch = piece.reshape(len(step) * group.count, group.rows, group.columns)
            rotated = orthogonalized(batch, self.options.iterations)
            found[:, group.start : group.end] = rotated.view(len(step), -1)
        return found

    def _chosen(self) -> list[str]:
        """The names of the parameters that Muon trains.

        Raises:
            ValueError: a name in `matrices` fits no parameter of two dimensions.
        """
        two = [name for name, shape in self.shapes.items() if len(shape) == 2]
        for pattern in self.options.matrices:
            if not any(fnmatchcase(name, pattern) for name in two):
                raise ValueError(
                    f"no parameter of two dimensions is named like {pattern!r}; write some of "
                    f'{two} in the option matrices of muon, or optimizer = "adamw"'
                )
        return [n for n in two if any(fnmatchcase(n, one) for one in self.options.matrices)]

    def _length(self, rows: int, columns: int) -> float:
        """How many learning rates long a step of a matrix is."""
        if self.options.scale == "original":
            return math.sqrt(max(1.0, rows / columns))
        return 0.2 * math.sqrt(max(rows, columns))


def grouped(
    numbers: Sequence[Tensor], length: Callable[[int, int], float]
) -> Iterator[tuple[Group, Tensor, Tensor]]:
    """Matrices in groups of one shape: each group, the columns of its entries, and their steps' lengths.

    Args:
        numbers: for each matrix, the number of the column of each of its entries: [rows, columns].
        length: of a step, for a number of rows and of columns.
    """
    by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
    for one in numbers:
        by_shape[tuple(sorted(one.shape))].append(one)
    start = 0
    for (rows, columns), matrices in by_shape.items():
        wide = [one.mT if len(one) > rows else one for one in matrices]
        entries = torch.stack(wide).flatten()
        each = torch.tensor([length(*one.shape) for one in matrices], dtype=torch.float64)
        lengths = each.repeat_interleave(rows * columns)
        yield Group(len(matrices), rows, columns, start, start + len(entries)), entries, lengths
        start += len(entries)
