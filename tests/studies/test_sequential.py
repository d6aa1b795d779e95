"""The study of sequential suites measures what it says it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from grokbench.claims import Outcome, score
from grokbench.phenomena import BUILT_IN
from grokbench.suite.model import Rule
from grokbench.testing.simulator import FLAWLESS, Grid, Levels, simulate
from studies.sequential.__main__ import EVERY, main
from studies.sequential.costs import MEASURED, STEPS, parameters_of, seconds
from studies.sequential.decisions import OTHERS, WORLDS
from studies.sequential.errors import AT_THE_BOUNDS, NOTHING_IS_THERE
from studies.sequential.exact import EXACT, MeanAccuracy
from studies.sequential.plans import (
    FIXED,
    LOOKS,
    NOT_REPRODUCED,
    OPEN,
    PEEKING,
    REPRODUCED,
    SEQUENTIAL,
    Decision,
    first,
)
from studies.sequential.runner import (
    Outcomes,
    known_detectors,
    missing,
    outcome_of,
    remembering,
    unguarded,
)
from studies.sequential.tables import MARKS, MISTAKES, SUITES, in_words, label, tables
from studies.sequential.world import Stated, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "sequential.md"


def world(mean: float, spread: float = 1000.0, bound: float = 0.5) -> World:
    """One claim, that the mean accuracy is at least the bound, beside three that stay open."""
    stated = Stated("mean_accuracy", {"experiment": "runs"}, Rule(at_least=bound), {"signs": [1.0]})
    runs = Levels((mean,), spread), Grid((16,), steps=1000)
    plans = (SEQUENTIAL, PEEKING, *FIXED)
    return World("test", "a test", {"runs": runs}, {"mean": stated}, plans, 3, flaws=FLAWLESS)


def test_every_built_in_detector_has_a_world_in_which_its_claim_is_true() -> None:
    shown = {stated.detector for one in WORLDS for stated in one.claims.values()}
    assert {kind.name for kind in BUILT_IN} == shown


def test_the_suites_have_nine_claims_that_share_runs() -> None:
    for suite in SUITES:
        assert 9 == len(suite.claims)
        looked_at = [name for one in suite.claims.values() for name in one.experiments.values()]
        assert len(set(looked_at)) < len(looked_at)
    assert all(OTHERS + 1 == len(one.suite.claims) for one in WORLDS)


def test_keys_and_files_tell_worlds_apart(tmp_path: Path) -> None:
    assert len(EVERY) == len({one.key for one in EVERY})
    assert Outcomes(world(0.5), tmp_path).file != Outcomes(world(0.6), tmp_path).file
    assert Outcomes(world(0.5), tmp_path).file == Outcomes(world(0.5), tmp_path).file


def test_a_plain_claim_is_decided_at_the_first_look_and_a_claim_at_the_bound_is_not() -> None:
    outcome = outcome_of(world(0.9), 1)
    assert Decision(REPRODUCED, LOOKS[0]) == outcome["sequential"]["mean"]
    assert Decision(NOT_REPRODUCED, LOOKS[0]) == outcome_of(world(0.1), 1)["sequential"]["mean"]
    at_the_bound = outcome_of(world(0.5, 4.0), 1)
    assert Decision(OPEN, LOOKS[-1]) == at_the_bound["sequential"]["mean"]
    assert Decision(OPEN, 11) == at_the_bound["fixed 11"]["mean"]


def test_claims_without_results_are_in_no_plan() -> None:
    assert [{"mean"}] * 5 == [set(claims) for claims in outcome_of(world(0.9), 1).values()]


def test_a_sequential_decision_is_later_than_that_of_undeclared_looks_never_sooner() -> None:
    """0.62 against 0.5, with runs between 0 and 1."""
    found = [outcome_of(world(0.62, 4.0), number) for number in range(4)]
    pairs = [(one["sequential"]["mean"].seeds, one["peeking"]["mean"].seeds) for one in found]
    assert all(sequential >= peeking for sequential, peeking in pairs)
    assert len({sequential for sequential, _ in pairs}) > 1


def test_the_means_of_the_exact_suite_lie_at_their_bounds() -> None:
    """5000 seeds: no bound lies outside the interval of confidence 0.9999."""
    law, grid = EXACT.experiments["runs"]
    many = {"experiment": simulate(law, replace(grid, seeds=5000), 1, FLAWLESS)}
    for stated in EXACT.claims.values():
        finding = MeanAccuracy.from_options(stated.options).at(0.9999).find(many)
        (bound,) = (b for b in (stated.rule.at_least, stated.rule.at_most) if b is not None)
        assert finding.low < bound < finding.high


@pytest.mark.parametrize("suite", [AT_THE_BOUNDS, NOTHING_IS_THERE], ids=lambda suite: suite.key)
def test_every_claim_of_a_suite_has_a_finding_in_its_first_seeds(suite: World) -> None:
    """No detector refuses its options, its data or its seeds; random labels tell the suites apart."""
    tree = first(suite.results(1), 5)
    verdicts = score(suite.suite, tree, remembering(known_detectors()))
    assert list(suite.claims) == [one.claim.name for one in verdicts if one.finding is not None]
    (capacity,) = (one for one in verdicts if one.claim.name == "memorization_capacity_rises")
    assert (suite is NOTHING_IS_THERE) == (capacity.outcome is Outcome.NOT_REPRODUCED)


@pytest.mark.parametrize("suite", [AT_THE_BOUNDS, NOTHING_IS_THERE], ids=lambda suite: suite.key)
def test_detectors_without_guards_and_copies_find_the_same(suite: World) -> None:
    tree = first(suite.results(2), 5)
    before = score(suite.suite, tree, known_detectors())
    with unguarded():
        found = score(suite.suite, tree, known_detectors())
    assert [(one.outcome, one.finding, one.reason) for one in before] == [
        (one.outcome, one.finding, one.reason) for one in found
    ]


def test_a_finding_is_computed_once_for_the_same_data_and_confidence() -> None:
    calls = []

    class Counted(MeanAccuracy):
        def find(self, data):  # type: ignore[no-untyped-def]
            calls.append(data["experiment"].sizes["seed"])
            return super().find(data)

    detectors = remembering({"mean_accuracy": Counted})
    one, other = ({"experiment": world(m).results(1)["runs"].to_dataset()} for m in (0.4, 0.6))
    detector = detectors["mean_accuracy"].from_options({"signs": [1.0]})
    found = detector.find(one)
    assert found == detector.find(one)
    assert found != detector.find(other)
    assert found != detector.at(0.999).find(one)
    assert [40, 40, 40] == calls


def test_the_study_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """Also after a line that was not written to its end."""
    kept = Outcomes(world(0.9), tmp_path)
    kept.add(0, outcome_of(world(0.9), 0))
    with kept.file.open("a") as file:
        file.write('{"number": 1, "pl')
    assert [1, 2] == [number for _, number in missing([world(0.9)], tmp_path, 3)]
    kept.add(1, outcome_of(world(0.9), 1))
    assert [0, 1] == list(kept.read())
    assert outcome_of(world(0.9), 0) == kept.read()[0]


def test_all_worlds_advance_alike(tmp_path: Path) -> None:
    few, many = world(0.5), world(0.6)
    few = World("few", "", few.experiments, few.claims, few.plans, share=0.5)
    order = [one.key for one, _ in missing([few, many], tmp_path, 4)]
    assert ["test", "few", "test", "test", "few", "test"] == order


def test_a_run_of_a_measured_size_costs_what_was_measured() -> None:
    sizes = np.array(list(MEASURED), float)
    expected = np.array(list(MEASURED.values())) * STEPS / 1000
    assert pytest.approx(expected) == seconds(parameters_of(sizes), 3000)
    assert pytest.approx(expected * 2) == seconds(parameters_of(sizes), 6000)


def test_a_seed_costs_the_runs_that_the_claim_selects_once_each() -> None:
    """Capacity: three sizes of one data size; the deeper dip: two experiments; with one role twice: one."""
    grid = Grid((8, 32), (3000, 6000))
    law = Levels((0.5, 0.5))
    roles = {"easier": "runs", "harder": "runs"}
    stated = Stated("deeper_double_descent", roles, Rule(at_least=0.0), {}, {"model_size": 32})
    one = World("costs", "", {"runs": (law, grid)}, {"deeper": stated}, FIXED)
    expected = MEASURED[32] * STEPS / 1000 * 3
    assert pytest.approx(expected) == one.seconds_for_a_seed("deeper")


def test_tables_count_each_suite_with_a_wrong_decision_once() -> None:
    def outcome(*letters: str) -> dict[str, dict[str, Decision]]:
        claims = zip(EXACT.claims, letters + (OPEN,) * 9, strict=False)
        decisions = {name: Decision(letter, 40) for name, letter in claims}
        return {plan.name: decisions for plan in (SEQUENTIAL, PEEKING)}

    outcomes = 5 * [outcome("r", "r"), outcome("n"), outcome(), outcome()]
    text = tables({EXACT.key: outcomes})
    rows = [line for line in text.splitlines() if EXACT.words in line]
    assert 2 == len(rows) == len(MISTAKES[EXACT.key])
    assert EXACT.words not in tables({EXACT.key: outcomes[:19]})
    # What is not simulated again stays as it was.
    assert text == tables({EXACT.key: outcomes[:19]}, before=text)
    assert text == tables({EXACT.key: outcomes}, before=text.replace("25.0", "26.0"))
    assert all("| 20 | 25.0 (8.7–49.1) | 25.0 (8.7–49.1) |" in line for line in rows)


def test_rates_and_costs_have_a_row_for_each_world_and_their_mean() -> None:
    """Two worlds, one claim reproduced after 8 seeds, one open after 40."""
    one, other = WORLDS[:2]

    def outcome(world: World, letter: str, seeds: int) -> dict[str, dict[str, Decision]]:
        (name,) = world.claims
        return {plan.name: {name: Decision(letter, seeds)} for plan in (SEQUENTIAL, *FIXED)}

    found = {one.key: 5 * [outcome(one, REPRODUCED, 8)], other.key: 5 * [outcome(other, OPEN, 40)]}
    *_, rates, costs = tables(found).split("\n\n")
    assert [5, 5] == [len(part.splitlines()) for part in (rates, costs)]
    assert rates.splitlines()[-1].startswith("| mean of the rows |  |  |  | 50 | 50 |")
    assert costs.splitlines()[-1].startswith("| mean of the rows |  |  |  | 24.0 (")
    assert "| 5 | 8.0 (" in costs
    fewer = {**found, other.key: found[other.key][:4]}
    assert other.words in costs
    assert other.words not in tables(fewer)
    assert tables(found) == tables(fewer, before=tables(found))


def test_times_are_said_in_seconds_minutes_or_hours() -> None:
    assert ["90 s", "5 min", "2.5 h"] == [in_words(second) for second in (90, 300, 9000)]


def test_a_seed_costs_a_run_for_each_value_of_a_swept_field() -> None:
    grid = Grid((32,), swept=(("weight_decay", (0.1, 1.0, 10.0)),))
    runs = {"experiment": "runs"}

    def cost(where: dict[str, object]) -> float:
        stated = Stated("delay_law", runs, Rule(at_most=0.0), {}, where)
        claims = {"law": stated}
        return World(
            "costs", "", {"runs": (Levels((0.5,)), grid)}, claims, FIXED
        ).seconds_for_a_seed("law")

    assert pytest.approx(3 * MEASURED[32] * STEPS / 1000) == cost({})
    assert pytest.approx(2 * MEASURED[32] * STEPS / 1000) == cost({"weight_decay": [0.1, 10.0]})


def test_the_command_writes_between_the_marks(tmp_path: Path) -> None:
    document = tmp_path / "sequential.md"
    document.write_text(f"before\n{MARKS.start}\n{MARKS.end}\nafter\n", encoding="utf-8")
    options = ["--only", "errors-exact", "--suites", "1", "--folder", str(tmp_path / "kept")]
    done = CliRunner().invoke(main, [*options, "--write", str(document)])
    assert (0, None) == (done.exit_code, done.exception)
    text = document.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{MARKS.start}\n")
    assert text.endswith(f"{MARKS.end}\nafter\n")
    assert "| seeds (CPU time) |" in text
    assert 1 == len(Outcomes(EXACT, tmp_path / "kept").read())


def test_the_committed_tables_keep_what_the_procedure_promises() -> None:
    """At least 2000 suites with exact intervals; no upper end of an error's interval above 5 %."""
    _, committed, _ = MARKS.split(DOCUMENT)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in committed.splitlines()]
    exact = [row for row in rows if row and row[0] == EXACT.words]
    assert len(MISTAKES[EXACT.key]) == len(exact)
    for _, _, suites, sequential, undeclared in exact:
        assert int(suites) >= 2000
        assert float(sequential.partition("–")[2].rstrip(")")) <= 5.0
        assert float(undeclared.partition(" ")[0]) > 5.0
    simulated = {world.words for world in WORLDS}
    shown = [(row[0], row[1]) for row in rows if row and row[1] in simulated]
    known = [(label(world), world.words) for world in WORLDS]
    assert 2 * known == shown
