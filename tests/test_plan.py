"""How a suite's runs are laid out in cohorts, and what is left to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokbench.plan import Cohort, lay_out, make_plan, shape_of
from grokbench.plugins import Plugins
from grokbench.record import Choice, ModelSize, Recipe, Record, Run, Status, failed
from grokbench.suite import Experiment, Suite

PLUGINS = Plugins.load()
RECIPE = Recipe(Choice("adamw"), steps=100)
ADDITION = Choice("modular_addition", {"modulus": 11, "split": "ordered"})


def experiment(name: str = "addition", **changes: object) -> Experiment:
    base = Experiment(
        name,
        ADDITION,
        Choice("dense"),
        RECIPE,
        model_sizes=(ModelSize(4), ModelSize(8)),
        data_sizes=(30, 50, 70),
        seeds=(0, 1, 2),
    )
    return replace(base, **changes)


def suite(*experiments: Experiment) -> Suite:
    return Suite("tiny", {one.name: one for one in experiments or (experiment(),)}, {})


def done(run: Run) -> Record:
    return Record(run.id, Status.DONE, ("all",), np.zeros(1, np.int64), {}, {}, 1)


def cohorts_of(runs: list[Run]) -> tuple[Cohort, ...]:
    return lay_out(runs, PLUGINS, "cpu")


def test_every_run_is_in_one_cohort_and_all_of_a_cohort_have_one_shape() -> None:
    runs = list(suite().runs().values())
    cohorts = cohorts_of(runs)
    assert sorted(run.id for run in runs) == sorted(r.id for c in cohorts for r in c.runs)
    for cohort in cohorts:
        assert 1 == len({shape_of(run) for run in cohort.runs})


@given(st.randoms())
def test_the_layout_does_not_depend_on_the_order_of_the_runs(random) -> None:
    runs = list(suite().runs().values())
    expected = cohorts_of(runs)
    random.shuffle(runs)
    assert expected == cohorts_of(runs)


def test_data_sizes_seeds_and_learning_rates_share_a_cohort_and_sizes_do_not() -> None:
    rates = experiment(swept={"learning_rate": (1e-3, 3e-3)}, data_sizes=(30, 50), seeds=(0, 1))
    cohorts = cohorts_of(list(suite(rates).runs().values()))
    assert [8, 8] == [len(cohort.runs) for cohort in cohorts]


def test_large_models_stand_alone_on_a_cpu_and_together_on_a_gpu() -> None:
    large = experiment(
        task=Choice("modular_addition", {"modulus": 113, "split": "ordered"}),
        model_sizes=(ModelSize(64),),
        data_sizes=(3000,),
    )
    runs = list(suite(large).runs().values())
    assert [1, 1, 1] == [len(cohort.runs) for cohort in lay_out(runs, PLUGINS, "cpu")]
    assert [3] == [len(cohort.runs) for cohort in lay_out(runs, PLUGINS, "cuda:0")]


def test_batches_are_less_work_and_more_runs_share_a_cohort() -> None:
    """The work of a run follows the batch, and its evaluations look at all examples all the same."""
    full, halves, small = (
        experiment(
            task=Choice("modular_addition", {"modulus": 31, "split": "ordered"}),
            model_sizes=(ModelSize(64),),
            data_sizes=(900,),
            recipe=replace(RECIPE, batch_size=size),
        )
        for size in (None, 450, 30)
    )
    laid_out = [cohorts_of(list(suite(one).runs().values())) for one in (full, halves, small)]
    numbers = [len(cohorts) for cohorts in laid_out]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[-1] == 1
    works = [sum(one.work for one in cohorts) for cohorts in laid_out]
    evaluated = 961 * RECIPE.evaluations / 3
    assert works[1] / works[0] == pytest.approx((450 * 100 + evaluated) / (900 * 100))
    assert works[2] / works[0] == pytest.approx((30 * 100 + evaluated) / (900 * 100))
    memories = [sum(one.memory for one in cohorts) for cohorts in laid_out]
    assert memories[0] > memories[1] > memories[2]


def test_the_layout_does_not_depend_on_what_is_missing() -> None:
    whole = suite()
    runs = list(whole.runs().values())
    records = {run.id: done(run) for run in runs[::2]}
    plan = make_plan(whole, PLUGINS, records)
    assert make_plan(whole, PLUGINS, {}).cohorts == plan.cohorts
    left = {run.id for cohort in plan.missing for run in cohort.runs}
    assert {run.id for run in runs[1::2]} == left


def test_a_shared_run_is_counted_and_trained_once() -> None:
    both = suite(experiment(), experiment("again", data_sizes=(50, 90)))
    plan = make_plan(both, PLUGINS, {})
    assert [0, 6] == [one.shared for one in plan.experiments]
    assert 18 + 6 == sum(len(cohort.runs) for cohort in plan.cohorts)


def test_failed_runs_are_left_alone_unless_asked_for() -> None:
    whole = suite()
    records: Mapping[str, Record] = {
        run.id: failed(run, "an error") for run in whole.runs().values()
    }
    assert () == make_plan(whole, PLUGINS, records).missing
    assert 18 == make_plan(whole, PLUGINS, records).experiments[0].failed
    again = make_plan(whole, PLUGINS, records, retry_failed=True)
    assert 18 == sum(len(cohort.runs) for cohort in again.missing)


def test_records_that_no_run_of_the_suite_has_are_stale() -> None:
    older = replace(ADDITION, version=0)
    records = {run.id: done(run) for run in suite(experiment(task=older)).runs().values()}
    plan = make_plan(suite(), PLUGINS, records)
    assert 18 == plan.stale
    assert 18 == plan.experiments[0].missing


def test_only_seeds_and_shards_cut_the_wanted_cohorts() -> None:
    both = suite(experiment(), experiment("more", data_sizes=(90,)))
    plan = make_plan(both, PLUGINS, {})

    def wanted(**cut: object) -> list[str]:
        return [run.id for cohort in plan.wanted(both, **cut) for run in cohort.runs]

    assert 24 == len(wanted())
    assert 6 == len(wanted(only=["more"]))
    assert 8 == len(wanted(seeds=1))
    shares = [wanted(shard=(i, 3)) for i in (1, 2, 3)]
    assert sorted(wanted()) == sorted(run for share in shares for run in share)
