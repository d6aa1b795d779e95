"""A claim's rule and a detector's finding give a verdict, corrected for the number of claims."""

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
    """Judge every claim of a suite, in the order of the file, corrected for their number.

    The correction is Holm's step-down procedure (1979, Scandinavian Journal of Statistics 6,
    65-70). Of m claims, the first decision needs intervals of confidence 1 - 0.05/m, the next one
    1 - 0.05/(m - 1), and so on. The probability that even one decision is wrong is then at most
    5 %, however the claims depend on each other, provided that every detector's intervals have
    their stated coverage.

    m counts every claim of the suite, run or not, so that the suite alone fixes it.

    Args:
        suite: the suite with the claims.
        tree: the results, one group for each experiment; groups may be missing.
        detectors: the known detectors by name.

    Raises:
        UnknownNameError: nobody registered a claim's detector.
        OptionsError: a claim's detector does not take its options.
    """
    cases = {
        claim.name: (claim, datasets_of(claim, tree), detector_of(claim, detectors))
        for claim in suite.claims.values()
    }
    # Each claim alone, at 95 %. A claim that is undecided here stays undecided at any higher
    # confidence, so only the others enter the procedure.
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
        UnknownNameError: nobody registered the detector.
        OptionsError: the detector does not take these options.
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
    """Judge one claim.

    Args:
        claim: the claim, with the rule that was fixed before any run.
        datasets: one dataset for each role, before the claim's selection is applied.
        detector: the claim's detector, with its options.
        confidence: the confidence of the interval that decides; 95 % where the claim stands alone.

    Returns:
        REPRODUCED or NOT_REPRODUCED when the whole interval lies on one side of the rule's bound.
        NOT_RUN when a role has no finished run. UNDECIDED otherwise: when the interval contains
        the bound, when the detector had too little data or raised an error, when it used fewer
        seeds than the claim asks for, or when it reports more seeds than were trained. Cells
        without a finished run are left out, and the reason counts them.
    """
    return replace(_judged(claim, datasets, detector, confidence), detector=detector)


def _judged(
    claim: Claim, datasets: Mapping[str, xr.Dataset], detector: Detector, confidence: float
) -> Verdict:
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
    trained = seeds_trained(data.values())
    outcome, because = _decide(claim, finding, trained)
    if outcome.decided and confidence > CONFIDENCE:
        # Both intervals must decide, and decide alike: a plugin's wider interval need not contain
        # its narrower one.
        corrected, _ = _decide(claim, replace(wider, effect=finding.effect), trained)
        if corrected is not outcome:
            because = _only_alone(outcome, claim.rule, confidence, wider)
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


def _only_alone(alone: Outcome, rule: Rule, confidence: float, wider: Finding) -> str:
    """Why a claim that its 95 % interval decides is undecided among the other claims."""
    claims = round((1 - CONFIDENCE) / (1 - confidence))  # `score` computes it the other way round
    return (
        f"would be {alone.description} on its own ({percent(CONFIDENCE)} interval), but not after "
        f"correction for {claims} claims ({percent(confidence)} interval: {number(wider.low)} to "
        f"{number(wider.high)}; rule {rule_in_prose(rule)}): "
    )


def _decide(claim: Claim, finding: Finding, trained: int) -> tuple[Outcome, str]:
    """The outcome by one interval, and what precedes the evidence where the claim is undecided.

    Args:
        claim: the claim.
        finding: the effect and its interval.
        trained: how many seeds have trained runs.
    """
    if not finding.low <= finding.effect <= finding.high:
        return Outcome.UNDECIDED, "the effect is not a number within its interval: "
    if finding.seeds > trained:
        return (
            Outcome.UNDECIDED,
            f"the detector reports {finding.seeds} seeds, but only {trained} were trained: ",
        )
    if finding.seeds < claim.minimum_seeds:
        return (
            Outcome.UNDECIDED,
            f"{finding.seeds} seeds, but the claim asks for at least {claim.minimum_seeds}: ",
        )
    holds = _holds(claim.rule, finding)
    if holds is None:
        return (
            Outcome.UNDECIDED,
            f"the interval contains the rule's bound ({rule_in_prose(claim.rule)}): ",
        )
    return (Outcome.REPRODUCED if holds else Outcome.NOT_REPRODUCED), ""


def _holds(rule: Rule, finding: Finding) -> bool | None:
    """Whether the whole interval satisfies the rule; None when the interval contains the bound."""
    low, high = finding.low, finding.high
    if rule.at_least is not None and (low >= rule.at_least or high < rule.at_least):
        return low >= rule.at_least
    if rule.at_most is not None and (high <= rule.at_most or low > rule.at_most):
        return high <= rule.at_most
    return None


def _missing(datasets: Iterable[xr.Dataset]) -> str:
    """` (3 of 60 runs are left out: 2 not run, 1 diverged)`, or "" when all runs are done."""
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
