"""A mixture of a task that can be generalized and a task that can only be memorized."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from grokbench.randomness import Streams
from grokbench.tasks.base import Examples, Task, Tokens
from grokbench.tasks.judging import CrossEntropy
from grokbench.tasks.pairs import (
    PairOptions,
    all_pairs,
    check_pairs,
    has_mirror_in,
    train_mask,
)


class MixtureOptions(PairOptions):
    memorization_size: Annotated[int, Field(ge=1)] = 3000
    """The number of subtraction examples with random answers. All of them train."""


class Mixture(Task):
    """Modular addition mixed with subtraction that has random answers (Huang et al. 2024, § 5).

    Examples are `a + b =` and `a - b =`. The sign is a token, so no input is in both parts. The
    data size is the number of additions that train. The other additions validate.
    """

    name = "mixture"
    Options = MixtureOptions

    @property
    def inputs(self) -> Tokens:
        return Tokens(vocabulary=self.options.modulus + 3, length=4)

    @property
    def judgement(self) -> CrossEntropy:
        return CrossEntropy(self.options.modulus)

    @property
    def parts(self) -> tuple[str, ...]:
        return ("addition", "subtraction")

    def check(self, data_size: int) -> str | None:
        modulus = self.options.modulus
        if self.options.memorization_size > modulus**2:
            return f"memorization_size is above the {modulus**2} pairs there are below {modulus}"
        return check_pairs(modulus, data_size)

    def examples(self, data_size: int, streams: Streams) -> Examples:
        modulus, memorized = self.options.modulus, self.options.memorization_size
        a, b = all_pairs(modulus)
        pick = torch.randperm(modulus**2, generator=streams("memorized"))[:memorized]
        answers = torch.randint(modulus, (memorized,), generator=streams("labels"))
        addition = train_mask(modulus, data_size, self.options.split, streams("split"))
        mirror_free = ~addition & ~has_mirror_in(addition, modulus)
        yes = torch.ones(memorized, dtype=torch.bool)
        return Examples(
            inputs=torch.cat([self._ask(a, b, modulus), self._ask(a[pick], b[pick], modulus + 1)]),
            labels=torch.cat([(a + b) % modulus, answers]),
            train=torch.cat([addition, yes]),
            validation=torch.cat([~addition, ~yes]),
            part=torch.cat([torch.zeros_like(a), torch.ones_like(pick)]),
            mirror_free=torch.cat([mirror_free, ~yes]),
        )

    def _ask(self, a: torch.Tensor, b: torch.Tensor, sign: int) -> torch.Tensor:
        signs, equals = torch.full_like(a, sign), torch.full_like(a, self.options.modulus + 2)
        return torch.stack([a, signs, b, equals], dim=1)
