"""Which records of an experiment fit into one dataset, and what is said of the others.

A task has the same parts for every data size and seed, and an architecture the same number of
parameters for every run of a size. A definition that was changed between two sittings without a
new version breaks that; the records that came of it must not keep the others from being read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from grokbench.record import ModelSize, Record, Run, failed

if TYPE_CHECKING:
    from grokbench.suite.model import Experiment


def agreeing(experiment: Experiment, records: Mapping[str, Record]) -> dict[str, Record]:
    """The records of the experiment's runs, in the order of the grid.

    The first that was measured says what the parts are, and the first of each model size how many
    parameters that has; one that differs is replaced by a failed one that says why.
    """
    found: dict[str, Record] = {}
    parts: tuple[str, ...] | None = None
    parameters: dict[ModelSize, int] = {}
    for _, run in experiment.grid():
        record = records.get(run.id)
        if record is None:
            continue
        if record.steps.size:
            parts = parts or record.parts
            if record.parts != parts:
                record = _odd(run, f"the parts {list(record.parts)}, others {list(parts)}")
            elif record.parameters != parameters.setdefault(run.size, record.parameters):
                others = f"others of model size {run.size.label} {parameters[run.size]}"
                record = _odd(run, f"{record.parameters} parameters, {others}")
        found[run.id] = record
    return found


def _odd(run: Run, difference: str) -> Record:
    return failed(
        run,
        f"the run has {difference}, so its curves are not here, but in records/ alone. A task has "
        f"the same parts for all runs of an experiment, an architecture the same number of "
        f"parameters for all of a size: raise the version of the one that was changed, and run "
        f"the suite again",
    )
