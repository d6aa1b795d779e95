"""How deep a curve of mean accuracy dips, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from grokbench.statistics.dips import (
    Curve,
    Groups,
    allowing,
    beyond,
    deepest,
    place,
    with_dip,
    without_dip,
)
from grokbench.statistics.intervals import CONFIDENCE, Floats, Interval
from grokbench.statistics.seed_variance import SeedVariance, credible, means
from grokbench.statistics.unseen import deepest_unseen

TAIL = (1 - CONFIDENCE) / 2
"""The share of draws beyond either end of an interval of 95 %."""


ROUNDS = 3
"""How often the curve that dips by just so much is fitted anew; the ends stand by then."""


@dataclass(frozen=True)
class Ends:
    """The interval of a depth, and how many standard errors of a leg each end allows for."""

    depth: Interval
    showing: float
    """By so many both legs of a dip exceed the lower end."""
    seeming: float
    """By so many both exceed the estimate."""
    hiding: float
    """By so many, zero or fewer, all dips of runs that were seen fall short of the upper end."""
    unseen: float
    """How deep a dip might be in runs of a kind that no seed shows: the least upper end."""


@dataclass(frozen=True)
class Dip:
    """How deep an experiment's curve dips, and where.

    `accuracy` is [sizes, seeds], with the sizes' `labels`. A dip is shown by any of `groups`, and may
    hide in those of `narrow`.
    """

    accuracy: Floats
    labels: tuple[str, ...]
    groups: Groups
    narrow: Groups

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """How deep the dip is; the estimate is zero or less every second time where nothing dips."""
        return self.ends(confidence).depth

    def ends(self, confidence: float = CONFIDENCE) -> Ends:
        """The interval, and what it rests on.

        Quantiles of what noise does are taken at 95 %, which the draws are enough for; a surer
        interval allows for as many standard errors more as Student's quantile is larger.
        """
        more = self._student(confidence) - self._student(CONFIDENCE)
        judged, showing = self._showing
        showing, hiding = max(0.0, showing + more), min(0.0, self._hiding - more)
        low = float(deepest(judged, self.groups, allowing(showing)))
        if more > 0:
            # Curves that do not dip vary otherwise than those that dip by just the end of 95 %.
            level, errors = self._showing_any
            low = min(low, float(deepest(level, self.groups, allowing(errors + more))))
        high = float(deepest(self.curve, self.narrow, allowing(hiding)))
        unseen = deepest_unseen(self.curve, self.narrow, self._runs, (1 - confidence) / 2)
        estimate, (_, seeming) = self.depth, self._seeming
        depth = Interval(
            estimate, max(min(low, estimate), -1.0), min(max(high, unseen, estimate), 1.0)
        )
        return Ends(depth, showing, seeming, hiding, unseen)

    @property
    def depth(self) -> float:
        """The estimate."""
        judged, errors = self._seeming
        return float(deepest(judged, self.groups, allowing(errors)))

    @cached_property
    def _seeming(self) -> tuple[Curve, float]:
        return self._shown(0.5, 0.0)

    @cached_property
    def _showing(self) -> tuple[Curve, float]:
        return self._shown(TAIL, self._student(CONFIDENCE))

    @cached_property
    def _showing_any(self) -> tuple[Curve, float]:
        return self._shown(TAIL, self._student(CONFIDENCE), rounds=1)

    def _shown(self, share: float, least: float, rounds: int = ROUNDS) -> tuple[Curve, float]:
        """The means as they vary, were there only as deep a dip as seems to be in so many draws.

        With it, by how many standard errors such dips are exceeded there; `least` at the fewest. In
        one round: were there none.
        """
        depth = 0.0
        for _ in range(rounds):
            truth = without_dip(self.curve, self.narrow, depth)
            seen = deepest(self._about(truth), self.groups, beyond(depth))
            errors = max(least, float(np.quantile(seen, 1 - share)))
            judged = self._if(truth)
            depth = float(deepest(judged, self.groups, allowing(errors)))
            if depth <= 0:
                break
        return judged, errors

    @cached_property
    def _hiding(self) -> float:
        """By how many standard errors, zero or fewer, all dips seem shallower than the deepest is.

        In as many draws as lie beyond the upper end. Where a dip can hide in one place only, Student's
        errors do. Where noise makes many, the deepest of them seldom falls so far short. Either leg
        may, so that each has half of the tail.
        """
        errors = -self._student(CONFIDENCE)
        for _ in range(ROUNDS):
            depth = min(1.0, float(deepest(self.curve, self.narrow, allowing(errors))))
            about = self._about(with_dip(self.curve, self.narrow, depth), as_seen=True)
            seen = deepest(about, self.narrow, beyond(depth))
            errors = min(0.0, float(np.quantile(seen, TAIL / 2)))
        return errors

    @cached_property
    def curve(self) -> Curve:
        """The means, and their variances were they the truth."""
        return self._if(means(self.accuracy))

    @property
    def seeds(self) -> int:
        """How many runs there are of the size with the fewest."""
        return int(self._runs.min())

    @property
    def _runs(self) -> Floats:
        return np.asarray((~np.isnan(self.accuracy)).sum(axis=1))

    def _student(self, confidence: float) -> float:
        """Student's quantile, as if every size had the harmonic mean of their runs."""
        return student(confidence, float(stats.hmean(self._runs)))

    @cached_property
    def _scatter(self) -> SeedVariance:
        return SeedVariance.of(self.accuracy)

    def _if(self, truth: Floats) -> Curve:
        """The means, with the variances that they have if `truth` ([sizes]) is so."""
        return Curve(means(self.accuracy), self._scatter.variance(truth))

    def _about(self, truth: Floats, *, as_seen: bool = False) -> Curve:
        """Curves as this one may have been if `truth` were so: [resamples, sizes].

        Their variances are those under `truth`, or under what was drawn.
        """
        made = self._scatter.drawn(truth)
        mean, scatter = means(made), SeedVariance.of(made)
        chance = mean - credible(truth, scatter.seeds)
        return Curve(truth + chance, scatter.variance(mean if as_seen else truth))

    @property
    def sizes(self) -> tuple[str, str, str]:
        """Where the curve peaks, dips and recovers, or comes nearest to it: `8–16` is a group."""
        peak, bottom, recovery = (self._name(group) for group in self._place)
        return peak, bottom, recovery

    @property
    def legs(self) -> tuple[float, float]:
        """How far the mean falls there into the dip, and rises out of it."""
        peak, bottom, recovery = self.groups.over(self.curve).mean[list(self._place)]
        return float(peak - bottom), float(recovery - bottom)

    @property
    def evidence(self) -> str:
        """What the seeds show, in words."""
        (peak, bottom, recovery), (fall, rise) = self.sizes, self.legs
        legs = (
            f"falls by {fall:z.2f} from size {peak} to {bottom} and rises by {rise:z.2f} "
            f"to {recovery}"
        ).replace("-", "−")
        if self.depth > 0:
            return f"mean accuracy {legs}"
        return f"no dip was found: what comes nearest {legs}, no more than noise does without a dip"

    @cached_property
    def _place(self) -> tuple[int, int, int]:
        return place(self.curve, self.groups, allowing(self._student(CONFIDENCE)))

    def _name(self, group: int) -> str:
        first, last = self.groups.start[group], self.groups.end[group] - 1
        return f"{self.labels[first]}–{self.labels[last]}" if last > first else self.labels[first]


def student(confidence: float, seeds: float) -> float:
    """Student's quantile for a two-sided interval, of a variance that three sizes' seeds tell of.

    Averaged 1-2-1 it has 8/3 times the degrees of freedom of one (Satterthwaite 1946).
    """
    return float(stats.t.ppf((1 + confidence) / 2, 8 / 3 * (seeds - 1)))
