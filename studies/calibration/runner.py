"""Simulates, applies detectors and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from scipy import stats

from grokbench.errors import NotEnoughDataError
from grokbench.plugins import Plugins
from grokbench.statistics.intervals import CONFIDENCE
from grokbench.suite.model import Rule
from studies.calibration.trial import Scenario
from studies.calibration.trials import TRIALS

SEEDS = (3, 5, 11, 30)
PAPER_SEEDS = 11

CLAIMS = 14
"""The number of claims in `suites/paper-fixed.toml`. Power is also measured at a confidence of 1 - 0.05/14, a
little more than the first decision among them needs (`grokbench.claims.errors`)."""


@dataclass(frozen=True)
class Rate:
    """A count of simulations."""

    count: int
    simulations: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Clopper and Pearson (1934)."""
        found = stats.binomtest(self.count, self.simulations).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        """In per cent: `5.0 (1.6–11.3)`."""
        low, high = self.interval
        return f"{100 * self.count / self.simulations:.1f} ({100 * low:.1f}–{100 * high:.1f})"


@dataclass(frozen=True)
class Batch:
    """The simulations behind one number of the tables."""

    trial: int
    """Its index in `TRIALS`."""
    phenomenon: bool
    seeds: int
    simulations: int
    claims: int = 1
    """The number of claims that the confidence is corrected for."""

    @property
    def confidence(self) -> float:
        return 1 - (1 - CONFIDENCE) / self.claims

    def rate(self) -> Rate:
        """How often the rule calls the claim reproduced."""
        trial = TRIALS[self.trial]
        scenario, rule = trial.case(phenomenon=self.phenomenon)
        detector = _detectors()[trial.detector].from_options(trial.options).at(self.confidence)
        # Batches with other seeds or another scenario share no random numbers.
        first = 10**6 * (1 + self.phenomenon) + 10**4 * self.seeds
        counts = (
            reproduced(detector, rule, scenario, self.seeds, first + number)
            for number in range(self.simulations)
        )
        return Rate(sum(counts), self.simulations)


def reproduced(detector: Any, rule: Rule, scenario: Scenario, seeds: int, number: int) -> bool:
    """Whether the rule calls the claim reproduced in one simulation."""
    try:
        finding = detector.find(scenario.simulate(seeds, number))
    except NotEnoughDataError:
        return False
    if rule.at_least is not None:
        return bool(finding.low > rule.at_least)
    assert rule.at_most is not None
    return bool(finding.high < rule.at_most)


@cache
def _detectors() -> Mapping[str, Any]:
    return Plugins.load().detectors


def batches(only: Sequence[str], seeds: Sequence[int], simulations: int) -> Iterator[Batch]:
    """Every batch of the chosen detectors or rows (of all, if none is named).

    `simulations` is their number for false positives at 11 seeds, a third of it for power at 11 seeds
    and a sixth for everything else: the tables are read at 11 seeds, the number of the paper.
    """
    for index, trial in enumerate(TRIALS):
        if only and not {trial.detector, trial.name} & set(only):
            continue
        for phenomenon in (False, True):
            for number in seeds:
                paper = number == PAPER_SEEDS
                share = 1 if paper and not phenomenon else 3 if paper else 6
                batch = Batch(index, phenomenon, number, max(simulations // share // trial.cost, 1))
                yield batch
                if paper and phenomenon:
                    yield replace(batch, claims=CLAIMS)


def rates(waiting: Sequence[Batch], jobs: int) -> Iterator[Rate]:
    """The rate of each batch, in order, computed in so many processes."""
    if jobs == 1:
        yield from map(Batch.rate, waiting)
    else:
        with ProcessPoolExecutor(jobs) as pool:
            yield from pool.map(Batch.rate, waiting)
