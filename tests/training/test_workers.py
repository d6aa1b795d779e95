"""Worker processes, and what becomes of a cohort whose worker dies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from grokbench.plan import Cohort
from grokbench.record import Choice, Record, Status
from grokbench.training import Events, train_cohorts
from tests.training.worlds import ADDITION, run

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
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.losses: list[str] = []
        self.steps: list[int] = []

    def advanced(self, cohort: Cohort, step: int, validation_accuracy: float) -> None:
        self.steps.append(step)

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.records += records

    def lost(self, cohort: Cohort, message: str) -> None:
        self.losses.append(message)


def cohorts(task: Choice, seeds: int) -> list[Cohort]:
    return [
        Cohort(str(seed), (run(task, seed=seed),), f"seed {seed}", 1.0) for seed in range(seeds)
    ]


def test_a_worker_that_dies_takes_only_its_cohort_with_it(tmp_path: Path) -> None:
    plugin = tmp_path / "deadly.py"
    plugin.write_text(DEADLY)
    log = Log()
    train_cohorts(cohorts(Choice("deadly", {"modulus": 11}), 4), [plugin], log, jobs=2)
    assert [Status.DONE] * 3 == [record.status for record in log.records]
    assert ["its worker process ended with exit code 7"] == log.losses


@pytest.mark.parametrize("jobs", [1, 2])
def test_news_come_from_every_evaluation(jobs: int) -> None:
    log = Log()
    train_cohorts(cohorts(ADDITION, 2), [], log, jobs=jobs)
    assert 2 == len(log.records)
    assert sorted(2 * run().recipe.evaluation_steps()) == sorted(log.steps)
