"""The verdicts of a whole suite: the claims together, and look by look in a sequential suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import xarray as xr

from grokbench.amounts import count
from grokbench.claims.changes import marked
from grokbench.claims.errors import confidence_for, error_allowed
from grokbench.claims.judging import Case, failed
from grokbench.claims.outlook import fails_alike, seeds_expected
from grokbench.claims.selection import datasets_of, first_seeds, missing_runs, runs_selected
from grokbench.claims.verdict import Look, Outcome, Verdict
from grokbench.errors import OptionsError, PluginFailure, UnknownNameError, nearest
from grokbench.phenomena.base import Detector
from grokbench.plugins import guard
from grokbench.plugins.stand_ins import StandIn
from grokbench.record import Status
from grokbench.statistics.spending import shares_of_error
from grokbench.suite.model import Claim, Sequential, Suite

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

    The suite's claims are counted run or not, so that the suite alone fixes their number. A claim whose
    detector is a stand-in (`grokbench.carried_suite`) is counted and not judged.

    Args:
        suite: the suite with the claims.
        tree: the results, one group for each experiment; groups may be missing.
        detectors: the known detectors by name.

    Raises:
        UnknownNameError: nobody registered a claim's detector.
        OptionsError: a claim's detector does not take its options.
    """
    cases: dict[str, Case] = {}
    verdicts: dict[str, Verdict] = {}
    for claim in suite.claims.values():
        try:
            detector = detector_of(claim, detectors)
        except PluginFailure as failure:
            verdicts[claim.name] = failed(claim, failure)
            continue
        if isinstance(detector, StandIn):
            verdicts[claim.name] = _not_judged(claim)
        else:
            cases[claim.name] = Case(claim, datasets_of(claim, tree), detector)
    if suite.sequential is None:
        verdicts |= _step_down(cases, len(suite.claims), 1.0)
    else:
        verdicts |= _look_by_look(cases, len(suite.claims), suite.sequential)
    return marked((verdicts[name] for name in suite.claims), suite, tree, detectors)


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


def _not_judged(claim: Claim) -> Verdict:
    """The verdict on a claim whose detector is not loaded."""
    reason = (
        f"its detector {claim.detector.name!r} belongs to a plugin that was not loaded, so the claim was "
        f"not judged"
    )
    return Verdict(claim, Outcome.NOT_JUDGED, None, reason, whole=False)


def _look_by_look(
    cases: Mapping[str, Case], undecided: int, sequential: Sequential
) -> dict[str, Verdict]:
    """The verdicts of a sequential suite, of whose claims so many are undecided before the first look."""
    verdicts: dict[str, Verdict] = {}
    taken: dict[str, tuple[Look, ...]] = dict.fromkeys(cases, ())
    still = dict(cases)
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
            confidence = confidence_for(share * error_allowed(undecided))
            if verdict.outcome is Outcome.UNDECIDED:
                # The record of the look has the interval that would have had to decide.
                judged[name] = verdict = ready[name].judged(confidence)
            taken[name] = (*taken[name], _look(verdict, seeds, confidence))
            last = seeds == sequential.looks[-1]
            if not last and sequential.futility is not None:
                verdict = _if_hopeless(ready[name], verdict, sequential.futility)
            broken = not last and _broken(ready[name], verdict, sequential.looks[-1])
            if broken:
                reason = f"{verdict.reason}; no more seeds are trained for this claim, because the "
                reason += "detector fails in the same way with more: correct the detector"
                verdict = replace(verdict, reason=reason)
            verdicts[name] = verdict = _spent(verdict, seeds) if last else verdict
            if verdict.outcome is not Outcome.UNDECIDED or broken:
                del still[name]
    awaited = [verdict.next_look for verdict in verdicts.values() if verdict.next_look is not None]
    first = min(awaited, default=sequential.looks[-1])
    return {
        name: replace(
            _preliminary(verdicts[name], taken[name], first),
            looks=taken[name],
            seeds=_seeds(verdicts[name], taken[name], sequential),
        )
        for name in cases
    }


def _preliminary(verdict: Verdict, taken: Sequence[Look], awaited: int) -> Verdict:
    """The verdict, marked where a claim that waits for an earlier look can still change it.

    A decision at that look would free error, and this claim could then have been decided earlier.
    """
    if verdict.next_look is not None or taken[-1].seeds <= awaited:
        return verdict
    reason = f"preliminary, because a claim waits for the look at {awaited} seeds: {verdict.reason}"
    return replace(verdict, reason=reason, whole=False)


def _seeds(verdict: Verdict, taken: Sequence[Look], sequential: Sequential) -> tuple[int, ...]:
    """The seeds of the look that a verdict waits for, or else of the last look."""
    return sequential.seeds[: verdict.next_look or taken[-1].seeds]


def _look(verdict: Verdict, seeds: int, confidence: float) -> Look:
    """The record of a look; `confidence` is what it was allowed where there is no interval."""
    held = verdict.deciding
    if held is not None:
        confidence = verdict.confidence
    return Look(
        seeds,
        confidence,
        (1 - confidence) / 2,
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
        for dataset in runs_selected(claim, case.datasets)
    )
    outcome = Outcome.UNDECIDED if begun else Outcome.NOT_RUN
    return Verdict(
        claim, outcome, None, waits, whole=False, next_look=seeds, detector=case.detector
    )


def _spent(verdict: Verdict, seeds: int) -> Verdict:
    """The verdict at the last look: too close to call, or undecided still without a finding."""
    if verdict.outcome is not Outcome.UNDECIDED:
        return verdict
    outcome = Outcome.UNDECIDED if verdict.finding is None else Outcome.TOO_CLOSE
    return replace(
        verdict, outcome=outcome, reason=f"all {seeds} seeds are spent: {verdict.reason}"
    )


def _if_hopeless(case: Case, verdict: Verdict, futility: int) -> Verdict:
    """The verdict at a look; too close to call where the claim is expected to need too many seeds.

    Such a stop decides nothing, so it adds no wrong decision.
    """
    if verdict.outcome is not Outcome.UNDECIDED or verdict.finding is None:
        return verdict
    outlook = seeds_expected(
        case.claim, case.datasets, case.detector, verdict.confidence, at_most=futility
    )
    if not outlook.hopeless:
        return verdict
    reason = f"{verdict.reason}. {outlook.reason}"
    return replace(verdict, outcome=Outcome.TOO_CLOSE, reason=reason, outlook=outlook)


def _broken(case: Case, verdict: Verdict, seeds: int) -> bool:
    """Whether the detector of a claim failed, and fails in the same way with so many seeds."""
    failure = verdict.failure
    return failure is not None and fails_alike(
        failure, case.claim, case.datasets, case.detector, seeds
    )


def detector_of(claim: Claim, detectors: Mapping[str, type[Detector]]) -> Detector:
    """The detector that a claim names, with the claim's options.

    Raises:
        UnknownNameError: nobody registered the detector.
        OptionsError: the detector does not take these options.
        PluginFailure: the detector's class raised another error.
    """
    try:
        kind = detectors[claim.detector.name]
    except KeyError:
        raise UnknownNameError(
            f"claim {claim.name!r}: there is no detector {claim.detector.name!r}; "
            f"{nearest(claim.detector.name, detectors)}"
        ) from None
    with guard(f"detector {claim.detector.name!r}", OptionsError):
        return kind.from_options(claim.detector.options)
