"""How often the ends of intervals miss at the confidences that decide."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from studies.calibration import deciding
from studies.calibration.deciding import (
    CONFIDENCES,
    MARKS,
    SEEDS,
    ends_table,
    largest_errors,
    largest_errors_of_dips,
    missing_ends,
)
from studies.calibration.trials import TRIALS

DOCUMENT = Path(__file__).parents[2] / "docs" / "detectors.md"


def test_the_largest_exact_errors_are_near_what_is_allowed_and_below() -> None:
    for confidence, (low, high) in largest_errors(5).items():
        allowed = (1 - confidence) / 2
        assert 0.5 * allowed < low <= allowed
        assert low == pytest.approx(high)


def test_the_largest_exact_errors_of_declared_dips_are_near_what_is_allowed_and_below() -> None:
    for confidence, errors in largest_errors_of_dips(5).items():
        allowed = (1 - confidence) / 2
        assert 0.3 * allowed < min(errors) <= max(errors) <= allowed


def test_rows_of_other_detectors_stay_where_one_is_measured_again() -> None:
    trial = next(trial for trial in TRIALS if trial.deciding)
    ends = missing_ends(trial, 5, 2)
    found = {(trial.name, trial.null.words): {(n, c): e for n in SEEDS for c, e in ends.items()}}
    whole = ends_table(found, {})
    assert whole == ends_table({}, {}, whole)
    with pytest.raises(click.UsageError, match="other columns"):
        ends_table({}, {}, whole.replace("5 seeds", "7 seeds"))


def test_both_ends_are_counted_and_the_higher_confidence_misses_no_more_often() -> None:
    trial = next(trial for trial in TRIALS if trial.deciding)
    ends = missing_ends(trial, 5, 20)
    assert set(CONFIDENCES) == set(ends)
    for side in (0, 1):
        counts = [ends[confidence][side].count for confidence in CONFIDENCES]
        assert counts == sorted(counts, reverse=True)
        assert 20 == ends[0.95][side].simulations


def test_ends_that_exclude_the_truth_are_counted_on_their_side(monkeypatch) -> None:
    """A truth that lies above every gap: each upper end misses, and no lower end does."""
    trial = next(trial for trial in TRIALS if trial.deciding)
    monkeypatch.setitem(vars(trial), "truth", 1.5)
    low, high = missing_ends(trial, 5, 4)[0.95]
    assert (0, 4) == (low.count, high.count)


def test_the_committed_table_has_a_pair_of_rows_for_each_deciding_trial(tmp_path: Path) -> None:
    _, table, _ = MARKS.split(DOCUMENT)
    copy = tmp_path / "detectors.md"
    copy.write_text(f"{MARKS.start}\n{MARKS.end}\n", encoding="utf-8")
    command = ["--only", "nothing", "--write", str(copy)]
    assert 0 == CliRunner().invoke(deciding.main, command).exit_code
    exact = [line for line in MARKS.split(copy)[1].splitlines() if line]
    committed = [line for line in table.splitlines() if line]
    assert exact == committed[: len(exact)]
    assert 2 * sum(trial.deciding for trial in TRIALS) == len(committed) - len(exact)
    assert 3 + len(SEEDS) * len(CONFIDENCES) == committed[0].count(" | ") + 1
