"""A claim's rule and a detector's finding give a verdict, corrected for the number of claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import xarray as xr

from grokbench.amounts import count
from grokbench.claims.changes import marked
from grokbench.claims.deciding import decide
from grokbench.claims.errors import confidence_for, error_allowed
from grokbench.claims.selection import (
    datasets_of,
    first_seeds,
    missing_runs,
    seeds_trained,
    selected,
    statuses,
)
from grokbench.claims.verdict import Look, Outcome, Verdict
from grokbench.claims.words import number, percent, rule_in_prose
from grokbench.errors import NotEnoughDataError, OutOfReachError, UnknownNameError, nearest
from grokbench.phenomena.base import Detector, Finding
from grokbench.plugins import describe
from grokbench.record import Status
from grokbench.statistics.intervals import CONFIDENCE, Interval
from grokbench.statistics.spending import shares_of_error
from grokbench.suite.model import Claim, Rule, Sequential, Suite

Missing = dict[int, set[str]]


def score(
    suite: Suite, tree: xr.DataTree, detectors: Mapping[str, type[Detector]]
) -> tuple[Verdict, ...]:
    """Judge every claim of a suite, in the order of the file, corrected for their number.

    A suite whose seeds are all trained beforehand has one look at its data. A sequential suite has
    several; `grokbench.claims.looks` says when a look can be taken. The verdict of a claim that was
    decided at a look rests on that look alone, whatever was trained afterwards. So the verdicts
    depend on the stored runs only, not on the order in which they were trained.

    At each look, the claims that are open go through a step-down procedure: while k claims of the
    suite are undecided, a decision is allowed an error of 0.05/(k + 0.05) times the look's share.
    `grokbench.claims.errors` has the procedure, what is proven about it, and the sources.

    The suite's claims are counted run or not, so that the suite alone fixes their number.

    Args:
        suite: the suite with the claims.
        tree: the results, one group for each experiment; groups may be missing.
        detectors: the known detectors by name.

    Raises:
        UnknownNameError: nobody registered a claim's detector.
        OptionsError: a claim's detector does not take its options.
    """
    cases = {
        claim.name: Case(claim, datasets_of(claim, tree), detector_of(claim, detectors))
        for claim in suite.claims.values()
    }
    verdicts = (
        _step_down(cases, len(cases), 1.0)
        if suite.sequential is None
        else _look_by_look(cases, suite.sequential)
    )
    return marked(verdicts.values(), suite, tree, detectors)


def missing_at_next_look(suite: Suite, tree: xr.DataTree, verdicts: Iterable[Verdict]) -> Missing:
    """The runs that the open claims of a sequential suite wait for.

    Args:
        verdicts: what `score` returned for the suite and the tree.

    Returns:
        For each look that a claim waits for, by its number of seeds and in rising order: the ids of
        the missing runs.
    """
    assert suite.sequential is not None
    found: Missing = {}
    for verdict in verdicts:
        if verdict.next_look is not None:
            seeds = suite.sequential.seeds[: verdict.next_look]
            datasets = first_seeds(datasets_of(verdict.claim, tree), seeds)
            missing = missing_runs(verdict.claim, datasets) or set()
            found[verdict.next_look] = found.get(verdict.next_look, set()) | missing
    return dict(sorted(found.items()))


@dataclass(frozen=True, eq=False)
class Case:
    """A claim with the datasets of its experiments and its detector."""

    claim: Claim
    datasets: Mapping[str, xr.Dataset]
    detector: Detector

    def first(self, seeds: Sequence[int]) -> Case:
        """The case with the runs of some seeds only."""
        return replace(self, datasets=first_seeds(self.datasets, seeds))

    def judged(self, confidence: float = CONFIDENCE) -> Verdict:
        return judge(self.claim, self.datasets, self.detector, confidence)


def _step_down(cases: Mapping[str, Case], undecided: int, share: float) -> dict[str, Verdict]:
    """The verdicts on some claims at one look.

    Args:
        cases: the claims that are judged.
        undecided: how many claims of the suite are undecided before this look, these among them.
        share: of a claim's probability of error, for this look.
    """
    # Each claim alone, at 95 %. A claim that is undecided here stays undecided at any higher
    # confidence, so only the others enter the procedure.
    verdicts = {name: case.judged() for name, case in cases.items()}
    waiting = {name for name, verdict in verdicts.items() if verdict.outcome.decided}
    while waiting:
        confidence = confidence_for(share * error_allowed(undecided))
        judged = {name: cases[name].judged(confidence) for name in waiting}
        verdicts |= judged
        waiting = {name for name in waiting if not judged[name].outcome.decided}
        if len(waiting) == len(judged):
            break
        undecided -= len(judged) - len(waiting)
    return verdicts


def _look_by_look(cases: Mapping[str, Case], sequential: Sequential) -> dict[str, Verdict]:
    """The verdicts of a sequential suite."""
    verdicts: dict[str, Verdict] = {}
    taken: dict[str, tuple[Look, ...]] = dict.fromkeys(cases, ())
    still = dict(cases)
    undecided = len(cases)
    shares = shares_of_error(sequential.looks, sequential.spending)
    for seeds, share in zip(sequential.looks, shares, strict=True):
        cut = {name: case.first(sequential.seeds[:seeds]) for name, case in still.items()}
        for name, case in cut.items():
            missing = missing_runs(case.claim, case.datasets)
            if missing is None or missing:
                runs = None if missing is None else len(missing)
                verdicts[name] = _waiting(case, verdicts.get(name), seeds, runs)
                del still[name]
        ready = {name: cut[name] for name in still}
        judged = _step_down(ready, undecided, share)
        undecided -= sum(verdict.outcome.decided for verdict in judged.values())
        for name, verdict in judged.items():
            if verdict.outcome is Outcome.UNDECIDED:
                # The record of the look has the interval that would have had to decide.
                confidence = confidence_for(share * error_allowed(undecided))
                judged[name] = verdict = ready[name].judged(confidence)
            taken[name] = (*taken[name], _look(verdict, seeds))
            last = seeds == sequential.looks[-1]
            verdicts[name] = verdict = _stopped(verdict, seeds, last=last)
            if verdict.outcome is not Outcome.UNDECIDED:
                del still[name]
    return {name: replace(verdicts[name], looks=taken[name]) for name in cases}


def _look(verdict: Verdict, seeds: int) -> Look:
    """The record of a look."""
    held = verdict.deciding
    return Look(
        seeds,
        verdict.confidence,
        (1 - verdict.confidence) / 2,
        None if held is None else float(held.estimate),
        None if held is None else float(held.low),
        None if held is None else float(held.high),
        verdict.outcome,
    )


def _waiting(case: Case, before: Verdict | None, seeds: int, missing: int | None) -> Verdict:
    """The verdict on a claim whose runs for a look of so many seeds are not all trained."""
    claim = case.claim
    runs = "no runs yet" if missing is None else f"{count(missing, 'run')} missing"
    waits = f"waits for the look at {seeds} seeds ({runs})"
    if before is not None:
        reason = f"{before.reason}; {waits}"
        return replace(before, reason=reason, whole=False, next_look=seeds)
    begun = missing is not None and any(
        bool((dataset["status"] != int(Status.NOT_RUN)).any())
        for dataset in selected(claim, case.datasets).values()
    )
    outcome = Outcome.UNDECIDED if begun else Outcome.NOT_RUN
    return Verdict(
        claim, outcome, None, waits, whole=False, next_look=seeds, detector=case.detector
    )


def _stopped(verdict: Verdict, seeds: int, *, last: bool) -> Verdict:
    """The verdict at a look, or `too close to call` where no later look will decide the claim."""
    if last and verdict.outcome is Outcome.UNDECIDED and verdict.finding is not None:
        reason = f"all {seeds} seeds are spent: {verdict.reason}"
        return replace(verdict, outcome=Outcome.TOO_CLOSE, reason=reason)
    return verdict


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
        NOT_RUN when a role has no finished run. OUT_OF_REACH when the detector finds that no number
        of seeds on this grid can test the claim, and no run is missing. UNDECIDED otherwise: when the interval contains
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
        reachable = missing or not isinstance(error, OutOfReachError)
        outcome = Outcome.UNDECIDED if reachable else Outcome.OUT_OF_REACH
        return Verdict(claim, outcome, None, f"{error}{missing}", whole=not missing)
    except Exception as error:  # noqa: BLE001 - a plugin's mistake must not cost the other verdicts
        reason = f"detector {claim.detector.name!r} raised {describe(error)}"
        return Verdict(claim, Outcome.UNDECIDED, None, reason, whole=not missing)
    trained = seeds_trained(data.values())
    outcome, because = decide(claim, finding, trained)
    if outcome.decided and confidence > CONFIDENCE:
        # Both intervals must decide, and decide alike: a plugin's wider interval need not contain
        # its narrower one.
        corrected, _ = decide(claim, replace(wider, effect=finding.effect), trained)
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
    return (
        f"would be {alone.description} by its {percent(CONFIDENCE)} interval alone, but not by the "
        f"{percent(confidence)} interval that the suite's claims together need "
        f"({number(wider.low)} to {number(wider.high)}; rule {rule_in_prose(rule)}): "
    )


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
