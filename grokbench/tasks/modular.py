"""Modular arithmetic, as in work on grokking (Power et al. 2022, Nanda et al. 2023)."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from grokbench.randomness import Streams
from grokbench.tasks.base import Examples
from grokbench.tasks.pairs import (
    LARGEST_MODULUS,
    CommutativeOptions,
    EquationOptions,
    PairTask,
    Split,
    all_pairs,
    check_pairs,
    equation_examples,
    train_mask,
)


class BinaryOperation(PairTask):
    """a ∘ b for pairs of numbers below P, asked as `a b =`, or as `a ∘ b =` with an operator token.

    Pairs that do not train validate. The mirror of (a, b) is (b, a), if both have the same answer.
    """

    @abstractmethod
    def answer(self, a: Tensor, b: Tensor) -> Tensor:
        """A ∘ b for each pair: int64 numbers below the modulus, in the shape of `a` and `b`.

        Where `asks` is false, any number will do.
        """

    def asks(self, a: Tensor, b: Tensor) -> Tensor:
        """Which pairs are questions: bool, in the shape of `a` and `b`. By default all of them."""
        return torch.ones_like(a, dtype=torch.bool)

    @cached_property
    def _asked(self) -> Tensor | None:
        """Which of `all_pairs` are questions; None if all of them are."""
        if type(self).asks is BinaryOperation.asks:
            return None
        return self.asks(*all_pairs(self.options.modulus))

    @property
    def _split(self) -> Split:
        split: Split = getattr(self.options, "split", "ordered")
        return split

    def check(self, data_size: int) -> str | None:
        asked = self._asked
        if asked is not None and self._split == "unordered" and not bool(asked.all()):
            return (
                'not every pair is a question, and so there is no split "unordered"; leave it out'
            )
        pairs = None if asked is None else int(asked.sum())
        return check_pairs(self.options.modulus, data_size, pairs)

    def examples(self, data_size: int, streams: Streams) -> Examples:
        modulus, asked = self.options.modulus, self._asked
        train = train_mask(modulus, data_size, self._split, streams("split"), asked)
        return equation_examples(
            modulus,
            self.answer(*all_pairs(modulus)),
            train,
            asked=asked,
            operator_token=self.operator_token,
        )


class ModularAddition(BinaryOperation):
    """(a + b) mod P, asked as `a b =`."""

    name = "modular_addition"
    Options = CommutativeOptions
    power = 1

    def answer(self, a: Tensor, b: Tensor) -> Tensor:
        answer: Tensor = (a + b) ** self.power % self.options.modulus
        return answer


class ModularSquare(ModularAddition):
    """(a + b)² mod P, asked as `a b =`: harder to generalize (Huang et al. 2024, Fig. 7)."""

    name = "modular_square"
    power = 2


class ModularSubtraction(BinaryOperation):
    """(a − b) mod P, asked as `a b =` (Power et al. 2022, appendix A.1.1).

    a − b is not b − a, so that no pair has a mirror.
    """

    name = "modular_subtraction"
    tested_with = ({"modulus": 13}, {"modulus": 12, "operator_token": True})

    def answer(self, a: Tensor, b: Tensor) -> Tensor:
        answer: Tensor = (a - b) % self.options.modulus
        return answer


class ModularDivisionOptions(EquationOptions):
    modulus: Annotated[int, Field(ge=2, le=LARGEST_MODULUS)] = 113
    """A prime number: only then has every b but 0 an inverse."""

    @model_validator(mode="after")
    def _prime_modulus(self) -> Self:
        if not is_prime(self.modulus):
            primes = [number for number in range(2, LARGEST_MODULUS) if is_prime(number)]
            above = bisect(primes, self.modulus)
            near = primes[above - 1 : above + 1]
            raise ValueError(
                f"modulus: {self.modulus} is no prime number, so not every b can be divided by; "
                f"write {' or '.join(map(str, near))}"
            )
        return self


class ModularDivision(BinaryOperation):
    """(a / b) mod P for b ≠ 0 and a prime P, asked as `a b =` (Power et al. 2022, appendix A.1.1).

    The answer is the number c with b · c = a (mod P). Only (a, −a) and (−a, a) have the same answer,
    −1, and are mirrors.
    """

    name = "modular_division"
    Options = ModularDivisionOptions
    tested_with = ({"modulus": 13}, {"modulus": 11, "operator_token": True})

    def asks(self, a: Tensor, b: Tensor) -> Tensor:
        return b != 0

    def answer(self, a: Tensor, b: Tensor) -> Tensor:
        modulus = self.options.modulus
        inverses = torch.tensor([0, *(pow(number, -1, modulus) for number in range(1, modulus))])
        quotient: Tensor = a * inverses[b] % modulus
        return quotient


Formula = Callable[[Tensor, Tensor], Tensor]

POLYNOMIALS: dict[str, Formula] = {
    "x^2 + y^2": lambda x, y: x**2 + y**2,
    "x^2 + xy + y^2": lambda x, y: x**2 + x * y + y**2,
    "x^2 + xy + y^2 + x": lambda x, y: x**2 + x * y + y**2 + x,
    "x^3 + xy": lambda x, y: x**3 + x * y,
    "x^3 + xy^2 + y": lambda x, y: x**3 + x * y**2 + y,
}
"""The polynomials of Power et al. 2022, appendix A.1.1, in its order."""

SYMMETRIC = ("x^2 + y^2", "x^2 + xy + y^2")
"""Those that are the same when x and y change places."""


class ModularPolynomialOptions(CommutativeOptions):
    polynomial: Literal[
        "x^2 + y^2", "x^2 + xy + y^2", "x^2 + xy + y^2 + x", "x^3 + xy", "x^3 + xy^2 + y"
    ] = "x^2 + xy + y^2"

    @model_validator(mode="after")
    def _mirrors_to_keep_together(self) -> Self:
        if self.split == "unordered" and self.polynomial not in SYMMETRIC:
            raise ValueError(
                f"split: {self.polynomial} is not symmetric, so that pairs have no mirrors to keep "
                'together; leave split out, or write split = "ordered"'
            )
        return self


class ModularPolynomial(BinaryOperation):
    """A polynomial in x and y mod P, asked as `x y =` (Power et al. 2022, appendix A.1.1).

    x² + y² and x² + xy + y² are symmetric, so that (y, x) is the mirror of (x, y). In the other
    polynomials, (y, x) is a mirror only where it happens to have the same answer.
    """

    name = "modular_polynomial"
    Options = ModularPolynomialOptions
    tested_with = tuple({"polynomial": one, "modulus": 13} for one in POLYNOMIALS)

    def answer(self, a: Tensor, b: Tensor) -> Tensor:
        answer: Tensor = POLYNOMIALS[self.options.polynomial](a, b) % self.options.modulus
        return answer


def is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))
