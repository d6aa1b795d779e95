"""Cohorts side by side on one device, tested on a CPU: each gives the bits that it gives alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grokbench.plan import COHORT_BYTES, Cohort
from grokbench.plugins import Plugins
from grokbench.record import Choice, Status
from grokbench.training import checkpoints, train, train_cohorts
from grokbench.training.checkpoints import Checkpoints
from tests.training.small_runs import ADDITION, PLUGINS, curves, run
from tests.training.test_workers import Acts, Log, cohorts, in_order, never_stopped

GREEDY = Path(__file__).with_name("greedy_plugin.py")


class Together(Log):
    """Which cohorts were in training at the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self.now: set[str] = set()
        self.most = 0
        self.companies: list[frozenset[str]] = []
        self.threads: set[int] = set()

    def started(self, cohort: Cohort) -> None:
        super().started(cohort)
        self.now.add(cohort.id)
        self.most = max(self.most, len(self.now))
        self.companies.append(frozenset(self.now))
        self.threads.add(threading.get_ident())

    def finished(self, cohort: Cohort, records) -> None:
        super().finished(cohort, records)
        self.now.remove(cohort.id)


class Meeting(Together):
    """The first cohorts wait for each other, so that they certainly train side by side."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self.parties, self.present = parties, threading.Event()

    def waits(self) -> None:
        assert self.present.wait(60)

    def started(self, cohort: Cohort) -> None:
        super().started(cohort)
        if len(self.begun) >= self.parties:
            self.present.set()


@pytest.fixture
def looks_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LOOK_SECONDS", 0.0)


def test_side_by_side_they_give_the_same_bits_as_one_after_the_other():
    some = cohorts(ADDITION, 6, steps=40)
    log = Meeting(3)
    train_cohorts(some, Plugins(), log, jobs=1, lanes=3)
    assert never_stopped(some) == in_order(log.records, some)
    assert [str(seed) for seed in range(6)] == sorted(log.ended)
    assert 2 <= log.most <= 3


def test_cohorts_that_fill_the_memory_are_alone():
    full = COHORT_BYTES["cpu"]
    some = [replace(cohort, memory=full) for cohort in cohorts(ADDITION, 4)]
    log = Together()
    train_cohorts(some, Plugins(), log, jobs=1, lanes=3)
    assert 1 == log.most
    assert 4 == len(log.records)


def test_a_cohort_that_needs_more_than_there_may_be_is_trained_all_the_same():
    some = [replace(cohort, memory=9 * COHORT_BYTES["cpu"]) for cohort in cohorts(ADDITION, 2)]
    log = Together()
    train_cohorts(some, Plugins(), log, jobs=1, lanes=2)
    assert 2 == len(log.records)


def test_precisions_of_products_are_never_side_by_side():
    """What float32 products are rounded to is a setting of the whole process."""
    some = cohorts(ADDITION, 4, steps=20)
    other = [
        replace(cohort, runs=(replace(one, recipe=replace(one.recipe, precision="tf32")),), id=name)
        for name, cohort in zip("ab", some, strict=False)
        for one in cohort.runs
    ]
    log = Together()
    train_cohorts([*some, *other], Plugins(), log, jobs=1, lanes=4)
    assert not any({"a", "b"} & company and company - {"a", "b"} for company in log.companies)
    assert {"a", "b"} <= set(log.ended)


def test_a_run_that_fails_is_recorded_and_the_others_are_not_touched():
    some = cohorts(ADDITION, 3)
    wrong = Cohort("wrong", (run(Choice("unlucky"), "perceptron", seed=1),), "wrong", 1.0)
    log = Together()
    train_cohorts([*some, wrong], PLUGINS, log, jobs=1, lanes=2)
    failed = [record for record in log.records if record.status is Status.FAILED]
    assert [wrong.runs[0].id] == [record.run_id for record in failed]
    assert never_stopped(some) == in_order(log.records, some)


@pytest.mark.usefixtures("looks_after_every_step")
def test_what_a_listener_raises_stops_all_lanes_and_is_raised(tmp_path: Path):
    def act() -> None:
        raise OSError("the disk is full")

    some = cohorts(ADDITION, 4, steps=100)
    kept = Checkpoints(tmp_path / "kept", every=1000)
    with pytest.raises(OSError, match="the disk is full"):
        train_cohorts(some, Plugins(), Acts(act), jobs=1, lanes=2, checkpoints=kept)
    rest = Log()
    train_cohorts(some, Plugins(), rest, jobs=1, lanes=2, checkpoints=kept)
    assert never_stopped(some) == in_order(rest.records, some)


def test_a_cohort_that_finds_too_little_memory_is_halved_beside_another():
    """Three runs, and memory for two: one run and two runs."""
    greedy, dense = (
        Cohort(name, tuple(run(ADDITION, name, seed=seed) for seed in range(3)), name, 1.0)
        for name in ("greedy_cpu", "dense")
    )
    log = Together()
    train_cohorts([greedy, dense], Plugins([GREEDY]), log, jobs=1, lanes=2)
    assert curves(train(dense.runs, PLUGINS)) == in_order(log.records, [dense])
    halves = (dense.runs[:1], dense.runs[1:])
    alone = [curve for half in halves for curve in curves(train(half, PLUGINS))]
    assert alone == in_order(log.records, [greedy])


@pytest.fixture
def interrupt() -> Callable[[], None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("looks_after_every_step")
def test_an_interruption_stops_all_lanes_and_they_go_on_to_the_same_bits(
    tmp_path: Path, interrupt: Callable[[], None]
):
    some = cohorts(ADDITION, 3, steps=400)
    kept = Checkpoints(tmp_path / "kept", every=1000)
    log = Acts(interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_cohorts(some, Plugins(), log, jobs=1, lanes=2, checkpoints=kept)
    assert len(log.records) < 3
    rest = Log()
    left = [cohort for cohort in some if cohort.id not in done(log)]
    train_cohorts(left, Plugins(), rest, jobs=1, lanes=2, checkpoints=kept)
    assert never_stopped(some) == in_order([*log.records, *rest.records], some)


def done(log: Log) -> set[str]:
    """The cohorts all of whose runs have a record."""
    ended = {record.run_id for record in log.records}
    return {str(seed) for seed in range(9) if run(ADDITION, seed=seed, steps=400).id in ended}


def test_many_times_over_nothing_is_lost_or_done_twice():
    for _ in range(5):
        some = cohorts(ADDITION, 8, steps=4)
        log = Log()
        train_cohorts(some, Plugins(), log, jobs=1, lanes=4)
        assert sorted(cohort.runs[0].id for cohort in some) == sorted(r.run_id for r in log.records)
