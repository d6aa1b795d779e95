"""How a claim's probability of error is divided among the looks at its data.

A claim that is tested at several looks errs if it errs at any of them. By the union bound the
probability is at most the sum over the looks. So each look gets a share of the claim's probability
of error, and the shares add up to one. The bound needs no assumption about how the looks depend on
each other.

*Source*: Lan and DeMets 1983 (Biometrika 70, 659-663) for the spending functions, as functions of
the share t of the data that a look has: `pocock` is log(1 + (e - 1) t), `obrien_fleming` is
2 - 2 Phi(z / sqrt(t)). Their boundaries use the joint distribution of the looks. The shares here do
not, so they hold for any detector and are a little stricter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy import stats

ALPHA = 0.05
"""The probability of error for which the O'Brien-Fleming function is made."""


def _pocock(share: float) -> float:
    return math.log(1 + (math.e - 1) * share)


def _obrien_fleming(share: float) -> float:
    spent = 2 * stats.norm.sf(stats.norm.isf(ALPHA / 2) / math.sqrt(share))
    return float(spent / ALPHA)


SPENDING: dict[str, Callable[[float], float] | None] = {
    "equal": None,
    "pocock": _pocock,
    "obrien_fleming": _obrien_fleming,
}
"""The spending functions: the share of data → the share of the probability of error spent so far.
`equal` gives each look the same share, whatever the looks' numbers of seeds."""


def shares_of_error(looks: Sequence[int], spending: str) -> tuple[float, ...]:
    """The share of the probability of error that each look gets; the shares add up to one.

    Args:
        looks: the number of seeds at each look, rising.
        spending: a key of `SPENDING`.
    """
    function = SPENDING[spending]
    if function is None:
        return (1 / len(looks),) * len(looks)
    spent = [function(seeds / looks[-1]) for seeds in looks]
    return tuple(after - before for before, after in zip([0.0, *spent], spent, strict=False))
