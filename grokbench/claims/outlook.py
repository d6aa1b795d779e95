"""How many seeds an undecided claim is expected to take.

*Estimated*: the number of seeds with which the claim is decided if further seeds behave like those
seen, or that no number of seeds decides the claim on its grid, and why.

*Method*: Each seed is repeated r times under new labels. So the data have r times as many seeds with
the spread of those seen, and the detector is asked for its interval. r doubles until the interval
decides the claim; the number of seeds is then read off between the last two values of r. No random
number is drawn and no clock is read, so the same runs give the same answer. A plug-in estimate of
this kind is usual where a second stage of an experiment is planned from its first (internal pilot;
Wittes and Brittain 1990, Statistics in Medicine 9, 65-72).

*Assumptions*: The seeds seen are typical. With few seeds they often are not: docs/suites.md says how
often the answer was right in simulated experiments. The answer has no part in any verdict unless the
suite declares a futility stop.

Runs are independent trials, also runs of one seed, so the runs of each cell could be exchanged
between the seeds of a repetition. That was tried and gave the same quartiles as repeating whole
seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from grokbench.claims import words
from grokbench.claims.asking import copied, find
from grokbench.claims.deciding import decide
from grokbench.claims.errors import confidence_for, error_allowed
from grokbench.claims.selection import datasets_of, first_seeds, seeds_trained, selected
from grokbench.claims.verdict import Outcome, Outlook, Verdict
from grokbench.errors import NotEnoughDataError, OutOfReachError, PluginFailure
from grokbench.phenomena.base import Detector, Finding
from grokbench.record import Status
from grokbench.statistics.intervals import CONFIDENCE
from grokbench.statistics.spending import shares_of_error
from grokbench.suite.model import Claim, Suite

AT_MOST = 200
"""The most seeds that are tried. The time of the built-in detectors grows with the number of seeds:
a dip of 15 model sizes takes about ten milliseconds a seed."""

PATIENCE = (8, 64)
"""After so many repetitions, with so many seeds, an interval that is still infinite, or an error,
counts as lasting."""

SHRINKING = 0.9
"""With four times the seeds an interval becomes half as wide. From this share on it counts as
keeping its width."""


def seeds_expected(
    claim: Claim,
    datasets: Mapping[str, xr.Dataset],
    detector: Detector,
    confidence: float,
    at_most: int = AT_MOST,
) -> Outlook:
    """How many seeds a claim is expected to take, those that are trained included.

    Args:
        claim: the claim; its interval at this confidence does not decide it.
        datasets: one dataset for each role, [.., seed]; the claim's selection may have been applied.
        detector: the claim's detector, with its options.
        confidence: of the interval that must decide.
        at_most: the most seeds that are tried.
    """
    absent = [name for role, name in claim.experiments.items() if role not in datasets]
    if absent:
        return Outlook(None, words.no_outlook(f"{', '.join(absent)} has no results yet"))
    try:
        data = selected(claim, datasets)
    except NotEnoughDataError as error:
        return Outlook(None, words.no_seeds_decide(str(error)), hopeless=True)
    seen = {role: _with_runs(dataset) for role, dataset in data.items()}
    fewest = min(dataset.sizes["seed"] for dataset in seen.values())
    if fewest < 2:
        trained = "no seed is" if fewest == 0 else "only one seed is"
        why = f"{trained} trained, and a spread takes two"
        return Outlook(None, words.no_outlook(why))
    return _climb(_Ladder(claim, seen, detector, confidence), at_most)


def fails_alike(
    failure: PluginFailure,
    claim: Claim,
    datasets: Mapping[str, xr.Dataset],
    detector: Detector,
    seeds: int,
) -> bool:
    """Whether a detector that failed fails in the same way with more seeds: each is repeated.

    Then the failure is a mistake in the detector, and not a lack of data.

    Args:
        failure: how the detector failed on `datasets`.
        claim, datasets, detector: as for `seeds_expected`.
        seeds: about how many seeds the detector is shown.
    """
    ladder = _Ladder(claim, selected(claim, datasets), detector, CONFIDENCE)
    again = ladder.rung(max(2, -(-seeds // ladder.most))).error
    return isinstance(again, PluginFailure) and failure.kind == again.kind


def with_outlooks(
    suite: Suite, tree: xr.DataTree, verdicts: Iterable[Verdict]
) -> tuple[Verdict, ...]:
    """Add to the verdict of each undecided claim what deciding the claim would take.

    `score` does not do this by itself, because a detector is asked several times for each undecided
    claim, with more seeds than were trained: for the stored results of this repository, two to seven
    seconds in all.

    Args:
        suite: the suite with the claims.
        tree: the results that were judged.
        verdicts: what `score` returned for them.

    Returns:
        The verdicts in their order, with `outlook` and a second sentence in `reason`. Verdicts on
        decided claims, on claims without runs and on claims out of reach stay as they are, and so do
        those whose reason already says the same, after a futility stop or a failure of the detector.
    """
    judged = list(verdicts)
    undecided = sum(not verdict.outcome.decided for verdict in judged)
    return tuple(_with_outlook(suite, tree, verdict, undecided) for verdict in judged)


def _with_outlook(suite: Suite, tree: xr.DataTree, verdict: Verdict, undecided: int) -> Verdict:
    open_ = verdict.outcome in (Outcome.UNDECIDED, Outcome.TOO_CLOSE)
    asked = verdict.outlook is not None or verdict.failure is not None
    if not open_ or verdict.detector is None or asked:
        return verdict
    datasets, sequential = datasets_of(verdict.claim, tree), suite.sequential
    share = 1.0
    if sequential is not None:
        # The interval that decides next is that of the next look, or of one more like the last.
        looks, taken = sequential.looks, len(verdict.looks)
        share = shares_of_error(looks, sequential.spending)[min(taken, len(looks) - 1)]
        if taken:
            datasets = first_seeds(datasets, sequential.seeds[: verdict.looks[-1].seeds])
    confidence = confidence_for(share * error_allowed(undecided))
    outlook = seeds_expected(verdict.claim, datasets, verdict.detector, confidence)
    if sequential is not None and (outlook.seeds or 0) > sequential.looks[-1]:
        reason = f"{outlook.reason} {words.looks_end(sequential.looks[-1])}"
        outlook = replace(outlook, reason=reason)
    return replace(verdict, outlook=outlook, reason=f"{verdict.reason}. {outlook.reason}")


@dataclass(frozen=True, eq=False)
class _Rung:
    """What the detector says of the seeds when each is repeated.

    Attributes:
        seeds: the number of seeds of an experiment.
        finding: None where the detector found nothing to say; `error` is then what it raised.
        outcome: by the finding.
        because: why the finding does not decide the claim.
    """

    claim: Claim
    seeds: int
    finding: Finding | None
    error: NotEnoughDataError | PluginFailure | None
    outcome: Outcome
    because: str = ""

    @property
    def decides(self) -> bool:
        return self.outcome.decided

    def gap(self, outcome: Outcome) -> float:
        """How far the end of the interval lies beyond the rule's bound, in favour of `outcome`."""
        if self.finding is None:
            return -math.inf
        above = self.claim.rule.at_least is not None
        if above == (outcome is Outcome.REPRODUCED):
            return self.finding.low - self._bound
        return self._bound - self.finding.high

    @property
    def contains_bound(self) -> bool:
        """Whether the interval has the rule's bound inside, so that it is too wide."""
        return all(self.gap(one) < 0 for one in (Outcome.REPRODUCED, Outcome.NOT_REPRODUCED))

    @property
    def distance(self) -> float:
        """From the effect to the end of the interval that lies beyond the rule's bound; or ∞."""
        if self.finding is None:
            return math.inf
        return self.finding.effect - self.end if self.low_counts else self.end - self.finding.effect

    @property
    def end(self) -> float:
        """The end of the interval that keeps the claim undecided."""
        assert self.finding is not None
        return self.finding.low if self.low_counts else self.finding.high

    @property
    def low_counts(self) -> bool:
        """Whether the effect lies above the bound, so that the lower end decides."""
        return self.finding is not None and self.finding.effect >= self._bound

    @property
    def _bound(self) -> float:
        rule = self.claim.rule
        if rule.at_least is not None:
            return rule.at_least
        assert rule.at_most is not None
        return rule.at_most


@dataclass(frozen=True, eq=False)
class _Ladder:
    """A claim's data with each seed repeated more and more often."""

    claim: Claim
    seen: Mapping[str, xr.Dataset]
    detector: Detector
    confidence: float

    @cached_property
    def most(self) -> int:
        """The number of seeds of the experiment that has the most."""
        return max(int(dataset.sizes["seed"]) for dataset in self.seen.values())

    def rung(self, times: int) -> _Rung:
        """Every seed of the largest experiment `times` times; the others get about as many seeds."""
        data = self.seen if times == 1 else self._repeated(times)
        seeds = self.most * times
        try:
            finding = find(self.claim, self.detector, copied(data), self.confidence)
        except (NotEnoughDataError, PluginFailure) as error:
            return _Rung(self.claim, seeds, None, error, Outcome.UNDECIDED)
        outcome, because = decide(self.claim, finding, seeds_trained(data.values()))
        if outcome.decided and times > 1 and finding.low == finding.high:
            # Copies of a single run have no spread. They show nothing of further seeds.
            outcome, because = Outcome.UNDECIDED, "the runs seen show no spread"
        return _Rung(self.claim, seeds, finding, None, outcome, because)

    def _repeated(self, times: int) -> dict[str, xr.Dataset]:
        labels = np.concatenate([dataset["seed"].to_numpy() for dataset in self.seen.values()])
        # The same seed has the same label in every experiment, so that runs that two experiments
        # share are still shared.
        stride = int(labels.max() - labels.min()) + 1
        copies = {id(dataset): dataset for dataset in self.seen.values()}
        repeated = {
            key: _repeat(dataset, max(1, round(times * self.most / dataset.sizes["seed"])), stride)
            for key, dataset in copies.items()
        }
        return {role: repeated[id(dataset)] for role, dataset in self.seen.items()}


def _climb(ladder: _Ladder, at_most: int) -> Outlook:
    rungs = [ladder.rung(1)]
    times = 1
    while not rungs[-1].decides:
        last = rungs[-1]
        if isinstance(last.error, PluginFailure):
            return Outlook(None, words.no_outlook(str(last.error)))
        if isinstance(last.error, OutOfReachError) or _lasting(rungs) or last.seeds >= at_most:
            return _never(ladder, rungs, at_most)
        times *= 2
        rungs.append(ladder.rung(times))
    seeds = rungs[0].seeds if len(rungs) == 1 else _between(ladder, rungs, times)
    if seeds > at_most:
        return Outlook(None, words.seeds_decide(seeds, at_most), hopeless=True)
    return Outlook(seeds, words.seeds_decide(seeds))


def _between(ladder: _Ladder, rungs: list[_Rung], times: int) -> int:
    """The number of seeds that decides, between the last two rungs."""
    before, after = rungs[-2:]
    gaps = before.gap(after.outcome), after.gap(after.outcome)
    if math.isfinite(gaps[0]) and gaps[0] < 0 <= gaps[1] < math.inf:
        # The width of an interval goes with one over the root of the number of seeds, so on this
        # scale its end moves along a line.
        roots = 1 / math.sqrt(before.seeds), 1 / math.sqrt(after.seeds)
        root = roots[0] + (roots[1] - roots[0]) * gaps[0] / (gaps[0] - gaps[1])
        return max(before.seeds + 1, math.ceil(1 / root**2 - 1e-9))
    low, high = times // 2, times
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ladder.rung(middle).decides else (middle, high)
    return ladder.most * high


def _lasting(rungs: list[_Rung]) -> bool:
    """Whether further repetitions would change nothing."""
    repetitions, seeds = PATIENCE
    if len(rungs) <= math.log2(repetitions) or rungs[-1].seeds < seeds:
        return False
    earlier, last = rungs[-3], rungs[-1]
    if math.isinf(last.distance):
        return math.isinf(earlier.distance)
    same_end = earlier.low_counts == last.low_counts
    return same_end and earlier.distance * 0.98 <= last.distance


def _never(ladder: _Ladder, rungs: list[_Rung], at_most: int) -> Outlook:
    """Why no number of seeds that was tried decides the claim."""
    last = rungs[-1]
    if last.error is not None:
        missing = _cells_without_runs(ladder.seen.values())
        if missing:
            return Outlook(None, words.no_outlook(f"{missing}, and {last.error}"))
        return Outlook(None, words.no_seeds_decide(str(last.error)), hopeless=True)
    assert last.finding is not None
    if not last.contains_bound:
        return Outlook(None, words.no_seeds_decide(last.because.removesuffix(": ")), hopeless=True)
    if math.isinf(last.distance):
        side = "lower" if last.end < 0 else "upper"
        why = f"even with {last.seeds} such seeds the interval has no {side} end"
        return Outlook(None, words.no_seeds_decide(why), hopeless=True)
    why = (
        f"with {last.seeds} such seeds the interval still reaches from the effect, "
        f"{words.number(last.finding.effect)}, to {words.number(last.end)} "
        f"(rule {words.rule_in_prose(ladder.claim.rule)})"
    )
    if len(rungs) > 2 and last.distance >= SHRINKING * rungs[-3].distance:
        return Outlook(
            None, words.no_seeds_decide(f"{why}, and more make it no narrower"), hopeless=True
        )
    return Outlook(None, words.more_seeds_than(at_most, why), hopeless=True)


def _with_runs(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset without the seeds of which no run is finished."""
    done = dataset["status"] == int(Status.DONE)
    some = done.any([name for name in done.dims if name != "seed"]).to_numpy()
    return dataset if some.all() else dataset.isel(seed=np.flatnonzero(some))


def _cells_without_runs(datasets: Iterable[xr.Dataset]) -> str:
    """`14 of 30 cells have no finished run`, or "" where each cell has one."""
    cells = empty = 0
    for dataset in datasets:
        done = (dataset["status"] == int(Status.DONE)).any("seed").to_numpy()
        cells, empty = cells + done.size, empty + int((~done).sum())
    return f"{empty} of {cells} cells have no finished run" if empty else ""


def _repeat(dataset: xr.Dataset, times: int, stride: int) -> xr.Dataset:
    """The dataset with every seed `times` times; the labels of each repetition are moved."""
    labels = dataset["seed"].to_numpy()
    again = dataset.isel(seed=np.tile(np.arange(len(labels)), times))
    moved = (labels + stride * np.arange(times)[:, None]).ravel()
    return again.assign_coords(seed=("seed", moved, dataset["seed"].attrs))
