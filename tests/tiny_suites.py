"""Helpers of the tests that train tiny suites."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from grokbench.plan import Cohort
from grokbench.record import Record
from grokbench.session import Watcher


class Counter(Watcher):
    """Counts what it is told, and interrupts after so many cohorts."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.wanted = self.started_count = self.finished_count = self.runs = 0
        self.interrupt_after = interrupt_after

    def planned(self, plan: object, wanted: Sequence[Cohort]) -> None:
        self.wanted = len(wanted)

    def started(self, cohort: Cohort) -> None:
        self.started_count += 1

    def finished(self, cohort: Cohort, records: Sequence[Record]) -> None:
        self.finished_count += 1
        self.runs += len(records)
        if self.finished_count == self.interrupt_after:
            raise KeyboardInterrupt


def assert_same_data(left: xr.DataTree, right: xr.DataTree) -> None:
    assert sorted(left.children) == sorted(right.children)
    for name, child in left.children.items():
        assert child.to_dataset().identical(right[name].to_dataset())
