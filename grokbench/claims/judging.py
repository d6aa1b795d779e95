"""A claim's rule and a detector's finding become a verdict; many claims are judged together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import xarray as xr

from grokbench.claims.selection import datasets_of, seeds_trained, selected, statuses
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.claims.words import number, percent, rule_in_prose
from grokbench.errors import NotEnoughDataError, UnknownNameError, nearest
from grokbench.phenomena.base import Detector, Finding
from grokbench.plugins import describe
from grokbench.record import Status
from grokbench.statistics.intervals import CONFIDENCE, Interval
from grokbench.suite.model import Claim, Rule, Suite


def score(
    suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
) -> tuple[Verdict, ...]:
    """Judge every claim of a suite, in the order of the file, all of them together.

    Holm's step-down procedure (1979, Scandinavian Journal of Statistics 6, 65-70) keeps the
    probability that even one of the decided claims is decided wrongly at 5 % or less, however the
    claims depend on each other, as long as every detector's intervals hold what they promise. Of m
    claims, the first to be decided must be so by intervals of confidence 1 - 0.05/m, the next by
    1 - 0.05/(m - 1), and so on. m counts every claim of the suite, run or not, so that it is fixed
    with the suite.

    Args:
        suite: whose claims.
        tree: the results, one group an experiment; groups may be missing.
        detectors: the known detectors by name.

    Raises:
        UnknownNameError: a claim's detector is not among them.
        OptionsError: a claim's detector does not take its options.
    """
    cases = {
        claim.name: (claim, datasets_of(claim, tree), detector_of(claim, detectors))
        for claim in suite.claims.values()
    }
    verdicts = {name: judge(*case) for name, case in cases.items()}
    waiting = {name for name, verdict in verdicts.items() if verdict.outcome.decided}
    left = len(verdicts)
    while waiting:
        confidence = 1 - (1 - CONFIDENCE) / left
        judged = {name: judge(*cases[name], confidence) for name in waiting}
        verdicts |= judged
        waiting = {name for name in waiting if not judged[name].outcome.decided}
        if len(waiting) == len(judged):
            break
        left -= len(judged) - len(waiting)
    return tuple(verdicts.values())


def detector_of(claim: Claim, detectors: Mapping[str, type[Detector]]) -> Detector:
    """The detector that a claim names, with the claim's options.

    Raises:
        UnknownNameError: nobody registered it.
        OptionsError: it does not take these options.
    """
    try:
        kind = detectors[claim.detector.name]
    except KeyError:
        raise UnknownNameError(
            f"claim {claim.name!r}: there is no detector {claim.detector.name!r}; "
            f"{nearest(claim.detector.name, detectors)}"
        ) from None
    return kind.from_options(claim.detector.options)


def judge(
    claim: Claim,
    datasets: Mapping[str, xr.Dataset],
    detector: Detector,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Say what became of one claim.

    Args:
        claim: the claim, its rule fixed before any run.
        datasets: one dataset for each role, before the claim's selection is applied.
        detector: the claim's detector, with its options.
        confidence: how sure the interval must be that decides; 95 % where the claim stands alone.

    Returns:
        NOT_RUN when a role has no finished run. UNDECIDED when the detector had too little to go
        on, when it rests on fewer seeds than the claim asks for, when it says that there are more
        than there are, or when the interval has the rule's bound inside. Cells without a finished
        run are left out, and the reason counts them.
    """
    absent = [name for role, name in claim.experiments.items() if role not in datasets]
    if absent:
        reason = f"no results of {', '.join(absent)}"
        return Verdict(claim, Outcome.NOT_RUN, None, reason, whole=False)
    try:
        data = selected(claim, datasets)
    except NotEnoughDataError as error:
        return Verdict(claim, Outcome.UNDECIDED, None, str(error))
    for role, dataset in data.items():
        if not bool((dataset["status"] == int(Status.DONE)).any()):
            reason = f"no finished run in {claim.experiments[role]}{_missing([dataset])}"
            return Verdict(claim, Outcome.NOT_RUN, None, reason, whole=False)
    missing = _missing(data.values())
    try:
        finding = detector.at(CONFIDENCE).find(data)
        wider = finding if confidence == CONFIDENCE else detector.at(confidence).find(data)
    except NotEnoughDataError as error:
        return Verdict(claim, Outcome.UNDECIDED, None, f"{error}{missing}", whole=not missing)
    except Exception as error:  # noqa: BLE001 - a plugin's mistake must not cost the other verdicts
        reason = f"detector {claim.detector.name!r} raised {describe(error)}"
        return Verdict(claim, Outcome.UNDECIDED, None, reason, whole=not missing)
    there = seeds_trained(data.values())
    outcome, because = _decide(claim, finding, there)
    if outcome.decided and confidence > CONFIDENCE:
        # Both must decide, and alike: a plugin's intervals might not be nested.
        surely, _ = _decide(claim, replace(wider, effect=finding.effect), there)
        if surely is not outcome:
            because = _alone_only(outcome, claim.rule, confidence, wider)
            outcome = Outcome.UNDECIDED
    if missing and outcome.decided:
        because = "preliminary: "
    return Verdict(
        claim,
        outcome,
        finding,
        f"{because}{finding.evidence}{missing}",
        confidence,
        Interval(finding.effect, wider.low, wider.high),
        whole=not missing,
    )


def _alone_only(alone: Outcome, rule: Rule, confidence: float, wider: Finding) -> str:
    return (
        f"{alone.description} by its own interval alone, not by the {percent(confidence)} that it takes among "
        f"the other claims ({number(wider.low)} to {number(wider.high)}, rule {rule_in_prose(rule)}): "
    )


def _decide(claim: Claim, finding: Finding, seeds: int) -> tuple[Outcome, str]:
    """The outcome, and what precedes the evidence when there is none; `seeds` are there."""
    if not finding.low <= finding.effect <= finding.high:
        return Outcome.UNDECIDED, "the effect is not a number within its interval: "
    if finding.seeds > seeds:
        return (
            Outcome.UNDECIDED,
            f"the detector says that it rests on {finding.seeds} seeds where there are {seeds}: ",
        )
    if finding.seeds < claim.minimum_seeds:
        return (
            Outcome.UNDECIDED,
            f"rests on {finding.seeds} seeds where {claim.minimum_seeds} are asked for: ",
        )
    holds = _holds(claim.rule, finding)
    if holds is None:
        return (
            Outcome.UNDECIDED,
            f"the interval lies on both sides of the rule ({rule_in_prose(claim.rule)}): ",
        )
    return (Outcome.REPRODUCED if holds else Outcome.NOT_REPRODUCED), ""


def _holds(rule: Rule, finding: Finding) -> bool | None:
    """Whether the whole interval lies on the rule's side; None when neither side has all of it."""
    low, high = finding.low, finding.high
    if rule.at_least is not None and (low >= rule.at_least or high < rule.at_least):
        return low >= rule.at_least
    if rule.at_most is not None and (high <= rule.at_most or low > rule.at_most):
        return high <= rule.at_most
    return None


def _missing(datasets: Iterable[xr.Dataset]) -> str:
    """` (3 of 60 runs are left out: 2 not run, 1 diverged)`, or nothing when none is."""
    counts: Counter[Status] = Counter()
    for dataset in datasets:
        counts += statuses(dataset)
    left_out = [
        f"{counts[status]} {status.name.lower().replace('_', ' ')}"
        for status in Status
        if status is not Status.DONE and counts[status]
    ]
    if not left_out:
        return ""
    total = counts.total()
    return f" ({total - counts[Status.DONE]} of {total} runs are left out: {', '.join(left_out)})"
