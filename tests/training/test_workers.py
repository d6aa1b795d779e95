"""Cohorts in worker processes or in this one, and what an interruption does to them."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from grokbench.plan import Cohort
from grokbench.plugins import Plugins
from grokbench.record import Choice, Record, Run, Status
from grokbench.training import Crew, Events, checkpoints, train, train_cohorts, workers
from grokbench.training.checkpoints import Checkpoints
from grokbench.training.memory import out_of_memory
from tests.training.small_runs import ADDITION, PLUGINS, curves, run

DEADLY = '''
import os

import grokbench
from grokbench import Streams
from grokbench.tasks import ModularAddition


class Deadly(ModularAddition):
    """Ends its process for seed 1."""

    name = "deadly"

    def examples(self, data_size, streams: Streams):
        if streams.seed == 1:
            os._exit(7)
        return super().examples(data_size, streams)


@grokbench.hookimpl
def register_tasks(register):
    register(Deadly)
'''


class Log(Events):
    """What happened, in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.records: list[Record] = []
        self.losses: list[tuple[str, str]] = []
        self.steps: list[int] = []
        self.ended: list[str] = []

    def started(self, cohort: Cohort) -> None:
        self.begun.append(cohort.id)

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.steps.append(step)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.records += records
        self.ended.append(cohort.id)

    def lost(self, cohort: Cohort, message: str) -> None:
        self.losses.append((cohort.id, message))


class Acts(Log):
    """Does something once, at the first evaluation after `after` steps or more.

    Args:
        beside: how many cohorts must have begun.
    """

    def __init__(self, act: Callable[[], object], after: int = 1, beside: int = 1) -> None:
        super().__init__()
        self.act, self.after, self.beside, self.acted = act, after, beside, False

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        super().advanced(cohort, step, validation_accuracy)
        if step >= self.after and len(self.begun) >= self.beside and not self.acted:
            self.acted = True
            self.act()


@dataclass
class Clock:
    """A double of the module `time` for this process."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def strike(self) -> None:
        self.now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers, "time", clock)
    return clock


@pytest.fixture
def looks_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LOOK_SECONDS", 0.0)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def interrupt(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Sends a signal that raises KeyboardInterrupt, as both do in the command line."""
    before = signal.signal(request.param, signal.default_int_handler)
    yield lambda: signal.raise_signal(request.param)
    assert signal.default_int_handler is signal.signal(request.param, before)


def cohorts(task: Choice, seeds: int, **recipe: Any) -> list[Cohort]:
    return [
        Cohort(str(seed), (run(task, seed=seed, **recipe),), f"seed {seed}", 1.0)
        for seed in range(seeds)
    ]


def never_stopped(some: Sequence[Cohort]) -> list[dict[str, Any]]:
    return [curve for cohort in some for curve in curves(train(cohort.runs, PLUGINS))]


def in_order(records: Sequence[Record], some: Sequence[Cohort]) -> list[dict[str, Any]]:
    found = {record.run_id: record for record in records}
    return curves([found[run.id] for cohort in some for run in cohort.runs])


def test_a_worker_that_dies_takes_only_its_cohort_and_the_others_tell_all_their_news(
    tmp_path: Path,
) -> None:
    plugin = tmp_path / "deadly.py"
    plugin.write_text(DEADLY)
    log = Log()
    train_cohorts(cohorts(Choice("deadly", {"modulus": 11}), 4), Plugins([plugin]), log, jobs=2)
    assert [Status.DONE] * 3 == [record.status for record in log.records]
    assert [("1", "its worker process ended with exit code 7")] == log.losses
    assert sorted(3 * run().recipe.evaluation_steps()) == sorted(log.steps)


def test_a_worker_does_not_train_with_a_plugin_that_was_edited_after_the_suite_was_read(
    tmp_path: Path,
) -> None:
    plugin = tmp_path / "edited.py"
    plugin.write_text(DEADLY)
    plugins, log = Plugins([plugin]), Log()
    assert "deadly" in plugins.tasks
    plugin.write_text(f"{DEADLY}# edited")
    with Crew() as crew:
        some = cohorts(Choice("deadly", {"modulus": 11}), 1)
        train_cohorts(some, plugins, log, jobs=1, crew=crew)
    [(name, message)] = log.losses
    assert "0" == name
    assert "edited.py was changed after it had been loaded" in message
    assert [] == log.records


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_process_at_all_is_refused(jobs: int) -> None:
    with pytest.raises(ValueError, match=f"1 or more, not {jobs}"):
        train_cohorts(cohorts(ADDITION, 1), Plugins(), Log(), jobs=jobs)


class Killer(Log):
    """Kills the first worker that finishes its cohort: the worker of cohort 0, or of cohort 1."""

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        super().finished(cohort, records)
        if [cohort.id] == self.ended:
            in_order_of_birth = sorted(multiprocessing.active_children(), key=birth)
            victim = in_order_of_birth[int(cohort.id)]
            victim.kill()
            victim.join()


def birth(process: multiprocessing.process.BaseProcess) -> int:
    """Processes are named after their number."""
    return int(process.name.rsplit("-", 1)[1])


def test_workers_go_on_when_a_signal_to_their_group_reaches_them_too() -> None:
    """The parent decides what to do: a worker that ended would lose its checkpoint."""

    def act() -> None:
        for child in multiprocessing.active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGTERM)
            os.kill(child.pid, signal.SIGINT)

    some = cohorts(ADDITION, 2, steps=200)
    log = Acts(act)
    train_cohorts(some, Plugins(), log, jobs=2)
    assert log.acted
    assert [] == log.losses
    assert never_stopped(some) == in_order(log.records, some)


def test_a_worker_that_dies_between_cohorts_takes_only_its_next_with_it() -> None:
    log, some = Killer(), cohorts(ADDITION, 4)
    train_cohorts(some, Plugins(), log, jobs=2)
    assert [("2", "its worker process ended with exit code -9")] == log.losses
    assert ["0", "1", "3"] == sorted(log.ended)
    some.pop(2)
    assert never_stopped(some) == in_order(log.records, some)


def test_a_worker_process_trains_cohorts_side_by_side_and_one_after_the_other_with_the_same_bits() -> (
    None
):
    log, some = Log(), cohorts(ADDITION, 3)
    with Crew() as crew:
        train_cohorts(some[:2], Plugins(), log, jobs=1, lanes=2, crew=crew)
        train_cohorts(some[2:], Plugins(), log, jobs=1, lanes=2, crew=crew)
        assert 1 == len(multiprocessing.active_children()), "kept for the second call"
    assert [] == multiprocessing.active_children()
    assert ["0", "1", "2"] == sorted(log.begun) == sorted(log.ended)
    assert never_stopped(some) == in_order(log.records, some)


def test_news_come_from_every_evaluation() -> None:
    log = Log()
    train_cohorts(cohorts(ADDITION, 2), Plugins(), log, jobs=1)
    assert 2 == len(log.records)
    assert 2 * [*run().recipe.evaluation_steps()] == log.steps


LONG = {"steps": 10**6, "evaluate_every": 10**6}
"""Too long to end in a test."""


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def assert_two_of_three_were_stopped(log: Log, kept: Checkpoints) -> None:
    assert (["0", "1"], [], []) == (sorted(log.ended), log.records, log.losses)
    assert [] == multiprocessing.active_children()
    paths = sorted(kept.folder.iterdir())
    assert ["0", "1"] == [path.name.split("-")[0] for path in paths]
    for path in paths:
        assert 0 < torch.load(path, weights_only=True)["taken"] < LONG["steps"]


def test_workers_keep_checkpoints_when_their_time_is_up(tmp_path: Path, clock: Clock) -> None:
    log, some, kept = (
        Acts(clock.strike, beside=2),
        cohorts(ADDITION, 3, **LONG),
        Checkpoints(tmp_path),
    )
    train_cohorts(some, Plugins(), log, jobs=2, checkpoints=kept, deadline=50, grace=1000)
    assert_two_of_three_were_stopped(log, kept)


def test_workers_keep_checkpoints_when_they_are_interrupted(tmp_path: Path) -> None:
    log, some, kept = (
        Acts(press_ctrl_c, beside=2),
        cohorts(ADDITION, 3, **LONG),
        Checkpoints(tmp_path),
    )
    with pytest.raises(KeyboardInterrupt):
        train_cohorts(some, Plugins(), log, jobs=2, checkpoints=kept, grace=1000)
    assert_two_of_three_were_stopped(log, kept)


@pytest.mark.usefixtures("looks_after_every_step")
def test_this_process_keeps_a_checkpoint_when_its_time_is_up(tmp_path: Path, clock: Clock) -> None:
    some, log, kept = cohorts(ADDITION, 2), Acts(clock.strike, after=8), Checkpoints(tmp_path)
    train_cohorts(some, Plugins(), log, jobs=1, checkpoints=kept, deadline=50)
    assert (["0"], ["0"], []) == (log.begun, log.ended, log.records)
    clock.now, rest = 0, Log()
    train_cohorts(some, Plugins(), rest, jobs=1, checkpoints=kept, deadline=50)
    assert [10, 20, 30, 40, 0] == rest.steps[:5]
    assert never_stopped(some) == in_order(rest.records, some)


@pytest.mark.usefixtures("looks_after_every_step")
def test_this_process_keeps_a_checkpoint_when_it_is_interrupted(
    tmp_path: Path, interrupt: Callable[[], None]
) -> None:
    some, log, kept = cohorts(ADDITION, 2), Acts(interrupt, after=8), Checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_cohorts(some, Plugins(), log, jobs=1, checkpoints=kept)
    assert (["0"], ["0"], []) == (log.begun, log.ended, log.records)
    rest = Log()
    train_cohorts(some, Plugins(), rest, jobs=1, checkpoints=kept)
    assert [10, 20, 30, 40, 0] == rest.steps[:5]
    assert never_stopped(some) == in_order(rest.records, some)


def test_the_second_interruption_waits_for_nothing(interrupt: Callable[[], None]) -> None:
    log = Acts(lambda: (interrupt(), interrupt()))
    with pytest.raises(KeyboardInterrupt):
        train_cohorts(cohorts(ADDITION, 2), Plugins(), log, jobs=1)
    assert (["0"], [0, 1], []) == (log.begun, log.steps, log.ended)


def test_an_error_of_whoever_listens_is_raised_and_no_run_is_blamed_for_it() -> None:
    def fail() -> None:
        raise BrokenPipeError("nobody reads this")

    log = Acts(fail)
    with pytest.raises(BrokenPipeError, match="nobody reads this"):
        train_cohorts(cohorts(ADDITION, 2), Plugins(), log, jobs=1)
    assert ([0, 1], []) == (log.steps, log.records)


# Cohorts that cannot be trained at once


def one_cohort(runs: Sequence[Run]) -> list[Cohort]:
    return [Cohort("cohort", tuple(runs), "all", 1.0)]


@pytest.mark.usefixtures("looks_after_every_step")
def test_runs_that_finished_beside_one_that_failed_are_kept_and_the_others_go_on(
    tmp_path: Path, clock: Clock
) -> None:
    """Seed 1 fails, so all runs are trained one by one; the time is up in the middle of seed 2."""
    runs = [run(Choice("unlucky"), "perceptron", seed=seed) for seed in range(4)]
    whole, kept = train(runs, PLUGINS), Checkpoints(tmp_path)

    class Strikes(Log):
        """The time is up when the second run has taken four steps."""

        def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
            super().advanced(cohort, step, validation_accuracy)
            if step == 4 and self.steps.count(4) == 2:
                clock.strike()

    log = Strikes()
    train_cohorts(one_cohort(runs), PLUGINS, log, jobs=1, checkpoints=kept, deadline=50)
    finished = {record.run_id for record in log.records}
    assert {runs[0].id} == finished
    clock.now, rest = 0, Log()
    left = [one for one in runs if one.id not in finished]
    train_cohorts(one_cohort(left), PLUGINS, rest, jobs=1, checkpoints=kept, deadline=50)
    assert [8, 10, 20, 30, 40, 0] == rest.steps[:6]
    assert [record.status for record in whole[1:]] == [record.status for record in rest.records]
    assert curves(whole) == curves([*log.records, *rest.records])


GREEDY = Plugins.load([Path(__file__).with_name("greedy_plugin.py")])


@pytest.mark.parametrize("memory", ["greedy_cpu", "greedy_cuda"])
def test_a_cohort_that_finds_too_little_memory_is_trained_in_halves(memory: str) -> None:
    """Five runs, and memory for two: two runs, one run and two runs."""
    greedy, dense = (
        [run(ADDITION, architecture, seed=seed) for seed in range(5)]
        for architecture in (memory, "dense")
    )
    records = train(greedy, GREEDY)
    assert [""] * 5 == [record.message for record in records]
    assert [one.id for one in greedy] == [record.run_id for record in records]
    shares = (dense[:2], dense[2:3], dense[3:])
    assert curves(records) == [
        curve for share in shares for curve in curves(train(share, PLUGINS))
    ]  # fmt: skip


class SpeechlessError(RuntimeError):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def test_errors_that_are_no_lack_of_memory_are_not_taken_for_it() -> None:
    assert out_of_memory(MemoryError())
    assert out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert not out_of_memory(OSError(errno.ENOENT, "No such file"))
    wrapped = RuntimeError("the examples cannot be made")
    assert not out_of_memory(wrapped)
    wrapped.__cause__ = MemoryError()
    assert out_of_memory(wrapped)
    wrapped.__cause__ = wrapped
    assert not out_of_memory(wrapped)
    assert not out_of_memory(SpeechlessError())
    assert not out_of_memory(RuntimeError("shapes cannot be multiplied"))
    assert not out_of_memory(ValueError("can't allocate memory"))
