"""How much error each decision of a suite is allowed.

A claim has two decisions, reproduced and not reproduced, and exactly one of them is wrong. So a
wrong decision needs an error at one end of the interval only, and the allowed error is one tail.

*Procedure*: step-down. While k claims of the suite are undecided, a decision is allowed an error of
alpha/(k + alpha), with alpha = 0.05. Each decision makes the next one easier. In a sequential suite,
each look gets a share of this error; the shares add up to one (`grokbench.statistics.spending`).

*What is proven*: Suppose that the claims rest on independent runs, that each interval keeps its
error at each end, and that a wrong decision is likeliest where the effect lies at the rule's bound
(true for monotone likelihood ratios, such as normal means). Let s be the last error that was allowed
and k the number of claims that were not decided rightly. The probability of any wrong decision is at
most k s/(1 - s), which is alpha for s = alpha/(k + alpha).

*What is not proven*: Claims of one suite often share runs. Of the two hypotheses of a claim, one
stays true when the other is rejected, so Holm's argument does not serve, and no step-down procedure
has a proof for every dependence. `docs/sequential.md` says what was measured.

*Source*: Guo and Romano 2015 (Journal of Statistical Planning and Inference 163, 21-33) for the
constants; Shaffer 1980 (Annals of Statistics 8, 1342-1347) for decisions in two directions; Holm
1979 (Scandinavian Journal of Statistics 6, 65-70) for step-down procedures.
"""

from __future__ import annotations

from grokbench.statistics.intervals import CONFIDENCE

ALPHA = 1 - CONFIDENCE
"""The probability that a suite has any wrong decision."""

HIGHEST = 1 - 2**-50
"""The highest confidence that is asked for. Its error in each tail is 4e-16."""

METHOD = "Guo and Romano 2015"
"""The correction for the number of claims of a suite."""


def error_allowed(undecided: int) -> float:
    """The probability with which the next decision may be wrong.

    Args:
        undecided: how many claims of the suite are undecided before the decision.
    """
    return ALPHA / (undecided + ALPHA)


def confidence_for(error: float) -> float:
    """The confidence of an interval with this probability in each tail, and of 95 % at least.

    Below 95 % nothing is decided: the interval that is shown would contain the bound. An error that
    is too small for floating-point numbers becomes HIGHEST, because no interval has confidence 1.
    """
    return min(max(CONFIDENCE, 1 - 2 * error), HIGHEST)
