"""How often does each end of an interval miss the truth, at the confidences that decide?

    python -m studies.calibration.deciding --write docs/detectors.md

Where claims are judged together, and at several looks, the deciding confidence is far above 0.95. Each end
of a two-sided interval of confidence c may miss the true effect in a share (1 − c)/2 of experiments. The
study simulates the trials marked `deciding` without the phenomenon, where the true effect is known, and
counts both wrong directions: a lower end above the truth, and an upper end below it. Simulations are too
few to see tails of 0.05 %. Where runs generalize fully or not at all, the errors of `accuracy_gap` and of
`double_descent` at declared places are therefore also computed exactly (`largest_errors`,
`largest_errors_of_dips`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import click
import numpy as np
from scipy import stats

from grokbench.errors import NotEnoughDataError
from grokbench.plugins import Plugins
from grokbench.statistics.bounded_means import BoundedMean, difference_interval
from grokbench.statistics.dip_at_places import depth_between
from studies.calibration.runner import Rate
from studies.calibration.trial import Trial
from studies.calibration.trials import TRIALS
from studies.documents import Marks, row

CONFIDENCES = (0.95, 0.9964, 0.9990)
"""The confidence of a single claim, and about those of 5 and of 17 open claims at each of six looks:
1 − 2 · 0.05/6/(claims + 0.05)."""

SEEDS = (5, 11)

MARKS = Marks("<!-- the deciding confidences -->", "<!-- the end of the deciding confidences -->")

EXACT = "two sizes whose runs generalize fully or not at all, the worst of all shares of runs"
EXACT_DIP = "one size at each place, whose runs generalize fully or not at all, the worst of all shares of runs"

Ends = Mapping[tuple[int, float], tuple[Rate, Rate]]
"""(seeds, confidence) → how often the lower end lies above the truth, and the upper end below it."""


def missing_ends(trial: Trial, seeds: int, experiments: int) -> dict[float, tuple[Rate, Rate]]:
    """How often each end misses, at each confidence.

    An experiment in which the detector has too little data has no end that could miss.
    """
    kind = Plugins.load().detectors[trial.detector]
    detector = kind.from_options(trial.options)
    counts = {confidence: [0, 0] for confidence in CONFIDENCES}
    for number in range(experiments):
        data = trial.null.simulate(seeds, 10**8 + 10**6 * seeds + number)
        for confidence, (low, high) in list(counts.items()):
            try:
                finding = detector.at(confidence).find(data)
            except NotEnoughDataError:
                continue
            counts[confidence] = [
                low + (finding.low > trial.truth),
                high + (finding.high < trial.truth),
            ]
    return {
        confidence: (Rate(low, experiments), Rate(high, experiments))
        for confidence, (low, high) in counts.items()
    }


SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Shares of runs that generalize, tried at each size."""


def largest_errors(seeds: int) -> dict[float, tuple[float, float]]:
    """The largest probability that an end of `accuracy_gap` misses, at each confidence, computed exactly.

    Two experiments with two sizes each. A run of a size ends at 1 with that size's own probability, one of
    `SHARES`, and else at 0. All combinations of probabilities are tried, and all outcomes are summed.
    """
    runs = 2 * seeds
    means = [
        BoundedMean(np.repeat([1.0, 0.0], [hits, runs - hits])[None]) for hits in range(runs + 1)
    ]
    pairs = [(one, other) for one in SHARES for other in SHARES if one <= other]
    binomial = {p: stats.binom.pmf(np.arange(seeds + 1), seeds, p) for p in SHARES}
    outcomes = np.array([np.convolve(binomial[one], binomial[other]) for one, other in pairs])
    share = np.mean(pairs, axis=1)
    truth = (share[:, None] - share)[:, :, None, None]
    errors = {}
    for confidence in CONFIDENCES:
        found = [[difference_interval(a, b, confidence) for b in means] for a in means]
        wrong = (
            np.array([[one.low for one in row] for row in found]) > truth + 1e-9,
            np.array([[one.high for one in row] for row in found]) < truth - 1e-9,
        )
        low, high = (
            float(np.einsum("px,qy,pqxy->pq", outcomes, outcomes, end).max()) for end in wrong
        )
        errors[confidence] = low, high
    return errors


def largest_errors_of_dips(seeds: int) -> dict[float, tuple[float, float]]:
    """As `largest_errors`, for `double_descent` with one size each as peak, bottom and recovery."""
    counts = range(seeds + 1)
    means = [BoundedMean(np.repeat([1.0, 0.0], [hits, seeds - hits])[None]) for hits in counts]
    depths = [
        depth_between(*(means[hits] for hits in outcome)) for outcome in product(counts, repeat=3)
    ]
    binomial = [stats.binom.pmf(np.arange(seeds + 1), seeds, p) for p in SHARES]
    errors = {}
    for confidence in CONFIDENCES:
        found = [depth.interval(confidence) for depth in depths]
        low, high = (
            np.array([getattr(end, name) for end in found]).reshape(3 * (seeds + 1,))
            for name in ("low", "high")
        )
        worst = [0.0, 0.0]
        for peak, bottom, recovery in product(range(len(SHARES)), repeat=3):
            truth = min(SHARES[peak], SHARES[recovery]) - SHARES[bottom]
            for end, wrong in enumerate((low > truth + 1e-9, high < truth - 1e-9)):
                chance = binomial[peak] @ (binomial[bottom] @ (wrong @ binomial[recovery]).T)
                worst[end] = max(worst[end], float(chance))
        errors[confidence] = worst[0], worst[1]
    return errors


Exact = Mapping[int, Mapping[float, tuple[float, float]]]
"""Seeds → confidence → the largest probabilities that the lower and that the upper end misses."""


def ends_table(
    measured: Mapping[tuple[str, str], Ends],
    exact: Mapping[tuple[str, str], Exact],
    older: str = "",
) -> str:
    """Two rows for each trial: the lower and the upper end, in per cent; before them the exact ones.

    Rows of trials that were not measured are taken over from the table `older`.

    Args:
        measured: a trial's name and what is simulated → its ends.
        exact: a row's name and what is simulated → its errors.

    Raises:
        click.UsageError: the table in `older` has other columns.
    """
    columns = [(seeds, confidence) for confidence in CONFIDENCES for seeds in SEEDS]
    header = [
        "wrong ends, %",
        "simulated",
        "end",
        *(f"{seeds} seeds, {100 * confidence:g} %" for seeds, confidence in columns),
    ]
    allowed = [f"{50 * (1 - confidence):.3g}" for _, confidence in columns]
    if older and row(*header) not in older.splitlines():
        raise click.UsageError(f"the document has other columns than {row(*header)}")
    rows = [row("allowed", "", "each", *allowed)]
    for (name, words), errors in exact.items():
        for index, end in enumerate(("lower", "upper")):
            largest = [
                f"{100 * errors[seeds][confidence][index]:.3g}" for seeds, confidence in columns
            ]
            rows.append(row(name, words, end, *largest))
    for trial in TRIALS:
        label = (trial.name, trial.null.words)
        if not trial.deciding:
            continue
        if label not in measured:
            rows.extend(line for line in older.splitlines() if line.startswith(row(*label)[:-1]))
            continue
        for index, end in enumerate(("lower", "upper")):
            rates = [str(measured[label][column][index]) for column in columns]
            rows.append(row(*label, end, *rates))
    return "\n".join([row(*header), row(*["---"] * len(header)), *rows])


@click.command()
@click.option("--only", multiple=True, help="A detector or a row; all unless given.")
@click.option("--worlds", type=int, default=2000, show_default=True, help="Simulations for a cell.")
@click.option(
    "--write",
    "document",
    type=click.Path(exists=True, path_type=Path),
    help="A document to update.",
)
def main(only: tuple[str, ...], worlds: int, document: Path | None) -> None:
    """Measure how often each end misses at the confidences that decide, and print a table.

    With --only, all other rows stay in the document as they are.
    """
    measured = {}
    for trial in TRIALS:
        if not trial.deciding or (only and not {trial.detector, trial.name} & set(only)):
            continue
        ends = {}
        for seeds in SEEDS:
            for confidence, found in missing_ends(trial, seeds, worlds // trial.cost).items():
                ends[seeds, confidence] = found
                low, high = found
                click.echo(f"{trial.name}, {seeds} seeds, {confidence}: {low}, {high}", err=True)
        measured[trial.name, trial.null.words] = ends
    exact = {
        ("`accuracy_gap`, exactly", EXACT): {seeds: largest_errors(seeds) for seeds in SEEDS},
        ("`double_descent`, declared places, exactly", EXACT_DIP): {
            seeds: largest_errors_of_dips(seeds) for seeds in SEEDS
        },
    }
    older = MARKS.split(document)[1] if document is not None and only else ""
    text = ends_table(measured, exact, older)
    click.echo(text)
    if document is not None:
        MARKS.write(document, text)


if __name__ == "__main__":
    main(prog_name="python -m studies.calibration.deciding")
