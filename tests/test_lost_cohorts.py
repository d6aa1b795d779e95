"""A cohort that ends its process, hangs, or needs too much memory costs nothing but itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from grokbench.plan import Cohort
from grokbench.randomness import Streams
from grokbench.record import Status
from grokbench.session import Sitting, run_suite
from grokbench.tasks import Examples, ModularAddition
from tests.clock import Clock
from tests.tiny_suites import Counter

PLUGIN = """
import os
import signal
import time

from grokbench import hookimpl
from grokbench.tasks import ModularAddition


class Treacherous(ModularAddition):
    name = "treacherous"

    def examples(self, data_size, streams):
        deed = os.environ.get("DEED") if streams.seed == 0 else None
        if deed == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if deed == "hang":
            time.sleep(1e6)
        return super().examples(data_size, streams)


@hookimpl
def register_tasks(register):
    register(Treacherous)
"""

SUITE = """
plugins = ["plugin.py"]

[recipes.short]
optimizer = "sgd"
steps = 4

[experiments.sound]
task = { name = "modular_addition", modulus = 7 }
architecture = "dense"
recipe = "short"
model_sizes = [4]
data_sizes = [20]
seeds = 2

[experiments.treacherous]
task = { name = "treacherous", modulus = 7 }
architecture = "dense"
recipe = "short"
model_sizes = [4]
data_sizes = [20]
seeds = 2
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    path = tmp_path / "suite.toml"
    path.write_text(SUITE)
    return path


def became(sitting: Sitting, experiment: str) -> list[Status]:
    """What became of each seed."""
    return [Status(one) for one in sitting.tree[experiment]["status"].to_numpy().ravel().tolist()]


LOST = [Status.NOT_RUN, Status.NOT_RUN]
DONE = [Status.DONE, Status.DONE]


def test_a_crash_in_the_last_missing_cohort_costs_that_cohort_alone(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_suite(suite, tmp_path / "out", only=["sound"], jobs=1)
    monkeypatch.setenv("DEED", "crash")
    sitting = run_suite(suite, tmp_path / "out")
    assert (
        "treacherous, dense 4, data 20: its worker process ended with exit code -11",
    ) == sitting.lost
    assert (DONE, LOST) == (became(sitting, "sound"), became(sitting, "treacherous"))
    monkeypatch.delenv("DEED")
    again = run_suite(suite, tmp_path / "out")
    assert (2, 0, ()) == (again.trained, again.remaining, again.lost)
    assert not (tmp_path / "out" / "checkpoints").exists()


class Strikes(Counter):
    """Lets the time run out when the cohort that hangs has begun."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def started(self, cohort: Cohort) -> None:
        if cohort.runs[0].task.name == "treacherous":
            self.clock.strike()


def test_a_cohort_that_hangs_is_stopped_when_the_budget_ends_and_is_named(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    run_suite(suite, tmp_path / "out", only=["sound"], jobs=1)
    monkeypatch.setenv("DEED", "hang")
    sitting = run_suite(suite, tmp_path / "out", budget=8, watcher=Strikes(clock))
    (lost,) = sitting.lost
    assert lost.startswith(
        "treacherous, dense 4, data 20: it did not stop within 1 s after the time was up"
    )
    assert (2, DONE) == (sitting.unfinished, became(sitting, "sound"))
    assert LOST == became(sitting, "treacherous")


def test_a_run_for_which_memory_is_too_small_stays_missing_and_is_tried_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing here comes from a plugin, so one job trains in this process at first."""
    path = tmp_path / "suite.toml"
    path.write_text(
        SUITE.split("[experiments.treacherous]", maxsplit=1)[0].replace(
            'plugins = ["plugin.py"]', ""
        )
    )
    examples = ModularAddition.examples

    def greedy(task: ModularAddition, data_size: int, streams: Streams) -> Examples:
        if streams.seed == 0:
            raise MemoryError("no room")
        return examples(task, data_size, streams)

    with monkeypatch.context() as patch:
        patch.setattr(ModularAddition, "examples", greedy)
        first = run_suite(path, tmp_path / "out", jobs=1)
        assert [Status.NOT_RUN, Status.DONE] == became(first, "sound")
        (lost,) = first.lost
        assert "1 run left untrained, because memory is too small even for one run alone" in lost
        assert "(data 20, seed 0: MemoryError: no room" in lost
        assert (1, 0, 1) == (first.trained, first.failed, first.unfinished)
        again = run_suite(path, tmp_path / "out", jobs=1)
    assert (1, ()) == (again.trained, again.lost), "the other process has the true task"
    assert DONE == became(again, "sound")
