"""What a plan measures, and the cost that it computes from that."""

from __future__ import annotations

from pathlib import Path

import pytest

from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Choice, Run
from grokbench.training import cost
from grokbench.training.cost import Cost, measure_costs
from grokbench.training.precision import libraries
from tests.training.small_runs import ADDITION, PLUGINS, run

COUNTING = '''
from pathlib import Path

import grokbench
from grokbench import Streams
from grokbench.tasks import ModularAddition


class Counting(ModularAddition):
    """Writes down each data size whose examples are made."""

    name = "counting"

    def examples(self, data_size, streams: Streams):
        with Path(__file__).with_suffix(".txt").open("a") as file:
            file.write(f"{data_size}\\n")
        return super().examples(data_size, streams)


@grokbench.hookimpl
def register_tasks(register):
    register(Counting)
'''


@pytest.fixture(autouse=True)
def watches_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "TIMED_SECONDS", 1e-9)


def cohort(name: str, *runs: Run) -> Cohort:
    return Cohort(name, runs, name, 1.0)


def test_each_kind_of_cohort_is_measured_once(tmp_path: Path) -> None:
    """Seeds and learning rates cost the same; data sizes and numbers of runs do not."""
    plugin = tmp_path / "counting.py"
    plugin.write_text(COUNTING)
    task = Choice("counting", {"modulus": 11})
    some = [
        cohort("first", run(task, seed=0), run(task, seed=1)),
        cohort("other seeds", run(task, seed=2), run(task, seed=3)),
        cohort("other rates", run(task, learning_rate=1.0), run(task, seed=1)),
        cohort("one run", run(task, seed=0)),
        cohort("more data", run(task, data_size=60), run(task, data_size=20)),
    ]
    costs = measure_costs(some, Plugins([plugin]), jobs=1)
    assert 0 == costs.workers
    measured = (tmp_path / "counting.txt").read_text().split()
    assert sorted(["50"] * 2 + ["50"] + ["60", "20"]) == sorted(measured)
    assert {one.id for one in some} == set(costs.cohorts)
    assert costs.cohorts["first"] is costs.cohorts["other seeds"] is costs.cohorts["other rates"]
    for one in costs.cohorts.values():
        assert min(one.start, one.step, one.evaluation, one.memory) > 0


def test_a_cohort_that_fails_costs_nothing_and_the_others_are_measured() -> None:
    some = [
        cohort("unlucky", run(Choice("unlucky"), "perceptron", seed=1)),
        cohort("unknown", run(Choice("nobody"), "perceptron")),
        cohort("good", run(ADDITION)),
    ]
    costs = measure_costs(some, PLUGINS, jobs=1).cohorts
    nothing = Cost(0.0, 0.0, 0.0, 0)
    assert nothing == costs["unlucky"] == costs["unknown"]
    assert 0 == costs["unlucky"].seconds(some[0])
    assert costs["good"].step > 0


def test_costs_are_timed_with_the_products_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def timed(*_: object) -> float:
        found.extend({library.fp32_precision for library in libraries()})
        return 1.0

    monkeypatch.setattr(cost, "timed", timed)
    measure_costs([cohort("one", run(precision="tf32"))], PLUGINS, jobs=1)
    assert ["tf32", "tf32"] == found
    assert {"tf32"} != {library.fp32_precision for library in libraries()}


def test_without_cohorts_there_is_nothing_to_measure() -> None:
    assert {} == measure_costs([], Plugins(), jobs=1).cohorts


def test_a_cohort_takes_its_start_its_steps_and_its_evaluations() -> None:
    """Evaluations come after 0, 1, 2, 4, 8, 10, 20, 30 and 40 steps."""
    one = cohort("one", run(steps=40, evaluate_every=10))
    assert 100 + 40 * 2 + 9 * 0.5 == Cost(100.0, 2.0, 0.5, 0).seconds(one)
