"""The calibration of the detectors measures what it says it does."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from grokbench.phenomena import BUILT_IN
from grokbench.phenomena.crossing import Crossing
from grokbench.suite import load_suite
from grokbench.suite.model import Rule
from studies.calibration.__main__ import main
from studies.calibration.runner import CLAIMS, SEEDS, Batch, Rate, batches
from studies.calibration.tables import MARKS, tables
from studies.calibration.trials import TRIALS

DOCUMENT = Path(__file__).parents[2] / "docs" / "detectors.md"


def test_every_built_in_detector_is_calibrated() -> None:
    assert {kind.name for kind in BUILT_IN} == {trial.detector for trial in TRIALS}


def test_the_rule_at_the_edge_lies_where_the_truth_does() -> None:
    """A false positive is counted against the truth itself, and not against the suite's margin."""
    for trial in TRIALS:
        bound = "at_least" if trial.rule.at_least is not None else "at_most"
        assert Rule(**{bound: trial.truth}) == trial.edge
        assert getattr(trial.rule, bound) is not None


def test_the_crossing_lies_where_a_large_world_has_it() -> None:
    (trial,) = (trial for trial in TRIALS if trial.detector == "crossing")
    finding = Crossing.from_options(trial.options).find(trial.null.simulate(60, 1))
    assert pytest.approx(trial.truth, abs=0.05) == finding.effect


def test_a_rate_has_clopper_and_pearsons_interval() -> None:
    """5 of 100: 1.6 % to 11.3 %; none of 100: at most 3.6 % (tables of Documenta Geigy)."""
    assert "5.0 (1.6–11.3)" == str(Rate(5, 100))
    assert "0.0 (0.0–3.6)" == str(Rate(0, 100))


def test_most_worlds_are_drawn_for_false_positives_at_eleven_seeds() -> None:
    chosen = list(batches(["crossing"], SEEDS, 1000))
    most = max(chosen, key=lambda batch: batch.simulations)
    assert (11, False, 1000) == (most.seeds, most.phenomenon, most.simulations)
    assert {(n, phenomenon) for n in SEEDS for phenomenon in (True, False)} == {
        (batch.seeds, batch.phenomenon) for batch in chosen
    }


def test_power_is_measured_alone_and_as_the_first_of_the_papers_claims_to_be_decided() -> None:
    suite = load_suite(DOCUMENT.parents[1] / "suites" / "paper.toml")
    assert CLAIMS == len(suite.claims)
    among = [batch for batch in batches(["crossing"], SEEDS, 1000) if batch.claims > 1]
    assert [(CLAIMS, True, 11)] == [
        (batch.claims, batch.phenomenon, batch.seeds) for batch in among
    ]


def test_runs_at_the_smaller_sizes_alone_fail_by_chance() -> None:
    """Of the paper's seven sizes, four: about a tenth of their 44 runs a seed ends at 0.02."""
    trials = [t for t in TRIALS if t.detector == "critical_data_size" and not t.options]
    whole, _, _, failed = (
        trial.null.simulate(11, 1)["experiment"]["validation_accuracy"].isel(step=-1)
        for trial in trials
    )
    changed = ((failed != whole) & ~whole.isnull()).sum(["data_size", "seed"]).to_numpy().ravel()
    assert [0, 0, 0] == changed[4:].tolist()
    assert 25 <= changed[:4].sum() <= 75


def test_a_detector_that_sees_what_is_there_has_power_and_seldom_sees_what_is_not() -> None:
    """Random labels: every world with the phenomenon, and few of thirty without."""
    (index,) = (i for i, t in enumerate(TRIALS) if t.detector == "memorization_capacity")
    assert 10 == Batch(index, phenomenon=True, seeds=5, simulations=10).rate().count
    assert Batch(index, phenomenon=False, seeds=5, simulations=30).rate().count <= 4


def test_the_same_worlds_are_drawn_again() -> None:
    trial = TRIALS[0]
    first, again, other = (trial.null.simulate(3, number) for number in (1, 1, 2))
    assert first["experiment"].identical(again["experiment"])
    assert not first["experiment"].identical(other["experiment"])


def test_the_tables_go_between_the_marks_of_a_document(tmp_path: Path) -> None:
    document = tmp_path / "detectors.md"
    rates = {Batch(0, phenomenon, 3, 10): Rate(1, 10) for phenomenon in (False, True)}
    kept = tables(rates, (3,))
    document.write_text(f"before\n{MARKS.start}\n{kept}\n{MARKS.end}\nafter\n", encoding="utf-8")
    command = ["--only", "emergence", "--seeds", "3", "--worlds", "6", "--write", str(document)]
    done = CliRunner().invoke(main, command)
    assert (0, None) == (done.exit_code, done.exception)
    text = document.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{MARKS.start}\n")
    assert text.endswith(f"{MARKS.end}\nafter\n")
    assert all(line in text for line in kept.splitlines())
    false, power = text.split("| power, %")
    assert (1, 1) == (false.count("| `emergence` |"), power.count("| `emergence` |"))


def test_the_committed_table_has_a_line_for_each_trial_and_keeps_its_rates() -> None:
    """At 11 seeds: false positives at most 5 %, the upper end of their interval at most 7 %."""
    _, table, _ = MARKS.split(DOCUMENT)
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()]
    (first, second) = (i for i, row in enumerate(rows) if "11 seeds" in row)
    column = rows[first].index("11 seeds")
    false = {row[0]: row[column] for row in rows[first + 2 : second] if row[0]}
    assert {trial.name for trial in TRIALS} == set(false)
    held = {trial.name for trial in TRIALS if trial.assumptions_hold}
    for name, cell in ((name, cell) for name, cell in false.items() if name in held):
        rate, _, interval = cell.partition(" (")
        assert float(rate) <= 5.0, name
        assert float(interval.rstrip(")").partition("–")[2]) <= 7.0, name


def test_the_committed_tables_have_the_labels_of_the_trials_in_their_order() -> None:
    """A row whose detector, scenario or rule is not a trial's would not be taken over."""
    _, committed, _ = MARKS.split(DOCUMENT)
    assert committed == tables({}, SEEDS, committed)
    assert 2 * (len(TRIALS) + 2) == len(committed.replace("\n\n", "\n").splitlines())


def test_rows_of_other_columns_are_not_mixed() -> None:
    kept = tables({Batch(0, False, 3, 10): Rate(1, 10)}, (3,))
    with pytest.raises(click.UsageError, match="other columns"):
        tables({Batch(1, False, 5, 10): Rate(1, 10)}, (5,), kept)


def test_tables_have_a_row_for_each_trial_that_was_measured() -> None:
    rates = {Batch(0, phenomenon, 3, 10): Rate(1, 10) for phenomenon in (False, True)}
    false, power = tables(rates, (3,)).split("\n\n")
    assert 3 == len(false.splitlines()) == len(power.splitlines())
    assert 1 == power.count("| `dynamics` | every run groks | ≥ 0.4 |")
