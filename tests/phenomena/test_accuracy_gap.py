"""Accuracy of two experiments at the same model sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

import grokbench
from grokbench.errors import NotEnoughDataError, OutOfReachError
from grokbench.phenomena.accuracy_gap import AccuracyGap
from tests.phenomena.worlds import NOT_RUN, Run, ending_at, shuffled, world

DENSE = {64: 0.07, 128: 0.27}
SPLIT = {64: 0.57, 128: 0.87}
ALONE = {64: 1.0, 128: 1.0}
"""Means of a pilot: a + b mod 31 mixed with random labels, in a dense and in a split network, and alone."""


def ending(means, seeds=5, spread=0.0, lost=()):
    """Runs that end at given accuracies, evenly spread about them."""
    offsets = np.linspace(-spread, spread, seeds) if seeds > 1 else [0.0]

    def run(size: int, _: int, seed: int) -> Run:
        if (size, seed) in lost:
            return NOT_RUN
        return ending_at(float(np.clip(means[size] + offsets[seed], 0, 1)))

    return world(run, sizes=tuple(means), seeds=tuple(range(seeds)))


def found(reference, shifted, confidence=0.95, **options):
    data = {"reference": reference, "shifted": shifted}
    return AccuracyGap.from_options(options).at(confidence).find(data)


def test_the_effect_is_the_mean_difference_over_sizes():
    finding = found(ending(ALONE), ending(DENSE))
    assert pytest.approx(1 - (0.07 + 0.27) / 2, abs=1e-6) == finding.effect
    assert finding.low < finding.effect < finding.high <= 1
    assert 5 == finding.seeds
    assert (
        "at size 64 and 128 mean accuracy is 1.00 and 1.00 in the reference, 0.07 and 0.27 when"
        in (finding.evidence)
    )
    assert ["64", "128"] == finding.details["model_sizes"]


@pytest.mark.parametrize(
    ("reference", "shifted", "alone", "among_nine"),
    [(ALONE, DENSE, 0.35, 0.2), (SPLIT, DENSE, 0.15, 0.0)],
    ids=["mixture", "split"],
)
def test_five_seeds_of_the_pilot_tell_the_experiments_apart(reference, shifted, alone, among_nine):
    data = ending(reference, spread=0.1), ending(shifted, spread=0.07)
    assert found(*data).low > alone
    assert found(*data, 1 - 0.05 / 9).low > among_nine


def test_sizes_have_equal_weight_whatever_their_runs():
    lost = {(128, seed) for seed in range(2, 5)}
    finding = found(ending(ALONE), ending(DENSE, lost=lost))
    assert pytest.approx(0.83, abs=1e-6) == finding.effect
    assert 2 == finding.seeds


def test_exchanging_the_roles_changes_the_sign():
    one, other = ending(SPLIT, spread=0.1), ending(DENSE, spread=0.05)
    forth, back = found(one, other), found(other, one)
    assert pytest.approx((-forth.high, -forth.low)) == (back.low, back.high)


def test_a_higher_confidence_widens_the_interval_even_where_all_runs_agree():
    widths = [
        found.high - found.low
        for found in (found(ending(ALONE), ending(DENSE), c) for c in (0.8, 0.95, 0.9964, 0.999))
    ]
    assert np.all(np.diff(widths) > 0)


def test_five_runs_that_all_agree_leave_room_for_runs_of_another_kind():
    """Five of five successes have the distribution function t⁵. The lower end of the difference is where the
    sum of two such variables, less 1, has a probability of 2.5 %.
    """
    finding = found(ending({64: 1.0}), ending({64: 0.0}))
    total = 1 + finding.low
    chance, _ = integrate.quad(lambda t: 5 * t**4 * (total - t) ** 5, total - 1, 1)
    # Below total − 1, the other variable may have any value.
    assert pytest.approx(0.025, rel=0.03) == chance + (total - 1) ** 5
    assert 1 == finding.high


def test_only_sizes_that_both_have_are_compared():
    finding = found(ending({16: 0.2, **ALONE}), ending({**DENSE, 256: 0.9}))
    assert ["64", "128"] == finding.details["model_sizes"]
    assert pytest.approx(0.83, abs=1e-6) == finding.effect


def test_experiments_without_a_common_size_are_not_compared():
    with pytest.raises(NotEnoughDataError, match="no model size in common: the reference has 16"):
        found(ending({16: 1.0}), ending({32: 1.0}))


def test_a_size_without_a_finished_run_is_named():
    lost = {(128, seed) for seed in range(5)}
    with pytest.raises(NotEnoughDataError, match="'shifted' has no finished run at model size 128"):
        found(ending(ALONE), ending(DENSE, lost=lost))


def test_where_nothing_is_learned_at_any_size_the_claim_is_out_of_reach():
    nothing = ending({64: 0.03, 128: 0.05})
    with pytest.raises(OutOfReachError, match=r"0\.05 at most, at size 64 and 128.*larger models"):
        found(nothing, nothing)
    assert found(ending({64: 0.03, 128: 0.2}), nothing).effect > 0


def test_the_table_in_the_documentation_is_what_the_detector_finds():
    """Rows: so many runs at 1 against so many at 0; columns: the lower ends at three confidences."""
    document = Path(grokbench.__file__).parents[1] / "docs" / "detectors.md"
    _, rest = document.read_text(encoding="utf-8").split(
        "| runs in each experiment | 95 % | 99.64 % | 99.9 % |\n| --- | --- | --- | --- |\n"
    )
    rows = rest[: rest.index("\n\n")].splitlines()
    assert 5 == len(rows)
    for row in rows:
        runs, *stated = (cell.strip() for cell in row.strip("|").split("|"))
        data = ending({64: 1.0}, int(runs)), ending({64: 0.0}, int(runs))
        ends = [found(*data, confidence).low for confidence in (0.95, 0.9964, 0.999)]
        assert stated == [f"{end:.2f}".replace("-", "−") for end in ends]


def test_no_order_of_the_dataset_matters():
    reference, shifted = ending(SPLIT, spread=0.1), ending(DENSE, spread=0.05)
    expected = found(reference, shifted)
    assert expected == found(shuffled(reference, seed=1), shuffled(shifted, seed=2))
