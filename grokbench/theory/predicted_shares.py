"""What share of a cell's runs shows each dynamic, predicted by the two curves and by baselines.

The theory (Huang et al. 2024, § 3, Fig. 1) in probabilities, for a run with D examples:

    memorizes      M = F((log2 capacity - log2 D) / width)
    generalizes    G = F((log2 D - log2 critical data size) / scale), for a run that memorizes

with F the logistic distribution function. Then the dynamics have the shares

| dynamic | share |
| --- | --- |
| progression (or `none`, see below) | 1 - M |
| ungrokking | M (1 - G) |
| grokking | M G |

*Semi-grokking is a property of a cell, not of a run.* Near the critical data size some runs of a
cell generalize and others do not, so that the mean over seeds, which is what the paper shows, lies
between: `zone_of` calls a cell semi-grokking if the share G of its memorizing runs does. A single
run that ends between the thresholds, at the accuracy a, counts as the part a of a run that grokked
and the part 1 - a of a run that did not.

*What is measured where.* The capacity curve comes from the experiment on random labels. Level,
slope and scale of the critical curve, and the width of the capacity, come from the runs of the
critical experiment, each run one trial. A run that neither memorized nor generalized (`none`) is a
progression that has not begun by the last step: the paper says that progression begins earlier or
later depending on the seed (Fig. 5). Their share among runs that did not memorize first is that of
the critical experiment.

*No run predicts itself.* A cell that has runs in common with the critical experiment is predicted
without all runs of that cell, by the theory and by every baseline.

The baselines know the same runs of the critical experiment, and no other run of the target:

| baseline | its shares in a cell |
| --- | --- |
| all dynamics equally | 1/4 each |
| the shares overall | those of all runs |
| data size alone | those at the same data size, interpolated between data sizes |
| model size alone | those at the same model size, interpolated between model sizes |
| the capacity curve alone | M as above, and one G for all cells |
| the critical curve alone | G as above, and one M for all cells |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import expit

from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.readout import canonical, classify, log2_parameters, of_part, single_curve
from grokbench.readout.capacity import memorization
from grokbench.readout.dynamics import Dynamic, Thresholds
from grokbench.statistics.intervals import Bools, Floats
from grokbench.statistics.line_posterior import (
    GridPosterior,
    LinePrior,
    Normal,
    line_posterior,
    log_likelihood,
)
from grokbench.theory.capacity_curve import CapacityCurve, capacity_curve
from grokbench.theory.critical_curve import LEVEL_DEVIATION, SLOPE_DEVIATION
from grokbench.theory.mirrors import pairs_of
from grokbench.theory.zones import CurveOptions

OUTCOMES = (Dynamic.NONE, Dynamic.PROGRESSION, Dynamic.UNGROKKING, Dynamic.GROKKING)
"""What a run counts as, in the order in which shares are given."""

NONE, PROGRESSION, UNGROKKING, GROKKING = range(4)

BASELINES = (
    "all dynamics equally",
    "the shares overall",
    "data size alone",
    "model size alone",
    "the capacity curve alone",
    "the critical curve alone",
)
"""In the order in which shares are given. The names occur in verdicts."""

SCALE = Normal(float(np.log2(0.15)), 1.0)
"""Prior of log2 of the critical curve's scale (doublings of data): 0.15, half or twice as much. In
results/quick-fixed and in Fig. 3 the share of runs that generalize rises within half a doubling."""

WIDTHS = 2.0 ** np.arange(-6, 3.01, 0.5)
"""The widths of the capacity that are tried, in doublings of data."""

WIDTH = Normal(float(np.log2(0.2)), 1.5)
"""Prior of log2 of this width."""

GROUPS = 20
"""Into how many groups the runs of the critical experiment are dealt for the jackknife."""


@dataclass(frozen=True, eq=False)
class Observed:
    """The runs of an experiment, counted."""

    data: xr.Dataset
    """One part of the experiment, sorted."""
    dynamics: npt.NDArray[np.int8]
    """Values of `Dynamic`, [sizes, data sizes, seeds]."""
    outcomes: Floats
    """The part of each run that counts as each of OUTCOMES, [sizes, data sizes, seeds, outcomes]; 0
    for a run whose dynamic or whose number of parameters is not known."""

    @property
    def known(self) -> Bools:
        """[sizes, data sizes, seeds]"""
        return np.asarray(self.outcomes.any(axis=-1))

    @property
    def counts(self) -> Floats:
        """How many runs of each cell showed each outcome, [cells, outcomes], sizes outermost."""
        return np.asarray(self.outcomes.sum(axis=2).reshape(-1, len(OUTCOMES)))

    @property
    def seeds(self) -> int:
        """How many seeds have a run that counts."""
        return int(self.known.any(axis=(0, 1)).sum())

    @property
    def sizes(self) -> Floats:
        """log2 of the parameters in each cell, [cells]; 0 where not known, and no run counts."""
        found = np.nan_to_num(log2_parameters(self.data))
        return np.repeat(found, self.data.sizes["data_size"])

    @property
    def data_sizes(self) -> Floats:
        """log2 of the data size in each cell, [cells]."""
        found = np.log2(self.data["data_size"].to_numpy().astype(float))
        return np.tile(found, self.data.sizes["model_size"])


def observed(dataset: xr.Dataset, options: Thresholds) -> Observed:
    """Classify the runs of an experiment, and count them.

    Raises:
        NotEnoughDataError: an unknown part, or more than one value of a swept field.
    """
    data = single_curve(
        of_part(canonical(dataset), options.part), "model_size", "data_size", "seed"
    )
    # `data` has one part only, so the thresholds name none.
    given = {name: getattr(options, name) for name in Thresholds.model_fields if name != "part"}
    runs = classify(data, Thresholds(**given)).transpose("model_size", "data_size", "seed", ...)
    dynamics = runs["dynamic"].to_numpy()
    outcomes = np.stack([dynamics == int(one) for one in OUTCOMES], axis=-1).astype(float)
    partly = dynamics == int(Dynamic.SEMI_GROKKING)
    accuracy = np.clip(runs["final_accuracy"].to_numpy()[partly], 0, 1)
    outcomes[partly, GROKKING], outcomes[partly, UNGROKKING] = accuracy, 1 - accuracy
    outcomes[np.isnan(log2_parameters(data))] = 0
    return Observed(data, dynamics, outcomes)


def zone_of(shares: Floats, options: Thresholds) -> npt.NDArray[np.int8]:
    """The zone of each cell, values of `Dynamic`, from the shares of its runs, [..., outcomes].

    Progression, if at most half of the runs memorize first (`none`, if most of these have not begun
    to generalize). Otherwise the share of the memorizing runs that generalize decides: ungrokking
    below `generalizing_at`, grokking from `generalized_at` on, semi-grokking between.
    """
    memorizing = shares[..., UNGROKKING] + shares[..., GROKKING]
    total = shares.sum(axis=-1)
    generalizing = shares[..., GROKKING] / np.where(memorizing > 0, memorizing, 1)
    return np.select(
        [
            total == 0,
            (2 * memorizing <= total) & (shares[..., NONE] > shares[..., PROGRESSION]),
            2 * memorizing <= total,
            generalizing < options.generalizing_at,
            generalizing < options.generalized_at,
        ],
        [
            int(one)
            for one in (
                Dynamic.UNKNOWN,
                Dynamic.NONE,
                Dynamic.PROGRESSION,
                Dynamic.UNGROKKING,
                Dynamic.SEMI_GROKKING,
            )
        ],
        int(Dynamic.GROKKING),
    ).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Shares:
    """Predicted shares of the dynamics in each cell of a target."""

    theory: Floats
    """[cells, outcomes]"""
    baselines: Floats
    """[baselines, cells, outcomes], in the order of BASELINES."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """Predicts a target's shares from the random labels and the runs of the critical experiment."""

    fitted: Observed
    """The critical experiment."""
    target: Observed
    left_out: npt.NDArray[np.int64]
    """For each cell of the target, the cell of the critical experiment with the same runs; -1 if
    there is none. [cells]"""
    curve: CapacityCurve
    capacities: tuple[Floats, Floats]
    """log2 of the number of examples that models memorize: in the cells of the critical experiment
    and in those of the target. The first row is the estimate, the others leave a seed out;
    [1 + seeds, cells]."""
    line: GridPosterior
    """Of the critical curve."""

    def shares(self) -> Shares:
        """The predicted shares, from all runs."""
        return self._shares(self.fitted.counts, 0)

    def without_runs(self) -> Iterator[Shares]:
        """The predicted shares without each group of runs of the critical experiment.

        A run is one trial, so the groups are made of runs, not of seeds; neighbouring runs go to
        different groups.
        """
        runs = self.fitted.outcomes.reshape(len(self.fitted.sizes), -1, len(OUTCOMES))
        cells, places = np.nonzero(runs.any(axis=-1))
        groups = min(GROUPS, len(cells))
        for group in range(groups):
            gone = np.zeros_like(self.fitted.counts)
            mine = slice(group, None, groups)
            np.add.at(gone, cells[mine], runs[cells[mine], places[mine]])
            yield self._shares(np.maximum(self.fitted.counts - gone, 0), 0)

    def without_random_labels(self) -> Iterator[Shares]:
        """The predicted shares without each seed of the experiment on random labels."""
        for row in range(1, len(self.capacities[0])):
            yield self._shares(self.fitted.counts, row)

    def _shares(self, counts: Floats, row: int) -> Shares:
        own = self.left_out
        without = counts.sum(axis=0) - np.where(own[:, None] >= 0, counts[own], 0)
        memorizing = self._memorizing(row).predict(
            np.stack([counts[:, :UNGROKKING].sum(axis=1), counts[:, UNGROKKING:].sum(axis=1)], -1),
            own,
        )
        generalizing = self.line.predict(counts[:, UNGROKKING:], own)
        # The prior of a share is half a run of each kind. Only the share of runs that have not
        # begun is 0 if no run tells: the theory says progression.
        late = without[:, NONE] / (without[:, NONE] + without[:, PROGRESSION] + 1)
        first = without[:, UNGROKKING] + without[:, GROKKING]
        any_memorizing = (first + 0.5) / (without.sum(axis=1) + 1)
        any_generalizing = (without[:, GROKKING] + 0.5) / (first + 1)
        overall = (without + 1 / len(OUTCOMES)) / (without.sum(axis=1, keepdims=True) + 1)
        fitted, target = self.fitted, self.target
        return Shares(
            _joined(memorizing, generalizing, late),
            np.stack(
                [
                    np.full_like(overall, 1 / len(OUTCOMES)),
                    overall,
                    _along(fitted.data_sizes, target.data_sizes, counts, own, overall),
                    _along(fitted.sizes, target.sizes, counts, own, overall),
                    _joined(memorizing, any_generalizing, late),
                    _joined(any_memorizing, generalizing, late),
                ]
            ),
        )

    def _memorizing(self, row: int) -> GridPosterior:
        """The posterior of the capacity's width, given a capacity curve."""
        error = self._capacity_errors()
        fitted, target = (
            (capacities[row] - of.data_sizes) / np.hypot(WIDTHS[:, None], errors)
            for capacities, of, errors in zip(
                self.capacities, (self.fitted, self.target), error, strict=True
            )
        )
        return GridPosterior(
            WIDTH.log_density(np.log2(WIDTHS)), log_likelihood(fitted), expit(target)
        )

    def _capacity_errors(self) -> tuple[Floats, Floats]:
        """Standard errors of the capacities, as scales of a logistic distribution, [cells].

        The standard deviation of the logistic distribution is π/√3 times its scale.
        """
        first, second = (
            np.sqrt((len(rows) - 2) / (len(rows) - 1) * ((rows[1:] - rows[1:].mean(0)) ** 2).sum(0))
            for rows in self.capacities
        )
        return np.sqrt(3) / np.pi * first, np.sqrt(3) / np.pi * second


def predictor(
    memorization: xr.Dataset, critical: xr.Dataset, target: xr.Dataset, options: CurveOptions
) -> Predictor:
    """Measure what the theory and the baselines predict a target from.

    Raises:
        NotEnoughDataError: too few runs to measure the curves.
        OutOfReachError: no run of the critical experiment generalizes after it memorized, or all
            models know all random labels, so that the grid holds no curve to measure.
    """
    fitted = observed(critical, options)
    aim = fitted if critical is target else observed(target, options)
    _check_capacity_within_reach(memorization, options.saturated_at)
    memorized_pairs, pairs = pairs_of(memorization, aim.data)
    curve = capacity_curve(memorization, memorized_pairs, options.saturated_at)
    _check_critical_curve_within_reach(fitted, options)
    capacities = tuple(curve.at(of.sizes, pairs).rows[: 1 + curve.seeds] for of in (fitted, aim))
    sizes, data_sizes = fitted.sizes, fitted.data_sizes
    middle = float((data_sizes.min() + data_sizes.max()) / 2)
    prior = LinePrior(Normal(middle, LEVEL_DEVIATION), Normal(0.0, SLOPE_DEVIATION), SCALE)
    line = line_posterior(
        (sizes, data_sizes),
        (aim.sizes, aim.data_sizes),
        fitted.counts[:, UNGROKKING:],
        prior,
    )
    return Predictor(
        fitted, aim, _cells_in_common(fitted, aim), curve, (capacities[0], capacities[1]), line
    )


def _joined(memorizing: Floats, generalizing: Floats, late: Floats) -> Floats:
    """Shares of OUTCOMES, from the chances to memorize, to generalize then, and to be late."""
    return np.stack(
        [
            (1 - memorizing) * late,
            (1 - memorizing) * (1 - late),
            memorizing * (1 - generalizing),
            memorizing * generalizing,
        ],
        axis=-1,
    )


def _along(
    fitted: Floats, target: Floats, counts: Floats, left_out: npt.NDArray[np.int64], prior: Floats
) -> Floats:
    """Shares by one coordinate alone, [target's cells, outcomes].

    At each value of the coordinate, the prior counts as one run. Between the values, shares are
    interpolated; beyond them, they stay.

    Args:
        fitted, target: the coordinate of each cell of the critical experiment, and of the target.
        counts: of the critical experiment's runs, [cells, outcomes].
        left_out: the cell of the critical experiment that a target's cell must not use, or -1.
        prior: shares for each cell of the target, [target's cells, outcomes].
    """
    values, place = np.unique(fitted, return_inverse=True)
    total = np.zeros((len(values), len(OUTCOMES)))
    np.add.at(total, place, counts)
    found = np.empty_like(prior)
    for cell, (at, own) in enumerate(zip(target, left_out, strict=True)):
        known = total.copy()
        if own >= 0:
            known[place[own]] -= counts[own]
        runs = known.sum(axis=1)
        shares = (known + prior[cell]) / (runs + 1)[:, None]
        there = runs > 1e-9
        if not there.any():
            found[cell] = prior[cell]
            continue
        found[cell] = [np.interp(at, values[there], share) for share in shares[there].T]
    return found


def _cells_in_common(fitted: Observed, target: Observed) -> npt.NDArray[np.int64]:
    """For each cell of the target, the fitted cell that has a run in common with it, or -1.

    Without run ids: the same cell if the two datasets are equal, else none.
    """
    cells = np.full(len(target.sizes), -1)
    if fitted is target:
        return np.arange(len(cells))
    if "run_id" not in fitted.data or "run_id" not in target.data:
        same = fitted.data.equals(target.data)
        return np.arange(len(cells)) if same else cells
    grid = ("model_size", "data_size", "seed")
    theirs, ours = (
        one.data["run_id"].transpose(*grid).to_numpy().astype(str) for one in (fitted, target)
    )
    where = {
        identity: cell
        for cell, row in enumerate(_by_cell(theirs, fitted.known))
        for identity in row
        if identity
    }
    for cell, row in enumerate(_by_cell(ours, target.known)):
        cells[cell] = next((where[one] for one in row if one in where), -1)
    return cells


def _by_cell(run_ids: npt.NDArray[np.str_], known: Bools) -> list[list[str]]:
    """The ids of the runs that count, for each cell."""
    ids = np.where(known, run_ids, "")
    rows: list[list[str]] = ids.reshape(-1, ids.shape[-1]).tolist()
    return rows


def _check_capacity_within_reach(random_labels: xr.Dataset, saturated_at: float) -> None:
    """Raise OutOfReachError if more seeds cannot make a capacity curve on this grid."""
    accuracy = memorization(random_labels)["accuracy"]
    finished = accuracy.notnull().sum("seed")
    if not bool((finished >= 2).all()) or not accuracy.size:
        return
    saturated = accuracy.mean("seed") >= saturated_at
    if int((~saturated).sum()) == 0:
        raise OutOfReachError(
            f"every model size knows {saturated_at:.0%} or more of its random labels, so none shows "
            "a capacity; add smaller model sizes, or more labels"
        )


def _check_critical_curve_within_reach(fitted: Observed, options: CurveOptions) -> None:
    """Check that there are runs on which a critical curve can be measured.

    Raises:
        OutOfReachError: every cell was trained, and no number of seeds will help.
        NotEnoughDataError: too few runs finished.
    """
    counts = fitted.counts
    there = counts.sum(axis=1) > 0
    for what, values in (("model sizes", fitted.sizes), ("data sizes", fitted.data_sizes)):
        if (number := len(np.unique(values[there]))) < 2:
            raise NotEnoughDataError(
                f"a critical curve needs finished runs at two {what} or more, not {number}"
            )
    complete = bool(fitted.known.any(axis=2).all())
    memorized = counts[:, UNGROKKING:].sum()
    if memorized == 0:
        words = (
            f"no run of the critical experiment memorizes (training accuracy "
            f"{options.memorized_at:g}) before it generalizes, so there is no critical data size "
            "to measure; add larger models, smaller data sizes or more steps"
        )
    elif counts[:, GROKKING].sum() == 0:
        words = (
            "no run of the critical experiment generalizes after it memorized: the critical data "
            "size lies above every data size tried; add larger data sizes or more steps"
        )
    else:
        return
    raise (OutOfReachError if complete else NotEnoughDataError)(words)
