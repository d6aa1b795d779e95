"""A claim's rule and a detector's finding give a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import xarray as xr

from grokbench.claims.asking import copied, find, owner_of
from grokbench.claims.deciding import decide
from grokbench.claims.selection import first_seeds, seeds_trained, selected, statuses
from grokbench.claims.verdict import Outcome, Verdict
from grokbench.claims.words import number, percent, rule_in_prose
from grokbench.errors import NotEnoughDataError, OutOfReachError, PluginFailure
from grokbench.phenomena.base import Detector, Finding
from grokbench.plugins import guard
from grokbench.record import Status
from grokbench.statistics.intervals import CONFIDENCE, Interval
from grokbench.suite.model import Claim, Rule


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
        of seeds on this grid can test the claim, and every run has finished or diverged. UNDECIDED otherwise: when the interval contains
        the bound, when the detector had too little data, when it failed (it raised another error,
        or its finding is malformed), when it used fewer seeds than the claim asks for, or when it
        reports more seeds than were trained. Cells without a finished run are left out, and the
        reason counts them.
    """
    return Case(claim, datasets, detector).judged(confidence)


@dataclass(frozen=True, eq=False)
class Case:
    """A claim with the datasets of its experiments and its detector.

    Everything that does not depend on the confidence is computed once. So the datasets must not change.
    """

    claim: Claim
    datasets: Mapping[str, xr.Dataset]
    detector: Detector
    _findings: dict[float, Finding] = field(default_factory=dict, init=False)

    def first(self, seeds: Sequence[int]) -> Case:
        """The case with the runs of some seeds only."""
        return Case(self.claim, first_seeds(self.datasets, seeds), self.detector)

    def judged(self, confidence: float = CONFIDENCE) -> Verdict:
        """The verdict at a confidence; see `judge`."""
        return replace(self._judged(confidence), detector=self.detector)

    def _judged(self, confidence: float) -> Verdict:
        claim = self.claim
        absent = [name for role, name in claim.experiments.items() if role not in self.datasets]
        if absent:
            reason = f"no results of {', '.join(absent)}"
            return Verdict(claim, Outcome.NOT_RUN, None, reason, whole=False)
        try:
            data = self._data
        except NotEnoughDataError as error:
            return Verdict(claim, Outcome.UNDECIDED, None, str(error))
        for role, dataset in data.items():
            if not bool((dataset["status"].to_numpy() == Status.DONE).any()):
                waits = bool((dataset["status"].to_numpy() == Status.NOT_RUN).any())
                what = (
                    "no finished run in" if waits else "all runs have ended, and none succeeded, in"
                )
                reason = f"{what} {claim.experiments[role]}{_missing([dataset])}"
                return Verdict(claim, Outcome.NOT_RUN, None, reason, whole=False)
        missing = self._missing
        try:
            finding, wider = self._found(CONFIDENCE), self._found(confidence)
        except NotEnoughDataError as error:
            lost = _counted(data.values()).keys() & {Status.NOT_RUN, Status.FAILED}
            reachable = lost or not isinstance(error, OutOfReachError)
            outcome = Outcome.UNDECIDED if reachable else Outcome.OUT_OF_REACH
            return Verdict(claim, outcome, None, f"{error}{missing}", whole=not missing)
        except PluginFailure as failure:  # the mistake must not cost the other verdicts
            return failed(claim, failure, whole=not missing)
        outcome, because = decide(claim, finding, self._trained)
        if outcome.decided and confidence > CONFIDENCE:
            # Both intervals must decide, and decide alike: a plugin's wider interval need not contain
            # its narrower one.
            corrected, _ = decide(claim, replace(wider, effect=finding.effect), self._trained)
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

    def _found(self, confidence: float) -> Finding:
        if confidence not in self._findings:
            self._findings[confidence] = find(self.claim, self._asked, self._given, confidence)
        return self._findings[confidence]

    @cached_property
    def _asked(self) -> Detector:
        with guard(owner_of(self.claim)):
            return self.detector.remembering()

    @cached_property
    def _data(self) -> dict[str, xr.Dataset]:
        return selected(self.claim, self.datasets)

    @cached_property
    def _given(self) -> dict[str, xr.Dataset]:
        """What the detector is given, at every confidence; no other claim sees what it does to this."""
        return copied(self._data)

    @cached_property
    def _missing(self) -> str:
        return _missing(self._data.values())

    @cached_property
    def _trained(self) -> int:
        return seeds_trained(self._data.values())


def failed(claim: Claim, failure: PluginFailure, *, whole: bool = True) -> Verdict:
    """The verdict on a claim whose detector failed."""
    return Verdict(claim, Outcome.UNDECIDED, None, str(failure), whole=whole, failure=failure)


def _only_alone(alone: Outcome, rule: Rule, confidence: float, wider: Finding) -> str:
    """Why a claim that its 95 % interval decides is undecided among the other claims."""
    return (
        f"would be {alone.description} by its {percent(CONFIDENCE)} interval alone, but not by the "
        f"{percent(confidence)} interval that the suite's claims together need "
        f"({number(wider.low)} to {number(wider.high)}; rule {rule_in_prose(rule)}): "
    )


def _missing(datasets: Iterable[xr.Dataset]) -> str:
    """` (3 of 60 runs are left out: 2 not run, 1 diverged)`, or "" when all runs are done."""
    counts = _counted(datasets)
    left_out = [
        f"{counts[status]} {status.name.lower().replace('_', ' ')}"
        for status in Status
        if status is not Status.DONE and counts[status]
    ]
    if not left_out:
        return ""
    total = counts.total()
    return f" ({total - counts[Status.DONE]} of {total} runs are left out: {', '.join(left_out)})"


def _counted(datasets: Iterable[xr.Dataset]) -> Counter[Status]:
    """How many runs of all datasets have each status; a status that no run has is left out."""
    counts: Counter[Status] = Counter()
    for dataset in datasets:
        counts += statuses(dataset)
    return counts
